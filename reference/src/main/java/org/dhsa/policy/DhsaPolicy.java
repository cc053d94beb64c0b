package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.QueryChunking;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Profile;
import org.dhsa.model.Quirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// DHSA as a policy, and every ablation of it.
///
///     chunks of keys:      boundaries of the prompt ([ChunkSource])
///     S(i, c) = Q_i · K_c                           ([ChunkScoring])
///     S(i, j) = S(i, chunk(j))
///     keys(i) = forced(i) ∪ top_{budget − |forced|}( S(i, ·) )
///
/// **Source** DHSA (arXiv 2510.24606), section 3; the rules of forced and allowed keys are those of [org.dhsa.stage.TopKSelection].
/// **Unit** a key, scored by its chunk. **Budget** keys per query block, forced ones included. **Cost of selecting** boundary prediction
/// once (layer 0), the pooling, one score per pair of query block and chunk.
/// **Simplified** nothing in either profile: with the published chunking, scoring and shared heads this is
/// [org.dhsa.forward.AttentionMode.Dhsa] bit for bit. A decoded token is judged by the corrected rules in both profiles.
///
/// @param config      sizes, sharing and quirks; its instruction is replaced by the dense tail of the setting
/// @param chunks      where boundaries come from
/// @param scoring     how chunks are scored
/// @param sharedHeads heads averaged and one list for all, as in the authors' code; otherwise each query head scores with its own
///                    queries against its own key head
/// @param rule        how the budget is shared out among query blocks; any but the static one reads whole chunks, in the order of their scores, beside the
///                    forced keys, and needs the corrected profile
public record DhsaPolicy(DhsaConfig config, ChunkSource chunks, ChunkScoring scoring, boolean sharedHeads, BudgetRule rule) implements SelectionPolicy {

    public DhsaPolicy(DhsaConfig config, ChunkSource chunks, ChunkScoring scoring, boolean sharedHeads) {
        this(config, chunks, scoring, sharedHeads, BudgetRule.STATIC);
    }

    public DhsaPolicy {
        if (!rule.isStatic() && !config.quirks().isEmpty()) {
            throw new IllegalArgumentException("dhsa: rule=" + rule.kind().slug() + " needs profile=corrected");
        }
        if (rule.kind() == BudgetRule.Kind.PER_LAYER && config.shareMasks()) {
            throw new IllegalArgumentException("dhsa: rule=per-layer needs masks=each, so that every layer spends its own budget");
        }
    }

    /// As published: predicted boundaries, the configuration's aggregation, shared heads.
    public static DhsaPolicy published(DhsaConfig config, ChunkSource chunks) {
        return new DhsaPolicy(config, chunks, switch (config.aggregation()) {
            case MEAN -> ChunkScoring.MEAN;
            case MEAN_SQRT_LENGTH -> ChunkScoring.MEAN_SQRT;
            case MAX_ON_QUERIES -> ChunkScoring.MAX_ON_QUERIES;
        }, true);
    }

    @Override
    public String name() {
        return String.format(Locale.ROOT, "dhsa:budget=%d,block=%d,local=%d,sinks=%d,chunking=%s,aggregation=%s,heads=%s,queries=%s,boundaries=%s,"
                        + "masks=%s,profile=%s,theta=%s,nms=%d,beta=%d", config.budget(), config.blockSize(), config.localTokens(), config.globalTokens(),
                chunks.name(), scoring.slug(), sharedHeads ? "shared" : "each", config.queryChunking() == QueryChunking.FIXED_BLOCKS ? "blocks" : "chunks",
                config.shareBoundaries() ? "shared" : "each", config.shareMasks() ? "shared" : "each",
                config.quirks().isEmpty() ? "corrected" : config.quirks().equals(Profile.UPSTREAM.quirks()) ? "upstream" : "mixed",
                config.theta().isPresent() ? String.valueOf(config.theta().getAsDouble()) : "none", config.nmsWindow(), config.chunkBeta())
                + (chunks instanceof ChunkSource.Shuffled shuffled ? ",seed=" + shuffled.seed() : "") + rule.suffix();
    }

    @Override
    public AttentionRule attentionRule(AttentionRule gemma, boolean decoding) {
        boolean extraKey = !decoding && config.has(Quirk.WINDOW_PLUS_ONE);
        return new AttentionRule(gemma.scale(), config.has(Quirk.SOFT_CAP_DROPPED) ? OptionalDouble.empty() : gemma.softCap(),
                new Visibility(gemma.visibility().window(), extraKey), gemma.queryStart(), gemma.keyStart());
    }

    @Override
    public Selector open(int[] promptIds) {
        return new Sequence(promptIds);
    }

    /// State of one sequence: boundaries, shared lists, and each layer's chunks, which grow while tokens are decoded.
    private final class Sequence implements Selector {

        private final int[] promptIds;
        private final Map<Integer, GrowingChunks> byLayer = new HashMap<>();
        private final Map<Class<? extends LayerKind>, LayerSelection> sharedMasks = new HashMap<>();
        private Boundaries sharedBoundaries;
        private final BudgetRule.Ledger ledger = rule.open();
        private GrowingChunks leader;
        /// Operations spent on boundaries that no selection has been charged with yet: layer 0 may find them and stay dense itself.
        private long boundaryFlops;

        Sequence(int[] promptIds) {
            this.promptIds = promptIds;
        }

