package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/// `cblas_sgemm` of an installed OpenBLAS, called through the foreign function interface: the anchor of the matrix products.
final class OpenBlas {

    static final String PACKAGE = "libopenblas0-pthread";

    private static final String[] NAMES = {"libopenblas.so.0", "libopenblas.so", "libopenblas.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib"};
    private static final int ROW_MAJOR = 101;
    private static final int NO_TRANSPOSE = 111;
    private static final int TRANSPOSE = 112;

    private final MethodHandle sgemm;

    private OpenBlas(MethodHandle sgemm) {
        this.sgemm = sgemm;
    }

    /// Empty if no OpenBLAS is installed; on Debian the package is `libopenblas0-pthread`.
    static Optional<OpenBlas> open(int threads) {
        for (String name : NAMES) {
            try {
                SymbolLookup library = SymbolLookup.libraryLookup(name, Arena.global());
                Linker linker = Linker.nativeLinker();
                linker.downcallHandle(library.findOrThrow("openblas_set_num_threads"), FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT))
                        .invokeExact(threads);
                return Optional.of(new OpenBlas(linker.downcallHandle(library.findOrThrow("cblas_sgemm"), FunctionDescriptor.ofVoid(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_FLOAT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_FLOAT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT))));
            } catch (IllegalArgumentException notThere) {
                continue;
            } catch (Throwable e) {
                throw new IllegalStateException("OpenBLAS " + name + " is there but cannot be called", e);
            }
        }
        return Optional.empty();
    }

    /// `Y = X Wᵀ`, all FP32 outside the heap: X `[m, k]`, W `[n, k]`, Y `[m, n]`.
    void multiply(MemorySegment x, MemorySegment w, MemorySegment y, int m, int n, int k) {
        try {
            sgemm.invokeExact(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, m, n, k, 1f, x, k, w, k, 0f, y, n);
        } catch (Throwable e) {
            throw new IllegalStateException("cblas_sgemm failed", e);
        }
    }
}
