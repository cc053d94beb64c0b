package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.QkvProjection;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Weights in their stored types, at any place of a mapped file, of any size, read where they lie.
class WeightsTest {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final Backend REFERENCE = new ReferenceBackend();
    private static final OptimizedBackend SCALAR = OptimizedBackend.scalar(2);
    private static final OptimizedBackend FAST = new OptimizedBackend(2);

    @TempDir
    Path folder;

    @AfterAll
    static void report() {
        SCALAR.close();
        FAST.close();
        ThreeRungs.report("weights, " + FAST.description());
    }

    static Stream<Arguments> matrices() {
        return Stream.of(DType.F64, DType.F32, DType.F16, DType.BF16).flatMap(dtype -> Stream.of(1, 2, 13).flatMap(tokens -> Stream.of(
                Arguments.of(dtype, tokens, 1, 1), Arguments.of(dtype, tokens, 31, 33), Arguments.of(dtype, tokens, 64, 64),
                Arguments.of(dtype, tokens, 37, 2303), Arguments.of(dtype, tokens, 37, 2304), Arguments.of(dtype, tokens, 33, 2305),
                Arguments.of(dtype, tokens, 67, 4999))));
    }

    /// A weight at an odd place of a mapped file, nothing behind it.
    private WeightTensor mapped(Arena arena, DType dtype, SplittableRandom random, int rows, int columns, int at) throws IOException {
        Path file = Files.createTempFile(folder, "weights", ".bin");
        long bytes = (long) rows * columns * dtype.bytes();
        try (FileChannel channel = new RandomAccessFile(file.toFile(), "rw").getChannel()) {
            MemorySegment segment = channel.map(FileChannel.MapMode.READ_WRITE, 0, at + bytes, arena).asSlice(at);
            for (long i = 0; i < (long) rows * columns; i++) {
                float value = (float) random.nextDouble(-1, 1);
                switch (dtype) {
                    case F64 -> segment.set(LONG, 8 * i, Double.doubleToRawLongBits(value));
                    case F32 -> segment.set(INT, 4 * i, Float.floatToRawIntBits(value));
                    case F16 -> segment.set(SHORT, 2 * i, Float.floatToFloat16(value));
                    default -> segment.set(SHORT, 2 * i, (short) (Float.floatToRawIntBits(value) >>> 16));
                }
            }
            return new WeightTensor("w", dtype, new long[] {rows, columns}, segment);
        }
    }

    @ParameterizedTest(name = "{0}, {1} tokens, {2} rows of {3}")
    @MethodSource("matrices")
    void everyStoredTypeAtOddPlaces(DType dtype, int tokens, int rows, int columns) throws IOException {
        for (int at : new int[] {0, 3}) {
            try (Arena arena = Arena.ofShared()) {
                SplittableRandom random = new SplittableRandom(rows + columns);
                WeightTensor weight = mapped(arena, dtype, random, rows, columns, at);
                Tensor x = Floats.tensor(random, 1, "queryLen", tokens, "modelDim", columns);
                String where = dtype + " at byte " + at + ", " + tokens + " tokens, " + rows + " rows of " + columns;
                check("lm-head", where, b -> b.lmHead().apply(new LmHead.Input(x, weight, OptionalDouble.empty())).logits());
                int[] ids = {rows - 1, 0, rows / 2};
                check("embedding", where, b -> b.embedding().apply(new Embedding.Input(ids, weight, EmbeddingScale.EXACT)).hidden());
            }
        }
    }

    private static void check(String what, String where, java.util.function.Function<Backend, Tensor> run) {
        ThreeRungs.check(what, what + " " + where, run.apply(REFERENCE).toDouble().data(), run.apply(SCALAR).toDouble().data(), run.apply(FAST).toDouble().data());
    }

    @Test
    void severalTilesOfRowsAndSeveralBlocksOfColumns() {
        SplittableRandom random = new SplittableRandom(1);
        WeightTensor weight = RandomModel.bf16(random, "w", 1, 45, 2304 * 2 + 17);
        for (int tokens : new int[] {511, 512, 513, 1025}) {
            Tensor x = Floats.tensor(random, 1, "queryLen", tokens, "modelDim", 2304 * 2 + 17);
            check("lm-head", tokens + " tokens", b -> b.lmHead().apply(new LmHead.Input(x, weight, OptionalDouble.empty())).logits());
        }
    }