        @Override
        public LayerSelection select(LayerState layer) {
            observe(layer);
            if (!config.shareMasks()) {
                return choose(layer);
            }
            LayerSelection shared = sharedMasks.get(layer.kind().getClass());
            if (shared == null) {
                shared = choose(layer);
                sharedMasks.put(layer.kind().getClass(), shared);
                return shared;
            }
            return new LayerSelection(shared.perHead(), shared.heads(), charge());
        }

        @Override
        public void observe(LayerState layer) {
            if (layer.layer() == 0) {
                sharedMasks.clear();
                boundaryFlops = 0;
            }
            if (layer.decoding()) {
                grow(layer);
            } else {
                Boundaries boundaries = boundaries(layer);
                GrowingChunks grown = new GrowingChunks(scoring, layer, boundaries, sharedHeads);
                byLayer.put(layer.layer(), grown);
                if (layer.layer() == 0) {
                    leader = grown;
                }
            }
        }

        private void grow(LayerState layer) {
            GrowingChunks own = byLayer.get(layer.layer());
            if (own == null) {
                throw new IllegalStateException("layer " + layer.layer() + " has not seen a prompt yet");
            }
            own.extend(layer);
            if (layer.layer() == 0 || !config.shareBoundaries() || leader == null) {
                boundaryFlops += chunks.closeFlops(layer, own.promptLength());
                chunks.close(layer, own.boundaries(), own.promptLength(), config).ifPresent(at -> own.close(layer.backend(), at));
            } else {
                own.follow(layer.backend(), leader);
            }
        }

        private Boundaries boundaries(LayerState layer) {
            if (config.shareBoundaries() && sharedBoundaries != null && layer.layer() > 0) {
                return sharedBoundaries;
            }
            boundaryFlops += chunks.promptFlops(layer);
            sharedBoundaries = chunks.prompt(layer, promptIds, rules(layer));
            return sharedBoundaries;
        }

        private LayerSelection choose(LayerState layer) {
            GrowingChunks grown = byLayer.get(layer.layer());
            Boundaries boundaries = grown.boundaries();
            DhsaConfig rules = rules(layer);
            QueryBlocks blocks = layer.decoding() || config.queryChunking() == QueryChunking.FIXED_BLOCKS ? layer.blocks(config.blockSize())
                    : QueryBlocks.dynamic(boundaries, layer.denseFrom(), layer.end(), config.blockSize());
            if (blocks.blocks().isEmpty()) {
                return DensePolicy.everything(layer);
            }
            Boundaries segments = segments(layer, boundaries);
            int padTo = !layer.decoding() && config.queryChunking() == QueryChunking.FIXED_BLOCKS && config.has(Quirk.PADDED_QUERY_BLOCK) ? config.blockSize() : 0;
            List<DoubleTensor> keyChunks = grown.representations(layer.backend());
            List<KeySelection> perHead = new ArrayList<>();
            for (int h = 0; h < (sharedHeads ? 1 : layer.heads()); h++) {
                Tensor queries = sharedHeads ? layer.query() : layer.backend().rows(layer.query(), h, h + 1);
                Tensor queryChunks = scoring.queries(layer.backend(), queries, segments, padTo);
                DoubleTensor scores = scoring.scores(layer.backend(), queryChunks, keyChunks.get(sharedHeads ? 0 : h * layer.kvHeads() / layer.heads()));
                Tensor tokenScores = layer.backend().upsampling().apply(new Upsampling.Input(scores, boundaries)).tokenScores();
                KeySelection chosen = layer.backend().topKSelection().apply(new TopKSelection.Input(tokenScores, blocks,
                        new Visibility(layer.visibility().window(), false), layer.decoding() ? config.decodeBudget() : config.budget(), rules)).selection();
                perHead.add(rule.isStatic() ? chosen : new ChunkBudget(layer, boundaries, segments, scoring, rules).share(ledger, h, chosen, scores));
            }
            long dots = (long) segments.chunks() * boundaries.chunks() * scoring.flopsPerChannel() * layer.headDim() * perHead.size();
            return new LayerSelection(perHead, layer.heads(), dots + charge()
                    + ChunkCost.means(layer, segments.totalLength(), layer.decoding() ? 0 : layer.end(), sharedHeads));
        }

        private long charge() {
            long flops = boundaryFlops;
            boundaryFlops = 0;
            return flops;
        }

        /// The configuration with the setting's dense tail as its instruction; a decoded token by the corrected rules.
        private DhsaConfig rules(LayerState layer) {
            int tail = layer.end() - layer.denseFrom();
            return config.with(b -> {
                b.instructionTokens = tail == 0 ? OptionalInt.empty() : OptionalInt.of(tail);
                if (layer.decoding()) {
                    b.quirks = Set.of();
                    b.blockSize = 1;
                }
            });
        }

        private Boundaries segments(LayerState layer, Boundaries boundaries) {
            if (layer.decoding()) {
                return Boundaries.of(0, 1);
            }
            if (config.queryChunking() == QueryChunking.FIXED_BLOCKS) {
                return Boundaries.uniform(layer.denseFrom(), config.blockSize());
            }
            int[] clipped = Arrays.stream(boundaries.toArray()).filter(b -> b < layer.denseFrom()).toArray();
            int[] segments = Arrays.copyOf(clipped, clipped.length + 1);
            segments[clipped.length] = layer.denseFrom();
            return Boundaries.of(segments);
        }
    }
}
