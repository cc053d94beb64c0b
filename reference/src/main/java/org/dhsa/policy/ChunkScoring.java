package org.dhsa.policy;

import java.util.Arrays;
import java.util.Locale;
import org.dhsa.backend.Backend;
import org.dhsa.reference.dhsa.ChunkRepresentationReference;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// How a chunk of keys becomes one vector, and a block of queries another: the second ablation of DHSA.
///
///     mean           K = mean k                          avgpool of the authors' code
///     mean-sqrt      K = √len · mean k                   the paper, section 3: length-normalised aggregation
///     sum            K = Σ k = len · mean k
///     max            K[d] = max k[d]                     component by component
///     max-on-queries K = mean k, Q[d] = max q[d]         maxpool of the authors' code
///     min-max        S = Σ_d max(q[d] · min k[d], q[d] · max k[d])      the bound of Quest (arXiv 2406.10774), section 3.3
///
/// Queries of a block are averaged in all but `max-on-queries`; with one query, min-max is an upper bound of its dot product with any
/// key of the chunk. Except for min-max the score is `S = Q · K`, unscaled.
public enum ChunkScoring {
    MEAN, MEAN_SQRT, SUM, MAX, MAX_ON_QUERIES, MIN_MAX;

    /// `mean-sqrt`.
    public String slug() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// @param states   `[heads | kvHeads, tokens, headDim]`
    /// @return `[chunks, headDim]`
    Tensor queries(Backend backend, Tensor states, Boundaries segments, int padTo) {
        Pooling pooling = switch (this) {
            case MEAN_SQRT -> Pooling.MEAN_SQRT_LENGTH;
            case MAX_ON_QUERIES -> Pooling.MAX;
            case MEAN, SUM, MAX, MIN_MAX -> Pooling.MEAN;
        };
        return pooled(backend, states, segments, pooling, padTo);
    }

    /// @return `[chunks, headDim]`; for min-max `[chunks, 2 · headDim]`, the minima first
    DoubleTensor keys(Backend backend, Tensor states, Boundaries chunks) {
        return switch (this) {
            case MEAN, MAX_ON_QUERIES -> pooled(backend, states, chunks, Pooling.MEAN, 0).toDouble();
            case MEAN_SQRT -> pooled(backend, states, chunks, Pooling.MEAN_SQRT_LENGTH, 0).toDouble();
            case MAX -> pooled(backend, states, chunks, Pooling.MAX, 0).toDouble();
            case SUM -> sums(pooled(backend, states, chunks, Pooling.MEAN, 0).toDouble(), chunks);
            case MIN_MAX -> bounds(ChunkRepresentationReference.meanOverHeads(states.toDouble()), chunks);
        };
    }

    /// `[queryBlocks, chunks]`.
    DoubleTensor scores(Backend backend, Tensor queries, DoubleTensor keys) {
        return this == MIN_MAX ? largestProducts(queries.toDouble(), keys)
                : backend.chunkSimilarity().apply(new ChunkSimilarity.Input(queries, keys)).chunkScores().toDouble();
    }

    /// The dot product of a mean query and a mean key that a score stands for; the score itself where it is made of extremes.
    double meanProduct(double score, int queries, int keys) {
        return switch (this) {
            case MEAN_SQRT -> score / Math.sqrt((double) queries * keys);
            case SUM -> score / keys;
            case MEAN, MAX, MAX_ON_QUERIES, MIN_MAX -> score;
        };
    }

    /// Operations per pair of query block and chunk and channel.
    int flopsPerChannel() {
        return this == MIN_MAX ? 4 : 2;
    }

    private static Tensor pooled(Backend backend, Tensor states, Boundaries segments, Pooling pooling, int padTo) {
        return backend.chunkRepresentation().apply(new ChunkRepresentation.Input(states, segments, pooling, padTo)).chunks();
    }

    private static DoubleTensor sums(DoubleTensor means, Boundaries chunks) {
        int headDim = means.shape().extent("headDim");
        double[] sums = means.data().clone();
        for (int i = 0; i < sums.length; i++) {
            sums[i] *= chunks.length(i / headDim);
        }
        return DoubleTensor.of(means.shape(), sums);
    }

    /// @param states `[tokens, headDim]`, the mean over heads
    private static DoubleTensor bounds(DoubleTensor states, Boundaries chunks) {
        int headDim = states.shape().extent("headDim");
        double[] bounds = new double[chunks.chunks() * 2 * headDim];
        for (int c = 0; c < chunks.chunks(); c++) {
            int low = c * 2 * headDim;
            if (chunks.length(c) > 0) {
                Arrays.fill(bounds, low, low + headDim, Double.POSITIVE_INFINITY);
                Arrays.fill(bounds, low + headDim, low + 2 * headDim, Double.NEGATIVE_INFINITY);
            }
            for (int t = chunks.start(c); t < chunks.end(c); t++) {
                for (int d = 0; d < headDim; d++) {
                    double value = states.data()[t * headDim + d];
                    bounds[low + d] = Math.min(bounds[low + d], value);
                    bounds[low + headDim + d] = Math.max(bounds[low + headDim + d], value);
                }
            }
        }
        return DoubleTensor.of(Shape.of("chunks", chunks.chunks(), "headDim", 2 * headDim), bounds);
    }

    private static DoubleTensor largestProducts(DoubleTensor queries, DoubleTensor bounds) {
        int headDim = queries.shape().extent("headDim");
        int rows = queries.shape().extent("chunks");
        int chunks = bounds.shape().extent("chunks");
        double[] scores = new double[rows * chunks];
        for (int i = 0; i < rows; i++) {
            for (int c = 0; c < chunks; c++) {
                double sum = 0;
                for (int d = 0; d < headDim; d++) {
                    double q = queries.data()[i * headDim + d];
                    sum += Math.max(q * bounds.data()[c * 2 * headDim + d], q * bounds.data()[(c * 2 + 1) * headDim + d]);
                }
                scores[i * chunks + c] = sum;
            }
        }
        return DoubleTensor.of(Shape.of("queryBlocks", rows, "chunks", chunks), scores);
    }
}
