package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Several stages wired together: a layer, a model, a chain, a generation. The wiring is the forward pass itself.
final class CompositeRunner {

    private CompositeRunner() {}

    static void run(Backend backend, String slug, StageInputs in, Map<String, Tensor> out) {
        switch (slug) {
            case "decoder-layer" -> decoderLayer(backend, in, out);
            case "dense-model" -> model(backend, in, out, new AttentionMode.Dense());
            case "dhsa-model" -> model(backend, in, out, AttentionMode.Dhsa.predicted(in.dhsa(), in.predictor()));
            case "selection-chain" -> chain(backend, in, out, false);
            case "sparse-chain" -> chain(backend, in, out, true);
            case "generation" -> generation(backend, in, out);
            case PolicyRunner.SLUG -> PolicyRunner.run(backend, in, out);
            default -> throw new IllegalArgumentException("there is no stage " + slug);
        }
    }

    private static void decoderLayer(Backend backend, StageInputs in, Map<String, Tensor> out) {
        int layer = in.integer("layer");
        Tensor x = in.tensor("x");
        Gemma2Weights.Layer weights = in.layer(layer);
        int modelDim = in.integer("hiddenSize");
        Gemma2Config config = in.layerModel();
        Gemma2Weights all = new Gemma2Weights(zeros(1, modelDim), Collections.nCopies(layer + 1, weights), zeros(modelDim));
        VectorProbe probe = new VectorProbe(out, l -> "");
        new Gemma2Forward(config, all, backend, EmbeddingScale.EXACT).open(new AttentionMode.Dense(), probe).layer(layer, x);
    }

    private static void model(Backend backend, StageInputs in, Map<String, Tensor> out, AttentionMode mode) {
        Gemma2Config config = in.model();
        new Gemma2Forward(config, in.weights(config.numHiddenLayers()), backend, in.embeddingScale())
                .open(mode, new VectorProbe(out, VectorProbe.LAYERS)).prefillAllLogits(in.ints("ids"));
    }

    /// One layer's attention on given queries, keys and values; without values the context is left out.
    private static void chain(Backend backend, StageInputs in, Map<String, Tensor> out, boolean attend) {
        Tensor query = in.tensor("query");
        Tensor key = in.tensor("key");
        Gemma2Config config = in.chainModel(attend);
        int layer = config.numHiddenLayers() - 1;
        DhsaConfig rules = in.chain().with(b -> b.shareBoundaries = false);
        VectorProbe probe = new VectorProbe(out, l -> "");
        bare(config, backend).open(AttentionMode.Dhsa.predicted(rules, in.predictor()), probe).attend(layer, query, key, attend ? in.tensor("value") : key);
        if (!attend) {
            out.remove("context");
        }
        KeySelection selection = probe.selection();
        if (!selection.blocks().isEmpty()) {
            Selections.evidence(out, selection, in.visibility(false), rules.budget(), key.shape().extent("keyLen"), rules);
            out.put("blocks", Selections.blocks(selection.queryBlocks()));
        }
    }

    /// A model of which only the attention is used.
    static Gemma2Forward bare(Gemma2Config c, Backend backend) {
        int q = c.numAttentionHeads() * c.headDim();
        int kv = c.numKeyValueHeads() * c.headDim();
        Gemma2Weights.Layer layer = new Gemma2Weights.Layer(zeros(1), zeros(q, 1), zeros(kv, 1), zeros(kv, 1), zeros(1, q), zeros(1), zeros(1),
                zeros(1, 1), zeros(1, 1), zeros(1, 1), zeros(1));
        return new Gemma2Forward(c, new Gemma2Weights(zeros(1, 1), Collections.nCopies(c.numHiddenLayers(), layer), zeros(1)), backend, EmbeddingScale.EXACT);
    }

    private static WeightTensor zeros(long... dims) {
        int elements = 1;
        for (long d : dims) {
            elements *= (int) d;
        }
        return WeightTensor.of("unused", new double[elements], dims);
    }

    private static void generation(Backend backend, StageInputs in, Map<String, Tensor> out) {
        Gemma2Config config = in.model();
        boolean dhsa = switch (in.text("attention")) {
            case "dense" -> false;
            case "dhsa" -> true;
            case String other -> throw new IllegalArgumentException("parameter attention of generation has the unknown value " + other);
        };
        AttentionMode mode = dhsa ? AttentionMode.Dhsa.predicted(in.dhsa(), in.predictor()) : new AttentionMode.Dense();
        int newTokens = in.integer("newTokens");
        int[] forced = in.isNull("forcedIds") ? null : in.integers("forcedIds");
        VectorProbe.Steps probe = new VectorProbe.Steps(config.numHiddenLayers());
        Gemma2Forward.Session session = new Gemma2Forward(config, in.weights(config.numHiddenLayers()), backend, in.embeddingScale()).open(mode, probe);

        DoubleTensor logits = session.prefill(in.ints("ids")).toDouble();
        out.put("promptLogits", logits.reshape(Shape.of("vocab", config.vocabSize())));
        int[] generated = new int[newTokens];
        double[] steps = new double[(newTokens - 1) * config.vocabSize()];
        for (int n = 0; n < newTokens; n++) {
            generated[n] = largest(logits.data());
            if (n < newTokens - 1) {
                logits = session.decode(forced == null ? generated[n] : forced[n]).toDouble();
                System.arraycopy(logits.data(), 0, steps, n * config.vocabSize(), config.vocabSize());
            }
        }
        out.put("generated", StageInputs.ints(Shape.of("newTokens", newTokens), generated));
        out.put("stepLogits", DoubleTensor.of(Shape.of("steps", newTokens - 1, "vocab", config.vocabSize()), steps));
        if (dhsa && in.dhsa().decode() == DhsaConfig.DecodeMode.DHSA) {
            out.put("stepBoundaries", Selections.matrix("steps", "boundaries", probe.boundaries().stream().map(Boundaries::toArray).toList()));
            for (int l = 0; l < config.numHiddenLayers(); l++) {
                out.put("layers." + l + ".stepSelectedKeys", Selections.matrix("steps", "budget", probe.keys(l)));
            }
        }
        List<Integer> starts = new ArrayList<>();
        for (int l = 0; l < config.numHiddenLayers(); l++) {
            out.put("layers." + l + ".cacheKey", session.cache(l).keys().toDouble());
            out.put("layers." + l + ".cacheValue", session.cache(l).values().toDouble());
            starts.add(session.cache(l).firstPosition());
        }
        out.put("cacheStart", StageInputs.ints(Shape.of("layers", starts.size()), starts.stream().mapToInt(Integer::intValue).toArray()));
    }

    /// The first of the largest.
    private static int largest(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }
}
