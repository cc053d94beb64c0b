package org.dhsa.eval.measure;

import org.dhsa.forward.Probe;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;

/// Adds up what a policy's attention costs over all layers of a prompt. Decoded tokens are not counted.
public final class WorkProbe implements Probe {

    private final Gemma2Config config;
    private boolean promptDone;
    private long attentionFlops;
    private long selectionFlops;
    private long elementsLoaded;

    public WorkProbe(Gemma2Config config) {
        this.config = config;
    }

    @Override
    public void selection(int layer, LayerKind kind, LayerSelection selection) {
        if (!promptDone) {
            AttentionRule rule = new AttentionRule(config.attentionScale(), config.attnLogitSoftcapping(), Visibility.of(kind), 0, 0);
            AttentionWork work = AttentionWork.of(layer, kind, selection, rule, selection.of(0).queryBlocks().end(), config.numKeyValueHeads(), config.headDim());
            attentionFlops = Math.addExact(attentionFlops, work.attentionFlops());
            selectionFlops = Math.addExact(selectionFlops, work.selectionFlops());
            elementsLoaded = Math.addExact(elementsLoaded, work.elementsLoaded());
        }
    }

    @Override
    public void newToken() {
        promptDone = true;
    }

    public long attentionFlops() {
        return attentionFlops;
    }

    public long selectionFlops() {
        return selectionFlops;
    }

    /// Numbers of K and V, see [AttentionWork].
    public long elementsLoaded() {
        return elementsLoaded;
    }
}
