package org.dhsa.recording;

import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.BoundaryPredictorWeights.DecisionMlp;
import org.dhsa.model.BoundaryPredictorWeights.LayerNorm;
import org.dhsa.model.BoundaryPredictorWeights.SelfAttention;
import org.dhsa.model.WeightTensor;

/// The recorded predictor weights, under their PyTorch names, as a weights record.
public final class PredictorRecording {

    private PredictorRecording() {}

    public static BoundaryPredictorWeights attention(Recording r) {
        return new BoundaryPredictorWeights.Attention(r.parameter("w"), selfAttention(r, "enc.mha"), norm(r, "enc.norm"), gate(r), mlp(r));
    }

    public static BoundaryPredictorWeights cnn(Recording r) {
        return new BoundaryPredictorWeights.Cnn(r.parameter("w"), r.stored("enc.0.weight"), r.stored("enc.0.bias"),
                r.stored("enc.2.weight"), r.stored("enc.2.bias"), mlp(r));
    }

    public static BoundaryPredictorWeights stack(Recording r) {
        List<BoundaryPredictorWeights.Stack.Block> blocks = IntStream.range(0, r.parameter("n"))
                .mapToObj(n -> new BoundaryPredictorWeights.Stack.Block(
                        selfAttention(r, "enc_ls." + n + ".mha"), norm(r, "enc_ls." + n + ".norm")))
                .toList();
        return new BoundaryPredictorWeights.Stack(r.parameter("w"), blocks, norm(r, "norm"), gate(r), mlp(r));
    }

    private static SelfAttention selfAttention(Recording r, String name) {
        return new SelfAttention(r.parameter("heads"), r.stored(name + ".in_proj_weight"), r.stored(name + ".in_proj_bias"),
                r.stored(name + ".out_proj.weight"), r.stored(name + ".out_proj.bias"));
    }

    private static LayerNorm norm(Recording r, String name) {
        return new LayerNorm(r.stored(name + ".weight"), r.stored(name + ".bias"));
    }

    private static Optional<WeightTensor> gate(Recording r) {
        return r.has("pool.gate.weight") ? Optional.of(r.stored("pool.gate.weight")) : Optional.empty();
    }

    private static DecisionMlp mlp(Recording r) {
        return new DecisionMlp(r.stored("mlp.0.weight"), r.stored("mlp.0.bias"), r.stored("mlp.2.weight"), r.stored("mlp.2.bias"));
    }
}
