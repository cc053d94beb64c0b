package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/// DHSA of one global layer beside dense attention over the same keys, in three extents:
/// attention alone over a given selection, with the selection made too, with the boundaries predicted too.
///
/// Boundaries are found once per prompt and serve all layers, so a model pays for `predicted` in one layer and for
/// `selected` in every layer.
@State(Scope.Benchmark)
public class DhsaBenchmark extends CheckedBenchmark {

    static final String DENSE = "dense";
    static final String SPARSE = "sparse";
    static final String SELECTED = "selected";
    static final String PREDICTED = "predicted";

    @Param("4096")
    public int length;

    @Param("1024")
    public int budget;

    @Param("128")
    public int block;

    /// The backend, `optimized` or `opencl`.
    @Param(BenchBackends.VECTOR)
    public String backendName;

    private Tensor last;
    private final Arena arena = Arena.ofShared();
    private Backend backend;
    private AttentionData data;
    private DhsaConfig config;
    private BoundaryPredictorWeights predictor;
    private Tensor logits;
    private Boundaries boundaries;
    private Tensor tokenScores;
    private KeySelection selection;
    private double[] context;
    private long pairs;

    /// The anchor.
    @Benchmark
    public DenseAttention.Output dense() {
        DenseAttention.Output out = backend.denseAttention().apply(new DenseAttention.Input(data.query(), data.key(), data.value(), data.rule()));
        last.toDouble();
        return out;
    }

    /// Attention alone: the selection was made beforehand.
    @Benchmark
    public SparseAttention.Output sparse() {
        SparseAttention.Output out = backend.sparseAttention().apply(new SparseAttention.Input(data.query(), data.key(), data.value(), selection, data.rule()));
        last.toDouble();
        return out;
    }

    /// Chunk representation, similarity, upsampling, selection and attention, the boundaries given: every layer but the first.
    @Benchmark
    public SparseAttention.Output selected() {
        tokenScores = tokenScores(boundaries);
        selection = select(tokenScores, backend.topKSelection());
        return sparse();
    }

    /// Everything: boundary predictor and suppression too, as in the first layer.
    @Benchmark
    public SparseAttention.Output predicted() {
        logits = logits();
        boundaries = suppress(logits);
        return selected();
    }

    private Tensor logits() {
        return backend.boundaryPrediction().apply(new BoundaryPrediction.Input(data.key(), predictor)).logits();
    }

    private Boundaries suppress(Tensor of) {
        return backend.nonMaximumSuppression().apply(new NonMaximumSuppression.Input(of, predictor.window(), config.chunkBudget(length), config)).boundaries();
    }

    private int denseFrom() {
        return Math.max(0, length - config.instructionTokens().orElse(0));
    }

    private Tensor tokenScores(Boundaries of) {
        Tensor keyChunks = represent(data.key(), of);
        Tensor queryChunks = represent(data.query(), Boundaries.uniform(denseFrom(), block));
        Tensor scores = backend.chunkSimilarity().apply(new ChunkSimilarity.Input(queryChunks, keyChunks)).chunkScores();
        return backend.upsampling().apply(new Upsampling.Input(scores, of)).tokenScores();
    }

    private Tensor represent(Tensor states, Boundaries segments) {
        return backend.chunkRepresentation()
                .apply(new ChunkRepresentation.Input(states, segments, ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH, 0)).chunks();
    }

    private KeySelection select(Tensor scores, TopKSelection stage) {
        return stage.apply(new TopKSelection.Input(scores, QueryBlocks.fixed(denseFrom(), length, block), Visibility.GLOBAL, budget, config)).selection();
    }

    @Override
    void prepare(String method) {
        backend = BenchBackends.open(backendName, threads);
        last = BenchBackends.last(backend);
        data = AttentionData.random(backend, length);
        if (method.equals(DENSE)) {
            DenseAttention.Output out = dense();
            context = out.context().toDouble().data();
            pairs = out.pairsRead();
        } else {
            predictor = BenchPredictor.random(arena, AttentionData.KV_HEADS * AttentionData.HEAD_DIM);
            logits = logits();
            config = DhsaConfig.DEFAULT.with(c -> {
                c.blockSize = block;
                c.budget = budget;
                c.decodeBudget = budget;
                c.theta = OptionalDouble.of(BenchPredictor.theta(logits));
            });
            boundaries = suppress(logits);
            tokenScores = tokenScores(boundaries);
            selection = select(tokenScores, backend.topKSelection());
            SparseAttention.Output out = switch (method) {
                case SPARSE -> sparse();
                case SELECTED -> selected();
                default -> predicted();
            };
            context = out.context().toDouble().data();
            pairs = out.pairsRead();
            Notes.put("chunks", boundaries.chunks());
        }
        Notes.put("pairs." + (method.equals(DENSE) ? DENSE : SPARSE), pairs);
    }

