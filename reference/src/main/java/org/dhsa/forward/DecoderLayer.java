package org.dhsa.forward;

import java.util.ArrayList;
import java.util.List;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;

/// One decoder layer of Gemma 2.
///
///     h = x + postAttentionNorm( attention( inputNorm(x) ) )
///     y = h + postFeedforwardNorm( feedForward( preFeedforwardNorm(h) ) )
final class DecoderLayer {

    /// How a layer attends: densely or with DHSA.
    interface Attention {
        /// @param query `[heads, queryLen, headDim]`; its rows are the last ones appended to the cache
        /// @return context `[heads, queryLen, headDim]`
        Tensor attend(int layer, Tensor query, LayerCache cache);
    }

    private final int layer;
    private final Gemma2Config config;
    private final Gemma2Weights.Layer weights;
    private final Backend backend;

    DecoderLayer(int layer, Gemma2Config config, Gemma2Weights.Layer weights, Backend backend) {
        this.layer = layer;
        this.config = config;
        this.weights = weights;
        this.backend = backend;
    }

    /// What needs no other row goes through the layer in tiles of rows; attention sees the whole. The tile changes no result beyond
    /// rounding, and what is in between takes no more room than a tile of it.
    ///
    /// @param x    `[queryLen, modelDim]`
    /// @param tile rows at a time
    Tensor apply(Tensor x, LayerCache cache, Attention attention, Probe probe, int tile) {
        int rows = x.shape().extent("queryLen");
        int start = cache.endPosition();
        Tensor context = attention.attend(layer,
                inTiles(rows, tile, (from, to) -> project(backend.rows(x, from, to), start + from, cache, probe)), cache);
        cache.trim();
        return inTiles(rows, tile, (from, to) -> afterAttention(backend.rows(x, from, to), backend.keyRows(context, from, to), probe));
    }

    private interface Rows {
        Tensor apply(int from, int to);
    }

    /// No tile is a single row, if it can be helped: some backends sum a single row in an order of its own.
    private Tensor inTiles(int rows, int tile, Rows work) {
        List<Tensor> parts = new ArrayList<>();
        for (int from = 0, to; from < rows; from = to) {
            to = rows - from <= tile + 1L ? rows : from + tile;
            parts.add(work.apply(from, to));
        }
        return parts.size() == 1 ? parts.getFirst() : backend.join(parts, "queryLen");
    }

    /// Keys and values go to the cache.
    ///
    /// @param x     `[queryLen, modelDim]`
    /// @param start position of its first row
    /// @return query `[heads, queryLen, headDim]`
    private Tensor project(Tensor x, int start, LayerCache cache, Probe probe) {
        double theta = config.ropeTheta();
        Tensor normed = seen(probe, Stage.RMS_NORM, "input_layernorm",
                backend.rmsNorm().apply(new RmsNorm.Input(x, weights.inputLayernorm(), config.rmsNormEps())).normed());
        QkvProjection.Output qkv = backend.qkvProjection().apply(
                new QkvProjection.Input(normed, weights.qProj(), weights.kProj(), weights.vProj(), config.headDim()));
        seen(probe, Stage.QKV_PROJECTION, "q", qkv.query());
        seen(probe, Stage.QKV_PROJECTION, "k", qkv.key());
        Tensor query = seen(probe, Stage.ROTARY_EMBEDDING, "q_rope",
                backend.rotaryEmbedding().apply(new RotaryEmbedding.Input(qkv.query(), start, theta)).rotated());
        Tensor key = seen(probe, Stage.ROTARY_EMBEDDING, "k_rope",
                backend.rotaryEmbedding().apply(new RotaryEmbedding.Input(qkv.key(), start, theta)).rotated());
        cache.append(key, seen(probe, Stage.QKV_PROJECTION, "v", qkv.value()));
        return query;
    }

    /// @param x       `[queryLen, modelDim]`, what went into the layer
    /// @param context `[heads, queryLen, headDim]`
    /// @return `[queryLen, modelDim]`
    private Tensor afterAttention(Tensor x, Tensor context, Probe probe) {
        double eps = config.rmsNormEps();
        Tensor attended = seen(probe, Stage.OUTPUT_PROJECTION, "attn_output",
                backend.outputProjection().apply(new OutputProjection.Input(context, weights.oProj())).hidden());
        Tensor postAttention = seen(probe, Stage.RMS_NORM, "post_attention_layernorm",
                backend.rmsNorm().apply(new RmsNorm.Input(attended, weights.postAttentionLayernorm(), eps)).normed());
        Tensor h = backend.residualAdd().apply(new ResidualAdd.Input(x, postAttention)).hidden();
        seen(probe, Stage.RESIDUAL_ADD, "hidden_middle", h);

        Tensor preFeedforward = seen(probe, Stage.RMS_NORM, "pre_feedforward_layernorm",
                backend.rmsNorm().apply(new RmsNorm.Input(h, weights.preFeedforwardLayernorm(), eps)).normed());
        Tensor fed = seen(probe, Stage.FEED_FORWARD, "mlp_output",
                backend.feedForward().apply(new FeedForward.Input(preFeedforward, weights.gateProj(), weights.upProj(), weights.downProj())).hidden());
        Tensor postFeedforward = seen(probe, Stage.RMS_NORM, "post_feedforward_layernorm",
                backend.rmsNorm().apply(new RmsNorm.Input(fed, weights.postFeedforwardLayernorm(), eps)).normed());
        return seen(probe, Stage.RESIDUAL_ADD, "hidden_out",
                backend.residualAdd().apply(new ResidualAdd.Input(h, postFeedforward)).hidden());
    }

    private Tensor seen(Probe probe, Stage stage, String name, Tensor value) {
        probe.tensor(stage, layer, name, value);
        return value;
    }
}
