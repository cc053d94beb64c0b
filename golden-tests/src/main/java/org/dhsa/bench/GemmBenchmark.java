package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.dhsa.backend.Backend;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.stage.OutputProjection;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// One projection: `Y = X Wᵀ`, X FP32 `[m, k]`, W `[n, k]`.
///
/// The candidate reads BF16 weights and widens and packs them every time, as the model does. OpenBLAS gets weights that were
/// widened to FP32 beforehand. OpenCL keeps BF16 weights on the device, in panels, and packs X and widens every time.
@State(Scope.Benchmark)
public class GemmBenchmark extends ComputeBenchmark {

    static final String CANDIDATE = "project";
    static final String ANCHOR = "openBlas";
    static final String OPENCL = "openCl";

    @Param("512")
    public int m;

    @Param("2048")
    public int n;

    @Param("2304")
    public int k;

    private final Arena arena = Arena.ofShared();
    private float[] x;
    private WeightTensor weight;
    private float[] y;
    private OptimizedBackend backend;
    private OpenBlas openBlas;
    private Backend device;
    private Tensor deviceX;
    private Tensor last;
    private MemorySegment wideX;
    private MemorySegment wideWeight;
    private MemorySegment wideY;

    /// The candidate.
    @Benchmark
    public float[] project() {
        backend.project(x, m, weight, y);
        return y;
    }

    /// `cblas_sgemm`.
    @Benchmark
    public MemorySegment openBlas() {
        openBlas.multiply(wideX, wideWeight, wideY, m, n, k);
        return wideY;
    }

    /// The OpenCL backend's product; the clock stops when the device is done.
    @Benchmark
    public Tensor openCl() {
        Tensor product = device.outputProjection().apply(new OutputProjection.Input(deviceX, weight)).hidden();
        last.toDouble();
        return product;
    }

    @Override
    void prepareCandidate(String method) {
        BenchData data = new BenchData();
        x = data.floats(Math.multiplyExact(m, k));
        weight = data.bf16(arena, n, k);
        if (method.equals(ANCHOR)) {
            openBlas = OpenBlas.open(threads).orElseThrow();
            wideX = BenchData.outside(arena, x);
            wideWeight = BenchData.widened(arena, weight);
            wideY = arena.allocate(4L * m * n, 64);
            openBlas();
        } else if (method.equals(OPENCL)) {
            device = BenchBackends.open(BenchBackends.OPENCL, threads);
            last = BenchBackends.last(device);
            double[] values = new double[x.length];
            Arrays.setAll(values, i -> x[i]);
            deviceX = device.rows(DoubleTensor.of(Shape.of("heads", 1, "queryLen", m, "headDim", k), values), 0, 1);
            double[] product = openCl().toDouble().data();
            y = new float[product.length];
            for (int i = 0; i < y.length; i++) {
                y[i] = (float) product[i];
            }
        } else {
            backend = new OptimizedBackend(threads);
            y = new float[Math.multiplyExact(m, n)];
            project();
        }
    }

    @Override
    MemorySegment candidateOutput(String method) {
        return method.equals(ANCHOR) ? wideY : MemorySegment.ofArray(y);
    }

    @Override
    void checkCandidate(String method) {
        MemorySegment result = candidateOutput(method);
        for (int row : new int[] {0, m / 2, m - 1}) {
            for (int column : new int[] {0, n / 3, n - 1}) {
                Dot dot = Dot.of(x, row * k, weight, (long) column * k, k);
                WrongResultException.unlessNear("element [" + row + ", " + column + "]", dot.sum(),
                        result.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, (long) row * n + column), dot.tolerance());
            }
        }
    }

    @Override
    void warm(String method) {
        if (backend != null) {
            backend.warmUp();
        }
    }

    @Override
    public void close() {
        super.close();
        arena.close();
        if (device != null) {
            device.close();
        }
        if (backend != null) {
            backend.close();
        }
    }
}