    @Override
    MemorySegment output(String method) {
        return MemorySegment.ofArray(context);
    }

    @Override
    void check(String method) throws Exception {
        if (!method.equals(DENSE)) {
            checkPredictor();
            checkScores();
            checkSelection();
        }
        for (int row : data.someRows()) {
            int blockOfRow = row / block;
            int[] list = method.equals(DENSE) || row >= denseFrom() ? null : selection.blocks().get(blockOfRow).keys();
            data.checkRow(context, row % AttentionData.HEADS, row, key -> list == null || Arrays.binarySearch(list, key) >= 0);
        }
    }

    /// A logit depends on the `2 w` tokens around its gap only, so the reference computes some of them from those.
    private void checkPredictor() {
        int w = predictor.window();
        double[] all = logits.toDouble().data();
        try (ReferenceBackend reference = new ReferenceBackend()) {
            for (int p : new int[] {w - 1, length / 2, length - w - 1}) {
                Tensor around = backend.keyRows(data.key(), p - w + 1, p + w + 1);
                double expected = reference.boundaryPrediction().apply(new BoundaryPrediction.Input(around, predictor)).logits().toDouble().at(w - 1);
                WrongResultException.unlessNear("logit " + p, expected, all[p], 1e-3);
            }
        }
    }

    /// Some scores as plain sums: mean over heads, sum over tokens, divided by the root of the length, dot product.
    private void checkScores() {
        double[] all = tokenScores.toDouble().data();
        int blocks = tokenScores.shape().extent("queryBlocks");
        for (int b : List.of(0, blocks - 1)) {
            double[] queryChunk = represent(data.wideQuery(), AttentionData.HEADS, b * block, Math.min(denseFrom(), (b + 1) * block));
            for (int c : List.of(0, boundaries.chunks() / 2, boundaries.chunks() - 1)) {
                double[] keyChunk = represent(data.wideKey(), AttentionData.KV_HEADS, boundaries.start(c), boundaries.end(c));
                double sum = 0;
                double magnitude = 0;
                for (int d = 0; d < AttentionData.HEAD_DIM; d++) {
                    sum += queryChunk[d] * keyChunk[d];
                    magnitude += Math.abs(queryChunk[d] * keyChunk[d]);
                }
                WrongResultException.unlessNear("score of block " + b + " and chunk " + c, sum, all[b * length + boundaries.start(c)], 1e-4 * magnitude);
            }
        }
    }

    private double[] represent(double[] states, int heads, int from, int to) {
        double[] chunk = new double[AttentionData.HEAD_DIM];
        for (int h = 0; h < heads; h++) {
            for (int t = from; t < to; t++) {
                for (int d = 0; d < chunk.length; d++) {
                    chunk[d] += states[(h * length + t) * chunk.length + d] / (heads * Math.sqrt(to - from));
                }
            }
        }
        return chunk;
    }

    /// The reference chooses from the same scores, so every list must be the same.
    private void checkSelection() {
        try (ReferenceBackend reference = new ReferenceBackend()) {
            KeySelection expected = select(tokenScores.toDouble(), reference.topKSelection());
            for (int b = 0; b < expected.blocks().size(); b++) {
                WrongResultException.unless(Arrays.equals(expected.blocks().get(b).keys(), selection.blocks().get(b).keys()),
                        "block " + b + " selects other keys than the reference");
            }
        }
    }

    /// Outside the clock.
    @Setup(Level.Invocation)
    public void reuseMemory() {
        if (backend != null) {
            BenchBackends.reuseMemory(backend);
        }
    }

    @Override
    void warm(String method) {
        if (backend != null) {
            backend.warmUp();
        }
    }

    @Override
    public void close() {
        arena.close();
        if (backend != null) {
            backend.close();
        }
    }
}
