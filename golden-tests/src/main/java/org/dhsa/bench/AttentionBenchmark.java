package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.stage.DenseAttention;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// Dense causal attention of one global layer, exact soft cap.
@State(Scope.Benchmark)
public class AttentionBenchmark extends ComputeBenchmark {

    static final String CANDIDATE = "dense";

    @Param("4096")
    public int length;

    private OptimizedBackend backend;
    private AttentionData data;
    private double[] context;

    @Benchmark
    public DenseAttention.Output dense() {
        return backend.denseAttention().apply(new DenseAttention.Input(data.query(), data.key(), data.value(), data.rule()));
    }

    @Override
    void prepareCandidate(String method) {
        backend = new OptimizedBackend(threads);
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
