package org.dhsa.bench;

import java.util.OptionalInt;
import java.util.ServiceLoader;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.BackendProvider;
import org.dhsa.backend.DeviceMemory;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Backends that are measured, and the way to wait for one that works on after its call has returned.
final class BenchBackends {

    static final String VECTOR = "optimized";
    static final String OPENCL = "opencl";

    /// How the methods that run on OpenCL end: `dense` and `denseOpenCl` stand in one class and take turns.
    private static final String ENDING = "OpenCl";

    private BenchBackends() {}

    /// The backend that a benchmark's method runs on.
    static Backend of(String method, int threads) {
        return open(method.endsWith(ENDING) ? OPENCL : VECTOR, threads);
    }

    /// The method's name on the Vector API path.
    static String plain(String method) {
        return method.endsWith(ENDING) ? method.substring(0, method.length() - ENDING.length()) : method;
    }

    static Backend open(String name, int threads) {
        return provider(name).open(new BackendOptions(OptionalInt.of(threads), BackendOptions.KvType.F32));
    }

    /// Whether there is an OpenCL device, and which.
    static Availability openCl() {
        return provider(OPENCL).probe();
    }

    private static BackendProvider provider(String name) {
        return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).filter(p -> p.name().equals(name)).findFirst().orElseThrow();
    }

    /// Makes memory of results that nobody keeps ready for use again, so that a call writes into memory that was used before, as in the
    /// middle of a prompt. Fresh memory costs its first touch, which on some virtual machines is a tenth of a call.
    static void reuseMemory(Backend backend) {
        backend.deviceMemory().ifPresentOrElse(DeviceMemory::resetPeak, System::gc);
    }

    /// One value on the backend's side. A device does its work in order, so whoever reads this has waited for all that was asked before;
    /// the read itself takes microseconds.
    static Tensor last(Backend backend) {
        return backend.rows(DoubleTensor.of(Shape.of("rows", 1, "columns", 1), new double[] {1}), 0, 1);
    }
}
