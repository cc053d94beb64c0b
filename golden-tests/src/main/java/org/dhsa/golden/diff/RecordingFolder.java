package org.dhsa.golden.diff;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dhsa.golden.GoldenCase;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenTensor;
import org.dhsa.golden.RecordedSetting;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A recording of the official code: dense Gemma 2, a whole model with DHSA, its selection and attention, or its boundary
/// predictor. One sequence; ACTUAL may use the recorded names, with the recorded axes, or those of an export.
final class RecordingFolder extends TracedFolder {

    private final GoldenCase golden;
    private final RecordedSetting setting;
    private final Map<String, WeightTensor> weights;
    /// By the name in the trace.
    private final Map<String, GoldenTensor> recorded = new LinkedHashMap<>();
    private final Map<String, NameMap.Target> targets = new LinkedHashMap<>();

    private RecordingFolder(GoldenCase golden, RecordedSetting setting, ForwardTrace trace) {
        super(golden.folder(), trace);
        this.golden = golden;
        this.setting = setting;
        this.weights = setting.model().map(m -> Export.byName(m.weights())).orElse(Map.of());
    }

    static Expected open(Path path) throws GoldenFormatException {
        GoldenCase golden = GoldenCase.read(path);
        boolean decode = golden.family().equals("gemma2") && (!golden.has("logits") || !golden.has("input_ids"));
        boolean weightsOnly = golden.family().equals("e2e") && !golden.has("input_ids");
        if (!RecordedSetting.FAMILIES.contains(golden.family()) || decode || weightsOnly) {
            throw new GoldenFormatException(path, "is a recording of " + (decode ? "decode steps" : weightsOnly ? "nothing but weights" : "the family " + golden.family())
                    + ", which is no row of stages that diff could walk",
                    "recordings that can be compared: one prompt of gemma2, e2e, dhsa_mask, dhsa_sdpa, dhsa_quirk, predictor, predict_boundaries; for this one run "
                            + "\"dhsa golden check " + path + "\" on a backend, or compare with a vector of the stage");
        }
        for (String input : new String[] {"input_ids", "query", "features", "key_states"}) {
            if (golden.find(input).filter(t -> t.extent(0) != 1).isPresent()) {
                throw new GoldenFormatException(path, "records a batch of " + golden.tensor(input).extent(0), "one sequence can be compared; name another case of " + golden.family());
            }
        }
        try {
            RecordedSetting setting = RecordedSetting.of(golden);
            RecordingFolder folder = new RecordingFolder(golden, setting, trace(golden, setting));
            folder.find();
            return folder;
        } catch (IOException e) {
            throw new GoldenFormatException(path, e.getMessage(), "copy the recording whole", e);
        }
    }

    private static ForwardTrace trace(GoldenCase golden, RecordedSetting s) throws GoldenFormatException {
        int last = golden.has("logits_tail") && !golden.has("logits") ? golden.tensor("logits_tail").extent(1) : 0;
        ForwardTrace.Setting all = new ForwardTrace.Setting(s.config(), EmbeddingScale.EXACT, s.dhsa(), s.predictor(), s.length(), last);
        return switch (golden.family()) {
            case "gemma2", "e2e" -> new ForwardTrace(all).withWholeFinalNorm();
            case "predictor", "predict_boundaries" -> {
                ForwardTrace trace = ForwardTrace.boundaries(all);
                s.chunkBudget().ifPresent(chunks -> trace.own(trace.nodes().getLast()).put("chunkBudget", chunks));
                yield trace;
            }
            default -> {
                ForwardTrace trace = ForwardTrace.chain(all, s.window(), golden.has("value"));
                if (golden.has("threshold")) {
                    trace.result(Stage.TOP_K_SELECTION, -1, "threshold", ForwardTrace.name(-1, Stage.TOP_K_SELECTION, "threshold"));
                }
                for (String name : golden.tensors().keySet()) {
                    if (name.startsWith("output_softcap")) {
                        trace.again(trace.nodes().getLast(), ForwardTrace.name(-1, Stage.SPARSE_ATTENTION, name))
                                .put("attnLogitSoftcapping", Double.parseDouble(name.substring("output_softcap".length())));
                    }
                }
                yield trace;
            }
        };
    }

