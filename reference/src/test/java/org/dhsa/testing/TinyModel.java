package org.dhsa.testing;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.IntStream;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Boundaries;

/// A Gemma 2 small enough to think about: 4 heads over 2 KV heads of 4 channels, random weights from a seed.
public final class TinyModel {

    public static final int VOCAB = 17;
    private static final int HIDDEN = 12;
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private static final int HEAD_DIM = 4;
    private static final int FFN = 10;

    private TinyModel() {}

    public static Gemma2Config config(int layers, int window, OptionalDouble attentionCap) {
        return new Gemma2Config(VOCAB, HIDDEN, FFN, layers, HEADS, KV_HEADS, HEAD_DIM, 512, 1e-6, 10000, window, 6, attentionCap,
                OptionalDouble.of(30), 2, List.of(1), 0);
    }

    /// Three layers (local, global, local) with attention logits large enough for a cap of 5 to show.
    public static Gemma2Forward forward(long seed, int window) {
        return forward(seed, config(3, window, OptionalDouble.of(5)));
    }

    public static Gemma2Forward forward(long seed, Gemma2Config config) {
        return new Gemma2Forward(config, weights(seed, config), new ReferenceBackend(), EmbeddingScale.EXACT);
    }

    public static Gemma2Weights weights(long seed, Gemma2Config config) {
        Random random = new Random(seed);
        List<Gemma2Weights.Layer> layers = new ArrayList<>();
        WeightTensor embedding = weight(random, 0.5, VOCAB, HIDDEN);
        for (int l = 0; l < config.numHiddenLayers(); l++) {
            layers.add(new Gemma2Weights.Layer(
                    weight(random, 0.1, HIDDEN),
                    weight(random, 0.7, HEADS * HEAD_DIM, HIDDEN),
                    weight(random, 0.7, KV_HEADS * HEAD_DIM, HIDDEN),
                    weight(random, 0.5, KV_HEADS * HEAD_DIM, HIDDEN),
                    weight(random, 0.5, HIDDEN, HEADS * HEAD_DIM),
                    weight(random, 0.1, HIDDEN),
                    weight(random, 0.1, HIDDEN),
                    weight(random, 0.5, FFN, HIDDEN),
                    weight(random, 0.5, FFN, HIDDEN),
                    weight(random, 0.5, HIDDEN, FFN),
                    weight(random, 0.1, HIDDEN)));
        }
        return new Gemma2Weights(embedding, layers, weight(random, 0.1, HIDDEN));
    }

    /// Says the same logit about every gap.
    public static BoundaryPredictorWeights constantPredictor(int window, double logit) {
        int channels = KV_HEADS * HEAD_DIM;
        return new BoundaryPredictorWeights.Cnn(window, zeros(channels, 1, window), zeros(channels), zeros(1, channels, 1), zeros(1),
                new BoundaryPredictorWeights.DecisionMlp(zeros(1, 5), zeros(1), zeros(1, 1), Tensors.vector(logit)));
    }

    public static int[] tokens(long seed, int length) {
        return new Random(seed).ints(length, 0, VOCAB).toArray();
    }

    /// 0, a random choice of positions, and the length.
    public static Boundaries boundaries(long seed, int length) {
        Random random = new Random(seed);
        return Boundaries.of(IntStream.rangeClosed(0, length)
                .filter(p -> p == 0 || p == length || random.nextInt(4) == 0).toArray());
    }

    private static WeightTensor weight(Random random, double scale, long... dims) {
        return WeightTensor.of("random", IntStream.range(0, (int) Arrays.stream(dims).reduce(1, (a, b) -> a * b))
                .mapToDouble(i -> scale * random.nextGaussian()).toArray(), dims);
    }

    private static WeightTensor zeros(long... dims) {
        return WeightTensor.of("zeros", new double[(int) Arrays.stream(dims).reduce(1, (a, b) -> a * b)], dims);
    }
}
