package org.dhsa.reference;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.dhsa.BoundaryPredictionReference;
import org.dhsa.reference.dhsa.ChunkRepresentationReference;
import org.dhsa.reference.dhsa.ChunkSimilarityReference;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.reference.dhsa.SparseAttentionReference;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.reference.dhsa.UpsamplingReference;
import org.dhsa.reference.gemma.DenseAttentionReference;
import org.dhsa.reference.gemma.EmbeddingReference;
import org.dhsa.reference.gemma.FeedForwardReference;
import org.dhsa.reference.gemma.LmHeadReference;
import org.dhsa.reference.gemma.OutputProjectionReference;
import org.dhsa.reference.gemma.QkvProjectionReference;
import org.dhsa.reference.gemma.ResidualAddReference;
import org.dhsa.reference.gemma.RmsNormReference;
import org.dhsa.reference.gemma.RotaryEmbeddingReference;
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
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// The oracle: every stage in FP64, one small class each, no threads, no caches, no speed tricks.
public final class ReferenceBackend implements Backend {

    public static final String NAME = "reference";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Set<Stage> ownStages() {
        return EnumSet.allOf(Stage.class);
    }

    @Override
    public Precision precision() {
        return Precision.FP64;
    }

    @Override
    public Embedding embedding() {
        return new EmbeddingReference();
    }

    @Override
    public RmsNorm rmsNorm() {
        return new RmsNormReference();
    }

    @Override
    public QkvProjection qkvProjection() {
        return new QkvProjectionReference();
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return new RotaryEmbeddingReference();
    }

    @Override
    public DenseAttention denseAttention() {
        return new DenseAttentionReference();
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return new BoundaryPredictionReference();
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return new NonMaximumSuppressionReference();
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return new ChunkRepresentationReference();
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return new ChunkSimilarityReference();
    }

    @Override
    public Upsampling upsampling() {
        return new UpsamplingReference();
    }

    @Override
    public TopKSelection topKSelection() {
        return new TopKSelectionReference();
    }

    @Override
    public SparseAttention sparseAttention() {
        return new SparseAttentionReference();
    }

    @Override
    public OutputProjection outputProjection() {
        return new OutputProjectionReference();
    }

    @Override
    public ResidualAdd residualAdd() {
        return new ResidualAddReference();
    }

    @Override
    public FeedForward feedForward() {
        return new FeedForwardReference();
    }

    @Override
    public LmHead lmHead() {
        return new LmHeadReference();
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return new DoubleLayerCache(kvHeads, headDim, kind);
    }

    @Override
    public Tensor rows(Tensor x, int from, int to) {
        return x.toDouble().rows(from, to);
    }

    @Override
    public Tensor keyRows(Tensor keys, int from, int to) {
        return keys.toDouble().slice(keys.shape().name(1), from, to);
    }

    @Override
    public void close() {
        // nothing is held
    }

    /// Plain arrays, copied on every append: the reference remembers, it does not hurry.
    private static final class DoubleLayerCache implements LayerCache {
        private final LayerKind kind;
        private DoubleTensor keys;
        private DoubleTensor values;
        private int firstPosition;

        DoubleLayerCache(int kvHeads, int headDim, LayerKind kind) {
            this.kind = kind;
            this.keys = DoubleTensor.zeros(Shape.of("kvHeads", kvHeads, "keyLen", 0, "headDim", headDim));
            this.values = keys;
        }

        @Override
        public void append(Tensor key, Tensor value) {
            keys = DoubleTensor.join(List.of(keys, key.toDouble()), "keyLen");
            values = DoubleTensor.join(List.of(values, value.toDouble()), "keyLen");
        }

        @Override
        public DoubleTensor keys() {
            return keys;
        }

        @Override
        public DoubleTensor values() {
            return values;
        }

        @Override
        public int firstPosition() {
            return firstPosition;
        }

        @Override
        public int endPosition() {
            return firstPosition + keys.shape().extent("keyLen");
        }

        @Override
        public void trim() {
            if (kind instanceof LayerKind.Local(int window)) {
                int drop = Math.max(0, keys.shape().extent("keyLen") - window);
                keys = keys.slice("keyLen", drop, keys.shape().extent("keyLen"));
                values = values.slice("keyLen", drop, values.shape().extent("keyLen"));
                firstPosition += drop;
            }
        }
    }
}
