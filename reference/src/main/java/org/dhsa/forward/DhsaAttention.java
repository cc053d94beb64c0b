package org.dhsa.forward;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// The seven stages wired together, for the prompt and for every token after it.
///
///     keys ─ boundary prediction ─ non-maximum suppression ─┐
///     keys ─ chunk representation ─┐                        │
///     queries ─ representation ────┴ similarity ─ upsampling ┴ top-k selection ─ sparse attention
///
/// Keeps what outlives a layer or a step: the boundaries, the shared lists of keys, and each layer's chunks, which grow
/// while tokens are decoded.
final class DhsaAttention {

    private final Gemma2Config model;
    private final AttentionMode.Dhsa mode;
    private final DhsaConfig config;
    private final Backend backend;
    private final Probe probe;
    private final Map<Integer, DecodeChunks> chunksByLayer = new HashMap<>();
    private final Map<Class<? extends LayerKind>, KeySelection> sharedMasks = new HashMap<>();
    private Boundaries sharedBoundaries;

    DhsaAttention(Gemma2Config model, AttentionMode.Dhsa mode, Backend backend, Probe probe) {
        this.model = model;
        this.mode = mode;
        this.config = mode.config();
        this.backend = backend;
        this.probe = probe;
    }

    /// The whole prompt at once, position 0 first.
    Tensor prefill(int layer, Tensor query, LayerCache cache) {
        LayerKind kind = model.layerKind(layer);
        int length = query.shape().extent("queryLen");
        if (cache.firstPosition() != 0 || cache.endPosition() != length) {
            throw new IllegalStateException("DHSA reads the whole prompt at once: " + cache.endPosition() + " keys for " + length + " queries");
        }
        if (layer == 0) {
            sharedMasks.clear();
        }
        Boundaries boundaries = boundaries(layer, cache.keys());
        Tensor keyChunks = backend.chunkRepresentation()
                .apply(new ChunkRepresentation.Input(cache.keys(), boundaries, keyPooling(), 0)).chunks();
        probe.tensor(Stage.CHUNK_REPRESENTATION, layer, "k_repr", keyChunks);
        QueryBlocks blocks = queryBlocks(boundaries, length);
        KeySelection selection = shared(kind, () -> select(layer, kind, query, keyChunks, boundaries, blocks, config.budget(), config));
        chunksByLayer.put(layer, new DecodeChunks(backend, cache.keys(), keyChunks.toDouble(), boundaries, keyPooling()));
        return attend(layer, kind, query, cache, selection, config.has(Quirk.WINDOW_PLUS_ONE), 0);
    }

    /// One token after the prompt: it is its own query chunk, and its key joins the last chunk.
    Tensor decode(int layer, Tensor query, LayerCache cache) {
        LayerKind kind = model.layerKind(layer);
        int position = cache.endPosition() - 1;
        if (layer == 0) {
            sharedMasks.clear();
        }
        DecodeChunks chunks = chunksByLayer.get(layer);
        int keyLen = cache.keys().shape().extent("keyLen");
        chunks.extend(backend.keyRows(cache.keys(), keyLen - 1, keyLen).toDouble());
        if (layer == 0 || !config.shareBoundaries()) {
            closedByPredictor(chunks, cache).ifPresent(chunks::close);
        } else {
            chunks.follow(chunksByLayer.get(0));
        }
        Boundaries boundaries = chunks.boundaries();
        probe.boundaries(layer, boundaries);
        // A decoded token is judged by the corrected rules: the authors' code has no sparse decoding whose quirks could be kept.
        DhsaConfig rules = config.with(b -> {
            b.quirks = Set.of();
            b.blockSize = 1;
        });
        KeySelection selection = shared(kind, () -> select(layer, kind, query, chunks.representations(), boundaries,
                QueryBlocks.single(position), config.decodeBudget(), rules));
        return attend(layer, kind, query, cache, selection, false, position);
    }

