package org.dhsa.bench;

import java.nio.file.Path;

/// Runs a bench and tells what came out.
public final class Benches {

    private Benches() {}

    /// @param model     a checkpoint; not looked at where none is needed
    /// @param modelName the checkpoint, for people
    /// @param root      the checkout
    /// @param lengths   prompts of the end-to-end runs, in tokens
    /// @throws BenchFailedException if a check failed
    public static BenchReport run(Bench bench, BenchRun run, Path model, String modelName, Path root, int[] lengths) {
        KernelBenches kernels = new KernelBenches(run);
        ModelBenches models = new ModelBenches(run, model, modelName, Jlama.in(root));
        return switch (bench) {
            case GEMM -> kernels.gemm();
            case GEMV -> kernels.gemv();
            case ATTENTION -> kernels.attention();
            case DHSA -> kernels.dhsa();
            case PREFILL -> models.prefill();
            case DECODE -> models.decode();
            case OPENCL -> new OpenClBenches(run, model, modelName).report();
            case ENDTOEND -> new WholeRunBench(run, model, modelName, lengths).report();
        };
    }
}
