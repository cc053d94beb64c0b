package org.dhsa.policy;

import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.stage.Boundaries;

/// The dynamic chunks of one sequence, found in layer 0 for all layers, growing while tokens are decoded.
final class ChunkTrack {

    private final ChunkSource source;
    private final int[] promptIds;
    private Boundaries boundaries;
    private int promptLength;

    ChunkTrack(ChunkSource source, int[] promptIds) {
        this.source = source;
        this.promptIds = promptIds;
    }

    /// Layer 0 decides; the others are shown in vain.
    void see(LayerState layer) {
        if (layer.layer() > 0) {
            return;
        }
        DhsaConfig config = DhsaConfig.DEFAULT.with(b -> {
            int tail = layer.end() - layer.denseFrom();
            b.instructionTokens = tail == 0 ? OptionalInt.empty() : OptionalInt.of(tail);
        });
        if (!layer.decoding()) {
            promptLength = layer.end();
            boundaries = source.prompt(layer, promptIds, config);
            return;
        }
        int[] grown = boundaries.toArray();
        grown[grown.length - 1] = layer.end();
        boundaries = Boundaries.of(grown);
        source.close(layer, boundaries, promptLength, config).ifPresent(at -> {
            int[] closed = Arrays.copyOf(grown, grown.length + 1);
            closed[grown.length - 1] = at;
            closed[grown.length] = grown[grown.length - 1];
            boundaries = Boundaries.of(closed);
        });
    }

    /// Chunks of a layer's keys, as rows of its cache: the oldest is what the cache still has of it.
    Boundaries of(LayerState layer) {
        if (boundaries == null) {
            throw new IllegalStateException("layer " + layer.layer() + " asks for chunks, but layer 0 has not been seen");
        }
        int start = layer.rule().keyStart();
        return Boundaries.of(IntStream.concat(IntStream.of(0), Arrays.stream(boundaries.toArray()).filter(b -> b > start).map(b -> b - start)).toArray());
    }
}
