package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.dhsa.backend.BackendOptions;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.LayerKind;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A cache is a list of rows that forgets its oldest.
class CacheTest {

    private static final int HEADS = 3;
    private static final int HEAD_DIM = 5;

    @ParameterizedTest(name = "window {0}, BF16 {1}")
    @CsvSource({"0, false", "1, false", "2, false", "7, false", "64, false", "0, true", "7, true"})
    void holdsTheLastRowsThroughEveryMove(int window, boolean bf16) {
        for (int seed = 0; seed < 5; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            RollingLayerCache cache = new RollingLayerCache(HEADS, HEAD_DIM, window == 0 ? new LayerKind.Global() : new LayerKind.Local(window), bf16);
            List<float[]> keys = new ArrayList<>();
            List<float[]> values = new ArrayList<>();
            while (keys.size() < 600) {
                int rows = random.nextInt(4) == 0 ? 1 + random.nextInt(130) : 1;
                cache.append(rows(random, rows, keys, bf16), rows(random, rows, values, bf16));
                assertThat(cache.endPosition()).isEqualTo(keys.size());
                same(cache.keys(), keys, cache.firstPosition());
                same(cache.values(), values, cache.firstPosition());
                cache.trim();
                assertThat(cache.firstPosition()).isEqualTo(window == 0 ? 0 : Math.max(0, keys.size() - window));
                assertThat(cache.endPosition()).isEqualTo(keys.size());
                same(cache.keys(), keys, cache.firstPosition());
                same(cache.values(), values, cache.firstPosition());
            }
        }
    }

    /// New rows, also noted in the list as they must come back.
    private static Tensor rows(SplittableRandom random, int rows, List<float[]> all, boolean bf16) {
        DoubleTensor fresh = Floats.tensor(random, 1, "kvHeads", HEADS, "keyLen", rows, "headDim", HEAD_DIM);
        for (int r = 0; r < rows; r++) {
            float[] row = new float[HEADS * HEAD_DIM];
            for (int h = 0; h < HEADS; h++) {
                for (int d = 0; d < HEAD_DIM; d++) {
                    float value = (float) fresh.at(h, r, d);
                    row[h * HEAD_DIM + d] = bf16 ? Bf16Tensor.widen(Bf16Tensor.round(value)) : value;
                }
            }
            all.add(row);
        }
        return Floats.scattered(fresh);
    }

    private static void same(Tensor actual, List<float[]> rows, int first) {
        int length = rows.size() - first;
        assertThat(actual.shape()).isEqualTo(Shape.of("kvHeads", HEADS, "keyLen", length, "headDim", HEAD_DIM));
        double[] data = actual.toDouble().data();
        for (int i = 0; i < data.length; i++) {
            int head = i / (length * HEAD_DIM);
            if (data[i] != rows.get(first + i / HEAD_DIM % length)[head * HEAD_DIM + i % HEAD_DIM]) {
                throw new AssertionError("position " + (first + i / HEAD_DIM % length) + " of head " + head + " is not what was appended");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {0f, -0f, 1f, 1.00390625f, 1.01171875f, -1.00390626f, 3.3895314e38f, 1e-45f, Float.NaN, Float.POSITIVE_INFINITY, 3.4028235e38f})
    void bf16RoundsToNearestTiesToEven(float value) {
        float below = Float.intBitsToFloat(Float.floatToRawIntBits(value) & 0xffff0000);
        float above = Float.intBitsToFloat((Float.floatToRawIntBits(value) & 0xffff0000) + 0x10000);
        float rounded = Bf16Tensor.widen(Bf16Tensor.round(value));
        if (Float.isNaN(value) || Float.isInfinite(value)) {
            assertThat(Float.compare(rounded, value)).isZero();
        } else if (value == below) {
            assertThat(Float.floatToIntBits(rounded)).isEqualTo(Float.floatToIntBits(value));
        } else if (Float.isInfinite(above)) {
            assertThat(rounded).as("beyond the largest BF16").isEqualTo(above);
        } else {
            double down = Math.abs((double) value - below);
            double up = Math.abs((double) above - value);
            boolean evenBelow = (Float.floatToRawIntBits(below) & 0x10000) == 0;
            assertThat(rounded).isEqualTo(down < up || down == up && evenBelow ? below : above);
        }
    }

    /// Keys and values in BF16 change the logits a little, not more, and the same for every number of threads.
    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void aBf16CacheIsAsGoodAsItsRounding(int threads) {
        RandomModel model = RandomModel.of(13, 3, 48, 4, 2, 12, 40, 90, 20);
        for (AttentionMode mode : List.of(new AttentionMode.Dense(), AttentionMode.Dhsa.predicted(BackendTwinTest.SMALL, model.predictor()))) {
            try (OptimizedBackend full = new OptimizedBackend(1);
                 OptimizedBackend half = new OptimizedBackend(new BackendOptions(OptionalInt.of(threads), BackendOptions.KvType.BF16));
                 OptimizedBackend again = new OptimizedBackend(new BackendOptions(OptionalInt.of(2), BackendOptions.KvType.BF16))) {
                double[] expected = logits(full, model, mode);
                double[] actual = logits(half, model, mode);
                double worst = 0;
                for (int i = 0; i < expected.length; i++) {
                    worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
                }
                assertThat(actual).containsExactly(logits(again, model, mode));
                if (mode instanceof AttentionMode.Dense) {
                    assertThat(worst).as("2^-9 of keys and values of 3 layers").isBetween(1e-5, 0.1);
                }
            }
        }
    }

    private static double[] logits(OptimizedBackend backend, RandomModel model, AttentionMode mode) {
        Gemma2Forward.Session session = new Gemma2Forward(model.config(), model.weights(), backend, EmbeddingScale.EXACT).open(mode);
        List<double[]> all = new ArrayList<>();
        all.add(session.prefillAllLogits(RandomModel.ids(3, 90, 90)).toDouble().data());
        for (int step = 0; step < 30; step++) {
            all.add(session.decode(step).toDouble().data());
        }
        return all.stream().flatMapToDouble(java.util.Arrays::stream).toArray();
    }
}
