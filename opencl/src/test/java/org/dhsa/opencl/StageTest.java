package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The stages of Gemma 2 outside attention on ugly sizes: right, the same bits for every work-group size, nothing written
/// outside its buffer.
class StageTest {

    private static final Backend REFERENCE = new ReferenceBackend();
    private static final Backend PLAIN = OptimizedBackend.scalar(2);

    /// The same source as different devices run it. The first is the default of this device.
    private static List<OpenClContext> contexts;
    private static List<OpenClBackend> backends;

    @BeforeAll
    static void open() {
        contexts = Stream.concat(Stream.of(Tuning.of(Device.any())), Stream.of(
                tuning(Map.of("LOCAL", 0, "ROWS", 1, "GROUP", 3, "ROW_TILE", 7, "VEC", 1, "SEGMENTS", 1), 2, 7, 16),
                tuning(Map.of("LOCAL", 0, "ROWS", 4, "GROUP", 1, "ROW_TILE", 64, "VEC", 4, "SEGMENTS", 8), 4, 64, 512),
                tuning(Map.of("LOCAL", 1, "GROUP_ROWS", 16, "ITEM_ROWS", 4, "PANELS", 2, "TILE_K", 16, "VEC", 2, "SEGMENTS", 2), 16, 1, 32),
                tuning(Map.of("LOCAL", 1, "GROUP_ROWS", 4, "ITEM_ROWS", 2, "PANELS", 1, "TILE_K", 5, "VEC", 8, "SEGMENTS", 4), 64, 256, 17))).map(Device::context).toList();
        backends = contexts.stream().map(OpenClBackend::new).toList();
    }

    private static Tuning tuning(Map<String, Integer> products, int wg, int group, int tokenTile) {
        Tuning tuning = new Tuning(Map.of("matrix-product", products, "rms-norm", Map.of("WG", wg), "feed-forward", Map.of("TOKEN_TILE", tokenTile)));
        for (String slug : List.of("embedding", "residual-add", "rotary-embedding", "feed-forward", "lm-head")) {
            tuning = tuning.with(slug, Map.of("GROUP", group));
        }
        return tuning;
    }

    @AfterAll
    static void close() {
        if (contexts != null) {
            contexts.forEach(Device::close);
            ThreeRungs.report("stages, " + contexts.getFirst().device().description());
        }
        PLAIN.close();
    }

    private static void check(String stage, String where, Function<Backend, Tensor> run) {
        Tensor truth = run.apply(REFERENCE);
        Tensor first = run.apply(backends.getFirst());
        assertThat(first).isInstanceOf(DeviceTensor.class);
        assertThat(first.shape()).isEqualTo(truth.shape());
        double[] values = first.toDouble().data();
        ThreeRungs.check(stage, where, truth.toDouble().data(), run.apply(PLAIN).toDouble().data(), values);
        assertThat(run.apply(backends.getFirst()).toDouble().data()).as("%s %s, a second run", stage, where).isEqualTo(values);
        for (int i = 1; i < backends.size(); i++) {
            assertThat(run.apply(backends.get(i)).toDouble().data()).as("%s %s, %s", stage, where, contexts.get(i).tuning()).isEqualTo(values);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 15, 16, 17, 63, 64, 65, 130, 257})
    void embeddingNormAndResidual(int modelDim) {
        SplittableRandom random = new SplittableRandom(modelDim);
        int[] ids = random.ints(13, 0, 50).toArray();
        for (DType type : new DType[] {DType.BF16, DType.F32}) {
            WeightTensor table = ThreeRungs.weight(random, type, 1, 50, modelDim);
            for (EmbeddingScale scale : EmbeddingScale.values()) {
                check("embedding", type + " modelDim " + modelDim, b -> b.embedding().apply(new Embedding.Input(ids, table, scale)).hidden());
            }
        }
        WeightTensor weight = ThreeRungs.weight(random, DType.BF16, 1, modelDim);
        for (double size : new double[] {1, 1e15, 1e-15}) {
            Tensor x = ThreeRungs.tensor(random, size, "queryLen", 13, "modelDim", modelDim);
            check("rms-norm", "size " + size + " modelDim " + modelDim, b -> b.rmsNorm().apply(new RmsNorm.Input(x, weight, 1e-6)).normed());
        }
        Tensor x = ThreeRungs.tensor(random, 1, "queryLen", 13, "modelDim", modelDim);
        Tensor y = ThreeRungs.tensor(random, 1, "queryLen", 13, "modelDim", modelDim);
        check("residual-add", "modelDim " + modelDim, b -> b.residualAdd().apply(new ResidualAdd.Input(x, y)).hidden());
    }

    static Stream<Arguments> products() {
        return Stream.of(1, 2, 8, 11, 33).flatMap(tokens -> Stream.of(1, 31, 33, 131).flatMap(modelDim ->
                Stream.of(DType.BF16, DType.F32).map(type -> Arguments.of(tokens, modelDim, type))));
    }

