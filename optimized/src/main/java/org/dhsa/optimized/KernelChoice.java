package org.dhsa.optimized;

import org.dhsa.backend.Availability;

/// Which kernels can run here. The class with the Vector API is only touched when its module is there.
final class KernelChoice {

    private static final String MODULE = "jdk.incubator.vector";

    private KernelChoice() {}

    /// `-Ddhsa.kernels=scalar` forces the plain loops.
    static Kernels best() {
        return vectorModulePresent() && !"scalar".equals(System.getProperty("dhsa.kernels")) ? Holder.vector() : new ScalarKernels();
    }

    static Availability availability() {
        if (!vectorModulePresent()) {
            return new Availability.Available("FP32, plain loops: the module " + MODULE + " is not loaded. Start Java with --add-modules="
                    + MODULE + " for the fast kernels");
        }
        return new Availability.Available("FP32, " + best().description() + ", " + Runtime.getRuntime().availableProcessors() + " processors");
    }

    static boolean vectorModulePresent() {
        return ModuleLayer.boot().findModule(MODULE).isPresent();
    }

    /// Keeps [VectorKernels] from being loaded without its module.
    private static final class Holder {
        static Kernels vector() {
            return new VectorKernels();
        }
    }
}
