package org.dhsa.forward;

import java.util.Optional;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.PolicySetting;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// A policy between the queries and keys of a layer and the backend's sparse attention.
final class PolicyAttention {

    private final Gemma2Config model;
    private final AttentionMode.Policy mode;
    private final Backend backend;
    private final Probe probe;
    private final DecoderLayer.Attention dense;
    private SelectionPolicy.Selector selector;

    PolicyAttention(Gemma2Config model, AttentionMode.Policy mode, Backend backend, Probe probe, DecoderLayer.Attention dense) {
        this.model = model;
        this.mode = mode;
        this.backend = backend;
        this.probe = probe;
        this.dense = dense;
        this.selector = mode.policy().open(new int[0]);
    }

    /// Tells the policy which prompt comes.
    void open(int[] promptIds) {
        selector = mode.policy().open(promptIds.clone());
    }

    /// The whole prompt at once, position 0 first.
    Tensor prefill(int layer, Tensor query, LayerCache cache) {
        int length = query.shape().extent("queryLen");
        if (cache.firstPosition() != 0 || cache.endPosition() != length) {
            throw new IllegalStateException("a policy reads the whole prompt at once: " + cache.endPosition() + " keys for " + length + " queries");
        }
        return attend(layer, query, cache, Math.max(0, length - mode.setting().denseTail()), false);
    }

    /// One token after the prompt.
    Tensor decode(int layer, Tensor query, LayerCache cache) {
        if (mode.setting().denseDecode()) {
            return dense.attend(layer, query, cache);
        }
        return attend(layer, query, cache, cache.endPosition(), true);
    }

    /// The rule of rows and layers that the setting leaves dense.
    AttentionRule denseRule(AttentionRule gemma) {
        AttentionRule changed = mode.policy().attentionRule(gemma, true);
        return new AttentionRule(gemma.scale(), changed.softCap(), gemma.visibility(), gemma.queryStart(), gemma.keyStart());
    }

    private Tensor attend(int layer, Tensor query, LayerCache cache, int denseFrom, boolean decoding) {
        LayerKind kind = model.layerKind(layer);
        int start = cache.endPosition() - query.shape().extent("queryLen");
        AttentionRule rule = mode.policy().attentionRule(new AttentionRule(model.attentionScale(), model.attnLogitSoftcapping(),
                Visibility.of(kind), start, cache.firstPosition()), decoding);
        LayerState state = new LayerState(layer, model.numHiddenLayers(), kind, query, cache.keys(), rule, denseFrom, decoding, backend,
                model.ropeTheta(), Optional.of(cache.values()));
        if (mode.setting().layers() == PolicySetting.Layers.GLOBAL_ONLY && kind instanceof LayerKind.Local) {
            selector.observe(state);
            return dense.attend(layer, query, cache);
        }
        LayerSelection selection = selector.select(state);
        probe.selection(layer, kind, selection);
        if (selection.isShared()) {
            probe.selection(layer, kind, selection.of(0));
        }
        SparseAttention.Output out = read(query, cache, selection, rule);
        probe.tensor(Stage.SPARSE_ATTENTION, layer, "attn_context", out.context());
        probe.attention(layer, kind, out.pairsRead(), DhsaAttention.visiblePairs(query, Visibility.of(kind), start));
        return out.context();
    }

    /// One call for all heads, or one for each head with its own list.
    private SparseAttention.Output read(Tensor query, LayerCache cache, LayerSelection selection, AttentionRule rule) {
        if (selection.isShared()) {
            return backend.sparseAttention().apply(new SparseAttention.Input(query, cache.keys(), cache.values(), selection.of(0), rule));
        }
        int heads = query.shape().extent("heads");
        int group = heads / cache.keys().shape().extent("kvHeads");
        DoubleTensor context = DoubleTensor.zeros(query.shape());
        long pairs = 0;
        for (int h = 0; h < heads; h++) {
            Tensor key = backend.rows(cache.keys(), h / group, h / group + 1);
            Tensor value = backend.rows(cache.values(), h / group, h / group + 1);
            SparseAttention.Output one = backend.sparseAttention().apply(
                    new SparseAttention.Input(backend.rows(query, h, h + 1), key, value, selection.of(h), rule));
            double[] rows = one.context().toDouble().data();
            System.arraycopy(rows, 0, context.data(), h * rows.length, rows.length);
            pairs += one.pairsRead();
        }
        return new SparseAttention.Output(context, pairs);
    }
}
