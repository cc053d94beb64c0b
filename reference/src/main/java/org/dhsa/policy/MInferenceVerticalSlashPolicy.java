package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.VerticalSlashIndex;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// MInference's vertical-slash pattern: whole columns and whole diagonals, found with the last queries.
///
///     a = softmax(logits) of the last last_q rows
///     columns   = top_vertical_size( Σ_i a(i, ·) )          distances = {0} ∪ top_{slash_size − 1}( Σ_i a(i, i − ·) )
///     keys(i)   = { j ≤ i : j in columns, or i − j in distances }
///
/// **Source** MInference (arXiv 2407.02490), algorithm 2. **Unit** a column, a diagonal; every query head for itself. **Budget**
/// vertical_size + slash_size keys per row at most. **Cost of selecting** the logits of last_q rows.
/// **Defaults** last_q 64 and block_size 64 are the paper's; the sizes are searched offline for each head there, and 1000 and 6096 are what the code takes for a head without.
/// **Simplified** one pair of sizes for all heads. The weights are the model's own, with its scale, soft cap and window, where the paper has 1/√headDim. The last rows
/// of the prompt judge also where they attend densely themselves. Rows of a block share a list, so each diagonal is a band of block_size keys, as in the paper's kernel; a
/// block of 1 is the pattern itself. The own key is always kept and counts among slash_size. Decoding is dense, as in the paper.
/// With the profile `upstream` columns, diagonals and ranges are those of the official code ([VerticalSlashIndex]).
///
/// @param verticalSize columns kept
/// @param slashSize    diagonals kept
/// @param lastQ        last rows that judge
/// @param blockSize    rows that share a list; 64 with the profile `upstream`
/// @param profile      the paper, or the code
public record MInferenceVerticalSlashPolicy(int verticalSize, int slashSize, int lastQ, int blockSize, Profile profile) implements SelectionPolicy {

    public MInferenceVerticalSlashPolicy {
        Lists.positive("vertical_size", verticalSize);
        Lists.positive("slash_size", slashSize);
        Lists.positive("last_q", lastQ);
        Lists.positive("block_size", blockSize);
        if (profile == Profile.UPSTREAM && blockSize != VerticalSlashIndex.BLOCK) {
            throw new IllegalArgumentException("block_size must be " + VerticalSlashIndex.BLOCK + " with profile=upstream, was " + blockSize);
        }
    }

    @Override
    public String name() {
        return "minference-vertical-slash:vertical_size=" + verticalSize + ",slash_size=" + slashSize + ",last_q=" + lastQ + ",block_size=" + blockSize
                + ",profile=" + profile.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Selector open(int[] promptIds) {
        return layer -> layer.decoding() ? DensePolicy.everything(layer) : select(layer);
    }

    private LayerSelection select(LayerState layer) {
        int from = Math.max(0, layer.end() - lastQ);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            LineScores scores = LineScores.of(weights, h, from, layer.end());
            perHead.add(profile == Profile.UPSTREAM ? upstream(layer, scores) : corrected(layer, scores));
        }
        return new LayerSelection(perHead, layer.heads(), LineScores.flops(layer, from));
    }

    private KeySelection corrected(LayerState layer, LineScores scores) {
        double[] slash = scores.slash();
        slash[0] = Double.POSITIVE_INFINITY;
        return new Lines(Lines.flags(Lists.best(scores.vertical(), 0, verticalSize), layer.end()),
                Lines.flags(Lists.best(slash, 0, slashSize), layer.end())).lists(layer, layer.blocks(blockSize));
    }

    private KeySelection upstream(LayerState layer, LineScores scores) {
        QueryBlocks blocks = layer.blocks(VerticalSlashIndex.BLOCK);
        List<VerticalSlashIndex.Ranges> ranges = VerticalSlashIndex.ranges(VerticalSlashIndex.columns(scores.vertical(), verticalSize),
                VerticalSlashIndex.distances(scores.slash(), slashSize), layer.end());
        return Lists.each(blocks, rows -> Lines.where(layer, rows, ranges.get(rows.segment())::read));
    }
}
