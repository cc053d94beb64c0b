package org.dhsa.bug;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Quirk;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference.Rules;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Rotary embedding, boundary predictor and suppression: what goes wrong before chunks exist.
final class BoundaryBugs {

    private BoundaryBugs() {}

    static List<KnownBug> rotary() {
        return List.of(
                KnownBug.of("rope-interleaved", "L0", "channels 2j and 2j + 1 turn together", "j and j + head_dim/2")
                        .shows(rotation(BoundaryBugs::interleaved)),
                KnownBug.of("rope-low-precision", "L0", "angles, cosines or sines are computed in bf16", "f32 or better, the angle included")
                        .seenIn("transformers#29285")
                        .variant("table of cosines and sines in bf16", rotation((in, x, y, row, position) -> halfSplit(in, x, y, row,
                                j -> Numeric.bf16(Math.cos(angle(in, position, j))), j -> Numeric.bf16(Math.sin(angle(in, position, j))))))
                        .variant("positions and frequencies in bf16", rotation((in, x, y, row, position) -> halfSplit(in, x, y, row,
                                j -> Math.cos(lowAngle(in, position, j)), j -> Math.sin(lowAngle(in, position, j)))))
                        .variant("angles rounded to bf16", rotation((in, x, y, row, position) -> halfSplit(in, x, y, row,
                                j -> Math.cos(Numeric.bf16(angle(in, position, j))), j -> Math.sin(Numeric.bf16(angle(in, position, j))))))
                        .build(),
                KnownBug.of("rope-position-off-by-one", "L0", "positions do not start from 0, or restart in decoding", "from 0, going on in decoding")
                        .variant("from 1", startPosition(1, false))
                        .variant("restart from 0 in decoding", startPosition(0, true))
                        .variant("one behind in decoding", Changes.rotaryEmbedding((healthy, in, context) -> in.startPosition() == 0 ? healthy.apply(in)
                                : healthy.apply(new RotaryEmbedding.Input(in.x(), in.startPosition() - 1, in.theta()))))
                        .build(),
                KnownBug.of("rope-theta-wrong", "L0", "the base of the angles is that of another model", "rope_theta, 10000 in Gemma 2")
                        .variant("1000000", theta(1e6)).variant("500000", theta(5e5)).variant("100000", theta(1e5)).build(),
                KnownBug.of("rope-backwards", "L0", "the rotation turns the other way", "(a cos - b sin, b cos + a sin)")
                        .shows(rotation((in, x, y, row, position) -> halfSplit(in, x, y, row,
                                j -> Math.cos(angle(in, position, j)), j -> -Math.sin(angle(in, position, j))))),
                KnownBug.of("rope-missing", "L0", "queries or keys are not rotated", "rotate both")
                        .shows(Changes.rotaryEmbedding((healthy, in, context) -> new RotaryEmbedding.Output(in.x()))));
    }

    static List<KnownBug> predictor() {
        return List.of(
                KnownBug.of("pad-not-attended", "L4", "zero rows at the ends are masked in the predictor's attention", "they take part")
                        .shows(predictor(new PredictorVariant(true, false, false, 1))),
                KnownBug.of("predictor-residual", "L4", "a residual is added around the predictor's attention", "none, LayerNorm only")
                        .shows(predictor(new PredictorVariant(false, true, false, 1))),
                KnownBug.of("predictor-norm-missing", "L4", "the predictor's LayerNorm is missing", "LayerNorm after the attention")
                        .shows(predictor(new PredictorVariant(false, false, true, 1))),
                KnownBug.of("predictor-window-shifted", "L4", "the gap before the position is judged", "the window of p is p-w+1 .. p+w: the gap after it")
                        .shows(predictor(new PredictorVariant(false, false, false, 0))),
                KnownBug.of("predictor-heads", "L4", "the predictor's attention has the wrong number of heads", "the number is recorded beside the weights, it does not show in their shapes")
                        .variant("half as many", heads(1, 2)).variant("twice as many", heads(2, 1)).variant("a quarter", heads(1, 4))
                        .variant("four times as many", heads(4, 1)).build(),
                KnownBug.of("predictor-channels-mixed", "L4", "the channels of the KV heads are laid out channel by channel", "channel kvHead * headDim + d: one head after the other")
                        .shows(Changes.boundaryPrediction((healthy, in, context) -> healthy.apply(new BoundaryPrediction.Input(channelsMixed(in.key()), in.predictor())))),
                KnownBug.of("keys-before-rope", "L4", "the predictor or the chunks get keys that are not rotated yet", "take keys after the rotation")
                        .variant("in the predictor and in the chunks", Changes.boundaryPrediction((healthy, in, context) ->
                                        healthy.apply(new BoundaryPrediction.Input(unrotated(in.key(), context), in.predictor())))
                                .and(Changes.chunkRepresentation((healthy, in, context) -> in.states().shape().name(0).equals("kvHeads")
                                        ? healthy.apply(new ChunkRepresentation.Input(unrotated(in.states(), context), in.segments(), in.pooling(), in.padTo()))
                                        : healthy.apply(in))))
                        .variant("in the predictor only", Changes.boundaryPrediction((healthy, in, context) ->
                                healthy.apply(new BoundaryPrediction.Input(unrotated(in.key(), context), in.predictor()))))
                        .build());
    }

