package org.dhsa.eval.cost;

import java.util.List;
import org.dhsa.model.Gemma2Config;

/// The sizes of a model that decide its cost. Every second layer is local, layer 0 first.
public record ModelShape(String name, int layers, int hidden, int heads, int kvHeads, int headDim, int ffn, int vocab, int window) {

    public static final ModelShape GEMMA2_2B = new ModelShape("gemma-2-2b", 26, 2304, 8, 4, 256, 9216, 256_000, 4096);
    public static final ModelShape GEMMA2_9B = new ModelShape("gemma-2-9b", 42, 3584, 16, 8, 256, 14_336, 256_000, 4096);
    public static final ModelShape GEMMA2_27B = new ModelShape("gemma-2-27b", 46, 4608, 32, 16, 128, 36_864, 256_000, 4096);

    /// The published ones.
    public static final List<ModelShape> PUBLISHED = List.of(GEMMA2_2B, GEMMA2_9B, GEMMA2_27B);

    public static ModelShape of(String name, Gemma2Config config) {
        return new ModelShape(name, config.numHiddenLayers(), config.hiddenSize(), config.numAttentionHeads(), config.numKeyValueHeads(),
                config.headDim(), config.intermediateSize(), config.vocabSize(), config.slidingWindow());
    }

    public int localLayers() {
        return (layers + 1) / 2;
    }

    public int globalLayers() {
        return layers / 2;
    }

    /// Weights of the four projections of attention and the three of the feed-forward block, one layer.
    public long matrixWeightsPerLayer() {
        return 2L * hidden * heads * headDim + 2L * hidden * kvHeads * headDim + 3L * hidden * ffn;
    }

    /// All parameters but the norms: the matrices of the layers, and the embedding, which is the head too.
    public long matrixWeights() {
        return layers * matrixWeightsPerLayer() + (long) vocab * hidden;
    }
}