    // ---------------------------------------------------------------- nothing is copied wholesale

    /// 2 GB that are not there: a file of zeros that takes no room, mapped. Products with 90 MB of it and lookups at its very end allocate next to nothing.
    @Test
    void theHeapDoesNotGrowByTheWeights() throws IOException {
        long columns = 2304;
        long rows = 2L * 1024 * 1024 * 1024 / 2 / columns;
        Path file = folder.resolve("sparse.bin");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw"); Arena arena = Arena.ofShared()) {
            sparse.setLength(1 + rows * columns * 2);
            MemorySegment all = sparse.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, 1 + rows * columns * 2, arena);
            all.set(SHORT, 1 + 2 * (rows * columns - 1), (short) 0x3f80);
            WeightTensor table = new WeightTensor("table", DType.BF16, new long[] {rows, columns}, all.asSlice(1));
            int part = 20000;
            WeightTensor matrix = new WeightTensor("part", DType.BF16, new long[] {part, columns}, all.asSlice(1 + (rows - part) * columns * 2));
            DoubleTensor one = Floats.tensor(new SplittableRandom(1), 1, "queryLen", 1, "modelDim", (int) columns);
            DoubleTensor many = Floats.tensor(new SplittableRandom(2), 1, "queryLen", 3, "modelDim", (int) columns);
            // not compiled yet, every vector is an object: that is over after some thousand rows
            for (int i = 0; i < 4; i++) {
                FAST.lmHead().apply(new LmHead.Input(one, matrix, OptionalDouble.empty()));
                FAST.lmHead().apply(new LmHead.Input(many, matrix, OptionalDouble.empty()));
            }
            long allocated = allocatedBytes();

            double[] row = FAST.embedding().apply(new Embedding.Input(new int[] {(int) rows - 1}, table, EmbeddingScale.EXACT)).hidden().toDouble().data();
            double[] vector = FAST.lmHead().apply(new LmHead.Input(one, matrix, OptionalDouble.empty())).logits().toDouble().data();
            double[] product = FAST.lmHead().apply(new LmHead.Input(many, matrix, OptionalDouble.empty())).logits().toDouble().data();

