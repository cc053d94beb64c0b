package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.tensor.DType;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// Matrix-vector products as decoding does them, over more weights than any cache holds, each read once per operation.
///
/// The anchor reads the same memory and adds it up, with as many threads.
@State(Scope.Benchmark)
public class GemvBenchmark extends CheckedBenchmark {

    static final String CANDIDATE = "project";
    static final String ANCHOR = "read";

    /// Rows and columns of the weights, as often as need be: `2048x2304`, or several joined by `+`.
    @Param("2048x2304")
    public String shapes;

    /// Least size of all weights together.
    @Param("600")
    public int megabytes;

    private final Arena arena = Arena.ofShared();
    private final List<WeightTensor> weights = new ArrayList<>();
    private MemorySegment memory;
    private float[] x;
    private float[][] y;
    private final int[] checkSum = new int[1];
    private OptimizedBackend backend;
    private OnThreads on;

    /// The candidate: every matrix once.
    @Benchmark
    public float[][] project() {
        for (int w = 0; w < y.length; w++) {
            backend.project(x, 1, weights.get(w), y[w]);
        }
        return y;
    }

    /// The anchor: every byte once.
    @Benchmark
    public long read() {
        return Reading.read(on, List.of(memory));
    }

    @Override
    void prepare(String method) {
        List<int[]> dims = new ArrayList<>();
        for (String shape : shapes.split("\\+")) {
            String[] sides = shape.split("x");
            dims.add(new int[] {Integer.parseInt(sides[0]), Integer.parseInt(sides[1])});
        }
        long set = dims.stream().mapToLong(d -> 2L * d[0] * d[1]).sum();
        int sets = Math.toIntExact(Math.max(1, Math.ceilDiv(megabytes * 1_000_000L, set)));
        memory = arena.allocate(sets * set, 64);
        BenchData data = new BenchData();
        data.fillBf16(memory);
        x = data.floats(dims.stream().mapToInt(d -> d[1]).max().orElseThrow());
        long at = 0;
        for (int s = 0; s < sets; s++) {
            for (int[] d : dims) {
                weights.add(new WeightTensor("bench", DType.BF16, new long[] {d[0], d[1]}, memory.asSlice(at, 2L * d[0] * d[1])));
                at += 2L * d[0] * d[1];
            }
        }
        Notes.put("bytes", memory.byteSize());
        Notes.put("matrices", weights.size());
        if (method.equals(ANCHOR)) {
            on = new OnThreads(threads);
            checkSum[0] = (int) read();
        } else {
            backend = new OptimizedBackend(threads);
            y = new float[weights.size()][];
            for (int w = 0; w < y.length; w++) {
                y[w] = new float[Math.toIntExact(weights.get(w).dim(0))];
            }
            project();
        }
    }

    @Override
    MemorySegment output(String method) {
        return method.equals(ANCHOR) ? MemorySegment.ofArray(checkSum) : MemorySegment.ofArray(y[0]);
    }

    @Override
    void check(String method) {
        if (method.equals(ANCHOR)) {
            Reading.check(checkSum[0], List.of(memory), threads);
            return;
        }
        for (int w : new int[] {0, y.length / 2, y.length - 1}) {
            WeightTensor weight = weights.get(w);
            int columns = Math.toIntExact(weight.dim(1));
            for (int row : new int[] {0, y[w].length / 3, y[w].length - 1}) {
                Dot dot = Dot.of(x, 0, weight, (long) row * columns, columns);
                WrongResultException.unlessNear("matrix " + w + ", element " + row, dot.sum(), y[w][row], dot.tolerance());
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
        arena.close();
        if (on != null) {
            on.close();
        }
        if (backend != null) {
            backend.close();
        }
    }
}
