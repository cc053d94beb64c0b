package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/// New tokens after a prompt, one by one, dense attention. The prompt is read outside the clock.
///
/// The anchor reads all weights that a token needs, from the same mapped file.
@State(Scope.Benchmark)
public class DecodeBenchmark extends CheckedBenchmark {

    static final String CANDIDATE = "decode";
    static final String ANCHOR = "read";

    @Param("")
    public String folder;

    @Param("512")
    public int tokens;

    @Param("32")
    public int newTokens;

    private BenchModel model;
    private List<MemorySegment> weights;
    private OnThreads on;
    private int[] prompt;
    private Gemma2Forward.Session session;
    private double[] logits;
    private final int[] checkSum = new int[1];

    @Benchmark
    public Object decode() {
        Object last = null;
        for (int n = 0; n < newTokens; n++) {
            last = session.decode(prompt[n % prompt.length]);
        }
        return last;
    }

    @Benchmark
    public long read() {
        return Reading.read(on, weights);
    }

    @Setup(Level.Invocation)
    public void readPrompt() {
        if (on == null) {
            session = model.forward.open(new AttentionMode.Dense());
            session.prefill(prompt);
        }
    }

    @Override
    void prepare(String method) throws Exception {
        model = new BenchModel(Path.of(folder), threads);
        weights = model.weightsOfAToken();
        Notes.put("bytes", weights.stream().mapToLong(MemorySegment::byteSize).sum());
        if (method.equals(ANCHOR)) {
            on = new OnThreads(threads);
            checkSum[0] = (int) read();
            return;
        }
        int[] checked = model.prompt(BenchModel.CHECKED_TOKENS);
        session = model.forward.open(new AttentionMode.Dense());
        session.prefill(Arrays.copyOf(checked, checked.length - 1));
        logits = session.decode(checked[checked.length - 1]).toDouble().data();
        prompt = model.prompt(tokens);
    }

    @Override
    MemorySegment output(String method) {
        return method.equals(ANCHOR) ? MemorySegment.ofArray(checkSum) : MemorySegment.ofArray(logits);
    }

    @Override
    void check(String method) {
        if (method.equals(ANCHOR)) {
            Reading.check(checkSum[0], weights, threads);
        } else {
            BenchModel.requireNear(model.referenceLogits(BenchModel.checkedMode(true), BenchModel.CHECKED_TOKENS), logits);
        }
    }

    @Override
    void warm(String method) {
        if (on == null) {
            model.backend.warmUp();
        }
    }

    @Override
    public void close() {
        if (on != null) {
            on.close();
        }
        model.close();
    }
}
