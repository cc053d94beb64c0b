package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import org.dhsa.backend.Backend;
import org.dhsa.stage.DenseAttention;
import org.dhsa.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/// Dense causal attention of one global layer, exact soft cap.
@State(Scope.Benchmark)
public class AttentionBenchmark extends ComputeBenchmark {

    static final String CANDIDATE = "dense";
    static final String OPENCL = "denseOpenCl";

    @Param("4096")
    public int length;

    private Backend backend;
    private Tensor last;
    private AttentionData data;
    private double[] context;

    @Benchmark
    public DenseAttention.Output dense() {
        DenseAttention.Output out = backend.denseAttention().apply(new DenseAttention.Input(data.query(), data.key(), data.value(), data.rule()));
        last.toDouble();
        return out;
    }

    /// The same on an OpenCL device.
    @Benchmark
    public DenseAttention.Output denseOpenCl() {
        return dense();
    }

    @Override
    void prepareCandidate(String method) {
        backend = BenchBackends.of(method, threads);
        last = BenchBackends.last(backend);
        data = AttentionData.random(backend, length);
        DenseAttention.Output out = dense();
        context = out.context().toDouble().data();
        Notes.put("pairs", out.pairsRead());
        WrongResultException.unless(out.pairsRead() == AttentionData.causalPairs(length), "dense attention read " + out.pairsRead()
                + " pairs of " + AttentionData.causalPairs(length));
    }

    @Override
    MemorySegment candidateOutput(String method) {
        return MemorySegment.ofArray(context);
    }

    @Override
    void checkCandidate(String method) {
        for (int row : data.someRows()) {
            data.checkRow(context, row % AttentionData.HEADS, row, key -> true);
        }
    }

    /// Outside the clock.
    @Setup(Level.Invocation)
    public void reuseMemory() {
        if (backend != null) {
            BenchBackends.reuseMemory(backend);
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
        if (backend != null) {
            backend.close();
        }
    }
}
