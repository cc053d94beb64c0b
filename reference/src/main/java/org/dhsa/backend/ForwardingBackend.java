package org.dhsa.backend;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
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
import org.dhsa.stage.StageOp;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.tensor.Tensor;

/// A backend that passes everything on to another one, and sees every stage on its way: for clocks, and for stages that are changed on purpose.
///
/// What is no stage (the cache, views of tensors, tiles, memory) is the other backend's own.
public abstract class ForwardingBackend implements Backend {

    private final Backend inner;

    protected ForwardingBackend(Backend inner) {
        this.inner = inner;
    }

    /// Runs a stage of the other backend. An override may do something before and after, or something else instead.
    protected <I, O> O run(Stage stage, StageOp<I, O> op, I input) {
        return op.apply(input);
    }

    @Override
    public Embedding embedding() {
        return in -> run(Stage.EMBEDDING, inner.embedding(), in);
    }

    @Override
    public RmsNorm rmsNorm() {
        return in -> run(Stage.RMS_NORM, inner.rmsNorm(), in);
    }

    @Override
    public QkvProjection qkvProjection() {
        return in -> run(Stage.QKV_PROJECTION, inner.qkvProjection(), in);
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return in -> run(Stage.ROTARY_EMBEDDING, inner.rotaryEmbedding(), in);
    }

    @Override
    public DenseAttention denseAttention() {
        return in -> run(Stage.DENSE_ATTENTION, inner.denseAttention(), in);
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return in -> run(Stage.BOUNDARY_PREDICTION, inner.boundaryPrediction(), in);
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return in -> run(Stage.NON_MAXIMUM_SUPPRESSION, inner.nonMaximumSuppression(), in);
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return in -> run(Stage.CHUNK_REPRESENTATION, inner.chunkRepresentation(), in);
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return in -> run(Stage.CHUNK_SIMILARITY, inner.chunkSimilarity(), in);
    }

    @Override
    public Upsampling upsampling() {
        return in -> run(Stage.UPSAMPLING, inner.upsampling(), in);
    }

    @Override
    public TopKSelection topKSelection() {
        return in -> run(Stage.TOP_K_SELECTION, inner.topKSelection(), in);
    }

    @Override
    public SparseAttention sparseAttention() {
        return in -> run(Stage.SPARSE_ATTENTION, inner.sparseAttention(), in);
    }

    @Override
    public OutputProjection outputProjection() {
        return in -> run(Stage.OUTPUT_PROJECTION, inner.outputProjection(), in);
    }

    @Override
    public ResidualAdd residualAdd() {
        return in -> run(Stage.RESIDUAL_ADD, inner.residualAdd(), in);
    }

    @Override
    public FeedForward feedForward() {
        return in -> run(Stage.FEED_FORWARD, inner.feedForward(), in);
    }

    @Override
    public LmHead lmHead() {
        return in -> run(Stage.LM_HEAD, inner.lmHead(), in);
    }

    @Override
    public String name() {
        return inner.name();
    }

    @Override
    public Set<Stage> ownStages() {
        return inner.ownStages();
    }

    @Override
    public Precision precision() {
        return inner.precision();
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return inner.newLayerCache(kvHeads, headDim, kind);
    }

    @Override
    public Tensor rows(Tensor x, int from, int to) {
        return inner.rows(x, from, to);
    }

    @Override
    public Tensor keyRows(Tensor keys, int from, int to) {
        return inner.keyRows(keys, from, to);
    }

    @Override
    public Tensor join(List<Tensor> parts, String axis) {
        return inner.join(parts, axis);
    }

    @Override
    public void warmUp() {
        inner.warmUp();
    }

    @Override
    public int promptTile(Gemma2Config config, long weightBytes, int tokens, int capacity) {
        return inner.promptTile(config, weightBytes, tokens, capacity);
    }

    @Override
    public int rowTile(Gemma2Config config, long weightBytes, int tokens, int capacity) {
        return inner.rowTile(config, weightBytes, tokens, capacity);
    }

    @Override
    public Optional<DeviceMemory> deviceMemory() {
        return inner.deviceMemory();
    }

    @Override
    public void finish() {
        inner.finish();
    }

    @Override
    public void close() {
        inner.close();
    }
}
