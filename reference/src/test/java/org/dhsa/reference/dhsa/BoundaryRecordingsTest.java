package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.recording.Close.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.Profile;
import org.dhsa.recording.PredictorRecording;
import org.dhsa.recording.Recording;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference.Rules;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class BoundaryRecordingsTest {

    static List<String> predictors() {
        return Recording.cases("predictor", "");
    }

    static List<String> predictedBoundaries() {
        return Recording.cases("predict_boundaries", "");
    }

    @ParameterizedTest
    @MethodSource("predictors")
    void everyStepOfThePredictorEqualsTheRecordedOne(String id) {
        Recording r = Recording.of(id);
        BoundaryPredictorWeights weights = switch (r.text("kind")) {
            case "attn" -> PredictorRecording.attention(r);
            case "cnn" -> PredictorRecording.cnn(r);
            case "stack" -> PredictorRecording.stack(r);
            default -> throw new AssertionError(r.text("kind"));
        };
        WindowEncoder encoder = WindowEncoder.of(weights);
        double float32Distance = 0;
        for (int b = 0; b < r.stored("features").dim(0); b++) {
            DoubleTensor key = keys(r.item(b, "features", "channels", "keyLen"));
            DoubleTensor features = BoundaryPredictionReference.features(key);
            int length = features.shape().extent("keyLen");
            DoubleTensor left = DoubleTensor.zeros(Shape.of("keyLen", length, "dim", encoder.dim()));
            DoubleTensor right = DoubleTensor.zeros(left.shape());
            DoubleTensor cosine = DoubleTensor.zeros(Shape.of("keyLen", length));
            DoubleTensor fused = DoubleTensor.zeros(Shape.of("keyLen", Math.toIntExact(r.stored("fused").dim(1)), "fused", 4 * encoder.dim() + 1));
            for (int p = 0; p < length; p++) {
                WindowEncoder.Sides sides = encoder.encode(BoundaryPredictionReference.window(features, p, weights.window()));
                System.arraycopy(sides.left(), 0, left.data(), p * encoder.dim(), encoder.dim());
                System.arraycopy(sides.right(), 0, right.data(), p * encoder.dim(), encoder.dim());
                cosine.set(BoundaryPredictionReference.cosine(sides.left(), sides.right(), encoder.cosineEps()), p);
                if (p < fused.shape().extent("keyLen")) {
                    double[] row = BoundaryPredictionReference.fuse(sides, encoder.cosineEps());
                    System.arraycopy(row, 0, fused.data(), p * row.length, row.length);
                }
            }
            assertClose("left", left, r.item(b, "left", "keyLen", "dim"));
            assertClose("right", right, r.item(b, "right", "keyLen", "dim"));
            assertClose("cosine", cosine, r.item(b, "cosine", "keyLen"));
            assertClose("fused", fused, r.item(b, "fused", "keyLen", "fused"));
            if (b == 0 && encoder instanceof WindowEncoder.Attention attention) {
                DoubleTensor recorded = r.tensor("window_encoding", "keyLen", "window", "dim");
                for (int p = 0; p < recorded.shape().extent("keyLen"); p++) {
                    assertClose("window_encoding " + p, attention.encodeTokens(BoundaryPredictionReference.window(features, p, weights.window())),
                            recorded.rows(p, p + 1).data());
                }
            }
            DoubleTensor logits = new BoundaryPredictionReference().apply(new BoundaryPrediction.Input(key, weights)).logits().toDouble();
            assertClose("logits", logits, r.item(b, "logits", "keyLen"));
            double[] float32 = r.item(b, "logits_float32", "keyLen").data();
            for (int p = 0; p < length; p++) {
                float32Distance = Math.max(float32Distance, Math.abs(float32[p] - logits.at(p)));
            }
        }
        assertClose("float32 distance", float32Distance, r.result("max_abs_logit_difference_of_official_float32_run").doubleValue());
        assertThat(r.unread()).isEmpty();
    }

    /// `[channels, keyLen]` to the keys of one KV head.
    private static DoubleTensor keys(DoubleTensor features) {
        int channels = features.shape().extent("channels");
        int length = features.shape().extent("keyLen");
        DoubleTensor key = DoubleTensor.zeros(Shape.of("kvHeads", 1, "keyLen", length, "headDim", channels));
        for (int c = 0; c < channels; c++) {
            for (int p = 0; p < length; p++) {
                key.set(features.at(c, p), 0, p, c);
            }
        }
        return key;
    }

    @ParameterizedTest
    @MethodSource("predictedBoundaries")
    void predictedBoundariesEqualTheRecordedOnes(String id) {
        Recording r = Recording.of(id);
        DoubleTensor raw = new BoundaryPredictionReference().apply(new BoundaryPrediction.Input(
                r.item(0, "key_states", "kvHeads", "keyLen", "headDim"), PredictorRecording.attention(r))).logits().toDouble();
        assertClose("raw_logits", raw, r.item(0, "raw_logits", "keyLen"));

        NonMaximumSuppression.Output low = suppress(r, TieOrder.LOW_POSITION_FIRST);
        NonMaximumSuppression.Output high = suppress(r, TieOrder.HIGH_POSITION_FIRST);
        assertClose("ratios", low.filled().toDouble(), r.item(0, "ratios", "keyLen"));
        assertThat(low.boundaries().toArray()).isEqualTo(r.ints("boundaries")).isEqualTo(ints(r.result("boundaries")));
        assertThat(high.boundaries().toArray()).isEqualTo(ints(r.result("boundaries_if_ties_were_high_first")));
        assertThat(!low.boundaries().equals(high.boundaries())).isEqualTo(r.result("tie_order_matters").booleanValue());
        assertThat(r.unread()).isEmpty();
    }

    private static NonMaximumSuppression.Output suppress(Recording r, TieOrder tieOrder) {
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.quirks = Profile.UPSTREAM.quirks();
            c.theta = r.maybeNumber("theta");
            c.nmsWindow = r.flag("use_nms") ? r.parameter("nms") : 0;
            c.instructionTokens = r.maybeInt("ins");
            c.smoothEnds = r.flag("smooth");
            c.tieOrder = tieOrder;
        });
        return new NonMaximumSuppressionReference().apply(new NonMaximumSuppression.Input(
                r.item(0, "raw_logits", "keyLen"), r.parameter("w"), r.parameter("num_chunks"), config));
    }

    @Test
    void everyDistinctSelectionEqualsTheRecordedOne() {
        Recording r = Recording.of("select/distinct");
        for (JsonNode row : r.result("cases")) {
            String index = row.get("index").asText();
            int[] accepted = accept(r.stored(index + ".ratios").widen(), row, TieOrder.LOW_POSITION_FIRST);
            assertThat(accepted).as("%s", row).isEqualTo(ints(row.get("result"))).isEqualTo(r.ints(index + ".result"));
        }
        assertThat(r.unread()).isEmpty();
    }

    @Test
    void everySelectionAmongTiesEqualsTheRecordedOneInBothOrders() {
        Recording r = Recording.of("select/ties");
        for (JsonNode row : r.result("cases")) {
            double[] scores = r.stored(row.get("index").asText() + ".ratios").widen();
            assertThat(accept(scores, row, TieOrder.LOW_POSITION_FIRST)).as("low %s", row).isEqualTo(ints(row.get("result_low")));
            assertThat(accept(scores, row, TieOrder.HIGH_POSITION_FIRST)).as("high %s", row).isEqualTo(ints(row.get("result_high")));
        }
        r.result("special");
        assertThat(r.unread()).isEmpty();
    }

    @Test
    void everySpecialSelectionEqualsTheRecordedOne() {
        JsonNode special = Recording.of("select/ties").result("special");
        OptionalDouble none = OptionalDouble.empty();
        OptionalInt noInstruction = OptionalInt.empty();
        // the instruction position is 8 - instruction_tokens
        List<Rules> rules = List.of(
                rules(OptionalDouble.of(5), 0, 8, OptionalInt.of(6)),
                rules(none, 0, 1, noInstruction),
                rules(none, 0, 1, OptionalInt.of(6)),
                rules(none, 2, 1, OptionalInt.of(6)),
                rules(none, 0, 8, OptionalInt.of(7)),
                rules(none, 1, 3, OptionalInt.of(8)),
                rules(OptionalDouble.of(0.8), 0, 8, noInstruction),
                rules(none, 0, 0, noInstruction),
                rules(none, 0, 8, OptionalInt.of(-4)));
        assertThat(special).hasSameSizeAs(rules);
        for (int i = 0; i < rules.size(); i++) {
            double[] scores = {0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6};
            if (special.get(i).get("name").asText().contains("position 7 is the best score")) {
                scores[7] = 0.95;
            }
            assertThat(NonMaximumSuppressionReference.accept(scores, rules.get(i))).as("%s", special.get(i))
                    .isEqualTo(ints(special.get(i).get("result")));
        }
    }

    private static Rules rules(OptionalDouble theta, int nmsWindow, int budget, OptionalInt instruction) {
        return Rules.upstream(theta, nmsWindow, budget, instruction, TieOrder.LOW_POSITION_FIRST);
    }

    private static int[] accept(double[] scores, JsonNode row, TieOrder tieOrder) {
        OptionalInt instruction = row.get("instruction_tokens").isNull() ? OptionalInt.empty()
                : OptionalInt.of(scores.length - row.get("instruction_tokens").intValue());
        OptionalDouble theta = row.get("theta").isNull() ? OptionalDouble.empty() : OptionalDouble.of(row.get("theta").doubleValue());
        return NonMaximumSuppressionReference.accept(scores,
                Rules.upstream(theta, row.get("nms_window_size").intValue(), row.get("topk").intValue(), instruction, tieOrder));
    }

    private static int[] ints(JsonNode array) {
        int[] out = new int[array.size()];
        Arrays.setAll(out, i -> array.get(i).intValue());
        return out;
    }
}
