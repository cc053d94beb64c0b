package org.dhsa.bench;

import java.util.Locale;

/// What `./dhsa bench` can measure.
public enum Bench {
    GEMM("Matrix products", false),
    GEMV("Matrix-vector products", false),
    ATTENTION("Dense attention", false),
    DHSA("DHSA attention", false),
    PREFILL("Prefill", true),
    DECODE("Decode", true),
    ENDTOEND("End to end", true),
    OPENCL("OpenCL beside the Vector API", true);

    private final String title;
    private final boolean needsModel;

    Bench(String title, boolean needsModel) {
        this.title = title;
        this.needsModel = needsModel;
    }

    public String title() {
        return title;
    }

    /// Whether it runs a checkpoint.
    public boolean needsModel() {
        return needsModel;
    }

    /// `gemm`.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
