package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.matrix;

import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// Random boundary predictors of every architecture, under the names of the authors' state dict.
final class PredictorDraft {

    private PredictorDraft() {}

    static CaseDraft attention(CaseDraft draft, int channels, int window, int heads, boolean gate, DType dtype) {
        draft.with("predictor", "attention").with("boundaryWindowSize", window).with("predictorHeads", heads);
        selfAttention(draft, "enc.mha.", channels, dtype);
        norm(draft, "enc.norm.", channels, dtype);
        return pooled(draft, channels, gate, dtype);
    }

    static CaseDraft stack(CaseDraft draft, int channels, int window, int heads, int blocks, boolean gate) {
        draft.with("predictor", "stack").with("boundaryWindowSize", window).with("predictorHeads", heads);
        for (int n = 0; n < blocks; n++) {
            selfAttention(draft, "enc_ls." + n + ".mha.", channels, DType.F32);
            norm(draft, "enc_ls." + n + ".norm.", channels, DType.F32);
        }
        norm(draft, "norm.", channels, DType.F32);
        return pooled(draft, channels, gate, DType.F32);
    }

    static CaseDraft cnn(CaseDraft draft, int channels, int window, int encodingDim) {
        draft.with("predictor", "cnn").with("boundaryWindowSize", window).with("predictorHeads", null);
        draft.random("enc.0.weight", Shape.of("channels", channels, "one", 1, "window", window), 0.5).random("enc.0.bias", Shape.of("channels", channels), 0.2, 0.1);
        draft.random("enc.2.weight", Shape.of("encodingDim", encodingDim, "channels", channels, "one", 1), 0.7).random("enc.2.bias", Shape.of("encodingDim", encodingDim), 0.2, 0.1);
        return mlp(draft, encodingDim, DType.F32);
    }

    private static void selfAttention(CaseDraft draft, String prefix, int channels, DType dtype) {
        double scale = Math.sqrt(3.0 / channels);
        draft.random(prefix + "in_proj_weight", matrix("inRows", 3 * channels, "channels", channels), dtype, 1.5 * scale, 0)
                .random(prefix + "in_proj_bias", Shape.of("inRows", 3 * channels), dtype, 0.1, 0)
                .random(prefix + "out_proj.weight", matrix("channelsOut", channels, "channels", channels), dtype, scale, 0)
                .random(prefix + "out_proj.bias", Shape.of("channels", channels), dtype, 0.1, 0);
    }

    private static void norm(CaseDraft draft, String prefix, int channels, DType dtype) {
        draft.random(prefix + "weight", Shape.of("channels", channels), dtype, 0.25, 1).random(prefix + "bias", Shape.of("channels", channels), dtype, 0.1, 0);
    }

    private static CaseDraft pooled(CaseDraft draft, int channels, boolean gate, DType dtype) {
        if (gate) {
            draft.random("pool.gate.weight", matrix("one", 1, "channels", channels), dtype, 1, 0);
        }
        return mlp(draft, channels, dtype);
    }

    private static CaseDraft mlp(CaseDraft draft, int encodingDim, DType dtype) {
        int hidden = 6;
        int features = 4 * encodingDim + 1;
        return draft.random("mlp.0.weight", matrix("hidden", hidden, "features", features), dtype, Math.sqrt(6.0 / features), 0)
                .random("mlp.0.bias", Shape.of("hidden", hidden), dtype, 0.2, 0.1)
                .random("mlp.2.weight", matrix("one", 1, "hidden", hidden), dtype, 3, 0)
                .random("mlp.2.bias", Shape.of("one", 1), dtype, 0.2, 0);
    }
}
