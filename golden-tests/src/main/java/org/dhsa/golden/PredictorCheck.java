package org.dhsa.golden;

import java.io.IOException;
import org.dhsa.forward.Probe;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.reference.dhsa.BoundaryPredictionReference;
import org.dhsa.reference.dhsa.WindowEncoder;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// The three boundary predictors: the logit of every position, and for the reference every step on the way to it.
final class PredictorCheck implements FamilyCheck {

    private static final String[] INNER = {"window_encoding", "left", "right", "cosine", "fused"};

    @Override
    public void check(CaseCheck check) throws GoldenFormatException, IOException {
        GoldenCase golden = check.golden();
        String weights = "weights.safetensors";
        golden.tensors().values().stream().filter(t -> t.file().endsWith(weights)).forEach(t -> check.input(t.name()));
        check.input("features");
        check.excuse("logits_float32", "the official code's own float32 run, recorded to calibrate tolerances");
        BoundaryPredictorWeights predictor = GoldenModel.predictor(golden.folder().resolve(weights), golden.optionalInt("heads"), golden.intOf("w"));
        GoldenTensor features = golden.tensor("features");
        features.requireRank(3);
        boolean inner = check.backend().boundaryPrediction() instanceof BoundaryPredictionReference;
        for (int b = 0; b < features.extent(0); b++) {
            check.batch(b, features.extent(0));
            DoubleTensor key = keys(features.row(b, "channels", "keyLen"));
            if (inner) {
                steps(check, predictor, key, b);
            } else {
                for (String tensor : INNER) {
                    check.excuse(tensor, "inside the stage, which shows its logits only");
                }
            }
            DoubleTensor expected = golden.tensor("logits").row(b, "keyLen");
            check.close(Stage.BOUNDARY_PREDICTION, Probe.NO_LAYER, "logits", expected, check.apply(Stage.BOUNDARY_PREDICTION, Probe.NO_LAYER,
                    "logits", () -> new BoundaryPrediction.Input(key, predictor), check.backend().boundaryPrediction()).logits());
        }
    }

    /// `[channels, keyLen]` as keys of a single head.
    private static DoubleTensor keys(DoubleTensor features) {
        int channels = features.shape().extent(0);
        int length = features.shape().extent(1);
        DoubleTensor key = DoubleTensor.zeros(Shape.of("kvHeads", 1, "keyLen", length, "headDim", channels));
        for (int t = 0; t < length; t++) {
            for (int c = 0; c < channels; c++) {
                key.set(features.at(c, t), 0, t, c);
            }
        }
        return key;
    }

    private static void steps(CaseCheck check, BoundaryPredictorWeights predictor, DoubleTensor key, int b) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        DoubleTensor features = BoundaryPredictionReference.features(key);
        WindowEncoder encoder = WindowEncoder.of(predictor);
        int length = features.shape().extent("keyLen");
        int window = predictor.window();
        if (golden.has("window_encoding") && b == 0 && encoder instanceof WindowEncoder.Attention attention) {
            DoubleTensor expected = golden.tensor("window_encoding").named("positions", "tokens", "channels");
            DoubleTensor encoded = DoubleTensor.zeros(expected.shape());
            int size = 2 * window * predictor.channels();
            for (int p = 0; p < Math.min(length, expected.shape().extent(0)); p++) {
                System.arraycopy(attention.encodeTokens(BoundaryPredictionReference.window(features, p, window)), 0, encoded.data(), p * size, size);
            }
            inner(check, "window_encoding", expected, encoded);
        }
        int dim = encoder.dim();
        DoubleTensor left = DoubleTensor.zeros(Shape.of("keyLen", length, "channels", dim));
        DoubleTensor right = DoubleTensor.zeros(left.shape());
        DoubleTensor cosine = DoubleTensor.zeros(Shape.of("keyLen", length));
        DoubleTensor fused = DoubleTensor.zeros(Shape.of("keyLen", length, "channels", 4 * dim + 1));
        for (int p = 0; p < length; p++) {
            WindowEncoder.Sides sides = encoder.encode(BoundaryPredictionReference.window(features, p, window));
            System.arraycopy(sides.left(), 0, left.data(), p * dim, dim);
            System.arraycopy(sides.right(), 0, right.data(), p * dim, dim);
            cosine.data()[p] = BoundaryPredictionReference.cosine(sides.left(), sides.right(), encoder.cosineEps());
            System.arraycopy(BoundaryPredictionReference.fuse(sides, encoder.cosineEps()), 0, fused.data(), p * (4 * dim + 1), 4 * dim + 1);
        }
        compare(check, "left", b, left, "keyLen", "channels");
        compare(check, "right", b, right, "keyLen", "channels");
        compare(check, "cosine", b, cosine, "keyLen");
        compare(check, "fused", b, fused, "keyLen", "channels");
    }

    /// As many positions as are recorded.
    private static void compare(CaseCheck check, String tensor, int b, DoubleTensor computed, String... axes) throws GoldenFormatException {
        if (check.golden().has(tensor)) {
            DoubleTensor expected = check.golden().tensor(tensor).row(b, axes);
            inner(check, tensor, expected, computed.rows(0, Math.min(expected.shape().extent(0), computed.shape().extent(0))));
        }
    }

    private static void inner(CaseCheck check, String tensor, DoubleTensor expected, DoubleTensor computed) {
        check.close(Stage.BOUNDARY_PREDICTION, Probe.NO_LAYER, tensor, expected, computed);
    }
}