    @ParameterizedTest(name = "{0} tokens, modelDim {1}, {2}")
    @MethodSource("products")
    void projectionsFeedForwardAndHead(int tokens, int modelDim, DType type) {
        SplittableRandom random = new SplittableRandom(tokens * 1000 + modelDim);
        String where = tokens + " tokens, modelDim " + modelDim + " " + type;
        Tensor x = ThreeRungs.tensor(random, 1, "queryLen", tokens, "modelDim", modelDim);
        int headDim = modelDim == 131 ? 32 : 6;
        WeightTensor q = ThreeRungs.weight(random, type, 1, 5 * headDim, modelDim);
        WeightTensor k = ThreeRungs.weight(random, type, 1, headDim, modelDim);
        WeightTensor v = ThreeRungs.weight(random, type, 1, headDim, modelDim);
        QkvProjection.Input in = new QkvProjection.Input(x, q, k, v, headDim);
        check("qkv-projection", where, b -> b.qkvProjection().apply(in).query());
        check("qkv-projection", where, b -> b.qkvProjection().apply(in).key());
        check("qkv-projection", where, b -> b.qkvProjection().apply(in).value());
        WeightTensor o = ThreeRungs.weight(random, type, 1, modelDim, 5 * headDim);
        Tensor context = ThreeRungs.tensor(random, 1, "heads", 5, "queryLen", tokens, "headDim", headDim);
        check("output-projection", where, b -> b.outputProjection().apply(new OutputProjection.Input(context, o)).hidden());
        WeightTensor gate = ThreeRungs.weight(random, type, 1, 67, modelDim);
        WeightTensor up = ThreeRungs.weight(random, type, 1, 67, modelDim);
        WeightTensor down = ThreeRungs.weight(random, type, 1, modelDim, 67);
        check("feed-forward", where, b -> b.feedForward().apply(new FeedForward.Input(x, gate, up, down)).hidden());
        WeightTensor table = ThreeRungs.weight(random, type, 1, 103, modelDim);
        for (OptionalDouble cap : List.of(OptionalDouble.empty(), OptionalDouble.of(30), OptionalDouble.of(4))) {
            check("lm-head", where + " cap " + cap, b -> b.lmHead().apply(new LmHead.Input(x, table, cap)).logits());
        }
    }

