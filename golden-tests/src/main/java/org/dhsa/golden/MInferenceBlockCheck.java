package org.dhsa.golden;

import java.util.ArrayList;
import java.util.List;
import org.dhsa.forward.Probe;
import org.dhsa.model.Profile;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.MInferenceBlockSparsePolicy;
import org.dhsa.tensor.DoubleTensor;

/// MInference's block-sparse pattern: the blocks listed for every row of blocks, padding rows among them, and those that count.
final class MInferenceBlockCheck extends SelectionRecordingCheck {

    private static final String NAME = "minference-block-sparse";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        LayerState layer = layer(check, query(check), key(check));
        int block = golden.intOf("block_size_M");
        if (golden.intOf("block_size_N") != block) {
            throw golden.wrongField("block_size_N", "equal to block_size_M");
        }
        int topK = golden.intOf("top_k");
        int group = layer.heads() / layer.kvHeads();
        List<DoubleTensor> scores = new ArrayList<>();
        List<int[]> index = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            DoubleTensor own = MInferenceBlockSparsePolicy.scores(check.backend(), check.backend().rows(layer.query(), h, h + 1),
                    check.backend().rows(layer.key(), h / group, h / group + 1), layer.end(), block, Profile.UPSTREAM);
            scores.add(own);
            for (int r = 0; r < own.shape().extent(0); r++) {
                index.add(MInferenceBlockSparsePolicy.choose(own, r, 0, topK).keys());
            }
        }
        // a row of padding has no queries, so all its blocks score 0
        int rows = scores.getFirst().shape().extent(0);
        sets(check, NAME, "block_index_causal", rows(golden.tensor("block_index_causal"), -1), index.toArray(int[][]::new),
                (set, c) -> scores.get(set / rows).at(set % rows, c), set -> set % rows * block >= layer.end());
        LayerSelection selection = check.call(NAME, Probe.NO_LAYER, "block_mask", () -> select(new MInferenceBlockSparsePolicy(block, topK, Profile.UPSTREAM), layer));
        GoldenTensor mask = golden.tensor("block_mask");
        List<boolean[][]> kept = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            kept.add(blocks(selection, h, block, layer.end()));
        }
        sets(check, NAME, "block_mask", maskRows(mask), maskRows(kept, mask), (set, c) -> scores.get(set / mask.extent(1)).at(set % mask.extent(1), c));
        numbers(check, NAME, "causal_pairs_kept", pairs(selection, layer));
        total(check, NAME, 0, layer.end());
    }
}
