package org.dhsa.optimized;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DType;

/// Makes the compiler do its work before it counts.
///
/// A kernel that runs for the first time is interpreted, boxes every vector and does less than a hundredth of its speed;
/// after some hundred calls the optimizing compiler replaces it. A small made-up model is run until two passes in a row
/// take the same time, so that no real prompt pays for this. Its weights lie in a mapped file like real ones: compiled
/// code trusts the kind of memory it has seen, and would be thrown away at the first weight of another kind.
final class WarmUp {

    private static final int HIDDEN = 256;
    private static final int HEAD_DIM = 256;
    /// More than two blocks of keys, so that attention meets whole and partly visible blocks.
    private static final int TOKENS = 400;
    private static final long WEIGHT_BYTES = 16 << 20;
    private static final double STEADY = 1.15;

    private final SplittableRandom random = new SplittableRandom(1);

    private WarmUp() {}

    /// @param limit the longest it may take
    static void run(OptimizedBackend backend, Duration limit) {
        new WarmUp().warm(backend, limit);
    }

    private void warm(OptimizedBackend backend, Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        try (Arena arena = Arena.ofShared()) {
            Gemma2Forward model = model(mapped(arena), backend);
            int[] ids = random.ints(TOKENS, 0, HIDDEN).toArray();
            DhsaConfig sparse = DhsaConfig.DEFAULT.with(c -> {
                c.blockSize = 32;
                c.budget = 64;
                c.decodeBudget = 64;
                c.localTokens = 16;
                c.globalTokens = 4;
            });
            AttentionMode.Dhsa dhsa = AttentionMode.Dhsa.given(sparse, Boundaries.uniform(TOKENS, 16));
            long before = Long.MAX_VALUE / 2;
            int steady = 0;
            while (steady < 2 && System.nanoTime() < end) {
                long start = System.nanoTime();
                pass(model, new AttentionMode.Dense(), ids);
                pass(model, dhsa, ids);
                long took = System.nanoTime() - start;
                steady = took * STEADY > before ? steady + 1 : 0;
                before = took;
            }
        }
    }

    /// Memory of a temporary file, or the arena's own where none can be made.
    private static SegmentAllocator mapped(Arena arena) {
        try {
            Path file = Files.createTempFile("dhsa-warm-up", null);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
                return SegmentAllocator.slicingAllocator(channel.map(FileChannel.MapMode.READ_WRITE, 0, WEIGHT_BYTES, arena));
            }
        } catch (IOException e) {
            return arena;
        }
    }

    private static void pass(Gemma2Forward model, AttentionMode mode, int[] ids) {
        Gemma2Forward.Session session = model.open(mode);
        session.prefill(ids);
        for (int step = 0; step < 4; step++) {
            session.decode(step);
        }
    }

    private Gemma2Forward model(SegmentAllocator arena, OptimizedBackend backend) {
        Gemma2Config config = new Gemma2Config(HIDDEN, HIDDEN, 2 * HIDDEN, 2, 2, 1, HEAD_DIM, 4096, 1e-6, 10000, 64, HEAD_DIM,
                OptionalDouble.of(50), OptionalDouble.of(30), 2, List.of(1), 0);
        List<Gemma2Weights.Layer> layers = new ArrayList<>();
        for (int l = 0; l < 2; l++) {
            layers.add(new Gemma2Weights.Layer(weight(arena, HIDDEN), weight(arena, 2 * HEAD_DIM, HIDDEN), weight(arena, HEAD_DIM, HIDDEN),
                    weight(arena, HEAD_DIM, HIDDEN), weight(arena, HIDDEN, 2 * HEAD_DIM), weight(arena, HIDDEN), weight(arena, HIDDEN),
                    weight(arena, 2 * HIDDEN, HIDDEN), weight(arena, 2 * HIDDEN, HIDDEN), weight(arena, HIDDEN, 2 * HIDDEN), weight(arena, HIDDEN)));
        }
        return new Gemma2Forward(config, new Gemma2Weights(weight(arena, HIDDEN, HIDDEN), layers, weight(arena, HIDDEN)), backend, EmbeddingScale.EXACT);
    }

    private WeightTensor weight(SegmentAllocator arena, long... dims) {
        long elements = 1;
        for (long d : dims) {
            elements *= d;
        }
        MemorySegment bytes = arena.allocate(2 * elements, 64);
        double scale = Math.sqrt(3.0 / dims[dims.length - 1]);
        for (long i = 0; i < elements; i++) {
            float value = (float) (scale * random.nextDouble(-1, 1));
            bytes.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(value) >>> 16));
        }
        return new WeightTensor("warm-up", DType.BF16, dims, bytes);
    }
}
