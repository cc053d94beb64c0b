package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.model.Profile;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// MInference's block-sparse pattern: the best blocks of keys for every block of queries, by their means.
///
///     S(r, c) = mean(queries of block r) · mean(keys of block c)
///     keys(r) = the top_k blocks c ≤ r by S
///
/// **Source** MInference (arXiv 2407.02490), algorithm 3. **Unit** a block of keys; every query head for itself. **Budget** top_k blocks per
/// query block. **Cost of selecting** the means, and one dot product per pair of blocks. **Defaults** block_size 64, top_k 100.
/// **Simplified** scale and soft cap rise with the dot product and the softmax of a row too, so none of them is computed: the order is the same. On a local layer
/// every block that the first row of the block still sees may be chosen. The own block is not forced, here as there: [BlockTopKPolicy] forces it. A row of a local layer
/// whose chosen blocks have left its window reads nothing. Decoding is dense, as in the paper.
/// With the profile `upstream` a last block that is not full is averaged over the full size, with zeros, as in the official code.
///
/// @param blockSize queries, and keys, per block
/// @param topK      blocks of keys per block of queries
/// @param profile   the paper, or the code
public record MInferenceBlockSparsePolicy(int blockSize, int topK, Profile profile) implements SelectionPolicy {

    public MInferenceBlockSparsePolicy {
        Lists.positive("block_size", blockSize);
        Lists.positive("top_k", topK);
    }

    @Override
    public String name() {
        return "minference-block-sparse:block_size=" + blockSize + ",top_k=" + topK + ",profile=" + profile.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Selector open(int[] promptIds) {
        return layer -> layer.decoding() || layer.denseFrom() == 0 ? DensePolicy.everything(layer) : select(layer);
    }

    private LayerSelection select(LayerState layer) {
        KeyUnits units = KeyUnits.fixed(layer, blockSize, blockSize);
        List<KeySelection> perHead = new ArrayList<>();
        int group = layer.heads() / layer.kvHeads();
        for (int h = 0; h < layer.heads(); h++) {
            DoubleTensor scores = scores(layer.backend(), layer.backend().rows(layer.query(), h, h + 1),
                    layer.backend().rows(layer.key(), h / group, h / group + 1), layer.denseFrom(), blockSize, profile);
            boolean[][] kept = new boolean[units.rows().blocks().size()][];
            for (QueryBlocks.Block rows : units.rows().blocks()) {
                kept[rows.segment()] = Lines.flags(choose(scores, rows.segment(), units.first(rows), topK), units.units());
            }
            perHead.add(units.keep(kept));
        }
        int rows = units.rows().blocks().size();
        long dots = 2L * rows * units.units() * layer.headDim() * layer.heads();
        return new LayerSelection(perHead, layer.heads(), dots + ChunkCost.means(layer, layer.denseFrom(), layer.end(), false));
    }

    /// The blocks that query block `row` keeps, none after itself.
    public static BlockSelection choose(DoubleTensor scores, int row, int first, int topK) {
        return Lists.best(IntStream.rangeClosed(first, row).mapToDouble(c -> scores.at(row, c)).toArray(), first, topK);
    }

    /// Scores of one head, `[queryBlocks, chunks]`. The code always pads, so a length of whole blocks gets an empty one more on both sides.
    ///
    /// @param query `[1, queryLen, headDim]`
    /// @param key   `[1, keyLen, headDim]`
    /// @param rows  queries that take part, from position 0
    public static DoubleTensor scores(Backend backend, Tensor query, Tensor key, int rows, int blockSize, Profile profile) {
        int padTo = profile == Profile.UPSTREAM ? blockSize : 0;
        Tensor queries = means(backend, query, blocks(rows, blockSize, padTo > 0), padTo);
        Tensor keys = means(backend, key, blocks(key.shape().extent(1), blockSize, padTo > 0), padTo);
        return backend.chunkSimilarity().apply(new ChunkSimilarity.Input(queries, keys)).chunkScores().toDouble();
    }

    private static Boundaries blocks(int length, int size, boolean padded) {
        return padded ? Boundaries.of(IntStream.rangeClosed(0, length / size + 1).map(b -> Math.min(length, b * size)).toArray()) : Boundaries.uniform(length, size);
    }

    private static Tensor means(Backend backend, Tensor states, Boundaries blocks, int padTo) {
        return backend.chunkRepresentation().apply(new ChunkRepresentation.Input(states, blocks, ChunkRepresentation.Pooling.MEAN, padTo)).chunks();
    }
}
