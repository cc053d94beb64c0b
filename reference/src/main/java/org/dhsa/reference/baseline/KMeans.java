package org.dhsa.reference.baseline;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// K-means: points in k groups, each point with its nearest centre, each centre the mean of its points.
///
///     label(x) = argmin_c ‖x − centre(c)‖²,     centre(c) = mean of the points labelled c        in turn, until no label changes
///
/// **Reading** starts by k-means++: the first centre at random, each further one a point drawn in proportion to its squared distance to the
/// nearest centre so far. Equal distances go to the lower centre; a centre that loses its points stays where it is. The centroids are means once more after the
/// last round.
/// **Random numbers** come from the seed alone, by [SplittableRandom], so the result is the same on every machine: first its `nextInt(points)`, the first centre; then for each
/// further centre u = `nextDouble()`, and the centre is the first point n with positive distance for which the distances of the points 0 to n add up to more than u times
/// the sum of all, the last point with positive distance if rounding leaves none. CONTRACT.md states both draws in integer arithmetic.
/// **Pitfall** duplicates: if all points coincide with centres, fewer than k centres are made.
public final class KMeans {

    private KMeans() {}

    /// @param centroids `[clusters][headDim]`, means of the points as they were given
    /// @param labels    cluster of each point
    /// @param flops     operations spent: 3 · headDim per distance, headDim per point and round for the means, 3 · headDim more to normalise
    public record Clusters(double[][] centroids, int[] labels, long flops) {

        public int count() {
            return centroids.length;
        }

        /// How many of the points from `from` to before `to` each cluster holds.
        public int[] sizes(int from, int to) {
            int[] sizes = new int[count()];
            for (int n = from; n < to; n++) {
                sizes[labels[n]]++;
            }
            return sizes;
        }
    }

    /// @param points     `[points][headDim]`, at least one
    /// @param k          clusters wanted; at most as many as points are made
    /// @param cosine     points are brought to length 1 before they are grouped; a centroid is the mean of the points as they were
    /// @param iterations rounds at most
    public static Clusters fit(double[][] points, int k, boolean cosine, int iterations, long seed) {
        if (points.length == 0 || k <= 0 || iterations <= 0) {
            throw new IllegalArgumentException("points, k and iterations must be positive, were " + points.length + ", " + k + " and " + iterations);
        }
        int dim = points[0].length;
        double[][] x = cosine ? Arrays.stream(points).map(KMeans::unit).toArray(double[][]::new) : points;
        double[][] centres = start(x, Math.min(k, x.length), new SplittableRandom(seed));
        long flops = (cosine ? 3L * dim * x.length : 0) + 3L * dim * x.length * centres.length;
        int[] labels = new int[x.length];
        Arrays.fill(labels, -1);
        for (int round = 0; round < iterations; round++) {
            boolean changed = false;
            for (int n = 0; n < x.length; n++) {
                int nearest = nearest(x[n], centres);
                changed |= nearest != labels[n];
                labels[n] = nearest;
            }
            flops += 3L * dim * x.length * centres.length;
            if (!changed) {
                break;
            }
            centres = means(x, labels, centres);
            flops += (long) dim * x.length;
        }
        return new Clusters(means(points, labels, centres), labels, flops);
    }

    private static double[][] start(double[][] x, int k, SplittableRandom random) {
        double[][] centres = new double[k][];
        centres[0] = x[random.nextInt(x.length)];
        double[] distance = Arrays.stream(x).mapToDouble(p -> squared(p, centres[0])).toArray();
        for (int c = 1; c < k; c++) {
            double sum = Arrays.stream(distance).sum();
            if (sum == 0) {
                return Arrays.copyOf(centres, c);
            }
            double left = random.nextDouble() * sum;
            int chosen = -1;
            for (int n = 0; n < x.length && left >= 0; n++) {
                if (distance[n] > 0) {
                    chosen = n;
                    left -= distance[n];
                }
            }
            centres[c] = x[chosen];
            int last = c;
            Arrays.setAll(distance, n -> Math.min(distance[n], squared(x[n], centres[last])));
        }
        return centres;
    }

    private static int nearest(double[] point, double[][] centres) {
        int best = 0;
        double least = Double.POSITIVE_INFINITY;
        for (int c = 0; c < centres.length; c++) {
            double distance = squared(point, centres[c]);
            if (distance < least) {
                least = distance;
                best = c;
            }
        }
        return best;
    }

    private static double[][] means(double[][] x, int[] labels, double[][] centres) {
        int dim = x[0].length;
        double[][] sums = new double[centres.length][dim];
        int[] counts = new int[centres.length];
        for (int n = 0; n < x.length; n++) {
            counts[labels[n]]++;
            for (int d = 0; d < dim; d++) {
                sums[labels[n]][d] += x[n][d];
            }
        }
        return IntStream.range(0, sums.length).mapToObj(c -> counts[c] == 0 ? centres[c]
                : Arrays.stream(sums[c]).map(s -> s / counts[c]).toArray()).toArray(double[][]::new);
    }

    private static double[] unit(double[] point) {
        double norm = Math.sqrt(Arrays.stream(point).map(v -> v * v).sum());
        return norm == 0 ? point : Arrays.stream(point).map(v -> v / norm).toArray();
    }

    private static double squared(double[] a, double[] b) {
        double sum = 0;
        for (int d = 0; d < a.length; d++) {
            sum += (a[d] - b[d]) * (a[d] - b[d]);
        }
        return sum;
    }
}