    private Boundaries boundaries(int layer, Tensor keys) {
        if (mode.boundaries().isPresent()) {
            Boundaries given = mode.boundaries().get();
            if (given.totalLength() != keys.shape().extent("keyLen")) {
                throw new IllegalArgumentException("the given boundaries cover " + given.totalLength() + " tokens, the prompt has "
                        + keys.shape().extent("keyLen"));
            }
            probe.boundaries(layer, given);
            return given;
        }
        if (layer > 0 && config.shareBoundaries()) {
            probe.boundaries(layer, sharedBoundaries);
            return sharedBoundaries;
        }
        int length = keys.shape().extent("keyLen");
        Tensor logits = backend.boundaryPrediction()
                .apply(new BoundaryPrediction.Input(keys, mode.predictor().orElseThrow())).logits();
        probe.tensor(Stage.BOUNDARY_PREDICTION, layer, "raw_logits", logits);
        NonMaximumSuppression.Output found = backend.nonMaximumSuppression().apply(new NonMaximumSuppression.Input(
                logits, mode.predictor().orElseThrow().window(), config.chunkBudget(length), config));
        probe.tensor(Stage.NON_MAXIMUM_SUPPRESSION, layer, "ratios", found.filled());
        probe.boundaries(layer, found.boundaries());
        sharedBoundaries = found.boundaries();
        return found.boundaries();
    }

    private QueryBlocks queryBlocks(Boundaries boundaries, int length) {
        int denseFrom = denseFrom(length);
        return switch (config.queryChunking()) {
            case FIXED_BLOCKS -> QueryBlocks.fixed(denseFrom, length, config.blockSize());
            case DYNAMIC_CHUNKS -> QueryBlocks.dynamic(boundaries, denseFrom, length, config.blockSize());
        };
    }

    /// First position of the instruction, which attends densely.
    private int denseFrom(int length) {
        if (config.instructionTokens().isEmpty()) {
            return length;
        }
        int tokens = config.instructionTokens().getAsInt();
        if (tokens == 0) {
            return config.has(Quirk.ZERO_INSTRUCTION_IS_ALL) ? 0 : length;
        }
        return Math.max(0, length - tokens);
    }

    private KeySelection select(int layer, LayerKind kind, Tensor query, Tensor keyChunks, Boundaries boundaries,
                                QueryBlocks blocks, int budget, DhsaConfig rules) {
        if (blocks.blocks().isEmpty()) {
            return new KeySelection(blocks, List.of());
        }
        Tensor queryChunks = backend.chunkRepresentation().apply(queryRepresentation(query, boundaries, blocks)).chunks();
        probe.tensor(Stage.CHUNK_REPRESENTATION, layer, "q_repr", queryChunks);
        Tensor chunkScores = backend.chunkSimilarity().apply(new ChunkSimilarity.Input(queryChunks, keyChunks)).chunkScores();
        probe.tensor(Stage.CHUNK_SIMILARITY, layer, "chunk_scores", chunkScores);
        Tensor tokenScores = backend.upsampling().apply(new Upsampling.Input(chunkScores, boundaries)).tokenScores();
        probe.tensor(Stage.UPSAMPLING, layer, "token_scores", tokenScores);
        return backend.topKSelection().apply(
                new TopKSelection.Input(tokenScores, blocks, Visibility.of(kind), budget, rules)).selection();
    }

    /// Segments of the query rows: fixed blocks, the dynamic chunks as far as they are sparse, or the one decoded token.
    private ChunkRepresentation.Input queryRepresentation(Tensor query, Boundaries boundaries, QueryBlocks blocks) {
        int rows = query.shape().extent("queryLen");
        if (rows == 1 && blocks.end() > 1) {
            return new ChunkRepresentation.Input(query, Boundaries.of(0, 1), queryPooling(), 0);
        }
        if (config.queryChunking() == DhsaConfig.QueryChunking.DYNAMIC_CHUNKS) {
            int[] clipped = Arrays.stream(boundaries.toArray()).filter(b -> b < blocks.denseFrom()).toArray();
            int[] segments = Arrays.copyOf(clipped, clipped.length + 1);
            segments[clipped.length] = blocks.denseFrom();
            return new ChunkRepresentation.Input(query, Boundaries.of(segments), queryPooling(), 0);
        }
        return new ChunkRepresentation.Input(query, Boundaries.uniform(blocks.denseFrom(), config.blockSize()), queryPooling(),
                config.has(Quirk.PADDED_QUERY_BLOCK) ? config.blockSize() : 0);
    }

