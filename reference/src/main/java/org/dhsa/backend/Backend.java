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
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// One way to compute every stage. The forward pass is written once over this interface and never names a backend.
///
/// A backend says which stages are its own; the others it borrows from the reference. Inputs may hold any [Tensor];
/// a backend widens or narrows what is not its own kind.
public interface Backend extends AutoCloseable {

    String name();

    /// Stages that this backend computes itself.
    Set<Stage> ownStages();

    /// Arithmetic of the results, which decides the tolerance they are held to.
    Precision precision();

    /// Arithmetic of a backend's results.
    enum Precision { FP64, FP32 }

    Embedding embedding();

    RmsNorm rmsNorm();

    QkvProjection qkvProjection();

    RotaryEmbedding rotaryEmbedding();

    DenseAttention denseAttention();

    BoundaryPrediction boundaryPrediction();

    NonMaximumSuppression nonMaximumSuppression();

    ChunkRepresentation chunkRepresentation();

    ChunkSimilarity chunkSimilarity();

    Upsampling upsampling();

    TopKSelection topKSelection();

    SparseAttention sparseAttention();

    OutputProjection outputProjection();

    ResidualAdd residualAdd();

    FeedForward feedForward();

    LmHead lmHead();

    /// An empty cache for one layer.
    LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind);

    /// Rows `from` (inclusive) to `to` (exclusive) of the first axis.
    Tensor rows(Tensor x, int from, int to);

    /// Rows `from` to `to` of the second axis of three, `[kvHeads, keyLen, headDim]` or `[heads, queryLen, headDim]`.
    Tensor keyRows(Tensor keys, int from, int to);

    /// Tensors that follow each other along one axis as one.
    default Tensor join(List<Tensor> parts, String axis) {
        return DoubleTensor.join(parts.stream().map(Tensor::toDouble).toList(), axis);
    }

    /// Does beforehand what would make the first prompt slow; worth its second or two before long work only.
    default void warmUp() {}

    /// How many tokens of a prompt to read at once with dense attention, so that what is in between fits the memory there is.
    ///
    /// @param weightBytes bytes of the model's weights
    /// @param tokens      tokens of the prompt
    /// @param capacity    tokens of the prompt and of what will follow it
    default int promptTile(Gemma2Config config, long weightBytes, int tokens, int capacity) {
        return tokens;
    }

    /// The same for a prompt that every layer must see whole, as DHSA does: how many rows of a layer to work on at once where no row
    /// needs another one. Hidden states, queries, keys and values are whole.
    ///
    /// @see org.dhsa.forward.Gemma2Forward#open(org.dhsa.forward.AttentionMode, org.dhsa.forward.Probe, int)
    default int rowTile(Gemma2Config config, long weightBytes, int tokens, int capacity) {
        return tokens;
    }

    /// The memory this backend holds on a device; empty where its tensors lie in the memory of the process.
    default Optional<DeviceMemory> deviceMemory() {
        return Optional.empty();
    }

    /// Returns when everything asked for so far is computed. A device may otherwise still be at work on what a stage returned.
    default void finish() {}

    /// Releases what the backend holds. Tensors it made must not be used afterwards.
    @Override
    void close();
}