    static List<KnownBug> suppression() {
        return List.of(
                KnownBug.of("boundary-off-by-one", "L4", "a chunk starts at the boundary position", "candidate p ends its chunk, the next starts at p + 1")
                        .shows(Changes.nonMaximumSuppression((healthy, in, context) -> {
                            NonMaximumSuppression.Output out = healthy.apply(in);
                            int length = in.logits().shape().extent("keyLen");
                            int[] inside = Arrays.stream(out.accepted()).filter(p -> p > 0 && p < length).toArray();
                            return new NonMaximumSuppression.Output(out.filled(), out.accepted(), Boundaries.of(IntStream.concat(
                                    IntStream.concat(IntStream.of(0), Arrays.stream(inside)), IntStream.of(length)).toArray()));
                        })),
                KnownBug.of("nms-inclusive", "L4", "a candidate at distance nms_window survives", "suppress when the distance is <= the window")
                        .shows(config(c -> c.nmsWindow = Math.max(0, c.nmsWindow - 1))),
                KnownBug.of("nms-by-position", "L4", "candidates are accepted from left to right", "by falling score")
                        .shows(Changes.nonMaximumSuppression((healthy, in, context) -> byPosition(healthy.apply(in), in))),
                KnownBug.of("nms-by-adjacent-only", "L4", "a candidate is compared with the one accepted last only", "compare with every accepted position")
                        .shows(Changes.nonMaximumSuppression((healthy, in, context) -> lastOnly(healthy.apply(in), in))),
                KnownBug.of("theta-on-probability", "L4", "theta is compared with the sigmoid of the logit", "compare it with the logit")
                        .shows(config(c -> c.theta = c.theta.isEmpty() ? c.theta : OptionalDouble.of(logitOf(c.theta.getAsDouble())))),
                KnownBug.of("theta-inclusive", "L4", "a logit equal to theta is a candidate", "logit > theta, strictly")
                        .shows(config(c -> c.theta = c.theta.isEmpty() ? c.theta : OptionalDouble.of(Math.nextDown(c.theta.getAsDouble())))),
                KnownBug.of("ends-not-filled", "L4", "positions at the ends are candidates", "fill the first w - 1 and the last w with -100")
                        .shows(Changes.nonMaximumSuppression((healthy, in, context) -> notFilled(in))),
                KnownBug.of("instruction-boundary-shifted", "L4", "the instruction's first token belongs to the chunk before", "its boundary is L - instruction_tokens")
                        .seenIn("DHSA legacy code")
                        .shows(config(c -> c.quirk(Quirk.INSTRUCTION_BOUNDARY_SHIFTED, true))),
                KnownBug.of("chunk-budget-plus-one", "L4", "one candidate too many is accepted", "stop as soon as the chunk budget is reached")
                        .seenIn("DHSA legacy code")
                        .shows(Changes.nonMaximumSuppression((healthy, in, context) ->
                                healthy.apply(new NonMaximumSuppression.Input(in.logits(), in.window(), in.chunkBudget() + 1, in.config())))));
    }

    private interface Rotation {
        void row(RotaryEmbedding.Input in, double[] x, double[] y, int row, int position);
    }

    private interface ByChannel {
        double of(int j);
    }

    private static Changes rotation(Rotation rotation) {
        return Changes.rotaryEmbedding((healthy, in, context) -> {
            DoubleTensor x = in.x().toDouble();
            int tokens = x.shape().extent(1);
            int headDim = x.shape().extent("headDim");
            double[] y = new double[x.data().length];
            for (int r = 0; r < y.length / headDim; r++) {
                rotation.row(in, x.data(), y, r * headDim, in.startPosition() + r % tokens);
            }
            return new RotaryEmbedding.Output(DoubleTensor.of(x.shape(), y));
        });
    }

