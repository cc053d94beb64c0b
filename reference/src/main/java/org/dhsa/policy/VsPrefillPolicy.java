package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.dhsa.model.GateWeights;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;

/// VSPrefill: a small trained network reads each key and value once, and says which columns and which distances are worth reading.
///
///     (a, c)(t) = W_outer · silu( W_inner · [k(t); v(t)] + b )
///     A_v(t) = softmax over t of a(t),    A_s(x) = softmax over x of c(n − 1 − x)
///     keys(i) = { j ≤ i : j a chosen column, or i − j a chosen distance, or j = i }
///
/// Chosen are the fewest columns, and the fewest distances, whose weights add up to `threshold`, or with a budget ⌈budget / 2⌉ columns and
/// ⌊budget / 2⌋ distances; a block of rows that sees no more keys than the budget reads them all.
///
/// **Source** VSPrefill (arXiv 2603.04460): the indexer reads keys after the rotary embedding joined with values, two linear layers with shared weights, a cumulative
/// threshold that gives each layer its own number of columns and distances. **Unit** a key. **Budget** keys per row (`budget`), or none. **Cost of selecting**
/// two small matrix products per key and key head: linear in the length; queries are never looked at.
/// **Simplified** no weights and no code were public, and the text that could be read leaves these open: one network per layer shared by its key heads; silu between the two
/// linear maps; distances counted back from the last query, so that key t speaks for the distance n − 1 − t; one threshold for columns and distances. The own key
/// is always read. Rows of a block share a list, so that with `block` above 1 a row reads up to block − 1 keys more for every run of distances. On local layers keys outside the
/// window are dropped from the list. The method is for prompts: new tokens attend densely.
///
/// @param threshold share of the weight, above 0 and at most 1, or 0 with a budget
/// @param budget    keys per row, or 0 with a threshold
/// @param block     rows that share a list
public record VsPrefillPolicy(GateWeights.VsPrefill gate, double threshold, int budget, int block) implements SelectionPolicy {

    public VsPrefillPolicy {
        Lists.positive("block", block);
        if (budget < 0 || !(threshold >= 0 && threshold <= 1) || budget == 0 == (threshold == 0)) {
            throw new IllegalArgumentException("either a threshold above 0 and at most 1 or a positive budget, was threshold " + threshold + ", budget " + budget);
        }
    }

    @Override
    public String name() {
        return String.format(Locale.ROOT, "vsprefill:%s,block=%d", budget > 0 ? "budget=" + budget : "threshold=" + threshold, block);
    }

    @Override
    public Selector open(int[] promptIds) {
        return this::select;
    }

    private LayerSelection select(LayerState layer) {
        QueryBlocks blocks = layer.blocks(block);
        if (layer.decoding() || blocks.blocks().isEmpty()) {
            return DensePolicy.everything(layer);
        }
        DoubleTensor key = layer.key().toDouble();
        DoubleTensor value = layer.value().orElseThrow(() -> new IllegalStateException("vsprefill reads values, and layer " + layer.layer() + " came without them")).toDouble();
        GateWeights.VsPrefill.Layer weights = gate.layers().get(layer.layer());
        List<KeySelection> perGroup = new ArrayList<>();
        for (int g = 0; g < layer.kvHeads(); g++) {
            double[][] worth = worth(weights, key, value, g);
            int[] columns = chosen(worth[0], (budget + 1) / 2);
            int[] distances = chosen(worth[1], budget / 2);
            perGroup.add(Lists.each(blocks, b -> Lists.byPosition(list(b, columns, distances, layer))));
        }
        List<KeySelection> perHead = IntStream.range(0, layer.heads()).mapToObj(h -> perGroup.get(h * layer.kvHeads() / layer.heads())).toList();
        return new LayerSelection(perHead, layer.heads(), 2L * layer.end() * layer.kvHeads() * (weights.inner().elements() + weights.outer().elements()));
    }

    /// Weights of the columns, and of the distances: each sums to 1.
    static double[][] worth(GateWeights.VsPrefill.Layer weights, DoubleTensor key, DoubleTensor value, int kvHead) {
        int length = key.shape().extent("keyLen");
        int dim = key.shape().extent("headDim");
        int hidden = Math.toIntExact(weights.inner().dim(0));
        double[] inner = weights.inner().widen();
        double[] bias = weights.innerBias().widen();
        double[] outer = weights.outer().widen();
        double[][] worth = new double[2][length];
        for (int t = 0; t < length; t++) {
            int row = (kvHead * length + t) * dim;
            for (int u = 0; u < hidden; u++) {
                double sum = bias[u];
                for (int d = 0; d < dim; d++) {
                    sum += inner[u * 2 * dim + d] * key.data()[row + d] + inner[u * 2 * dim + dim + d] * value.data()[row + d];
                }
                double active = silu(sum);
                worth[0][t] += outer[u] * active;
                worth[1][length - 1 - t] += outer[hidden + u] * active;
            }
        }
        MeanAttention.softmax(worth[0]);
        MeanAttention.softmax(worth[1]);
        return worth;
    }

    static double silu(double x) {
        return x / (1 + Math.exp(-x));
    }

    private int[] chosen(double[] worth, int count) {
        return Lists.best(worth, 0, threshold > 0 ? OraclePolicy.countFor(worth, threshold) : count).keys();
    }

    private int[] list(QueryBlocks.Block rows, int[] columns, int[] distances, LayerState layer) {
        int first = layer.firstVisible(rows.start());
        if (budget >= rows.end() - first) {
            return IntStream.range(first, rows.end()).toArray();
        }
        boolean[] read = new boolean[rows.end()];
        Arrays.fill(read, rows.start(), rows.end(), true);
        for (int column : columns) {
            if (column < rows.end()) {
                read[column] = true;
            }
        }
        for (int distance : distances) {
            if (distance < rows.end()) {
                Arrays.fill(read, Math.max(0, rows.start() - distance), rows.end() - distance, true);
            }
        }
        return IntStream.range(first, rows.end()).filter(j -> read[j]).toArray();
    }
}
