package org.dhsa.reference.gemma;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Causal attention over every visible key.
///
///     sᵢⱼ = cap · tanh(scale · qᵢ·kⱼ / cap)      for j visible from i
///     oᵢ  = Σⱼ softmax(sᵢ)ⱼ vⱼ
///
/// **Shapes** query `[heads, queryLen, headDim]`, key and value `[kvHeads, keyLen, headDim]` (read), context
/// `[heads, queryLen, headDim]` (new).
/// **Reading** scale, cap, mask, softmax, in this order; masked keys are never looked at, so nothing can leak from them.
/// **Golden** `gemma2/odd_softcap`, tensor `layers.0.attn_context`: logits reach 47.6, so a missing cap shows.
/// **Pitfall** the local window is `q − k < window`: the token itself and window − 1 before it.
public final class DenseAttentionReference implements DenseAttention {

    @Override
    public Output apply(Input in) {
        DoubleTensor query = in.query().toDouble();
        AttentionRow attention = new AttentionRow(query, in.key().toDouble(), in.value().toDouble(), in.rule());
        DoubleTensor context = DoubleTensor.zeros(query.shape());
        long pairs = 0;
        for (int row = 0; row < query.shape().extent("queryLen"); row++) {
            int[] visible = visibleKeys(in.rule(), row, in.key().shape().extent("keyLen"));
            for (int head = 0; head < query.shape().extent("heads"); head++) {
                attention.attend(head, row, visible, visible.length, context);
                pairs += visible.length;
            }
        }
        return new Output(context, pairs);
    }

    /// Positions of the keys that a query row sees, of those that are there.
    public static int[] visibleKeys(AttentionRule rule, int row, int keyLen) {
        int position = rule.queryStart() + row;
        int first = Math.max(rule.keyStart(), rule.visibility().first(position));
        int end = Math.min(position + 1, rule.keyStart() + keyLen);
        return IntStream.range(first, Math.max(first, end)).toArray();
    }

    /// The whole logit matrix `[heads, queryLen, keyLen]`, scaled and capped, masked entries -infinity. For looking at
    /// small cases; attention itself never builds it.
    public static DoubleTensor logits(Input in) {
        DoubleTensor query = in.query().toDouble();
        AttentionRow attention = new AttentionRow(query, in.key().toDouble(), in.value().toDouble(), in.rule());
        int keyLen = in.key().shape().extent("keyLen");
        DoubleTensor logits = DoubleTensor.zeros(Shape.of("heads", query.shape().extent("heads"),
                "queryLen", query.shape().extent("queryLen"), "keyLen", keyLen));
        Arrays.fill(logits.data(), Double.NEGATIVE_INFINITY);
        for (int head = 0; head < query.shape().extent("heads"); head++) {
            for (int row = 0; row < query.shape().extent("queryLen"); row++) {
                for (int position : visibleKeys(in.rule(), row, keyLen)) {
                    logits.set(attention.logit(head, row, position), head, row, position - in.rule().keyStart());
                }
            }
        }
        return logits;
    }
}
