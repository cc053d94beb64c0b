package org.dhsa.forward;

import java.util.Arrays;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// The chunks of one layer while tokens are decoded: closed ones as vectors, the open last one as the keys it is made of.
///
/// A local layer's cache forgets old keys; the vectors of their chunks stay, so a chunk is represented by all its keys in
/// every layer, as in the prompt.
final class DecodeChunks {

    private final Backend backend;
    private final ChunkRepresentation.Pooling pooling;
    private final int promptLength;
    private DoubleTensor closed;
    private DoubleTensor openKeys;
    private int[] boundaries;

    /// @param keys      `[kvHeads, keyLen, headDim]`, the whole prompt
    /// @param keyChunks `[chunks, headDim]`
    DecodeChunks(Backend backend, Tensor keys, DoubleTensor keyChunks, Boundaries boundaries, ChunkRepresentation.Pooling pooling) {
        this.backend = backend;
        this.pooling = pooling;
        this.promptLength = boundaries.totalLength();
        this.boundaries = boundaries.toArray();
        this.closed = keyChunks.rows(0, boundaries.chunks() - 1);
        this.openKeys = backend.keyRows(keys, lastBoundary(), promptLength).toDouble();
    }

    int promptLength() {
        return promptLength;
    }

    /// Where the open chunk starts.
    int lastBoundary() {
        return boundaries[boundaries.length - 2];
    }

    Boundaries boundaries() {
        return Boundaries.of(boundaries);
    }

    /// A new token's key joins the open chunk.
    ///
    /// @param key `[kvHeads, 1, headDim]`
    void extend(DoubleTensor key) {
        int kvHeads = key.shape().extent("kvHeads");
        int headDim = key.shape().extent("headDim");
        int length = openKeys.shape().extent("keyLen");
        DoubleTensor grown = DoubleTensor.zeros(Shape.of("kvHeads", kvHeads, "keyLen", length + 1, "headDim", headDim));
        for (int h = 0; h < kvHeads; h++) {
            System.arraycopy(openKeys.data(), h * length * headDim, grown.data(), h * (length + 1) * headDim, length * headDim);
            System.arraycopy(key.data(), h * headDim, grown.data(), (h * (length + 1) + length) * headDim, headDim);
        }
        openKeys = grown;
        boundaries[boundaries.length - 1]++;
    }

    /// The open chunk ends before position `boundary`; what follows is the new open chunk.
    void close(int boundary) {
        int head = boundary - lastBoundary();
        int length = openKeys.shape().extent("keyLen");
        DoubleTensor ended = represent(backend.keyRows(openKeys, 0, head).toDouble());
        closed = stack(closed, ended);
        openKeys = backend.keyRows(openKeys, head, length).toDouble();
        int end = boundaries[boundaries.length - 1];
        boundaries = Arrays.copyOf(boundaries, boundaries.length + 1);
        boundaries[boundaries.length - 2] = boundary;
        boundaries[boundaries.length - 1] = end;
    }

    /// Takes over a boundary that the layer which decides has just set.
    void follow(DecodeChunks leader) {
        if (leader.boundaries.length > boundaries.length) {
            close(leader.lastBoundary());
        }
    }

    /// `[chunks, headDim]`, the open chunk last.
    DoubleTensor representations() {
        return stack(closed, represent(openKeys));
    }

    private DoubleTensor represent(DoubleTensor keys) {
        return backend.chunkRepresentation().apply(new ChunkRepresentation.Input(keys,
                Boundaries.of(0, keys.shape().extent("keyLen")), pooling, 0)).chunks().toDouble();
    }

    private static DoubleTensor stack(DoubleTensor above, DoubleTensor below) {
        double[] data = Arrays.copyOf(above.data(), above.data().length + below.data().length);
        System.arraycopy(below.data(), 0, data, above.data().length, below.data().length);
        return DoubleTensor.of(Shape.of("chunks", above.shape().extent("chunks") + below.shape().extent("chunks"),
                "headDim", below.shape().extent("headDim")), data);
    }
}
