package org.dhsa.reference.dhsa;

import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Chunk representation: one vector per chunk.
///
///     x̄ₜ = mean over heads of xₜ
///     c̄ⱼ = √|Cⱼ| · mean of x̄ₜ over t in Cⱼ  =  Σ x̄ₜ / √|Cⱼ|
///
/// **Shapes** states `[heads, tokens, headDim]` (read), result `[chunks, headDim]` (new).
/// **Reading** heads first, then tokens; each chunk is summed on its own, so a late chunk loses nothing to a prefix sum.
/// **Golden** `dhsa_mask/tiefree_0`, tensors `q_repr` and `k_repr`; a chunk of one has √1 = 1 and is the key itself.
/// **Pitfall** the factor belongs on the keys. On the queries alone it changes no ranking, and DHSA silently becomes the
/// plain mean. Padding rows of a partial last block must not enter its mean.
public final class ChunkRepresentationReference implements ChunkRepresentation {

    @Override
    public Output apply(Input in) {
        DoubleTensor mean = meanOverHeads(in.states().toDouble());
        int headDim = mean.shape().extent("headDim");
        Boundaries segments = in.segments();
        DoubleTensor chunks = DoubleTensor.zeros(Shape.of("chunks", segments.chunks(), "headDim", headDim));
        for (int c = 0; c < segments.chunks(); c++) {
            int length = segments.length(c);
            for (int d = 0; d < headDim && length > 0; d++) {
                double sum = 0;
                double max = length < in.padTo() ? 0 : Double.NEGATIVE_INFINITY;
                for (int t = segments.start(c); t < segments.end(c); t++) {
                    sum += mean.data()[t * headDim + d];
                    max = Math.max(max, mean.data()[t * headDim + d]);
                }
                double average = sum / Math.max(length, in.padTo());
                chunks.data()[c * headDim + d] = switch (in.pooling()) {
                    case MEAN -> average;
                    case MEAN_SQRT_LENGTH -> Math.sqrt(length) * average;
                    case MAX -> max;
                };
            }
        }
        return new Output(chunks);
    }

    /// `[heads, tokens, headDim]` to `[tokens, headDim]`.
    public static DoubleTensor meanOverHeads(DoubleTensor states) {
        int heads = states.shape().extent(0);
        int tokens = states.shape().extent(1);
        int headDim = states.shape().extent("headDim");
        double[] mean = new double[tokens * headDim];
        for (int h = 0; h < heads; h++) {
            for (int i = 0; i < mean.length; i++) {
                mean[i] += states.data()[h * mean.length + i] / heads;
            }
        }
        return DoubleTensor.of(Shape.of("tokens", tokens, "headDim", headDim), mean);
    }
}
