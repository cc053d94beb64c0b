package org.dhsa.forward;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.Quirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Tensor;

/// Gemma 2 from token ids to logits, written once for all backends.
///
///     x = embedding(ids);   x = layerₗ(x) for l = 0 … layers − 1;   logits = head(norm(x))
///
/// Stateless; a [Session] holds the caches of one sequence.
public final class Gemma2Forward {

    private final Gemma2Config config;
    private final Gemma2Weights weights;
    private final Backend backend;
    private final EmbeddingScale scale;
    private final List<DecoderLayer> layers = new ArrayList<>();

    public Gemma2Forward(Gemma2Config config, Gemma2Weights weights, Backend backend, EmbeddingScale scale) {
        this.config = config;
        this.weights = weights.require(config);
        this.backend = backend;
        this.scale = scale;
        for (int l = 0; l < config.numHiddenLayers(); l++) {
            layers.add(new DecoderLayer(l, config, weights.layers().get(l), backend));
        }
    }

    public Gemma2Config config() {
        return config;
    }

    public Session open(AttentionMode mode) {
        return open(mode, Probe.NONE);
    }

    public Session open(AttentionMode mode, Probe probe) {
        return open(mode, probe, Integer.MAX_VALUE);
    }

    /// @param rowTile rows that a layer works on at once where no row needs another one: a prompt that attention must see whole then
    ///                takes less memory. The probe sees such a tensor once per tile.
    /// @throws IllegalArgumentException if `rowTile` is not positive
    public Session open(AttentionMode mode, Probe probe, int rowTile) {
        return new Session(mode, probe, rowTile);
    }

    /// One sequence: first the prompt, then token by token.
    public final class Session {
        private final List<LayerCache> caches = new ArrayList<>();
        private final Probe probe;
        private final AttentionMode mode;
        private final DhsaAttention dhsa;
        private final PolicyAttention policy;
        private final int rowTile;
        private int position;

        private Session(AttentionMode mode, Probe probe, int rowTile) {
            if (rowTile <= 0) {
                throw new IllegalArgumentException("rowTile must be positive, was " + rowTile);
            }
            this.mode = mode;
            this.probe = probe;
            this.rowTile = rowTile;
            this.dhsa = mode instanceof AttentionMode.Dhsa d ? new DhsaAttention(config, d, backend, probe) : null;
            this.policy = mode instanceof AttentionMode.Policy p ? new PolicyAttention(config, p, backend, probe, this::dense) : null;
            for (int l = 0; l < config.numHiddenLayers(); l++) {
                caches.add(backend.newLayerCache(config.numKeyValueHeads(), config.headDim(), config.layerKind(l)));
            }
        }

        /// Position of the next token.
        public int position() {
            return position;
        }

        /// The cache of a layer, for looking at.
        public LayerCache cache(int layer) {
            return caches.get(layer);
        }

        /// The prompt, or with dense attention its next part; logits of the last position, `[1, vocab]`.
        ///
        /// With DHSA or a policy the whole prompt comes at once: boundaries and chunks are made of all of it.
        ///
        /// @throws IllegalStateException if a sparse session has read its prompt already
        public Tensor prefill(int[] ids) {
            Tensor hidden = prompt(ids);
            int rows = hidden.shape().extent("queryLen");
            return head(backend.rows(hidden, rows - 1, rows));
        }

        /// As [#prefill], logits of every position, `[queryLen, vocab]`.
        public Tensor prefillAllLogits(int[] ids) {
            return head(prompt(ids));
        }

        /// One token after the prompt; its logits, `[1, vocab]`.
        public Tensor decode(int id) {
            if (position == 0) {
                throw new IllegalStateException("there is no prompt yet: call prefill first");
            }
            probe.newToken();
            return head(run(new int[] {id}, tokenAttention()));
        }

        /// One layer alone, on hidden states that the caller brings: the next rows of its sequence.
        ///
        /// @param hidden `[queryLen, modelDim]`
        /// @return `[queryLen, modelDim]`
        public Tensor layer(int layer, Tensor hidden) {
            return layers.get(layer).apply(hidden, caches.get(layer), promptAttention(), probe, rowTile);
        }

