package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import org.dhsa.optimized.MachineCeilings;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// A benchmark held against the FP32 multiply-add peak, which is measured beside it in the same run.
@State(Scope.Benchmark)
public abstract class ComputeBenchmark extends CheckedBenchmark {

    static final String PEAK = "peak";

    /// About 20 ms of one core.
    private static final int REPEATS = 20_000;

    private OnThreads on;
    private MachineCeilings[] ceilings;
    private final long[] peakFlops = new long[1];

    /// Multiply-adds on registers and first-level cache, every thread its own.
    @Benchmark
    public long peak() {
        return on.sum(t -> ceilings[t].multiplyAdd(REPEATS));
    }

    abstract void prepareCandidate(String method) throws Exception;

    abstract MemorySegment candidateOutput(String method);

    abstract void checkCandidate(String method) throws Exception;

    @Override
    final void prepare(String method) throws Exception {
        if (!method.equals(PEAK)) {
            prepareCandidate(method);
            return;
        }
        on = new OnThreads(threads);
        ceilings = new MachineCeilings[threads];
        for (int t = 0; t < threads; t++) {
            ceilings[t] = new MachineCeilings();
        }
        peakFlops[0] = peak();
        Notes.put("peakFlops", peakFlops[0]);
    }

    @Override
    final MemorySegment output(String method) {
        return method.equals(PEAK) ? MemorySegment.ofArray(peakFlops) : candidateOutput(method);
    }

    /// Every thread does whole tiles, so twice the threads are twice the operations.
    @Override
    final void check(String method) throws Exception {
        if (method.equals(PEAK)) {
            long one = ceilings[0].multiplyAdd(REPEATS);
            WrongResultException.unless(one > 0 && peakFlops[0] == one * threads, "the peak counted " + peakFlops[0] + " operations on "
                    + threads + " threads, one thread counts " + one);
            return;
        }
        checkCandidate(method);
    }

    @Override
    public void close() {
        if (on != null) {
            on.close();
        }
    }
}