    /// More than one block of k, more than one tile of tokens.
    @ParameterizedTest
    @ValueSource(ints = {1, 65})
    void longSums(int tokens) {
        SplittableRandom random = new SplittableRandom(tokens);
        int headDim = 256;
        Tensor context = ThreeRungs.tensor(random, 1, "heads", 10, "queryLen", tokens, "headDim", headDim);
        WeightTensor o = ThreeRungs.weight(random, DType.BF16, 1, 33, 10 * headDim);
        check("output-projection", tokens + " tokens, k 2560", b -> b.outputProjection().apply(new OutputProjection.Input(context, o)).hidden());
        Tensor x = ThreeRungs.tensor(random, 1, "queryLen", tokens, "modelDim", 40);
        WeightTensor gate = ThreeRungs.weight(random, DType.BF16, 1, 4700, 40);
        WeightTensor up = ThreeRungs.weight(random, DType.BF16, 1, 4700, 40);
        WeightTensor down = ThreeRungs.weight(random, DType.BF16, 1, 40, 4700);
        check("feed-forward", tokens + " tokens, ffnDim 4700", b -> b.feedForward().apply(new FeedForward.Input(x, gate, up, down)).hidden());
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 8, 12, 80, 256})
    void rotaryEmbedding(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        for (int start : new int[] {0, 1, 4097, 131071}) {
            for (int tokens : new int[] {1, 33}) {
                Tensor x = ThreeRungs.tensor(random, 1, "heads", 3, "queryLen", tokens, "headDim", headDim);
                check("rotary-embedding", "start " + start + " headDim " + headDim, b -> b.rotaryEmbedding()
                        .apply(new RotaryEmbedding.Input(x, start, 10000)).rotated());
            }
        }
    }

    /// A cache view and a few rows of a longer tensor: strides and offsets are honoured.
    @Test
    void viewsAreReadWhereTheyLie() {
        SplittableRandom random = new SplittableRandom(3);
        DoubleTensor x = ThreeRungs.tensor(random, 1, "queryLen", 9, "modelDim", 40);
        DoubleTensor keys = ThreeRungs.tensor(random, 1, "kvHeads", 2, "keyLen", 9, "headDim", 8);
        WeightTensor norm = ThreeRungs.weight(random, DType.BF16, 1, 40);
        WeightTensor q = ThreeRungs.weight(random, DType.BF16, 1, 16, 40);
        for (int from : new int[] {0, 3, 8}) {
            check("rms-norm", "rows", b -> b.rmsNorm().apply(new RmsNorm.Input(b.rows(x, from, 9), norm, 1e-6)).normed());
            check("residual-add", "rows", b -> b.residualAdd().apply(new ResidualAdd.Input(b.rows(x, from, 9), b.rows(x, 0, 9 - from))).hidden());
            check("qkv-projection", "rows", b -> b.qkvProjection().apply(new QkvProjection.Input(b.rows(x, from, 9), q, q, q, 8)).key());
            check("rotary-embedding", "rows of keys", b -> b.rotaryEmbedding().apply(new RotaryEmbedding.Input(b.keyRows(keys, from, 9), 5, 10000)).rotated());
            check("output-projection", "rows of keys", b -> {
                Tensor some = b.rotaryEmbedding().apply(new RotaryEmbedding.Input(keys, 0, 10000)).rotated();
                return b.keyRows(some, from, 9);
            });
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F64", "F32", "BF16", "F16"})
    void everyTypeOfWeightIsTaken(DType type) {
        SplittableRandom random = new SplittableRandom(5);
        Tensor x = ThreeRungs.tensor(random, 1, "queryLen", 3, "modelDim", 10);
        WeightTensor half = ThreeRungs.weight(random, DType.BF16, 1, 40, 10);
        WeightTensor table = type == DType.F64 ? WeightTensor.of("w", half.widen(), 40, 10) : type == DType.BF16 ? half
                : ThreeRungs.weight(random, type, 1, 40, 10);
        check("lm-head", type.toString(), b -> b.lmHead().apply(new LmHead.Input(x, table, OptionalDouble.empty())).logits());
        check("lm-head", type + ", one token", b -> b.lmHead().apply(new LmHead.Input(b.rows(x, 1, 2), table, OptionalDouble.empty())).logits());
        check("embedding", type.toString(), b -> b.embedding().apply(new Embedding.Input(new int[] {0, 15, 16, 31, 39}, table, EmbeddingScale.EXACT)).hidden());
    }

    /// Every finite half, upwards and downwards of 2^-14, comes out as the same number; and the device holds 16 bits of it.
    @Test
    void halvesAreWidenedExactly() {
        byte[] bytes = new byte[2 * 0x8000];
        for (int i = 0; i < 0x8000; i++) {
            int bits = (i & 0x7c00) == 0x7c00 ? 0 : i % 2 == 0 ? i : i | 0x8000; // no infinities, no NaN
            bytes[2 * i] = (byte) bits;
            bytes[2 * i + 1] = (byte) (bits >>> 8);
        }
        int rows = 0x8000 / 16;
        WeightTensor table = new WeightTensor("halves", DType.F16, new long[] {rows, 16}, java.lang.foreign.MemorySegment.ofArray(bytes));
        DoubleTensor one = DoubleTensor.zeros(org.dhsa.tensor.Shape.of("queryLen", 16, "modelDim", 16));
        for (int i = 0; i < 16; i++) {
            one.data()[17 * i] = 1;
        }
        double[] expected = REFERENCE.lmHead().apply(new LmHead.Input(one, table, OptionalDouble.empty())).logits().toDouble().data();
        for (OpenClBackend b : List.of(backends.getFirst(), backends.get(3))) {
            long before = b.context().weights().bytes();
            assertThat(b.lmHead().apply(new LmHead.Input(one, table, OptionalDouble.empty())).logits().toDouble().data()).isEqualTo(expected);
            assertThat(b.context().weights().bytes() - before).isEqualTo(bytes.length);
            for (int row = 0; row < 16; row++) {
                int at = row;
                assertThat(b.lmHead().apply(new LmHead.Input(b.rows(one, at, at + 1), table, OptionalDouble.empty())).logits().toDouble().data())
                        .isEqualTo(Arrays.copyOfRange(expected, at * rows, (at + 1) * rows));
            }
            // the factor is 4
            int[] ids = java.util.stream.IntStream.range(0, rows).toArray();
            assertThat(b.embedding().apply(new Embedding.Input(ids, table, EmbeddingScale.EXACT)).hidden().toDouble().data())
                    .isEqualTo(Arrays.stream(table.widen()).map(v -> 4 * v).toArray());
        }
    }

    @Test
    void nothingIsReadBackBetweenStages() {
        SplittableRandom random = new SplittableRandom(5);
        OpenClBackend b = backends.getFirst();
        WeightTensor table = ThreeRungs.weight(random, DType.BF16, 1, 40, 24);
        WeightTensor norm = ThreeRungs.weight(random, DType.BF16, 1, 24);
        long before = contexts.getFirst().readBacks();
        Tensor x = b.embedding().apply(new Embedding.Input(new int[] {1, 2, 3}, table, EmbeddingScale.EXACT)).hidden();
        Tensor y = b.rmsNorm().apply(new RmsNorm.Input(x, norm, 1e-6)).normed();
        var qkv = b.qkvProjection().apply(new QkvProjection.Input(y, table, table, table, 8));
        Tensor r = b.rotaryEmbedding().apply(new RotaryEmbedding.Input(qkv.query(), 0, 10000)).rotated();
        Tensor z = b.residualAdd().apply(new ResidualAdd.Input(x, y)).hidden();
        Tensor logits = b.lmHead().apply(new LmHead.Input(b.rows(z, 2, 3), table, OptionalDouble.of(30))).logits();
        assertThat(contexts.getFirst().readBacks()).isEqualTo(before);
        assertThat(r.shape().extent("heads")).isEqualTo(5);
        assertThat(logits.toDouble().data()).hasSize(40);
        assertThat(contexts.getFirst().readBacks()).isEqualTo(before + 1);
    }
}
