package org.dhsa.bench;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/// From three nested loops to a register tile: the same small matrix product in five forms, for `docs/optimized.md`.
///
///     C [48, 64] = A [48, 2304] Bᵀ [64, 2304]      14.2 million operations
///
/// All data fit the second-level cache, so that only the instructions differ.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class KernelSteps {

    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = S.length();
    private static final int M = 48;
    private static final int N = 64;
    private static final int K = 2304;

    /// Operations of one product.
    public static final double OPERATIONS = 2.0 * M * N * K;

    private final float[] a = new BenchData().floats(M * K);
    private final float[] b = new BenchData().floats(N * K);
    private final float[] packed = new float[N * K];
    private final float[] c = new float[M * N];

    /// Packs B once and checks every form against FP64.
    @Setup
    public void check() {
        for (int panel = 0; panel < N / (2 * LANES); panel++) {
            for (int k = 0; k < K; k++) {
                for (int j = 0; j < 2 * LANES; j++) {
                    packed[(panel * K + k) * 2 * LANES + j] = b[(panel * 2 * LANES + j) * K + k];
                }
            }
        }
        requireRight("scalarLoops", scalarLoops());
        requireRight("vectorDot", vectorDot());
        requireRight("vectorDotFourRows", vectorDotFourRows());
        requireRight("registerTile", registerTile());
        requireRight("registerTileInAnArray", registerTileInAnArray());
    }

    void requireRight(String form, float[] result) {
        for (int i = 0; i < M; i += 7) {
            for (int j = 0; j < N; j += 5) {
                double truth = 0;
                for (int k = 0; k < K; k++) {
                    truth += (double) a[i * K + k] * b[j * K + k];
                }
                if (!(Math.abs(result[i * N + j] - truth) < 1e-3)) {
                    throw new IllegalStateException(form + " is wrong at [" + i + ", " + j + "]: " + result[i * N + j] + " instead of " + truth);
                }
            }
        }
        Arrays.fill(c, Float.NaN);
    }

    /// The equation as it stands.
    @Benchmark
    public float[] scalarLoops() {
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                float sum = 0;
                for (int k = 0; k < K; k++) {
                    sum += a[i * K + k] * b[j * K + k];
                }
                c[i * N + j] = sum;
            }
        }
        return c;
    }

    /// Lanes along k, one running vector: every step waits for the one before.
    @Benchmark
    public float[] vectorDot() {
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                FloatVector sum = FloatVector.zero(S);
                for (int k = 0; k < K; k += LANES) {
                    sum = FloatVector.fromArray(S, a, i * K + k).fma(FloatVector.fromArray(S, b, j * K + k), sum);
                }
                c[i * N + j] = sum.reduceLanes(VectorOperators.ADD);
            }
        }
        return c;
    }

    /// Four rows of A share each load of B: four sums in flight.
    @Benchmark
    public float[] vectorDotFourRows() {
        for (int i = 0; i < M; i += 4) {
            for (int j = 0; j < N; j++) {
                FloatVector s0 = FloatVector.zero(S);
                FloatVector s1 = FloatVector.zero(S);
                FloatVector s2 = FloatVector.zero(S);
                FloatVector s3 = FloatVector.zero(S);
                for (int k = 0; k < K; k += LANES) {
                    FloatVector right = FloatVector.fromArray(S, b, j * K + k);
                    s0 = FloatVector.fromArray(S, a, i * K + k).fma(right, s0);
                    s1 = FloatVector.fromArray(S, a, (i + 1) * K + k).fma(right, s1);
                    s2 = FloatVector.fromArray(S, a, (i + 2) * K + k).fma(right, s2);
                    s3 = FloatVector.fromArray(S, a, (i + 3) * K + k).fma(right, s3);
                }
                c[i * N + j] = s0.reduceLanes(VectorOperators.ADD);
                c[(i + 1) * N + j] = s1.reduceLanes(VectorOperators.ADD);
                c[(i + 2) * N + j] = s2.reduceLanes(VectorOperators.ADD);
                c[(i + 3) * N + j] = s3.reduceLanes(VectorOperators.ADD);
            }
        }
        return c;
    }

    /// Lanes along the columns of C, B packed: a tile of 4 rows and 2 vectors in registers, A broadcast. The real kernel
    /// does the same with 12 rows.
    @Benchmark
    public float[] registerTile() {
        for (int i = 0; i < M; i += 4) {
            for (int j = 0; j < N; j += 2 * LANES) {
                int panel = j * K;
                FloatVector l0 = FloatVector.zero(S);
                FloatVector h0 = FloatVector.zero(S);
                FloatVector l1 = FloatVector.zero(S);
                FloatVector h1 = FloatVector.zero(S);
                FloatVector l2 = FloatVector.zero(S);
                FloatVector h2 = FloatVector.zero(S);
                FloatVector l3 = FloatVector.zero(S);
                FloatVector h3 = FloatVector.zero(S);
                for (int k = 0; k < K; k++) {
                    FloatVector low = FloatVector.fromArray(S, packed, panel + k * 2 * LANES);
                    FloatVector high = FloatVector.fromArray(S, packed, panel + k * 2 * LANES + LANES);
                    FloatVector a0 = FloatVector.broadcast(S, a[i * K + k]);
                    l0 = a0.fma(low, l0);
                    h0 = a0.fma(high, h0);
                    FloatVector a1 = FloatVector.broadcast(S, a[(i + 1) * K + k]);
                    l1 = a1.fma(low, l1);
                    h1 = a1.fma(high, h1);
                    FloatVector a2 = FloatVector.broadcast(S, a[(i + 2) * K + k]);
                    l2 = a2.fma(low, l2);
                    h2 = a2.fma(high, h2);
                    FloatVector a3 = FloatVector.broadcast(S, a[(i + 3) * K + k]);
                    l3 = a3.fma(low, l3);
                    h3 = a3.fma(high, h3);
                }
                l0.intoArray(c, i * N + j);
                h0.intoArray(c, i * N + j + LANES);
                l1.intoArray(c, (i + 1) * N + j);
                h1.intoArray(c, (i + 1) * N + j + LANES);
                l2.intoArray(c, (i + 2) * N + j);
                h2.intoArray(c, (i + 2) * N + j + LANES);
                l3.intoArray(c, (i + 3) * N + j);
                h3.intoArray(c, (i + 3) * N + j + LANES);
            }
        }
        return c;
    }

    /// The same tile, its sums in an array of vectors: each of them now lives in memory as an object.
    @Benchmark
    public float[] registerTileInAnArray() {
        FloatVector[] sums = new FloatVector[8];
        for (int i = 0; i < M; i += 4) {
            for (int j = 0; j < N; j += 2 * LANES) {
                Arrays.fill(sums, FloatVector.zero(S));
                for (int k = 0; k < K; k++) {
                    FloatVector low = FloatVector.fromArray(S, packed, j * K + k * 2 * LANES);
                    FloatVector high = FloatVector.fromArray(S, packed, j * K + k * 2 * LANES + LANES);
                    for (int r = 0; r < 4; r++) {
                        FloatVector left = FloatVector.broadcast(S, a[(i + r) * K + k]);
                        sums[2 * r] = left.fma(low, sums[2 * r]);
                        sums[2 * r + 1] = left.fma(high, sums[2 * r + 1]);
                    }
                }
                for (int r = 0; r < 4; r++) {
                    sums[2 * r].intoArray(c, (i + r) * N + j);
                    sums[2 * r + 1].intoArray(c, (i + r) * N + j + LANES);
                }
            }
        }
        return c;
    }
}
