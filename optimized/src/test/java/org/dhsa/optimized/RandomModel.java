package org.dhsa.optimized;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;

/// Small Gemma 2 models made from a seed, weights in BF16.
record RandomModel(Gemma2Config config, Gemma2Weights weights, BoundaryPredictorWeights predictor) {

    static RandomModel of(long seed, int layers, int hidden, int heads, int kvHeads, int headDim, int ffn, int vocab, int window) {
        SplittableRandom random = new SplittableRandom(seed);
        Gemma2Config config = new Gemma2Config(vocab, hidden, ffn, layers, heads, kvHeads, headDim, 8192, 1e-6, 10000, window,
                headDim * 1.5, OptionalDouble.of(50), OptionalDouble.of(30), 2, List.of(1), 0);
        List<Gemma2Weights.Layer> list = new ArrayList<>();
        for (int l = 0; l < layers; l++) {
            list.add(new Gemma2Weights.Layer(bf16(random, "in", 0.3, hidden), bf16(random, "q", 2 / Math.sqrt(hidden), heads * headDim, hidden),
                    bf16(random, "k", 2 / Math.sqrt(hidden), kvHeads * headDim, hidden), bf16(random, "v", 1 / Math.sqrt(hidden), kvHeads * headDim, hidden),
                    bf16(random, "o", 1 / Math.sqrt(heads * headDim), hidden, heads * headDim), bf16(random, "pa", 0.3, hidden),
                    bf16(random, "pf", 0.3, hidden), bf16(random, "g", 1 / Math.sqrt(hidden), ffn, hidden), bf16(random, "u", 1 / Math.sqrt(hidden), ffn, hidden),
                    bf16(random, "d", 1 / Math.sqrt(ffn), hidden, ffn), bf16(random, "po", 0.3, hidden)));
        }
        int c = kvHeads * headDim;
        BoundaryPredictorWeights predictor = new BoundaryPredictorWeights.Attention(3,
                new BoundaryPredictorWeights.SelfAttention(2, bf16(random, "in", 1 / Math.sqrt(c), 3 * c, c), bf16(random, "ib", 0.1, 3 * c),
                        bf16(random, "out", 1 / Math.sqrt(c), c, c), bf16(random, "ob", 0.1, c)),
                new BoundaryPredictorWeights.LayerNorm(bf16(random, "nw", 1, c), bf16(random, "nb", 0.1, c)), Optional.empty(),
                new BoundaryPredictorWeights.DecisionMlp(bf16(random, "w0", 1 / Math.sqrt(c), 16, 4 * c + 1), bf16(random, "b0", 0.1, 16),
                        bf16(random, "w2", 1, 1, 16), bf16(random, "b2", 0.1, 1)));
        return new RandomModel(config, new Gemma2Weights(bf16(random, "embed", 0.3, vocab, hidden), list, bf16(random, "norm", 0.3, hidden)), predictor);
    }

    static WeightTensor bf16(SplittableRandom random, String name, double scale, int... dims) {
        int n = 1;
        long[] wide = new long[dims.length];
        for (int a = 0; a < dims.length; a++) {
            n *= dims[a];
            wide[a] = dims[a];
        }
        byte[] bytes = new byte[2 * n];
        for (int i = 0; i < n; i++) {
            int bits = Float.floatToRawIntBits((float) (scale * random.nextDouble(-1, 1)));
            bytes[2 * i] = (byte) (bits >>> 16);
            bytes[2 * i + 1] = (byte) (bits >>> 24);
        }
        return new WeightTensor(name, DType.BF16, wide, MemorySegment.ofArray(bytes));
    }

    static int[] ids(long seed, int length, int vocab) {
        return new SplittableRandom(seed).ints(length, 0, vocab).toArray();
    }
}
