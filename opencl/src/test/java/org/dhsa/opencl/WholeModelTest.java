package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.LayerKind;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.tensor.DType;
import org.junit.jupiter.api.Test;

/// Prompt and decoding of a small random model, dense: right, twice the same bits, nothing read back, in little memory.
class WholeModelTest {

    private static final Gemma2Config CONFIG = new Gemma2Config(150, 64, 200, 3, 4, 2, 16, 8192, 1e-6, 10000, 24, 24,
            OptionalDouble.of(50), OptionalDouble.of(30), 2, List.of(1), 0);
    private static final Gemma2Weights WEIGHTS = weights(new SplittableRandom(11));
    private static final DhsaConfig DHSA = DhsaConfig.DEFAULT.with(c -> {
        c.blockSize = 8;
        c.budget = 24;
        c.localTokens = 2;
        c.globalTokens = 2;
    });
    private static final int[] PROMPT = new SplittableRandom(12).ints(700, 0, 150).toArray();
    private static final int[] MORE = new SplittableRandom(13).ints(30, 0, 150).toArray();

    private static Gemma2Weights weights(SplittableRandom r) {
        List<Gemma2Weights.Layer> layers = new ArrayList<>();
        for (int l = 0; l < CONFIG.numHiddenLayers(); l++) {
            layers.add(new Gemma2Weights.Layer(w(r, 0.3, 64), w(r, 0.25, 64, 64), w(r, 0.25, 32, 64), w(r, 0.13, 32, 64), w(r, 0.13, 64, 64), w(r, 0.3, 64), w(r, 0.3, 64),
                    w(r, 0.13, 200, 64), w(r, 0.13, 200, 64), w(r, 0.07, 64, 200), w(r, 0.3, 64)));
        }
        return new Gemma2Weights(w(r, 0.3, 150, 64), layers, w(r, 0.3, 64));
    }

    private static WeightTensor w(SplittableRandom random, double scale, int... dims) {
        return ThreeRungs.weight(random, DType.BF16, scale, dims);
    }

    private static Gemma2Forward.Session session(Backend backend) {
        return session(backend, new AttentionMode.Dense());
    }

    private static Gemma2Forward.Session session(Backend backend, AttentionMode mode) {
        return new Gemma2Forward(CONFIG, WEIGHTS, backend, EmbeddingScale.EXACT).open(mode);
    }

    /// Logits after the prompt and after each further token.
    private static double[][] run(Backend backend, int promptLength) {
        return run(backend, new AttentionMode.Dense(), promptLength);
    }

    private static double[][] run(Backend backend, AttentionMode mode, int promptLength) {
        Gemma2Forward.Session session = session(backend, mode);
        double[][] logits = new double[1 + MORE.length][];
        logits[0] = session.prefill(Arrays.copyOf(PROMPT, promptLength)).toDouble().data();
        for (int i = 0; i < MORE.length; i++) {
            logits[i + 1] = session.decode(MORE[i]).toDouble().data();
        }
        return logits;
    }

    @Test
    void promptAndDecodingAreAsRightAsThePlainLoops() {
        OpenClContext context = Device.context();
        try (Backend reference = new ReferenceBackend(); Backend plain = OptimizedBackend.scalar(2)) {
            OpenClBackend backend = new OpenClBackend(context);
            for (int length : new int[] {1, 65}) {
                double[][] truth = run(reference, length);
                double[][] baseline = run(plain, length);
                double[][] candidate = run(backend, length);
                for (int i = 0; i < truth.length; i++) {
                    // a whole pass: the floor of 40 stages, as in the golden tests
                    double largest = Arrays.stream(truth[i]).map(Math::abs).max().orElseThrow();
                    assertThat(worst(candidate[i], truth[i])).as("prompt of %s, token %s", length, i)
                            .isLessThanOrEqualTo(2 * worst(baseline[i], truth[i]) + 40 * 0x1p-23 * largest);
                }
                assertThat(run(backend, length)).as("a second run").isDeepEqualTo(candidate);
            }
        } finally {
            Device.close(context);
        }
    }

    private static double worst(double[] actual, double[] truth) {
        double worst = 0;
        for (int i = 0; i < truth.length; i++) {
            double error = Math.abs(actual[i] - truth[i]);
            worst = Double.isNaN(error) ? Double.POSITIVE_INFINITY : Math.max(worst, error);
        }
        return worst;
    }

    /// As good as the rounding of keys and values, on a tile of queries and on single ones, dense and sparse; the same bits twice; the cache takes
    /// half the memory.
    @Test
    void aBf16CacheIsAsGoodAsItsRounding() {
        OpenClContext context = Device.context();
        try (Backend plain = new OptimizedBackend(new BackendOptions(OptionalInt.of(2), BackendOptions.KvType.BF16))) {
            OpenClBackend half = new OpenClBackend(context, BackendOptions.KvType.BF16);
            for (AttentionMode mode : List.of(new AttentionMode.Dense(), AttentionMode.Dhsa.given(DHSA, Boundaries.uniform(65, 6)))) {
                double[] truth = flat(run(new OpenClBackend(context), mode, 65));
                double[] rounded = flat(run(half, mode, 65));
                assertThat(flat(run(half, mode, 65))).as("a second run").isEqualTo(rounded);
                if (mode instanceof AttentionMode.Dense) {
                    assertThat(worst(rounded, truth)).as("2^-9 of keys and values of 3 layers").isBetween(1e-5, 0.1);
                    // values on the edge of two bfloat16 may fall either way, so not to the rounding of FP32
                    assertThat(worst(rounded, flat(run(plain, mode, 65)))).as("the optimized path, rounded as well").isLessThan(worst(rounded, truth));
                }
            }
        } finally {
            Device.close(context);
        }
    }

