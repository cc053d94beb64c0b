package org.dhsa.generate;

import java.util.TreeMap;
import java.util.Map;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;

/// Counts the query-key pairs that attention read, by layer, the prompt and the decoded tokens apart.
///
/// Every query head counts. The numbers come from the attention stages themselves, not from the budget.
public final class AttentionCount implements Probe {

    /// Pairs read, and pairs that dense attention would have read.
    public record Pairs(long read, long visible) {

        public static final Pairs NONE = new Pairs(0, 0);

        public Pairs plus(Pairs other) {
            return new Pairs(read + other.read, visible + other.visible);
        }

        /// Share of the visible pairs that was read; 1 when nothing was visible.
        public double share() {
            return visible == 0 ? 1 : (double) read / visible;
        }
    }

    /// One layer's count.
    public record LayerPairs(LayerKind kind, Pairs prompt, Pairs decoded) {}

    private final Map<Integer, LayerPairs> byLayer = new TreeMap<>();
    private boolean promptDone;

    @Override
    public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
        Pairs pairs = new Pairs(pairsRead, pairsVisible);
        LayerPairs one = promptDone ? new LayerPairs(kind, Pairs.NONE, pairs) : new LayerPairs(kind, pairs, Pairs.NONE);
        byLayer.merge(layer, one, (a, b) -> new LayerPairs(kind, a.prompt.plus(b.prompt), a.decoded.plus(b.decoded)));
    }

    @Override
    public void newToken() {
        promptDone = true;
    }

    /// By layer number.
    public Map<Integer, LayerPairs> byLayer() {
        return Map.copyOf(byLayer);
    }

    public Pairs localPrompt() {
        return sum(true, true);
    }

    public Pairs globalPrompt() {
        return sum(false, true);
    }

    public Pairs localDecoded() {
        return sum(true, false);
    }

    public Pairs globalDecoded() {
        return sum(false, false);
    }

    private Pairs sum(boolean local, boolean prompt) {
        return byLayer.values().stream()
                .filter(l -> l.kind instanceof LayerKind.Local == local)
                .map(l -> prompt ? l.prompt : l.decoded)
                .reduce(Pairs.NONE, Pairs::plus);
    }
}
