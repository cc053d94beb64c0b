package org.dhsa.optimized;

import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.tensor.Shape;

/// One vector per chunk, a chunk per task. Twin: `ChunkRepresentationReference`.
///
/// Sums run over the tokens of a head, then over the heads: every chunk on its own, so a late one loses nothing to a
/// prefix sum.
final class OptimizedChunkRepresentation implements ChunkRepresentation {

    private final Kernels kernels;
    private final Workers workers;

    OptimizedChunkRepresentation(Kernels kernels, Workers workers) {
        this.kernels = kernels;
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor states = FloatTensor.of(in.states());
        int heads = states.shape().extent(0);
        int headDim = states.shape().extent("headDim");
        Boundaries segments = in.segments();
        FloatTensor chunks = FloatTensor.zeros(Shape.of("chunks", segments.chunks(), "headDim", headDim));
        workers.run(segments.chunks(), (c, worker) -> {
            int length = segments.length(c);
            if (length == 0) {
                return;
            }
            if (in.pooling() == Pooling.MAX) {
                maximum(states, heads, headDim, segments.start(c), segments.end(c), length < in.padTo(), chunks.data(), c * headDim);
                return;
            }
            for (int h = 0; h < heads; h++) {
                for (int t = segments.start(c); t < segments.end(c); t++) {
                    kernels.axpy(1f, states.data(), states.offset() + h * states.stride() + t * headDim, chunks.data(), c * headDim, headDim);
                }
            }
            double factor = 1.0 / heads / Math.max(length, in.padTo()) * (in.pooling() == Pooling.MEAN_SQRT_LENGTH ? Math.sqrt(length) : 1);
            for (int d = c * headDim; d < (c + 1) * headDim; d++) {
                chunks.data()[d] = (float) (chunks.data()[d] * factor);
            }
        });
        return new Output(chunks);
    }

    private static void maximum(FloatTensor states, int heads, int headDim, int from, int to, boolean padded, float[] out, int at) {
        for (int d = 0; d < headDim; d++) {
            float max = padded ? 0 : Float.NEGATIVE_INFINITY;
            for (int t = from; t < to; t++) {
                float sum = 0;
                for (int h = 0; h < heads; h++) {
                    sum += states.data()[states.offset() + h * states.stride() + t * headDim + d];
                }
                max = Math.max(max, sum / heads);
            }
            out[at + d] = max;
        }
    }
}
