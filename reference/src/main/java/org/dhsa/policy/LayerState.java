package org.dhsa.policy;

import java.util.Optional;
import org.dhsa.backend.Backend;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Tensor;

/// What a policy may look at: one layer's queries and keys, after the rotary embedding, and where a policy wants them the values.
///
/// The prompt comes whole (rows 0 to L − 1), a later token as one row. Keys of a local layer may start later than position 0
/// while decoding, because its cache has forgotten the oldest.
///
/// @param layer     from 0
/// @param layers    number of layers of the model
/// @param kind      local or global
/// @param query     `[heads, queryLen, headDim]`, row 0 at position `rule.queryStart()`
/// @param key       `[kvHeads, keyLen, headDim]`, row 0 at position `rule.keyStart()`; the queries' own keys are the last ones
/// @param rule      how the layer attends
/// @param denseFrom first position that attends densely whatever the policy says; the end of the rows when there is none
/// @param decoding  a token after the prompt
/// @param backend   computes the stages a policy is made of
/// @param ropeTheta base of the rotary embedding, by which a policy may turn queries and keys back
/// @param value     `[kvHeads, keyLen, headDim]`; empty where only queries and keys are given
public record LayerState(int layer, int layers, LayerKind kind, Tensor query, Tensor key, AttentionRule rule, int denseFrom,
                         boolean decoding, Backend backend, double ropeTheta, Optional<Tensor> value) {

    /// Without values, and with the base of Gemma 2.
    public LayerState(int layer, int layers, LayerKind kind, Tensor query, Tensor key, AttentionRule rule, int denseFrom, boolean decoding, Backend backend) {
        this(layer, layers, kind, query, key, rule, denseFrom, decoding, backend, 10_000, Optional.empty());
    }

    public LayerState {
        if (layer < 0 || layer >= layers) {
            throw new IllegalArgumentException("layer " + layer + " is outside the " + layers + " layers");
        }
        DenseAttention.requireAttentionShapes(query, key, value.orElse(key));
        int end = rule.queryStart() + query.shape().extent("queryLen");
        if (end != rule.keyStart() + key.shape().extent("keyLen")) {
            throw new IllegalArgumentException("the query rows end at position " + end + ", the keys at "
                    + (rule.keyStart() + key.shape().extent("keyLen")));
        }
        if (denseFrom < rule.queryStart() || denseFrom > end) {
            throw new IllegalArgumentException("denseFrom must lie in [" + rule.queryStart() + ", " + end + "], was " + denseFrom);
        }
        if (!decoding && rule.queryStart() != 0) {
            throw new IllegalArgumentException("a prompt is read whole, from position 0, not from " + rule.queryStart());
        }
        if (decoding && query.shape().extent("queryLen") != 1) {
            throw new IllegalArgumentException("one token is decoded at a time, not " + query.shape().extent("queryLen"));
        }
    }

    public int heads() {
        return query.shape().extent("heads");
    }

    public int kvHeads() {
        return key.shape().extent("kvHeads");
    }

    public int headDim() {
        return query.shape().extent("headDim");
    }

    /// Position of the first query row.
    public int start() {
        return rule.queryStart();
    }

    /// One past the position of the last query row, and of the last key.
    public int end() {
        return rule.queryStart() + query.shape().extent("queryLen");
    }

    /// Causal rule and window of the layer.
    public Visibility visibility() {
        return rule.visibility();
    }

    /// First key that a query position sees and that is still kept.
    public int firstVisible(int position) {
        return Math.max(rule.keyStart(), visibility().first(position));
    }

    /// The sparse rows in blocks of `size`; a decoded token is a block of one.
    public QueryBlocks blocks(int size) {
        return decoding ? QueryBlocks.single(start()) : QueryBlocks.fixed(denseFrom, end(), size);
    }
}
