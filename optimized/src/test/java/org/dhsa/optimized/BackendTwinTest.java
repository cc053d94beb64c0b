package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Profile;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Whole small models, fast against reference, prompt and decoding.
class BackendTwinTest {

    static final DhsaConfig SMALL = DhsaConfig.DEFAULT.with(c -> {
        c.blockSize = 16;
        c.budget = 48;
        c.decodeBudget = 24;
        c.localTokens = 8;
        c.globalTokens = 4;
        c.instructionTokens = OptionalInt.of(9);
        c.theta = OptionalDouble.of(0);
        c.nmsWindow = 3;
        c.chunkBeta = 2;
    });

    static Stream<Arguments> cases() {
        return Stream.of("best", "scalar").flatMap(kernels -> Stream.of("dense", "dhsa", "upstream").map(name -> Arguments.of(kernels, name)));
    }

    private static final Map<String, DoubleTensor> REFERENCE = new ConcurrentHashMap<>();

    @ParameterizedTest(name = "{0} kernels, {1}")
    @MethodSource("cases")
    void logitsAgreeWithTheReference(String kernels, String name) {
        RandomModel model = RandomModel.of(7, 4, 96, 6, 3, 32, 130, 120, 24);
        AttentionMode mode = name.equals("dense") ? new AttentionMode.Dense() : AttentionMode.Dhsa.predicted(
                name.equals("upstream") ? SMALL.with(c -> c.quirks = Profile.UPSTREAM.quirks()) : SMALL, model.predictor());
        int[] ids = RandomModel.ids(3, 133, 120);
        try (Backend fast = kernels.equals("scalar") ? OptimizedBackend.scalar(2) : new OptimizedBackend(2)) {
            DoubleTensor expected = REFERENCE.computeIfAbsent(name, n -> run(model, new ReferenceBackend(), mode, ids));
            DoubleTensor actual = run(model, fast, mode, ids);
            for (int i = 0; i < expected.data().length; i++) {
                assertThat(actual.data()[i]).as("value %d", i).isCloseTo(expected.data()[i], org.assertj.core.data.Offset.offset(2e-4));
            }
        }
    }

    private static DoubleTensor run(RandomModel model, Backend backend, AttentionMode mode, int[] ids) {
        Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), backend, EmbeddingScale.EXACT);
        Gemma2Forward.Session session = forward.open(mode);
        double[] all = session.prefillAllLogits(ids).toDouble().data();
        double[] steps = new double[40 * 120];
        for (int s = 0; s < 40; s++) {
            System.arraycopy(session.decode(5 + s).toDouble().data(), 0, steps, s * 120, 120);
        }
        double[] both = java.util.Arrays.copyOf(all, all.length + steps.length);
        System.arraycopy(steps, 0, both, all.length, steps.length);
        return DoubleTensor.of(org.dhsa.tensor.Shape.of("values", both.length), both);
    }
}
