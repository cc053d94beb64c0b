package org.dhsa.weights;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.dhsa.model.GateWeights;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;

/// Loads the weights of a learned selection rule from `.safetensors`; the names of its tensors say which.
///
///     …layers.N.….mask_linear_k.weight (mask_linear_q.weight)      SeerAttention
///         metadata gate_type (Qavg_Kmaxminavg), block_size (64), block_rope (true), rope_theta (10000)
///     …layers.N.….inner.weight, inner.bias, outer.weight           VSPrefill
///     …layers.N.….local_weight, context_weight, input_bias,
///         output_weight, output_bias (budget_bias)                 learned masks of the later DHSA code
///         metadata residual_bound (no default)
///
/// What stands in front of `layers.` and behind the number is not looked at. Layers count from 0 without a gap.
public final class GateLoader {

    private static final List<String> SEER = List.of("mask_linear_k.weight", "mask_linear_q.weight");
    private static final List<String> VS_PREFILL = List.of("inner.weight", "inner.bias", "outer.weight");
    private static final List<String> LEARNED = List.of("local_weight", "context_weight", "input_bias", "output_weight", "output_bias", "budget_bias");

    private final Path file;
    private final SafetensorsFile source;
    private final Map<Integer, Map<String, String>> names = new TreeMap<>();

    private GateLoader(Path file, SafetensorsFile source, List<String> parts) throws WeightsFormatException {
        this.file = file;
        this.source = source;
        Pattern pattern = Pattern.compile("(?:.*\\.)?layers\\.(\\d{1,6})\\.(?:.*\\.)?(" + String.join("|", parts).replace(".", "\\.") + ")");
        TreeSet<String> unexpected = new TreeSet<>();
        for (String name : source.names()) {
            Matcher matcher = pattern.matcher(name);
            if (!matcher.matches()) {
                unexpected.add(name);
            } else if (names.computeIfAbsent(Integer.parseInt(matcher.group(1)), l -> new TreeMap<>()).put(matcher.group(2), name) != null) {
                throw new WeightsFormatException(file, name, "is there twice for layer " + matcher.group(1));
            }
        }
        if (!unexpected.isEmpty()) {
            throw new WeightsFormatException(file, unexpected.first(), "is unexpected in a gate with " + parts.getFirst());
        }
        for (int l = 0; l < names.size(); l++) {
            if (!names.containsKey(l)) {
                throw new WeightsFormatException(file, null, "has no gate for layer " + l + ", but one for layer " + names.keySet().stream().reduce((a, b) -> b).orElseThrow());
            }
        }
    }

    /// The weights are copied to the heap: nothing has to be closed.
    ///
    /// @param model the model that the gate is for
    /// @throws WeightsFormatException naming file, tensor, axis, what is expected and what was found
    public static GateWeights load(Path file, Gemma2Config model) throws IOException, WeightsFormatException {
        Json.requireFile(file);
        try (SafetensorsFile source = SafetensorsFile.open(file)) {
            GateWeights gate = read(file, source);
            gate.requireFit(model.numHiddenLayers(), model.numAttentionHeads(), model.numKeyValueHeads(), model.headDim());
            return gate;
        } catch (IllegalArgumentException e) {
            throw new WeightsFormatException(file, null, e.getMessage(), e);
        }
    }

    private static GateWeights read(Path file, SafetensorsFile source) throws WeightsFormatException {
        if (has(source, SEER.getFirst())) {
            GateLoader loader = new GateLoader(file, source, SEER);
            return new GateWeights.SeerAttention(loader.layers(l -> new GateWeights.SeerAttention.Layer(loader.optional(l, "mask_linear_q.weight"),
                    loader.tensor(l, "mask_linear_k.weight"))), source.metadata().getOrDefault("gate_type", "Qavg_Kmaxminavg"), (int) loader.number("block_size", "64"),
                    loader.flag("block_rope"), loader.number("rope_theta", "10000"));
        }
        if (has(source, VS_PREFILL.getFirst())) {
            GateLoader loader = new GateLoader(file, source, VS_PREFILL);
            return new GateWeights.VsPrefill(loader.layers(l -> new GateWeights.VsPrefill.Layer(loader.tensor(l, "inner.weight"), loader.tensor(l, "inner.bias"),
                    loader.tensor(l, "outer.weight"))));
        }
        if (has(source, LEARNED.getFirst())) {
            GateLoader loader = new GateLoader(file, source, LEARNED);
            return new GateWeights.LearnedTopK(loader.layers(l -> new GateWeights.LearnedTopK.Layer(loader.tensor(l, "local_weight"), loader.tensor(l, "context_weight"),
                    loader.tensor(l, "input_bias"), loader.tensor(l, "output_weight"), loader.tensor(l, "output_bias"), loader.optional(l, "budget_bias"))),
                    loader.number("residual_bound", null));
        }
        throw new WeightsFormatException(file, null, "is no known gate: expected layers.N with mask_linear_k.weight (SeerAttention), inner.weight (VSPrefill) or local_weight "
                + "(learned masks), found " + Printable.list(source.names(), 5));
    }

    private static boolean has(SafetensorsFile source, String part) {
        return source.names().stream().anyMatch(name -> name.matches("(.*\\.)?layers\\.\\d+\\.(.*\\.)?" + Pattern.quote(part)));
    }

    /// Reads one layer's part.
    private interface Reading<T> {
        T read(int layer) throws WeightsFormatException;
    }

    private <T> List<T> layers(Reading<T> reading) throws WeightsFormatException {
        List<T> layers = new java.util.ArrayList<>();
        for (int l : IntStream.range(0, names.size()).toArray()) {
            layers.add(reading.read(l));
        }
        return layers;
    }

    private Optional<WeightTensor> optional(int layer, String part) throws WeightsFormatException {
        return names.get(layer).containsKey(part) ? Optional.of(tensor(layer, part)) : Optional.empty();
    }

    private WeightTensor tensor(int layer, String part) throws WeightsFormatException {
        String name = names.get(layer).get(part);
        if (name == null) {
            throw new WeightsFormatException(file, "layers." + layer + "." + part, "is missing");
        }
        WeightTensor mapped = source.tensor(name);
        if (mapped.dtype() != DType.F32 && mapped.dtype() != DType.F64 && mapped.dtype() != DType.F16 && mapped.dtype() != DType.BF16) {
            throw new WeightsFormatException(file, name, "expected a floating type, got " + mapped.dtype());
        }
        WeightCheck.requireFinite(file, mapped);
        return new WeightTensor(name, mapped.dtype(), mapped.dims(), MemorySegment.ofArray(mapped.bytes().toArray(ValueLayout.JAVA_BYTE)));
    }

    private boolean flag(String field) throws WeightsFormatException {
        String value = source.metadata().getOrDefault(field, "true");
        if (!value.equalsIgnoreCase("true") && !value.equalsIgnoreCase("false")) {
            throw new WeightsFormatException(file, null, "metadata " + field + " must be true or false, was " + Printable.name(value));
        }
        return value.equalsIgnoreCase("true");
    }

    private double number(String field, String otherwise) throws WeightsFormatException {
        String value = source.metadata().getOrDefault(field, otherwise);
        if (value == null || !value.matches("[0-9]{1,9}(\\.[0-9]{1,9})?")) {
            throw new WeightsFormatException(file, null, "metadata " + field + " must be a positive number, " + (value == null ? "is missing" : "was " + Printable.name(value)));
        }
        return Double.parseDouble(value);
    }
}