        /// Attention of one layer alone, on the next rows of its sequence; the cache is trimmed afterwards.
        ///
        /// @param query `[heads, queryLen, headDim]`, rotated
        /// @param key   `[kvHeads, queryLen, headDim]`, rotated, under the axis name keyLen
        /// @param value as key
        /// @return context `[heads, queryLen, headDim]`
        public Tensor attend(int layer, Tensor query, Tensor key, Tensor value) {
            return attend(layer, query, key, value, promptAttention());
        }

        /// The same for one token after the prompt: query `[heads, 1, headDim]`, key and value `[kvHeads, 1, headDim]`.
        public Tensor attendToken(int layer, Tensor query, Tensor key, Tensor value) {
            return attend(layer, query, key, value, tokenAttention());
        }

        private Tensor attend(int layer, Tensor query, Tensor key, Tensor value, DecoderLayer.Attention attention) {
            LayerCache cache = caches.get(layer);
            cache.append(key, value);
            Tensor context = attention.attend(layer, query, cache);
            cache.trim();
            return context;
        }

        /// Which prompt the rows of the next [#attend] are, for policies that look at the text. Does nothing in other modes.
        public void announce(int[] promptIds) {
            if (policy != null) {
                policy.open(promptIds);
            }
        }

        private Tensor prompt(int[] ids) {
            if (ids.length == 0) {
                throw new IllegalArgumentException("the prompt is empty");
            }
            if (!(mode instanceof AttentionMode.Dense) && position > 0) {
                throw new IllegalStateException("a " + (policy == null ? "DHSA" : "policy") + " session reads its prompt once, whole; " + position + " tokens are read already");
            }
            if (policy != null) {
                policy.open(ids);
            }
            return run(ids, promptAttention());
        }

        private DecoderLayer.Attention promptAttention() {
            return switch (mode) {
                case AttentionMode.Dense() -> this::dense;
                case AttentionMode.Dhsa d -> dhsa::prefill;
                case AttentionMode.Policy p -> policy::prefill;
            };
        }

        private DecoderLayer.Attention tokenAttention() {
            return switch (mode) {
                case AttentionMode.Dense() -> this::dense;
                case AttentionMode.Dhsa d -> d.config().decode() == DhsaConfig.DecodeMode.DHSA ? dhsa::decode : this::dense;
                case AttentionMode.Policy p -> policy::decode;
            };
        }

        /// Hidden states after the last layer, `[queryLen, modelDim]`.
        private Tensor run(int[] ids, DecoderLayer.Attention attention) {
            Tensor hidden = backend.embedding().apply(new Embedding.Input(ids, weights.embedTokens(), scale)).hidden();
            probe.tensor(Stage.EMBEDDING, Probe.NO_LAYER, "embeddings_scaled", hidden);
            for (int l = 0; l < layers.size(); l++) {
                hidden = layers.get(l).apply(hidden, caches.get(l), attention, probe, rowTile);
                probe.layerDone(l, layers.size());
            }
            position += ids.length;
            return hidden;
        }

        private Tensor head(Tensor hidden) {
            Tensor normed = backend.rmsNorm().apply(new RmsNorm.Input(hidden, weights.norm(), config.rmsNormEps())).normed();
            probe.tensor(Stage.RMS_NORM, Probe.NO_LAYER, "final_norm", normed);
            Tensor logits = backend.lmHead().apply(
                    new LmHead.Input(normed, weights.embedTokens(), config.finalLogitSoftcapping())).logits();
            probe.tensor(Stage.LM_HEAD, Probe.NO_LAYER, "logits", logits);
            return logits;
        }

        private Tensor dense(int layer, Tensor query, LayerCache cache) {
            Visibility visibility = Visibility.of(config.layerKind(layer));
            int start = cache.endPosition() - query.shape().extent("queryLen");
            boolean capDropped = mode instanceof AttentionMode.Dhsa d && d.config().has(Quirk.SOFT_CAP_DROPPED);
            AttentionRule gemma = new AttentionRule(config.attentionScale(),
                    capDropped ? OptionalDouble.empty() : config.attnLogitSoftcapping(), visibility, start, cache.firstPosition());
            AttentionRule rule = policy == null ? gemma : policy.denseRule(gemma);
            DenseAttention.Output out = backend.denseAttention()
                    .apply(new DenseAttention.Input(query, cache.keys(), cache.values(), rule));
            probe.tensor(Stage.DENSE_ATTENTION, layer, "attn_context", out.context());
            probe.attention(layer, config.layerKind(layer), out.pairsRead(), DhsaAttention.visiblePairs(query, visibility, start));
            return out.context();
        }
    }
}
