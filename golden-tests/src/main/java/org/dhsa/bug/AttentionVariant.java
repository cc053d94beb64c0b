package org.dhsa.bug;

import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Attention with its parts exposed, so that a bug can replace one: which keys a row reads, its logits, its weights.
final class AttentionVariant {

    /// The logit of one query and one key.
    @FunctionalInterface
    interface Logit {
        /// @param dot     q·k
        /// @param visible the causal rule and the window let this key through
        double of(double dot, boolean visible, AttentionRule rule);
    }

    /// Logits as they should be; a masked key has none.
    static final Logit RIGHT = (dot, visible, rule) -> visible ? rule.logit(dot) : Double.NEGATIVE_INFINITY;

    private AttentionVariant() {}

    /// Dense and sparse attention under another rule.
    static Changes rule(UnaryOperator<AttentionRule> change) {
        return rule((rule, context, headDim) -> change.apply(rule));
    }

    @FunctionalInterface
    interface RuleChange {
        AttentionRule apply(AttentionRule rule, BugContext context, int headDim);
    }

    static Changes rule(RuleChange change) {
        return Changes.denseAttention((healthy, in, context) -> healthy.apply(new DenseAttention.Input(in.query(), in.key(), in.value(),
                        change.apply(in.rule(), context, in.query().shape().extent("headDim")))))
                .and(Changes.sparseAttention((healthy, in, context) -> healthy.apply(new SparseAttention.Input(in.query(), in.key(), in.value(),
                        in.selection(), change.apply(in.rule(), context, in.query().shape().extent("headDim"))))));
    }

    static AttentionRule with(AttentionRule rule, double scale) {
        return new AttentionRule(scale, rule.softCap(), rule.visibility(), rule.queryStart(), rule.keyStart());
    }

    static AttentionRule with(AttentionRule rule, OptionalDouble softCap) {
        return new AttentionRule(rule.scale(), softCap, rule.visibility(), rule.queryStart(), rule.keyStart());
    }

    static AttentionRule with(AttentionRule rule, Visibility visibility) {
        return new AttentionRule(rule.scale(), rule.softCap(), visibility, rule.queryStart(), rule.keyStart());
    }

    /// Dense and sparse attention with another logit; masked keys are handed to it too.
    static Changes logit(Logit logit) {
        return Changes.denseAttention((healthy, in, context) -> new DenseAttention.Output(
                        attend(in.query(), in.key(), in.value(), in.rule(), row -> allKeys(in), logit, UnaryOperator.identity()),
                        healthy.apply(in).pairsRead()))
                .and(Changes.sparseAttention((healthy, in, context) -> new SparseAttention.Output(
                        attend(in.query(), in.key(), in.value(), in.rule(), row -> listed(in, row), logit, UnaryOperator.identity()),
                        healthy.apply(in).pairsRead())));
    }

    /// Dense and sparse attention with every softmax weight changed after the division.
    static Changes weights(DoubleUnaryOperator change) {
        UnaryOperator<double[]> each = weights -> Arrays.stream(weights).map(change).toArray();
        return Changes.denseAttention((healthy, in, context) -> new DenseAttention.Output(
                        attend(in.query(), in.key(), in.value(), in.rule(), row -> allKeys(in), RIGHT, each), healthy.apply(in).pairsRead()))
                .and(Changes.sparseAttention((healthy, in, context) -> new SparseAttention.Output(
                        attend(in.query(), in.key(), in.value(), in.rule(), row -> listed(in, row), RIGHT, each), healthy.apply(in).pairsRead())));
    }

    /// Dense and sparse attention in which query head h reads the key/value head that `kvHeadOf` names.
    static Changes kvHead(KvHead kvHeadOf) {
        return Changes.denseAttention((healthy, in, context) -> {
            int heads = in.query().shape().extent("heads");
            return healthy.apply(new DenseAttention.Input(in.query(), gather(in.key(), heads, kvHeadOf), gather(in.value(), heads, kvHeadOf), in.rule()));
        }).and(Changes.sparseAttention((healthy, in, context) -> {
            int heads = in.query().shape().extent("heads");
            return healthy.apply(new SparseAttention.Input(in.query(), gather(in.key(), heads, kvHeadOf), gather(in.value(), heads, kvHeadOf),
                    in.selection(), in.rule()));
        }));
    }