    private static double angle(RotaryEmbedding.Input in, int position, int j) {
        return position * Math.pow(in.theta(), -2.0 * j / in.x().shape().extent("headDim"));
    }

    private static double lowAngle(RotaryEmbedding.Input in, int position, int j) {
        return Numeric.bf16(Numeric.bf16(position) * Numeric.bf16(angle(in, 1, j)));
    }

    private static void halfSplit(RotaryEmbedding.Input in, double[] x, double[] y, int row, ByChannel cos, ByChannel sin) {
        int half = in.x().shape().extent("headDim") / 2;
        for (int j = 0; j < half; j++) {
            double a = x[row + j];
            double b = x[row + half + j];
            y[row + j] = a * cos.of(j) - b * sin.of(j);
            y[row + half + j] = b * cos.of(j) + a * sin.of(j);
        }
    }

    private static void interleaved(RotaryEmbedding.Input in, double[] x, double[] y, int row, int position) {
        for (int j = 0; j < in.x().shape().extent("headDim") / 2; j++) {
            double cos = Math.cos(angle(in, position, j));
            double sin = Math.sin(angle(in, position, j));
            double a = x[row + 2 * j];
            double b = x[row + 2 * j + 1];
            y[row + 2 * j] = a * cos - b * sin;
            y[row + 2 * j + 1] = b * cos + a * sin;
        }
    }

    private static Changes startPosition(int added, boolean restart) {
        return Changes.rotaryEmbedding((healthy, in, context) ->
                healthy.apply(new RotaryEmbedding.Input(in.x(), (restart ? 0 : in.startPosition()) + added, in.theta())));
    }

    private static Changes theta(double theta) {
        return Changes.rotaryEmbedding((healthy, in, context) -> healthy.apply(new RotaryEmbedding.Input(in.x(), in.startPosition(), theta)));
    }

    private static Changes predictor(PredictorVariant variant) {
        return Changes.boundaryPrediction((healthy, in, context) -> in.predictor() instanceof BoundaryPredictorWeights.Attention weights
                ? new BoundaryPrediction.Output(variant.logits(in, weights)) : healthy.apply(in));
    }

    private static Changes heads(int times, int by) {
        return Changes.boundaryPrediction((healthy, in, context) -> healthy.apply(new BoundaryPrediction.Input(in.key(), switch (in.predictor()) {
            case BoundaryPredictorWeights.Attention a -> new BoundaryPredictorWeights.Attention(a.window(), heads(a.attention(), times, by), a.norm(), a.poolGate(), a.mlp());
            case BoundaryPredictorWeights.Stack s -> new BoundaryPredictorWeights.Stack(s.window(), s.blocks().stream()
                    .map(b -> new BoundaryPredictorWeights.Stack.Block(heads(b.attention(), times, by), b.norm())).toList(), s.sharedNorm(), s.poolGate(), s.mlp());
            case BoundaryPredictorWeights.Cnn cnn -> cnn;
        })));
    }

    private static BoundaryPredictorWeights.SelfAttention heads(BoundaryPredictorWeights.SelfAttention a, int times, int by) {
        int heads = a.heads() * times / by;
        boolean possible = heads > 0 && a.heads() * times % by == 0 && a.channels() % heads == 0;
        return possible ? new BoundaryPredictorWeights.SelfAttention(heads, a.inProjWeight(), a.inProjBias(), a.outProjWeight(), a.outProjBias()) : a;
    }

    /// Channel `kvHead * headDim + d` gets what belongs to channel `d * kvHeads + kvHead`.
    private static DoubleTensor channelsMixed(Tensor key) {
        int kvHeads = key.shape().extent("kvHeads");
        int length = key.shape().extent("keyLen");
        int headDim = key.shape().extent("headDim");
        double[] x = key.toDouble().data();
        double[] y = new double[x.length];
        for (int t = 0; t < length; t++) {
            for (int c = 0; c < kvHeads * headDim; c++) {
                y[(c / headDim * length + t) * headDim + c % headDim] = x[(c % kvHeads * length + t) * headDim + c / kvHeads];
            }
        }
        return DoubleTensor.of(key.shape(), y);
    }

