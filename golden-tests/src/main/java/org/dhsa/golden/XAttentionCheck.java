package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.forward.Probe;
import org.dhsa.model.Profile;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.XAttentionPolicy;
import org.dhsa.reference.baseline.XAttentionBlocks;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// XAttention: block sums of the antidiagonal scores, kept blocks. Chunked prefill too: queries may be the last ones of the keys.
final class XAttentionCheck extends SelectionRecordingCheck {

    private static final String NAME = "xattention";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        if (golden.optionalInt("kdb").orElse(1) != 1 || golden.optionalDouble("norm").orElse(1) != 1 || !golden.textOf("select_mode").equals("inverse")
                || !golden.booleanOf("softmax")) {
            check.notCovered("only the published method is computed: kdb 1, norm 1, select_mode inverse, softmax");
            return;
        }
        DoubleTensor query = query(check);
        DoubleTensor key = key(check);
        int heads = query.shape().extent("heads");
        int group = heads / key.shape().extent("kvHeads");
        int queryLen = query.shape().extent("queryLen");
        int length = key.shape().extent("keyLen");
        int block = golden.intOf("block_size");
        int stride = golden.intOf("stride");
        int chunk = golden.intOf("chunk_size");
        XAttentionBlocks.Official official = new XAttentionBlocks.Official(length, block, stride, chunk, golden.booleanOf("keep_sink"), golden.booleanOf("keep_recent"));
        AttentionRule plain = MeanAttention.upstreamRule(query.shape().extent("headDim"));
        int offset = roundUp(length, chunk) - roundUp(queryLen, chunk);
        AttentionRule rule = new AttentionRule(plain.scale(), plain.softCap(), plain.visibility(), offset, 0);
        GoldenTensor sums = golden.tensor("attn_sums");
        GoldenTensor mask = golden.tensor("block_mask");
        sums.requireRank(4);
        DoubleTensor all = DoubleTensor.zeros(Shape.of("heads", heads, "queryBlocks", sums.extent(2), "chunks", sums.extent(3)));
        List<double[][]> scores = new ArrayList<>();
        List<boolean[][]> kept = new ArrayList<>();
        int[] pairs = new int[heads];
        int[] blocks = new int[heads];
        for (int h = 0; h < heads; h++) {
            int head = h;
            double[][] own = check.call(NAME, Probe.NO_LAYER, "attn_sums", () -> XAttentionBlocks.scores(check.backend().chunkSimilarity().apply(new ChunkSimilarity.Input(
                    XAttentionBlocks.groups(query, head, roundUp(queryLen, stride) / stride, stride, true),
                    XAttentionBlocks.groups(key, head / group, roundUp(length, stride) / stride, stride, false))).chunkScores().toDouble(),
                    rule, block, stride, official::oldest));
            scores.add(own);
            for (int r = 0; r < own.length; r++) {
                System.arraycopy(own[r], 0, all.data(), (h * sums.extent(2) + r) * sums.extent(3), own[r].length);
            }
            boolean[][] mine = official.keep(own, offset / block, threshold(golden, h));
            kept.add(mine);
            pairs[h] = pairs(mine, block, length - queryLen, length);
            blocks[h] = blocks(mine);
        }
        check.close(NAME, Probe.NO_LAYER, "attn_sums", sums.row(0, "heads", "queryBlocks", "chunks"), all);
        sets(check, NAME, "block_mask", maskRows(mask), maskRows(kept, mask), (set, c) -> scores.get(set / mask.extent(1))[set % mask.extent(1)][c]);
        numbers(check, NAME, "blocks_kept", blocks);
        numbers(check, NAME, "causal_pairs_kept", pairs);
        total(check, NAME, length - queryLen, length);
        if (queryLen == length && chunk == XAttentionBlocks.Official.defaultChunkSize(length) && golden.hyperparameters().path("threshold").isNumber()
                && !golden.booleanOf("keep_sink")) {
            LayerState layer = layer(check, query, key);
            check.note("as a policy");
            numbers(check, NAME, "causal_pairs_kept", check.call(NAME, Probe.NO_LAYER, "results.causal_pairs_kept",
                    () -> pairs(select(new XAttentionPolicy(block, stride, threshold(golden, 0), Profile.UPSTREAM), layer), layer)));
        }
    }

    /// One number, or one for each head; those are float32 in the code.
    private static double threshold(GoldenCase golden, int head) {
        JsonNode threshold = golden.hyperparameters().path("threshold");
        return threshold.isArray() ? (float) threshold.get(head).asDouble() : threshold.asDouble();
    }

    private static int roundUp(int length, int unit) {
        return (length + unit - 1) / unit * unit;
    }
}