    private KeySelection shared(LayerKind kind, Supplier<KeySelection> selection) {
        return config.shareMasks() ? sharedMasks.computeIfAbsent(kind.getClass(), k -> selection.get()) : selection.get();
    }

    private Tensor attend(int layer, LayerKind kind, Tensor query, LayerCache cache, KeySelection selection, boolean extraKey, int queryStart) {
        probe.selection(layer, kind, selection);
        Visibility visibility = new Visibility(Visibility.of(kind).window(), extraKey);
        OptionalDouble cap = config.has(Quirk.SOFT_CAP_DROPPED) ? OptionalDouble.empty() : model.attnLogitSoftcapping();
        AttentionRule rule = new AttentionRule(model.attentionScale(), cap, visibility, queryStart, cache.firstPosition());
        SparseAttention.Output out = backend.sparseAttention()
                .apply(new SparseAttention.Input(query, cache.keys(), cache.values(), selection, rule));
        probe.tensor(Stage.SPARSE_ATTENTION, layer, "attn_context", out.context());
        probe.attention(layer, kind, out.pairsRead(), visiblePairs(query, Visibility.of(kind), queryStart));
        return out.context();
    }

    /// Pairs that dense attention reads, all query heads.
    static long visiblePairs(Tensor query, Visibility visibility, int queryStart) {
        long pairs = 0;
        for (int row = 0; row < query.shape().extent("queryLen"); row++) {
            int position = queryStart + row;
            pairs += position - visibility.first(position) + 1;
        }
        return pairs * query.shape().extent("heads");
    }

    /// The boundary that the predictor sets in the growing tail, if it does so now: the newest gap with w tokens on each
    /// side is judged; only gaps behind the prompt's last token can become boundaries.
    private Optional<Integer> closedByPredictor(DecodeChunks chunks, LayerCache cache) {
        if (mode.predictor().isEmpty()) {
            return Optional.empty();
        }
        int window = mode.predictor().get().window();
        int length = cache.endPosition();
        int position = length - 1 - window;
        int kept = cache.keys().shape().extent("keyLen");
        if (position < chunks.promptLength() - 1 || kept < 2 * window) {
            return Optional.empty();
        }
        Tensor tail = backend.keyRows(cache.keys(), kept - 2 * window, kept);
        double logit = backend.boundaryPrediction().apply(new BoundaryPrediction.Input(tail, mode.predictor().get()))
                .logits().toDouble().at(window - 1);
        boolean candidate = config.theta().isEmpty() || logit > config.theta().getAsDouble();
        // before the first boundary nothing was accepted that could suppress
        boolean farEnough = chunks.boundaries().chunks() == 1 || position - (chunks.lastBoundary() - 1) > config.nmsWindow();
        boolean roomLeft = chunks.boundaries().chunks() - 1 < config.chunkBudget(length);
        return candidate && farEnough && roomLeft ? Optional.of(position + 1) : Optional.empty();
    }

    private ChunkRepresentation.Pooling keyPooling() {
        return switch (config.aggregation()) {
            case MEAN, MAX_ON_QUERIES -> ChunkRepresentation.Pooling.MEAN;
            case MEAN_SQRT_LENGTH -> ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH;
        };
    }

    private ChunkRepresentation.Pooling queryPooling() {
        return switch (config.aggregation()) {
            case MEAN -> ChunkRepresentation.Pooling.MEAN;
            case MEAN_SQRT_LENGTH -> ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH;
            case MAX_ON_QUERIES -> ChunkRepresentation.Pooling.MAX;
        };
    }
}
