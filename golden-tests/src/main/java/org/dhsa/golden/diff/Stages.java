package org.dhsa.golden.diff;

import org.dhsa.backend.Backend;
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
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;

/// Any stage by its input record.
final class Stages {

    private Stages() {}

    /// The output record of the stage that this input belongs to.
    static Object apply(Backend backend, Object input) {
        return switch (input) {
            case Embedding.Input in -> backend.embedding().apply(in);
            case RmsNorm.Input in -> backend.rmsNorm().apply(in);
            case QkvProjection.Input in -> backend.qkvProjection().apply(in);
            case RotaryEmbedding.Input in -> backend.rotaryEmbedding().apply(in);
            case DenseAttention.Input in -> backend.denseAttention().apply(in);
            case BoundaryPrediction.Input in -> backend.boundaryPrediction().apply(in);
            case NonMaximumSuppression.Input in -> backend.nonMaximumSuppression().apply(in);
            case ChunkRepresentation.Input in -> backend.chunkRepresentation().apply(in);
            case ChunkSimilarity.Input in -> backend.chunkSimilarity().apply(in);
            case Upsampling.Input in -> backend.upsampling().apply(in);
            case TopKSelection.Input in -> backend.topKSelection().apply(in);
            case SparseAttention.Input in -> backend.sparseAttention().apply(in);
            case OutputProjection.Input in -> backend.outputProjection().apply(in);
            case ResidualAdd.Input in -> backend.residualAdd().apply(in);
            case FeedForward.Input in -> backend.feedForward().apply(in);
            case LmHead.Input in -> backend.lmHead().apply(in);
            default -> throw new IllegalArgumentException("no stage takes a " + input.getClass().getName());
        };
    }
}
