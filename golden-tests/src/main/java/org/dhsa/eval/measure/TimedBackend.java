package org.dhsa.eval.measure;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dhsa.backend.Backend;
import org.dhsa.backend.DeviceMemory;
import org.dhsa.backend.LayerCache;
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

/// Another backend with a clock around every stage. Two readings of the clock per stage and layer cost nothing beside
/// the stage itself. What is no stage (the cache, views of tensors) is not counted.
///
/// A device goes on while the host asks for the next stage, so there a stage's clock sees the asking only, and the waiting falls to whoever
/// reads a value. With `waiting` every stage begins and ends with an idle device: right for comparing stages, wrong for the whole.
public final class TimedBackend implements Backend {

    private final Backend inner;
    private final boolean waiting;
    private final Map<Stage, Long> nanos = new EnumMap<>(Stage.class);

    public TimedBackend(Backend inner) {
        this(inner, false);
    }

    /// @param waiting see above
    public TimedBackend(Backend inner, boolean waiting) {
        this.inner = inner;
        this.waiting = waiting;
    }

    /// Nanoseconds of every stage that ran since the last [#reset].
    public Map<Stage, Long> nanos() {
        return new EnumMap<>(nanos);
    }

    public void reset() {
        nanos.clear();
    }

    private <I, O> O timed(Stage stage, StageOp<I, O> op, I input) {
        if (waiting) {
            inner.finish();
        }
        long begun = System.nanoTime();
        O output = op.apply(input);
        if (waiting) {
            inner.finish();
        }
        nanos.merge(stage, System.nanoTime() - begun, Long::sum);
        return output;
    }

    @Override
    public Embedding embedding() {
        return in -> timed(Stage.EMBEDDING, inner.embedding(), in);
    }

    @Override
    public RmsNorm rmsNorm() {
        return in -> timed(Stage.RMS_NORM, inner.rmsNorm(), in);
    }

    @Override
    public QkvProjection qkvProjection() {
        return in -> timed(Stage.QKV_PROJECTION, inner.qkvProjection(), in);
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return in -> timed(Stage.ROTARY_EMBEDDING, inner.rotaryEmbedding(), in);
    }

    @Override
    public DenseAttention denseAttention() {
        return in -> timed(Stage.DENSE_ATTENTION, inner.denseAttention(), in);
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return in -> timed(Stage.BOUNDARY_PREDICTION, inner.boundaryPrediction(), in);
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return in -> timed(Stage.NON_MAXIMUM_SUPPRESSION, inner.nonMaximumSuppression(), in);
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return in -> timed(Stage.CHUNK_REPRESENTATION, inner.chunkRepresentation(), in);
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return in -> timed(Stage.CHUNK_SIMILARITY, inner.chunkSimilarity(), in);
    }

    @Override
    public Upsampling upsampling() {
        return in -> timed(Stage.UPSAMPLING, inner.upsampling(), in);
    }

    @Override
    public TopKSelection topKSelection() {
        return in -> timed(Stage.TOP_K_SELECTION, inner.topKSelection(), in);
    }

    @Override
    public SparseAttention sparseAttention() {
        return in -> timed(Stage.SPARSE_ATTENTION, inner.sparseAttention(), in);
    }

    @Override
    public OutputProjection outputProjection() {
        return in -> timed(Stage.OUTPUT_PROJECTION, inner.outputProjection(), in);
    }

    @Override
    public ResidualAdd residualAdd() {
        return in -> timed(Stage.RESIDUAL_ADD, inner.residualAdd(), in);
    }

    @Override
    public FeedForward feedForward() {
        return in -> timed(Stage.FEED_FORWARD, inner.feedForward(), in);
    }

    @Override
    public LmHead lmHead() {
        return in -> timed(Stage.LM_HEAD, inner.lmHead(), in);
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
