package org.dhsa.bug;

import java.util.List;
import java.util.Set;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
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
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.tensor.Tensor;

/// A backend with some stages changed; everything else is the healthy one's.
final class ChangedBackend implements Backend {

    private final Backend healthy;
    private final String name;
    private final Changes changes;
    private final BugContext context;

    ChangedBackend(Backend healthy, String name, Changes changes, BugContext context) {
        this.healthy = healthy;
        this.name = name;
        this.changes = changes;
        this.context = context;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Set<Stage> ownStages() {
        return healthy.ownStages();
    }

    @Override
    public Precision precision() {
        return healthy.precision();
    }

    @Override
    public Embedding embedding() {
        return changes.apply(Stage.EMBEDDING, healthy.embedding(), context)::apply;
    }

    @Override
    public RmsNorm rmsNorm() {
        return changes.apply(Stage.RMS_NORM, healthy.rmsNorm(), context)::apply;
    }

    @Override
    public QkvProjection qkvProjection() {
        return changes.apply(Stage.QKV_PROJECTION, healthy.qkvProjection(), context)::apply;
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return changes.apply(Stage.ROTARY_EMBEDDING, healthy.rotaryEmbedding(), context)::apply;
    }

    @Override
    public DenseAttention denseAttention() {
        return changes.apply(Stage.DENSE_ATTENTION, healthy.denseAttention(), context)::apply;
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return changes.apply(Stage.BOUNDARY_PREDICTION, healthy.boundaryPrediction(), context)::apply;
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return changes.apply(Stage.NON_MAXIMUM_SUPPRESSION, healthy.nonMaximumSuppression(), context)::apply;
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return changes.apply(Stage.CHUNK_REPRESENTATION, healthy.chunkRepresentation(), context)::apply;
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return changes.apply(Stage.CHUNK_SIMILARITY, healthy.chunkSimilarity(), context)::apply;
    }

    @Override
    public Upsampling upsampling() {
        return changes.apply(Stage.UPSAMPLING, healthy.upsampling(), context)::apply;
    }

    @Override
    public TopKSelection topKSelection() {
        return changes.apply(Stage.TOP_K_SELECTION, healthy.topKSelection(), context)::apply;
    }

    @Override
    public SparseAttention sparseAttention() {
        return changes.apply(Stage.SPARSE_ATTENTION, healthy.sparseAttention(), context)::apply;
    }

    @Override
    public OutputProjection outputProjection() {
        return changes.apply(Stage.OUTPUT_PROJECTION, healthy.outputProjection(), context)::apply;
    }

    @Override
    public ResidualAdd residualAdd() {
        return changes.apply(Stage.RESIDUAL_ADD, healthy.residualAdd(), context)::apply;
    }

    @Override
    public FeedForward feedForward() {
        return changes.apply(Stage.FEED_FORWARD, healthy.feedForward(), context)::apply;
    }

    @Override
    public LmHead lmHead() {
        return changes.apply(Stage.LM_HEAD, healthy.lmHead(), context)::apply;
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return healthy.newLayerCache(kvHeads, headDim, changes.cacheKind(kind, context));
    }

    @Override
    public Tensor rows(Tensor x, int from, int to) {
        return healthy.rows(x, from, to);
    }

    @Override
    public Tensor keyRows(Tensor keys, int from, int to) {
        return healthy.keyRows(keys, from, to);
    }

    @Override
    public Tensor join(List<Tensor> parts, String axis) {
        return healthy.join(parts, axis);
    }

    @Override
    public void close() {
        healthy.close();
    }
}
