package org.dhsa.bug;

import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
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

/// The stages that a bug changes, and what it does to each; immutable.
///
///     Changes.rmsNorm((healthy, in, context) -> ...).and(Changes.lmHead(...))
public final class Changes {

    /// Nothing is changed.
    public static final Changes NONE = new Changes(Map.of(), Optional.empty());

    private final Map<Stage, StageChange<?, ?>> byStage;
    private final Optional<CacheChange> cache;

    /// What kind of layer a cache is made for; a local one forgets old keys.
    @FunctionalInterface
    public interface CacheChange {
        LayerKind apply(LayerKind kind, BugContext context);
    }

    private Changes(Map<Stage, StageChange<?, ?>> byStage, Optional<CacheChange> cache) {
        this.byStage = byStage;
        this.cache = cache;
    }

    private static Changes of(Stage stage, StageChange<?, ?> change) {
        return new Changes(Map.of(stage, change), Optional.empty());
    }

    public static Changes embedding(StageChange<Embedding.Input, Embedding.Output> change) {
        return of(Stage.EMBEDDING, change);
    }

    public static Changes rmsNorm(StageChange<RmsNorm.Input, RmsNorm.Output> change) {
        return of(Stage.RMS_NORM, change);
    }

    public static Changes qkvProjection(StageChange<QkvProjection.Input, QkvProjection.Output> change) {
        return of(Stage.QKV_PROJECTION, change);
    }

    public static Changes rotaryEmbedding(StageChange<RotaryEmbedding.Input, RotaryEmbedding.Output> change) {
        return of(Stage.ROTARY_EMBEDDING, change);
    }

    public static Changes denseAttention(StageChange<DenseAttention.Input, DenseAttention.Output> change) {
        return of(Stage.DENSE_ATTENTION, change);
    }

    public static Changes boundaryPrediction(StageChange<BoundaryPrediction.Input, BoundaryPrediction.Output> change) {
        return of(Stage.BOUNDARY_PREDICTION, change);
    }

    public static Changes nonMaximumSuppression(StageChange<NonMaximumSuppression.Input, NonMaximumSuppression.Output> change) {
        return of(Stage.NON_MAXIMUM_SUPPRESSION, change);
    }

    public static Changes chunkRepresentation(StageChange<ChunkRepresentation.Input, ChunkRepresentation.Output> change) {
        return of(Stage.CHUNK_REPRESENTATION, change);
    }

    public static Changes chunkSimilarity(StageChange<ChunkSimilarity.Input, ChunkSimilarity.Output> change) {
        return of(Stage.CHUNK_SIMILARITY, change);
    }

    public static Changes upsampling(StageChange<Upsampling.Input, Upsampling.Output> change) {
        return of(Stage.UPSAMPLING, change);
    }

    public static Changes topKSelection(StageChange<TopKSelection.Input, TopKSelection.Output> change) {
        return of(Stage.TOP_K_SELECTION, change);
    }

    public static Changes sparseAttention(StageChange<SparseAttention.Input, SparseAttention.Output> change) {
        return of(Stage.SPARSE_ATTENTION, change);
    }

    public static Changes outputProjection(StageChange<OutputProjection.Input, OutputProjection.Output> change) {
        return of(Stage.OUTPUT_PROJECTION, change);
    }

    public static Changes residualAdd(StageChange<ResidualAdd.Input, ResidualAdd.Output> change) {
        return of(Stage.RESIDUAL_ADD, change);
    }

    public static Changes feedForward(StageChange<FeedForward.Input, FeedForward.Output> change) {
        return of(Stage.FEED_FORWARD, change);
    }

    public static Changes lmHead(StageChange<LmHead.Input, LmHead.Output> change) {
        return of(Stage.LM_HEAD, change);
    }

    /// Local caches forget by other rules.
    public static Changes cache(CacheChange change) {
        return new Changes(Map.of(), Optional.of(change));
    }

    /// Both; where both change a stage, `other` changes what this one makes of it.
    public Changes and(Changes other) {
        Map<Stage, StageChange<?, ?>> all = new EnumMap<>(Stage.class);
        all.putAll(byStage);
        other.byStage.forEach((stage, change) -> all.merge(stage, change, Changes::after));
        return new Changes(Map.copyOf(all), other.cache.or(() -> cache));
    }

    @SuppressWarnings("unchecked")
    private static <I, O> StageChange<I, O> after(StageChange<?, ?> inner, StageChange<?, ?> outer) {
        StageChange<I, O> first = (StageChange<I, O>) inner;
        StageChange<I, O> second = (StageChange<I, O>) outer;
        return (healthy, in, context) -> second.apply(x -> first.apply(healthy, x, context), in, context);
    }

    /// Stages that are changed, in the order a token meets them.
    public Set<Stage> stages() {
        return new TreeSet<>(byStage.keySet());
    }

    /// The changed stage, or the healthy one where this stage is left alone.
    @SuppressWarnings("unchecked")
    <I, O> StageOp<I, O> apply(Stage stage, StageOp<I, O> healthy, BugContext context) {
        StageChange<I, O> change = (StageChange<I, O>) byStage.get(stage);
        return change == null ? healthy : in -> change.apply(healthy, in, context);
    }

    LayerKind cacheKind(LayerKind kind, BugContext context) {
        return cache.isPresent() ? cache.get().apply(kind, context) : kind;
    }
}
