package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.runner.IterationType;

/// A whole prompt through a whole model, logits of the last token included.
@State(Scope.Benchmark)
public class PrefillBenchmark extends ComputeBenchmark {

    static final String DENSE = "dense";
    static final String DHSA = "dhsa";
    static final String DENSE_OPENCL = "denseOpenCl";
    static final String DHSA_OPENCL = "dhsaOpenCl";

    @Param("")
    public String folder;

    @Param("512")
    public int tokens;

    @Param("1024")
    public int budget;

    @Param("256")
    public int block;

    private BenchModel model;
    private String method;
    private AttentionMode mode;
    private int[] prompt;
    private double[] logits;
    private long passes;
    private long pairsRead;
    private long pairsVisible;

    @Benchmark
    public Object dense() {
        return pass();
    }

    @Benchmark
    public Object dhsa() {
        return pass();
    }

    @Benchmark
    public Object denseOpenCl() {
        return pass();
    }

    @Benchmark
    public Object dhsaOpenCl() {
        return pass();
    }

    /// The logits are read, so a device has done its work.
    private Object pass() {
        passes++;
        pairsRead = 0;
        pairsVisible = 0;
        return model.forward.open(mode, new Probe() {
            @Override
            public void attention(int layer, LayerKind kind, long read, long visible) {
                pairsRead += read;
                pairsVisible += visible;
            }
        }).prefill(prompt).toDouble();
    }

    @Override
    void prepareCandidate(String method) throws Exception {
        this.method = method;
        boolean dense = BenchBackends.plain(method).equals(DENSE);
        model = new BenchModel(Path.of(folder), BenchBackends.of(method, threads));
        prompt = model.prompt(BenchModel.CHECKED_TOKENS);
        logits = model.forward.open(BenchModel.checkedMode(dense)).prefill(prompt).toDouble().data();
        mode = dense ? new AttentionMode.Dense() : model.dhsa(budget, block);
        prompt = model.prompt(tokens);
    }

    @Override
    MemorySegment candidateOutput(String method) {
        return MemorySegment.ofArray(logits);
    }

    @Override
    void checkCandidate(String method) {
        BenchModel.requireNear(model.referenceLogits(BenchModel.checkedMode(BenchBackends.plain(method).equals(DENSE)), BenchModel.CHECKED_TOKENS), logits);
    }

    @Override
    void warm(String method) {
        if (model != null) {
            model.backend.warmUp();
        }
    }

    @Setup(Level.Iteration)
    public void resetClocks() {
        if (model != null) {
            passes = 0;
            model.backend.reset();
        }
    }

    /// Stages of the last measured iteration, nanoseconds per pass.
    @TearDown(Level.Iteration)
    public void noteClocks(IterationParams params) {
        if (model != null && params.getType() == IterationType.MEASUREMENT) {
            long done = passes;
            model.backend.nanos().forEach((stage, nanos) -> Notes.put("stage." + method + "." + stage.slug(), nanos / done));
            Notes.put("pairsRead." + method, pairsRead);
            Notes.put("pairsVisible." + method, pairsVisible);
        }
    }

    @Override
    public void close() {
        super.close();
        if (model != null) {
            model.close();
        }
    }
}
