package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Dense attention on ugly sizes.
class DenseAttentionTest extends AttentionCases {

    @ParameterizedTest
    @ValueSource(ints = {1, 20, 256})
    void everyHeadDim(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        for (int[] heads : new int[][] {{2, 2}, {8, 1}, {6, 3}}) {
            for (int window : new int[] {0, 5}) {
                for (OptionalDouble cap : CAPS) {
                    dense("headDim " + headDim + " heads " + Arrays.toString(heads) + " window " + window + " " + cap,
                            Qkv.of(random, heads[0], heads[1], 37, 37, headDim), new AttentionRule(1 / Math.sqrt(headDim), cap, new Visibility(window, false), 0, 0), false);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 32, 33, 63, 64, 65, 127, 300})
    void everyLengthAndWindowInEveryTiling(int length) {
        SplittableRandom random = new SplittableRandom(length);
        for (int window : new int[] {0, 1, 5, 64}) {
            OptionalDouble cap = CAPS[(length + window) % CAPS.length];
            dense("length " + length + " window " + window + " " + cap, Qkv.of(random, 2, 1, length, length, 12),
                    new AttentionRule(0.25, cap, new Visibility(window, window == 5), 0, 0), true);
        }
    }

    @Test
    void chunkedPrefillAndDecodingSeeTheCacheBehindThem() {
        SplittableRandom random = new SplittableRandom(9);
        for (int[] c : new int[][] {{1, 1, 0, 0}, {1, 300, 299, 0}, {1, 700, 699, 0}, {40, 300, 260, 0}, {33, 90, 160, 103}, {1, 64, 499, 436}, {1, 65, 499, 435}, {7, 71, 493, 429}}) {
            for (int window : new int[] {0, 5, 64}) {
                for (OptionalDouble cap : CAPS) {
                    if (window > 0 || c[3] == 0) { // a global layer forgets nothing
                        dense("queries " + c[0] + " keys " + c[1] + " from " + c[2] + ", cache from " + c[3] + " window " + window + " " + cap,
                                Qkv.of(random, 4, 2, c[0], c[1], 12), new AttentionRule(0.3, cap, new Visibility(window, false), c[2], c[3]), true);
                    }
                }
            }
        }
    }

    @Test
    void greatLogitsDoNotOverflow() {
        SplittableRandom random = new SplittableRandom(10);
        for (OptionalDouble cap : CAPS) {
            for (double factor : new double[] {1e3, 1e10}) {
                List<Qkv> draws = Qkv.of(random, 2, 1, 70, 70, 12);
                draws.forEach(x -> Arrays.setAll(x.query().data(), i -> (float) (x.query().data()[i] * factor)));
                AttentionRule rule = new AttentionRule(0.25, cap, Visibility.GLOBAL, 0, 0);
                if (cap.isPresent()) {
                    dense("logits times " + factor + " " + cap, draws, rule, true);
                } else {
                    // without a cap the softmax is a maximum
                    Qkv x = draws.getFirst();
                    DenseAttention.Input in = new DenseAttention.Input(x.query(), x.key(), x.value(), rule);
                    assertThat(Arrays.stream(backends.getFirst().getFirst().denseAttention().apply(in).context().toDouble().data())).allMatch(v -> Math.abs(v) <= 1);
                }
            }
        }
    }

    /// What is no number stays none: in a tile and in a single query, with a maximum that runs along and without.
    @Test
    void aQueryThatIsNoNumberGivesNone() {
        SplittableRandom random = new SplittableRandom(6);
        for (int queries : new int[] {1, 40}) {
            for (OptionalDouble cap : List.of(CAPS[0], CAPS[2])) {
                Qkv x = Qkv.one(random, 2, 1, queries, 40, 12);
                x.query().data()[0] = Double.NaN;
                AttentionRule rule = new AttentionRule(0.3, cap, Visibility.GLOBAL, 40 - queries, 0);
                double[] expected = REFERENCE.denseAttention().apply(new DenseAttention.Input(x.query(), x.key(), x.value(), rule)).context().toDouble().data();
                double[] actual = backends.getFirst().getFirst().denseAttention().apply(new DenseAttention.Input(x.query(), x.key(), x.value(), rule)).context().toDouble().data();
                for (int i = 0; i < expected.length; i++) {
                    assertThat(Double.isNaN(actual[i])).as("%s queries, cap %s, value %s", queries, cap, i).isEqualTo(Double.isNaN(expected[i]));
                }
            }
        }
    }

    /// A cache with room behind every head is read where it lies.
    @Test
    void viewsWithGapsBetweenTheHeadsAreRead() {
        SplittableRandom random = new SplittableRandom(5);
        Qkv x = Qkv.one(random, 4, 2, 40, 90, 12);
        AttentionRule rule = new AttentionRule(0.3, CAPS[2], Visibility.GLOBAL, 20, 0);
        for (OpenClBackend backend : List.of(backends.get(0).getFirst(), backends.get(2).getFirst())) {
            Tensor key = backend.keyRows(x.key(), 5, 65);
            Tensor value = backend.keyRows(x.value(), 5, 65);
            double[] expected = REFERENCE.denseAttention().apply(new DenseAttention.Input(x.query(), key.toDouble(), value.toDouble(), rule)).context().toDouble().data();
            double[] actual = backend.denseAttention().apply(new DenseAttention.Input(x.query(), key, value, rule)).context().toDouble().data();
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(2e-5));
            }
        }
    }

    /// Both files compile alone, so they hold the same loops; this keeps them the same.
    @Test
    void denseAndSparseKernelsShareTheirLoops() {
        assertThat(shared(DeviceAttention.SPARSE)).isEqualTo(shared(DeviceAttention.DENSE)).contains("__kernel");
    }

    private static String shared(String slug) {
        String source = OpenClProgram.source(slug);
        return source.substring(source.indexOf("// ---- shared"));
    }
}
