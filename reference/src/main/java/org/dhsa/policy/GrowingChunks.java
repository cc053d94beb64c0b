package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// The chunks of one layer, for all heads together or for each key head: closed ones as vectors, the open last one as the keys
/// it is made of. A local layer's cache forgets old keys; the vectors of their chunks stay.
final class GrowingChunks {

    private final ChunkScoring scoring;
    private final boolean sharedHeads;
    private final int promptLength;
    private final List<DoubleTensor> closed = new ArrayList<>();
    private List<DoubleTensor> whole;
    private Tensor openKeys;
    private int[] boundaries;

    GrowingChunks(ChunkScoring scoring, LayerState layer, Boundaries boundaries, boolean sharedHeads) {
        this.scoring = scoring;
        this.sharedHeads = sharedHeads;
        this.promptLength = layer.end();
        this.boundaries = boundaries.toArray();
        this.whole = represent(layer.backend(), layer.key(), boundaries);
        whole.forEach(all -> closed.add(all.rows(0, boundaries.chunks() - 1)));
        this.openKeys = layer.backend().keyRows(layer.key(), lastBoundary(), promptLength).toDouble();
    }

    int promptLength() {
        return promptLength;
    }

    Boundaries boundaries() {
        return Boundaries.of(boundaries);
    }

    private int lastBoundary() {
        return boundaries[boundaries.length - 2];
    }

    /// The newest key of the cache joins the open chunk.
    void extend(LayerState layer) {
        int keyLen = layer.key().shape().extent("keyLen");
        DoubleTensor open = openKeys.toDouble();
        DoubleTensor key = layer.backend().keyRows(layer.key(), keyLen - 1, keyLen).toDouble();
        int kvHeads = layer.kvHeads();
        int rows = open.data().length / kvHeads;
        int added = layer.headDim();
        double[] grown = new double[kvHeads * (rows + added)];
        for (int g = 0; g < kvHeads; g++) {
            System.arraycopy(open.data(), g * rows, grown, g * (rows + added), rows);
            System.arraycopy(key.data(), g * added, grown, g * (rows + added) + rows, added);
        }
        openKeys = DoubleTensor.of(Shape.of("kvHeads", kvHeads, "keyLen", rows / added + 1, "headDim", added), grown);
        boundaries[boundaries.length - 1]++;
        whole = null;
    }

    /// The open chunk ends before position `boundary`; what follows is the new open chunk.
    void close(Backend backend, int boundary) {
        int head = boundary - lastBoundary();
        int length = openKeys.shape().extent("keyLen");
        List<DoubleTensor> ended = represent(backend, backend.keyRows(openKeys, 0, head).toDouble(), Boundaries.of(0, head));
        for (int g = 0; g < closed.size(); g++) {
            closed.set(g, stack(closed.get(g), ended.get(g)));
        }
        openKeys = backend.keyRows(openKeys, head, length).toDouble();
        int end = boundaries[boundaries.length - 1];
        boundaries = Arrays.copyOf(boundaries, boundaries.length + 1);
        boundaries[boundaries.length - 2] = boundary;
        boundaries[boundaries.length - 1] = end;
        whole = null;
    }

    /// Takes over a boundary that the layer which decides has just set.
    void follow(Backend backend, GrowingChunks leader) {
        if (leader.boundaries.length > boundaries.length) {
            close(backend, leader.lastBoundary());
        }
    }

    /// One tensor for all heads, or one per key head: `[chunks, headDim]`, the open chunk last.
    List<DoubleTensor> representations(Backend backend) {
        if (whole == null) {
            List<DoubleTensor> open = represent(backend, openKeys, Boundaries.of(0, openKeys.shape().extent("keyLen")));
            whole = new ArrayList<>();
            for (int g = 0; g < closed.size(); g++) {
                whole.add(stack(closed.get(g), open.get(g)));
            }
        }
        return whole;
    }

    private List<DoubleTensor> represent(Backend backend, Tensor keys, Boundaries chunks) {
        List<DoubleTensor> all = new ArrayList<>();
        for (int g = 0; g < (sharedHeads ? 1 : keys.shape().extent("kvHeads")); g++) {
            all.add(scoring.keys(backend, sharedHeads ? keys : backend.rows(keys, g, g + 1), chunks));
        }
        return all;
    }

    private static DoubleTensor stack(DoubleTensor above, DoubleTensor below) {
        double[] data = Arrays.copyOf(above.data(), above.data().length + below.data().length);
        System.arraycopy(below.data(), 0, data, above.data().length, below.data().length);
        return DoubleTensor.of(Shape.of("chunks", above.shape().extent("chunks") + below.shape().extent("chunks"),
                "headDim", below.shape().extent("headDim")), data);
    }
}