    private static double[] flat(double[][] logits) {
        return Arrays.stream(logits).flatMapToDouble(Arrays::stream).toArray();
    }

    @Test
    void onlyLogitsAreReadBack() {
        OpenClContext context = Device.context();
        try {
            Gemma2Forward.Session session = session(new OpenClBackend(context));
            long before = context.readBacks();
            var logits = session.prefill(Arrays.copyOf(PROMPT, 40));
            assertThat(context.readBacks()).as("after the prompt").isEqualTo(before);
            logits.toDouble();
            for (int id : MORE) {
                session.decode(id);
            }
            assertThat(context.readBacks()).as("after decoding").isEqualTo(before + 1);
        } finally {
            Device.close(context);
        }
    }

    /// DHSA needs the whole prompt in every layer. Under a limit it is not cut; the layer works on it in tiles of rows: the same selection, the
    /// same bits.
    @Test
    void dhsaKeepsALimitOfMemoryByWorkingInTilesOfRows() {
        OpenClDevice device = Device.any();
        AttentionMode mode = AttentionMode.Dhsa.predicted(DHSA, DhsaTest.predictor("attention", new SplittableRandom(5), 2, 32, 2));
        List<KeySelection> atOnce = new ArrayList<>();
        List<KeySelection> inTiles = new ArrayList<>();
        double[][] whole;
        try (OpenClBackend backend = new OpenClBackend(new OpenClContext(device, Tuning.of(device), OptionalLong.empty()))) {
            assertThat(backend.rowTile(CONFIG, 280_000, PROMPT.length, PROMPT.length + 2)).isEqualTo(PROMPT.length);
            whole = sparse(backend, mode, atOnce, PROMPT.length);
        }
        // at once it takes 1.9 to 2.4 MB: compiled code lets go of a dead tensor sooner than interpreted code; in tiles 1.5 MB; a GPU's kernels take more
        long limit = device.kind() == OpenClDevice.Kind.GPU ? 2_000_000 : 1_620_000;
        try (OpenClBackend small = new OpenClBackend(new OpenClContext(device, Tuning.of(device), OptionalLong.of(limit)))) {
            assertThatThrownBy(() -> sparse(small, mode, new ArrayList<>(), PROMPT.length)).isInstanceOf(OpenClException.class)
                    .hasMessageContaining("out of device memory").hasMessageContaining("by --max-device-memory");
        }
        try (OpenClBackend small = new OpenClBackend(new OpenClContext(device, Tuning.of(device), OptionalLong.of(limit)))) {
            int tile = small.rowTile(CONFIG, 280_000, PROMPT.length, PROMPT.length + 2);
            assertThat(tile).isBetween(16, 300);
            double[][] tiled = sparse(small, mode, inTiles, tile);
            assertThat(inTiles).isEqualTo(atOnce).hasSize(3 * 3);
            assertThat(tiled).isDeepEqualTo(whole);
            assertThat(small.context().pool().heldBytes()).isLessThanOrEqualTo(limit);
        }
    }

    /// Logits of the prompt's end and of two tokens.
    private static double[][] sparse(Backend backend, AttentionMode mode, List<KeySelection> selections, int rowTile) {
        Gemma2Forward.Session session = new Gemma2Forward(CONFIG, WEIGHTS, backend, EmbeddingScale.EXACT).open(mode, new Probe() {
            @Override
            public void selection(int layer, LayerKind kind, KeySelection selection) {
                selections.add(selection);
            }
        }, rowTile);
        return new double[][] {session.prefill(PROMPT).toDouble().data(), session.decode(MORE[0]).toDouble().data(), session.decode(MORE[1]).toDouble().data()};
    }

    @Test
    void aLimitOfMemoryIsKeptByReadingThePromptInParts() {
        OpenClDevice device = Device.any();
        double[] whole;
        try (OpenClBackend backend = new OpenClBackend(new OpenClContext(device, Tuning.of(device), OptionalLong.empty()))) {
            assertThat(backend.promptTile(CONFIG, 500_000, PROMPT.length, PROMPT.length)).isEqualTo(PROMPT.length);
            whole = session(backend).prefill(PROMPT).toDouble().data();
        }
        long limit = 1_200_000;
        try (OpenClBackend small = new OpenClBackend(new OpenClContext(device, Tuning.of(device), OptionalLong.of(limit)))) {
            assertThatThrownBy(() -> session(small).prefill(PROMPT)).isInstanceOf(OpenClException.class)
                    .hasMessageContaining("out of device memory").hasMessageContaining("by --max-device-memory");
        }
        try (OpenClBackend small = new OpenClBackend(new OpenClContext(device, Tuning.of(device), OptionalLong.of(limit)))) {
            int tile = small.promptTile(CONFIG, 280_000, PROMPT.length, PROMPT.length);
            assertThat(tile).isBetween(16, 300);
            Gemma2Forward.Session session = session(small);
            double[] last = null;
            for (int from = 0; from < PROMPT.length; from += tile) {
                last = session.prefill(Arrays.copyOfRange(PROMPT, from, Math.min(PROMPT.length, from + tile))).toDouble().data();
            }
            assertThat(small.context().pool().heldBytes()).isLessThanOrEqualTo(limit);
            assertThat(worst(last, whole)).isLessThan(1e-4);
        }
    }
}