    @FunctionalInterface
    interface KvHead {
        int of(int head, int heads, int kvHeads);
    }

    private static DoubleTensor gather(Tensor kv, int heads, KvHead kvHeadOf) {
        DoubleTensor from = kv.toDouble();
        int kvHeads = kv.shape().extent("kvHeads");
        int keyLen = kv.shape().extent("keyLen");
        int headDim = kv.shape().extent("headDim");
        int panel = keyLen * headDim;
        double[] out = new double[heads * panel];
        for (int h = 0; h < heads; h++) {
            System.arraycopy(from.data(), kvHeadOf.of(h, heads, kvHeads) * panel, out, h * panel, panel);
        }
        return DoubleTensor.of(Shape.of("kvHeads", heads, "keyLen", keyLen, "headDim", headDim), out);
    }

    /// Every key there is.
    private static int[] allKeys(DenseAttention.Input in) {
        int start = in.rule().keyStart();
        return java.util.stream.IntStream.range(start, start + in.key().shape().extent("keyLen")).toArray();
    }

    /// What a row of sparse attention is offered: its block's list, or every key for the dense rows.
    static int[] listed(SparseAttention.Input in, int row) {
        int position = in.rule().queryStart() + row;
        KeySelection selection = in.selection();
        if (position >= selection.queryBlocks().denseFrom()) {
            return allKeys(new DenseAttention.Input(in.query(), in.key(), in.value(), in.rule()));
        }
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            if (position >= block.start() && position < block.end()) {
                return selection.blocks().get(b).keys();
            }
        }
        throw new IllegalArgumentException("no query block holds position " + position);
    }

    /// Attention over the keys that `keysOf` names for a row; a key whose logit is −∞ gets no weight, and a row of such keys
    /// gives zeros.
    static DoubleTensor attend(Tensor queries, Tensor keys, Tensor values, AttentionRule rule, IntFunction<int[]> keysOf, Logit logit,
                               UnaryOperator<double[]> weightChange) {
        DoubleTensor query = queries.toDouble();
        DoubleTensor key = keys.toDouble();
        DoubleTensor value = values.toDouble();
        int heads = query.shape().extent("heads");
        int rows = query.shape().extent("queryLen");
        int headDim = query.shape().extent("headDim");
        int keyLen = key.shape().extent("keyLen");
        int groups = heads / key.shape().extent("kvHeads");
        DoubleTensor context = DoubleTensor.zeros(query.shape());
        for (int row = 0; row < rows; row++) {
            int position = rule.queryStart() + row;
            int[] offered = keysOf.apply(row);
            for (int head = 0; head < heads; head++) {
                double[] weights = new double[offered.length];
                double max = Double.NEGATIVE_INFINITY;
                for (int n = 0; n < offered.length; n++) {
                    double dot = 0;
                    int k = (head / groups * keyLen + offered[n] - rule.keyStart()) * headDim;
                    for (int d = 0; d < headDim; d++) {
                        dot += query.data()[(head * rows + row) * headDim + d] * key.data()[k + d];
                    }
                    weights[n] = logit.of(dot, rule.visibility().sees(position, offered[n]), rule);
                    max = Math.max(max, weights[n]);
                }
                if (max == Double.NEGATIVE_INFINITY) {
                    continue;
                }
                double sum = 0;
                for (int n = 0; n < offered.length; n++) {
                    weights[n] = Math.exp(weights[n] - max);
                    sum += weights[n];
                }
                for (int n = 0; n < offered.length; n++) {
                    weights[n] /= sum;
                }
                weights = weightChange.apply(weights);
                for (int n = 0; n < offered.length; n++) {
                    int v = (head / groups * keyLen + offered[n] - rule.keyStart()) * headDim;
                    for (int d = 0; d < headDim; d++) {
                        context.data()[(head * rows + row) * headDim + d] += weights[n] * value.data()[v + d];
                    }
                }
            }
        }
        return context;
    }
}
