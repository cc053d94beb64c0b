package org.dhsa.golden;

import java.util.List;
import java.util.Set;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ReferenceBackend;
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

/// The reference with room for one broken stage.
class DelegatingBackend implements Backend {

    private final Backend good = new ReferenceBackend();

    @Override
    public String name() {
        return "mutant";
    }

    @Override
    public Set<Stage> ownStages() {
        return good.ownStages();
    }

    @Override
    public Precision precision() {
        return good.precision();
    }

    @Override
    public Embedding embedding() {
        return good.embedding();
    }

    @Override
    public RmsNorm rmsNorm() {
        return good.rmsNorm();
    }

    @Override
    public QkvProjection qkvProjection() {
        return good.qkvProjection();
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return good.rotaryEmbedding();
    }

    @Override
    public DenseAttention denseAttention() {
        return good.denseAttention();
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return good.boundaryPrediction();
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return good.nonMaximumSuppression();
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return good.chunkRepresentation();
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return good.chunkSimilarity();
    }

    @Override
    public Upsampling upsampling() {
        return good.upsampling();
    }

    @Override
    public TopKSelection topKSelection() {
        return good.topKSelection();
    }

    @Override
    public SparseAttention sparseAttention() {
        return good.sparseAttention();
    }

    @Override
    public OutputProjection outputProjection() {
        return good.outputProjection();
    }

    @Override
    public ResidualAdd residualAdd() {
        return good.residualAdd();
    }

    @Override
    public FeedForward feedForward() {
        return good.feedForward();
    }

    @Override
    public LmHead lmHead() {
        return good.lmHead();
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return good.newLayerCache(kvHeads, headDim, kind);
    }

    @Override
    public Tensor rows(Tensor x, int from, int to) {
        return good.rows(x, from, to);
    }

    @Override
    public Tensor keyRows(Tensor keys, int from, int to) {
        return good.keyRows(keys, from, to);
    }

    @Override
    public Tensor join(List<Tensor> parts, String axis) {
        return good.join(parts, axis);
    }

    @Override
    public void close() {
        good.close();
    }
}
