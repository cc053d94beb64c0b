package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.BenchmarkParams;

/// A benchmark whose methods are checked once, in the JVM that times them, before the first timing.
///
/// Candidate and anchors are methods of one class with the same parameters. A wrong result ends the run: the time of a
/// wrong result is no time.
@State(Scope.Benchmark)
public abstract class CheckedBenchmark {

    /// Threads that share the work.
    @Param("1")
    public int threads;

    /// Makes the inputs of a method and runs it once.
    abstract void prepare(String method) throws Exception;

    /// What that run of the method computed, as the bytes themselves.
    abstract MemorySegment output(String method);

    /// Compares [#output] with the reference or with plain FP64 sums.
    ///
    /// @throws WrongResultException if they differ by more than FP32 explains
    abstract void check(String method) throws Exception;

    /// What an application would do before its first long work.
    void warm(String method) {}

    @Setup(Level.Trial)
    public final void setUp(BenchmarkParams params) throws Exception {
        String name = params.getBenchmark();
        String method = name.substring(name.lastIndexOf('.') + 1);
        try {
            prepare(method);
            check(method);
            warm(method);
        } catch (Exception | Error e) {
            Notes.put("failed", method + ": " + e.getMessage());
            throw e;
        }
    }

    /// Releases what [#prepare] made.
    @TearDown(Level.Trial)
    public void close() {}
}
