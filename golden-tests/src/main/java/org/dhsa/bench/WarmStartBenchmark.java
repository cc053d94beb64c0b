package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.dhsa.forward.AttentionMode;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// A fresh JVM: the warm-up, the first prompt, the second prompt, in this order and each once.
///
/// It must be run in single shots without warm-up iterations, three in a JVM. Nothing may be computed before the first
/// shot, so the check is made after the last one: both prompts give the same logits up to rounding:
/// `tanh` and `exp` of a vector are another routine in compiled code than before. (That they are right is
/// checked by [PrefillBenchmark].)
@State(Scope.Benchmark)
public class WarmStartBenchmark extends CheckedBenchmark {

    static final String CANDIDATE = "step";

    /// What the shots are, in order.
    static final int WARM_UP = 0;
    static final int FIRST = 1;
    static final int SECOND = 2;

    @Param("")
    public String folder;

    @Param("512")
    public int tokens;

    private BenchModel model;
    private int[] prompt;
    private final double[][] logits = new double[2][];
    private int steps;

    @Benchmark
    public Object step() {
        int step = steps++;
        if (step == WARM_UP) {
            model.backend.warmUp();
            return model;
        }
        logits[step - FIRST] = model.forward.open(new AttentionMode.Dense()).prefill(prompt).toDouble().data();
        return logits;
    }

    /// The first shot counts as done; for tests.
    void skipWarmUp() {
        steps = FIRST;
    }

    @Override
    void prepare(String method) throws Exception {
        model = new BenchModel(Path.of(folder), threads);
        prompt = model.prompt(tokens);
    }

    @Override
    MemorySegment output(String method) {
        return MemorySegment.ofArray(logits[1]);
    }

    @Override
    void check(String method) {
        if (steps == 0) {
            return;
        }
        BenchModel.requireNear(logits[0], logits[1]);
    }

    @Override
    public void close() {
        try {
            check(CANDIDATE);
        } catch (WrongResultException e) {
            Notes.put("failed", e.getMessage());
            throw e;
        } finally {
            model.close();
        }
    }
}
