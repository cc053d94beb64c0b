package org.dhsa.reference.dhsa;

import java.util.Arrays;
import org.dhsa.reference.gemma.AttentionRow;
import org.dhsa.reference.gemma.DenseAttentionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.tensor.DoubleTensor;

/// Attention over the selected keys.
///
///     oᵢ = Σⱼ softmax(sᵢ)ⱼ vⱼ      over the keys j of i's list that i sees
///
/// **Shapes** query `[heads, queryLen, headDim]`, key and value `[kvHeads, keyLen, headDim]` (read), context as query (new).
/// **Reading** the block's list is filtered by the causal rule and the window of each row; what is left is ordinary attention.
/// Rows from `denseFrom` on read every visible key.
/// **Golden** `dhsa_sdpa/0` to `/6`, `dhsa_quirk/dead_rows`.
/// **Pitfall** a block's list holds its own future tokens: without the causal filter inside the block they leak.
public final class SparseAttentionReference implements SparseAttention {

    @Override
    public Output apply(Input in) {
        DoubleTensor query = in.query().toDouble();
        AttentionRow attention = new AttentionRow(query, in.key().toDouble(), in.value().toDouble(), in.rule());
        DoubleTensor context = DoubleTensor.zeros(query.shape());
        AttentionRule rule = in.rule();
        int keyLen = in.key().shape().extent("keyLen");
        long pairs = 0;
        for (int row = 0; row < query.shape().extent("queryLen"); row++) {
            int position = rule.queryStart() + row;
            int[] keys = position >= in.selection().queryBlocks().denseFrom()
                    ? DenseAttentionReference.visibleKeys(rule, row, keyLen)
                    : Arrays.stream(listFor(position, in.selection())).filter(j -> rule.visibility().sees(position, j)).toArray();
            for (int head = 0; head < query.shape().extent("heads"); head++) {
                attention.attend(head, row, keys, keys.length, context);
                pairs += keys.length;
            }
        }
        return new Output(context, pairs);
    }

    private static int[] listFor(int position, KeySelection selection) {
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            if (position >= block.start() && position < block.end()) {
                return selection.blocks().get(b).keys();
            }
        }
        throw new IllegalArgumentException("no query block holds position " + position);
    }
}
