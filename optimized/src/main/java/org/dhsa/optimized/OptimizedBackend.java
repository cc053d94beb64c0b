package org.dhsa.optimized;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// FP32 on the CPU, weights read in their stored type from the mapped file.
///
/// Non-maximum suppression is serial by nature and short, so it is borrowed from the reference; every other stage is its
/// own. Not for several threads at once: the scratch space of the kernels belongs to one call at a time.
public final class OptimizedBackend implements Backend {

    public static final String NAME = "optimized";

    private final Kernels kernels;
    private final boolean bf16Cache;
    private final Workers workers;
    private final Gemm gemm;
    private final TiledAttention attention;
    private final SmallWeights small = new SmallWeights();
    private final OptimizedFeedForward feedForward;

    /// @param threads threads that share the work; results are the same bits for every number
    public OptimizedBackend(int threads) {
        this(KernelChoice.best(), threads, false, true);
    }

    public OptimizedBackend(BackendOptions options) {
        this(KernelChoice.best(), options.threads().orElse(Runtime.getRuntime().availableProcessors()),
                options.kv() == BackendOptions.KvType.BF16, true);
    }

    private OptimizedBackend(Kernels kernels, int threads, boolean bf16Cache, boolean joinedLists) {
        this.kernels = kernels;
        this.bf16Cache = bf16Cache;
        this.workers = new Workers(threads);
        this.gemm = new Gemm(kernels, workers);
        this.attention = new TiledAttention(kernels, workers, joinedLists);
        this.feedForward = new OptimizedFeedForward(gemm, kernels, workers);
    }

    /// The scalar twin: the honest FP32 baseline of the goldens. Attention reads every list by itself, as a plain port would.
    public static OptimizedBackend scalar(int threads) {
        return new OptimizedBackend(new ScalarKernels(), threads, false, false);
    }

    /// For people: `Vector API, 512 bit, 2 threads`.
    public String description() {
        return kernels.description() + ", " + workers.threads() + (workers.threads() == 1 ? " thread" : " threads");
    }

    @Override
    public void warmUp() {
        WarmUp.run(this, Duration.ofSeconds(8));
    }

    /// One matrix product, as every projection of the model does it: `Y = X Wᵀ`.
    ///
    /// @param x `[rows, k]` (read)
    /// @param y `[rows, n]` (overwritten)
    public void project(float[] x, int rows, WeightTensor weight, float[] y) {
        gemm.multiply(x, 0, Math.toIntExact(weight.dim(1)), rows, weight, y, 0);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Set<Stage> ownStages() {
        return EnumSet.complementOf(EnumSet.of(Stage.NON_MAXIMUM_SUPPRESSION));
    }

    @Override
    public Precision precision() {
        return Precision.FP32;
    }

    @Override
    public Embedding embedding() {
        return new OptimizedEmbedding(workers);
    }

    @Override
    public RmsNorm rmsNorm() {
        return new OptimizedRmsNorm(kernels, workers, small);
    }

    @Override
    public QkvProjection qkvProjection() {
        return new OptimizedQkvProjection(gemm, workers);
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return new OptimizedRotaryEmbedding(workers);
    }

    @Override
    public DenseAttention denseAttention() {
        return new OptimizedDenseAttention(attention);
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return new OptimizedBoundaryPrediction(gemm, kernels, workers, small);
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return new NonMaximumSuppressionReference();
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return new OptimizedChunkRepresentation(kernels, workers);
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return new OptimizedChunkSimilarity(kernels, workers);
    }

    @Override
    public Upsampling upsampling() {
        return new OptimizedUpsampling();
    }

    @Override
    public TopKSelection topKSelection() {
        return new OptimizedTopKSelection(workers);
    }

    @Override
    public SparseAttention sparseAttention() {
        return new OptimizedSparseAttention(attention);
    }

    @Override
    public OutputProjection outputProjection() {
        return new OptimizedOutputProjection(gemm, workers);
    }

    @Override
    public ResidualAdd residualAdd() {
        return new OptimizedResidualAdd(workers);
    }

    @Override
    public FeedForward feedForward() {
        return feedForward;
    }

    @Override
    public LmHead lmHead() {
        return new OptimizedLmHead(gemm, kernels, workers);
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return new RollingLayerCache(kvHeads, headDim, kind, bf16Cache);
    }

    @Override
    public Tensor rows(Tensor x, int from, int to) {
        return FloatTensor.of(x).rows(from, to);
    }

    @Override
    public Tensor keyRows(Tensor keys, int from, int to) {
        Shape shape = keys.shape().with(keys.shape().name(1), to - from);
        int headDim = shape.extent("headDim");
        if (keys instanceof Bf16Tensor half) {
            return new Bf16Tensor(shape, half.data(), half.offset() + from * headDim, half.stride());
        }
        FloatTensor all = FloatTensor.of(keys);
        return new FloatTensor(shape, all.data(), all.offset() + from * headDim, all.stride());
    }

    @Override
    public void close() {
        workers.close();
    }
}