            long grown = allocatedBytes() - allocated;
            assertThat(row[(int) columns - 1]).isEqualTo(48);
            assertThat(vector[part - 1]).isEqualTo(one.at(0, (int) columns - 1));
            assertThat(product[3 * part - 1]).isEqualTo(many.at(2, (int) columns - 1));
            assertThat(Arrays.stream(product).filter(v -> v != 0).count()).isEqualTo(3);
            assertThat(grown).as("bytes allocated for %d bytes of weights", matrix.bytes().byteSize()).isLessThan(8_000_000);
        }
    }

    private static long allocatedBytes() {
        return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean()).getTotalThreadAllocatedBytes();
    }

    // ---------------------------------------------------------------- NaN

    private static WeightTensor poisoned(WeightTensor weight, long element) {
        byte[] bytes = weight.bytes().toArray(ValueLayout.JAVA_BYTE);
        bytes[(int) (2 * element)] = (byte) 0xc0;
        bytes[(int) (2 * element) + 1] = 0x7f;
        return new WeightTensor(weight.name(), weight.dtype(), weight.dims(), MemorySegment.ofArray(bytes));
    }

    static Stream<Arguments> nanPlaces() {
        return Stream.of("q", "k", "v", "o", "gate", "up", "down", "norm", "final norm").flatMap(place -> Stream.of(1, 40).map(tokens -> Arguments.of(place, tokens)));
    }

    /// `generate` refuses such a checkpoint by name; here nothing may hide it: every logit that depends on it is NaN.
    @ParameterizedTest(name = "in {0}, {1} tokens")
    @MethodSource("nanPlaces")
    void aNaNInAWeightReachesTheLogits(String place, int tokens) {
        RandomModel model = RandomModel.of(5, 2, 48, 4, 2, 12, 40, 90, 20);
        Gemma2Weights.Layer l = model.weights().layers().getFirst();
        Gemma2Weights.Layer broken = new Gemma2Weights.Layer(place.equals("norm") ? poisoned(l.inputLayernorm(), 7) : l.inputLayernorm(),
                place.equals("q") ? poisoned(l.qProj(), 100) : l.qProj(), place.equals("k") ? poisoned(l.kProj(), 100) : l.kProj(),
                place.equals("v") ? poisoned(l.vProj(), 100) : l.vProj(), place.equals("o") ? poisoned(l.oProj(), 100) : l.oProj(),
                l.postAttentionLayernorm(), l.preFeedforwardLayernorm(), place.equals("gate") ? poisoned(l.gateProj(), 100) : l.gateProj(),
                place.equals("up") ? poisoned(l.upProj(), 100) : l.upProj(), place.equals("down") ? poisoned(l.downProj(), 100) : l.downProj(),
                l.postFeedforwardLayernorm());
        Gemma2Weights weights = new Gemma2Weights(model.weights().embedTokens(), List.of(broken, model.weights().layers().get(1)),
                place.equals("final norm") ? poisoned(model.weights().norm(), 7) : model.weights().norm());
        int[] ids = RandomModel.ids(3, tokens, 90);
        for (AttentionMode mode : List.of(new AttentionMode.Dense(), AttentionMode.Dhsa.predicted(BackendTwinTest.SMALL, model.predictor()))) {
            for (Backend backend : List.of(SCALAR, FAST)) {
                Gemma2Forward.Session session = new Gemma2Forward(model.config(), weights, backend, EmbeddingScale.EXACT).open(mode);
                assertThat(session.prefill(ids).toDouble().data()).as("%s, %s", mode, backend.name()).containsOnly(Double.NaN);
                assertThat(session.decode(1).toDouble().data()).containsOnly(Double.NaN);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 40})
    void aNaNInTheEmbeddingReachesItsOwnTokenAndItsOwnLogit(int tokens) {
        SplittableRandom random = new SplittableRandom(tokens);
        WeightTensor table = poisoned(RandomModel.bf16(random, "table", 1, 70, 48), 33 * 48 + 5);
        Tensor x = Floats.tensor(random, 1, "queryLen", tokens, "modelDim", 48);
        for (Backend backend : List.of(SCALAR, FAST)) {
            DoubleTensor logits = backend.lmHead().apply(new LmHead.Input(x, table, OptionalDouble.of(30))).logits().toDouble();
            for (int t = 0; t < tokens; t++) {
                for (int v = 0; v < 70; v++) {
                    assertThat(Double.isNaN(logits.at(t, v))).as("token %d, logit %d", t, v).isEqualTo(v == 33);
                }
            }
            double[] hidden = backend.embedding().apply(new Embedding.Input(new int[] {32, 33, 34}, table, EmbeddingScale.EXACT)).hidden().toDouble().data();
            assertThat(Arrays.stream(hidden).filter(Double::isNaN).count()).isEqualTo(1);
            assertThat(hidden[48 + 5]).isNaN();
        }
    }

    /// A NaN in one row of a projection stays in its own output, whatever tile it is computed in.
    @ParameterizedTest
    @ValueSource(ints = {1, 12, 30})
    void aNaNInOneRowOfAProjectionStaysInItsColumn(int tokens) {
        SplittableRandom random = new SplittableRandom(tokens);
        Tensor x = Floats.tensor(random, 1, "queryLen", tokens, "modelDim", 40);
        WeightTensor q = poisoned(RandomModel.bf16(random, "q", 1, 37, 40), 36 * 40 + 39);
        WeightTensor k = RandomModel.bf16(random, "k", 1, 37, 40);
        for (Backend backend : List.of(SCALAR, FAST)) {
            DoubleTensor query = backend.qkvProjection().apply(new QkvProjection.Input(x, q, k, k, 37)).query().toDouble();
            for (int t = 0; t < tokens; t++) {
                for (int d = 0; d < 37; d++) {
                    assertThat(Double.isNaN(query.at(0, t, d))).as("token %d, channel %d", t, d).isEqualTo(d == 36);
                }
            }
        }
    }
}