    private void find() throws GoldenFormatException {
        boolean given = setting.predictor().isEmpty();
        for (GoldenTensor tensor : golden.tensors().values()) {
            Optional<RecordedNames> found = RecordedNames.of(golden.family(), tensor.name(), layers(), given);
            if (found.isEmpty()) {
                continue;
            }
            String name = found.get().tensor();
            boolean stage = recipe().producer(name).isPresent();
            if (!stage && recipe().nodes().stream().noneMatch(n -> n.inputs().containsValue(name))) {
                continue;
            }
            NameMap.Target target = new NameMap.Target(name, found.get().axes(), List.of(), false);
            targets.put(tensor.name(), target);
            // of two orders of equal scores the defined one is kept
            if (!recorded.containsKey(name) || tensor.name().endsWith("_low")) {
                recorded.put(name, tensor);
                tensors().put(name, known(name, shape(target.axes(), tensor), Export.isWhole(name) ? name.endsWith("selectedKeys") ? KnownTensor.Kind.SELECTION
                        : KnownTensor.Kind.EXACT : KnownTensor.Kind.CONTINUOUS, !stage));
            }
        }
    }

    private KnownTensor known(String name, Shape shape, KnownTensor.Kind kind, boolean optional) {
        double floatAbs = golden.tolerance().path("float_port").path("logits_abs").asDouble(golden.tolerance().path("float_port").path("abs").asDouble(2e-5));
        double doubleAbs = golden.tolerance().path("double_port").path("abs").asDouble(1e-9);
        Optional<String> scores = kind == KnownTensor.Kind.SELECTION && golden.has("token_scores") ? Optional.of("upsampling.tokenScores") : Optional.empty();
        return new KnownTensor(name, shape, kind, OptionalDouble.empty(), 1, 0, Double.NaN, scores, name.endsWith("threshold"), optional,
                Optional.of(new KnownTensor.Tolerance(floatAbs, golden.tolerance().path("float_port").path("rel").asDouble(1e-4), doubleAbs, doubleAbs)));
    }

    /// In the order of a trace: heads first, channels last.
    private Shape shape(List<String> declared, GoldenTensor tensor) throws GoldenFormatException {
        tensor.requireRank(declared.size());
        Map<String, Integer> extents = new LinkedHashMap<>(extents());
        List<String> names = new ArrayList<>();
        for (int a = 1; a < declared.size(); a++) {
            String axis = declared.get(a);
            names.addAll(Arrays.asList(axis.split("\\*")));
            if (!axis.contains("*")) {
                extents.put(axis, tensor.extent(a));
            }
        }
        names.sort(Comparator.comparingInt(axis -> switch (axis) {
            case "heads", "kvHeads" -> 0;
            case "headDim", "modelDim", "vocab" -> 2;
            default -> 1;
        }));
        Object[] shape = new Object[2 * names.size()];
        for (int a = 0; a < names.size(); a++) {
            shape[2 * a] = names.get(a);
            shape[2 * a + 1] = extents.get(names.get(a));
        }
        return Shape.of(shape);
    }

    @Override
    public NameMap names() {
        return NameMap.exactly(targets);
    }

    @Override
    public DoubleTensor tensor(String name) throws GoldenFormatException {
        GoldenTensor tensor = recorded.get(name);
        if (tensor == null) {
            throw new GoldenFormatException(golden.folder(), "does not record " + name, "");
        }
        Shape shape = tensors().get(name).shape();
        long[] dims = Arrays.stream(tensor.shape()).asLongStream().toArray();
        try {
            return Layout.declared(shape, dims, targets.get(tensor.name()).axes(), List.of(), false, extents()).apply(shape, tensor.values());
        } catch (Layout.Misfit e) {
            throw new GoldenFormatException(tensor.file(), "tensor " + tensor.name() + " " + e.getMessage(), "record it again", e);
        }
    }

    @Override
    public Tensor weight(String name) {
        return PredictorTensors.tensor(weights.get(name));
    }

    @Override
    public String description() {
        return "recording " + golden.id() + ": " + golden.function();
    }

    @Override
    public void close() {
        setting.model().ifPresent(org.dhsa.weights.Gemma2Model::close);
    }
}