    /// The rotation taken back; the first row is position 0.
    private static DoubleTensor unrotated(Tensor key, BugContext context) {
        DoubleTensor x = key.toDouble();
        RotaryEmbedding.Input in = new RotaryEmbedding.Input(x, 0, context.ropeTheta());
        int tokens = x.shape().extent(1);
        int headDim = x.shape().extent("headDim");
        double[] y = new double[x.data().length];
        for (int r = 0; r < y.length / headDim; r++) {
            int position = r % tokens;
            halfSplit(in, x.data(), y, r * headDim, j -> Math.cos(angle(in, position, j)), j -> -Math.sin(angle(in, position, j)));
        }
        return DoubleTensor.of(x.shape(), y);
    }

    private static Changes config(Consumer<DhsaConfig.Builder> change) {
        return Changes.nonMaximumSuppression((healthy, in, context) ->
                healthy.apply(new NonMaximumSuppression.Input(in.logits(), in.window(), in.chunkBudget(), in.config().with(change))));
    }

    /// The logit whose sigmoid is this; no logit reaches 1.
    private static double logitOf(double probability) {
        return probability >= 1 ? Double.POSITIVE_INFINITY : probability <= 0 ? Double.NEGATIVE_INFINITY : Math.log(probability / (1 - probability));
    }

    private static int[] candidates(double[] filled, DhsaConfig config) {
        return IntStream.range(0, filled.length).filter(p -> filled[p] > NonMaximumSuppressionReference.FILL)
                .filter(p -> config.theta().isEmpty() || filled[p] > config.theta().getAsDouble()).toArray();
    }

    private static OptionalInt instruction(int length, DhsaConfig config) {
        int tokens = config.instructionTokens().orElse(0);
        return tokens > 0 && tokens < length ? OptionalInt.of(length - tokens - 1) : OptionalInt.empty();
    }

    /// The earlier of two positions counts as the stronger.
    private static NonMaximumSuppression.Output byPosition(NonMaximumSuppression.Output healthy, NonMaximumSuppression.Input in) {
        double[] filled = healthy.filled().toDouble().data();
        double[] order = new double[filled.length];
        Arrays.fill(order, Double.NaN);
        for (int p : candidates(filled, in.config())) {
            order[p] = filled.length - p;
        }
        int[] accepted = NonMaximumSuppressionReference.accept(order, new Rules(OptionalDouble.empty(), in.config().nmsWindow(), in.chunkBudget(),
                instruction(filled.length, in.config()), in.config().tieOrder(), false, false, false, false));
        return new NonMaximumSuppression.Output(healthy.filled(), accepted, NonMaximumSuppressionReference.boundaries(accepted, filled.length));
    }

    private static NonMaximumSuppression.Output lastOnly(NonMaximumSuppression.Output healthy, NonMaximumSuppression.Input in) {
        double[] filled = healthy.filled().toDouble().data();
        List<Integer> accepted = new ArrayList<>();
        OptionalInt instruction = instruction(filled.length, in.config());
        instruction.ifPresent(accepted::add);
        List<Integer> byScore = Arrays.stream(candidates(filled, in.config())).boxed()
                .sorted(Comparator.comparingDouble(p -> -filled[p])).toList();
        for (int p : byScore) {
            boolean near = !accepted.isEmpty() && Math.abs(p - accepted.getLast()) <= in.config().nmsWindow();
            boolean late = instruction.isPresent() && p > instruction.getAsInt();
            if (accepted.size() < in.chunkBudget() && !near && !late && !accepted.contains(p)) {
                accepted.add(p);
            }
        }
        int[] positions = accepted.stream().mapToInt(Integer::intValue).sorted().toArray();
        return new NonMaximumSuppression.Output(healthy.filled(), positions, NonMaximumSuppressionReference.boundaries(positions, filled.length));
    }

    private static NonMaximumSuppression.Output notFilled(NonMaximumSuppression.Input in) {
        DoubleTensor logits = in.logits().toDouble();
        DhsaConfig config = in.config();
        int[] accepted = NonMaximumSuppressionReference.accept(logits.data(), new Rules(config.theta(), config.nmsWindow(), in.chunkBudget(),
                instruction(logits.data().length, config), config.tieOrder(), false, false, false, false));
        return new NonMaximumSuppression.Output(logits, accepted, NonMaximumSuppressionReference.boundaries(accepted, logits.data().length));
    }
}
