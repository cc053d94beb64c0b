package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A case before anything is computed: what it is about, its parameters and its inputs.
///
/// Random inputs come from SplitMix64. The seed of a case is a hash of its id, so that a new case changes no other; the
/// n-th generated tensor has the seed of the case plus n.
final class CaseDraft {

    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final long SEED_BITS = (1L << 48) - 1;

    /// An input and how it can be built again, null if it was written down.
    record Input(VectorTensor tensor, ObjectNode generator) {}

    private final String family;
    private final String slug;
    private final String folder;
    private final String name;
    private final String level;
    private final String comment;
    private String profile;
    private List<String> flags = List.of();
    private final ObjectNode config = MAPPER.createObjectNode();
    private final Map<String, Input> inputs = new LinkedHashMap<>();
    private final long seed;
    private int generated;
    private List<String> left = List.of();
    private String recording = "";
    private final Map<String, double[]> official = new LinkedHashMap<>();
    private String since = "1.0.0";

    /// @param folder between family and name in the id: the stage's slug, or a policy's name
    CaseDraft(String family, String folder, String name, String level, String comment) {
        this.family = family;
        this.folder = folder;
        this.slug = StageCatalog.slug(family, folder);
        this.name = name;
        this.level = level;
        this.comment = comment;
        this.profile = family.equals("dhsa") ? "dhsa-corrected" : family;
        this.seed = fnv1a(id()) & SEED_BITS;
        config.put("seed", seed);
    }

    private static long fnv1a(String text) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < text.length(); i++) {
            hash = (hash ^ text.charAt(i)) * 0x100000001b3L;
        }
        return hash ^ hash >>> 32;
    }

    String id() {
        return family + "/" + folder + "/" + name;
    }

    String slug() {
        return slug;
    }

    String level() {
        return level;
    }

    String comment() {
        return comment;
    }

    String profile() {
        return profile;
    }

    List<String> flags() {
        return flags;
    }

    ObjectNode config() {
        return config;
    }

    Map<String, Input> inputs() {
        return inputs;
    }

    Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        inputs.forEach((n, input) -> tensors.put(n, input.tensor()));
        return tensors;
    }

    /// True for outputs that the case does not publish, to stay small: those whose name without the layer is not listed.
    boolean leavesOut(String output) {
        return !left.isEmpty() && !left.contains(output.substring(output.lastIndexOf('.') + 1));
    }

    /// The recording whose inputs these are, empty for a case with its own.
    String recording() {
        return recording;
    }

    /// What the official code gave on these inputs, by output.
    Map<String, double[]> official() {
        return official;
    }

    CaseDraft recorded(String id) {
        recording = id;
        return this;
    }

    CaseDraft official(String output, double... values) {
        official.put(output, values);
        return this;
    }

    CaseDraft stored(String input, VectorTensor tensor) {
        inputs.put(input, new Input(tensor, null));
        return this;
    }

    CaseDraft flags(String... names) {
        flags = List.of(names);
        return this;
    }

    /// Release of the vectors in which the case came; its expected values have not changed since.
    String since() {
        return since;
    }

    CaseDraft since(String version) {
        since = version;
        return this;
    }

    CaseDraft upstream() {
        profile = "dhsa-upstream";
        return this;
    }

    /// Publishes only these outputs, of every layer.
    CaseDraft only(String... outputs) {
        left = List.of(outputs);
        return this;
    }

    CaseDraft with(String parameter, Object value) {
        config.set(parameter, MAPPER.valueToTree(value));
        return this;
    }

    CaseDraft with(Map<String, ?> parameters) {
        parameters.forEach(this::with);
        return this;
    }

    CaseDraft given(String input, Shape shape, double... values) {
        inputs.put(input, new Input(VectorTensor.of(shape, DType.F32, values), null));
        return this;
    }

    CaseDraft ints(String input, Shape shape, int... values) {
        inputs.put(input, new Input(VectorTensor.ints(shape, values), null));
        return this;
    }

    /// Uniform in [offset − scale, offset + scale).
    CaseDraft random(String input, Shape shape, double scale, double offset) {
        return random(input, shape, DType.F32, scale, offset);
    }

    CaseDraft random(String input, Shape shape, double scale) {
        return random(input, shape, DType.F32, scale, 0);
    }

    CaseDraft random(String input, Shape shape, DType dtype, double scale, double offset) {
        ObjectNode generator = MAPPER.createObjectNode().put("kind", "splitmix64").put("seed", seed + ++generated).put("scale", scale).put("offset", offset);
        inputs.put(input, new Input(InputGenerator.build(generator, shape, dtype), generator));
        return this;
    }

    CaseDraft randomInts(String input, Shape shape, int low, int high) {
        ObjectNode generator = MAPPER.createObjectNode().put("kind", "splitmix64-int").put("seed", seed + ++generated).put("low", low).put("high", high);
        inputs.put(input, new Input(InputGenerator.build(generator, shape, DType.I64), generator));
        return this;
    }

    /// Overwrites elements of an input that was generated; a short index means everything below it.
    CaseDraft set(String input, double value, int... index) {
        Input old = inputs.get(input);
        ObjectNode generator = old.generator();
        ArrayNode edits = generator.has("set") ? (ArrayNode) generator.get("set") : generator.putArray("set");
        ObjectNode edit = edits.addObject();
        ArrayNode at = edit.putArray("index");
        for (int i : index) {
            at.add(i);
        }
        edit.put("value", value);
        inputs.put(input, new Input(InputGenerator.build(generator, old.tensor().shape(), old.tensor().dtype()), generator));
        return this;
    }

    @Override
    public String toString() {
        return id();
    }

    static JsonNode json(Object value) {
        return MAPPER.valueToTree(value);
    }
}
