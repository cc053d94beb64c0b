package org.dhsa.policy;

import java.util.stream.IntStream;

/// Attention sinks and a sliding window: the first keys and the recent ones, whatever is in them. Without sinks it is the
/// plain sliding window.
///
///     keys(i) = { j : j < sinks } ∪ { j : i − window < j ≤ i }
///
/// **Source** StreamingLLM (arXiv 2309.17453), section 3.2; the window alone is its "window attention".
/// **Unit** a key. **Budget** sinks + window keys per row. **Cost of selecting** none.
/// **Simplified** positions are not renumbered inside the cache: Gemma 2's rotary embedding is already in the keys, and no
/// prompt here is longer than the model was made for. On local layers sinks outside the model's window cannot be read.
///
/// @param sinks  first keys, 0 for none
/// @param window recent keys, the query's own included
/// @param block  rows that share a list. 1 is the method itself; more is faster on long inputs, but a row then also reads what
///               the first row of its block reads: up to `block − 1` keys more
public record StreamingPolicy(int sinks, int window, int block) implements SelectionPolicy {

    public StreamingPolicy {
        if (sinks < 0) {
            throw new IllegalArgumentException("sinks must be at least 0, was " + sinks);
        }
        Lists.positive("window", window);
        Lists.positive("block", block);
    }

    @Override
    public String name() {
        return sinks == 0 ? "sliding:window=" + window + ",block=" + block
                : "streaming:sinks=" + sinks + ",window=" + window + ",block=" + block;
    }

    @Override
    public Selector open(int[] promptIds) {
        return this::select;
    }

    private LayerSelection select(LayerState layer) {
        return LayerSelection.shared(Lists.each(layer.blocks(block), b -> {
            int first = layer.firstVisible(b.start());
            int recent = Math.max(first, b.start() - window + 1);
            return Lists.byPosition(IntStream.concat(
                    IntStream.range(first, Math.min(sinks, recent)), IntStream.range(recent, b.end())).toArray());
        }), layer.heads(), 0);
    }
}
