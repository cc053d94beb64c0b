package org.dhsa.optimized;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// What the machine can do at most, as far as Java reaches: the measure that results are a share of.
///
/// Needs the Vector API.
public final class MachineCeilings {

    private static final int K = 256;

    private final VectorKernels kernels = new VectorKernels();
    private final float[] rows = new float[kernels.rows() * K];
    private final float[] columns = new float[kernels.columns() * K];
    private final float[] tile = new float[kernels.rows() * kernels.columns()];

    /// Runs fused multiply-adds on registers and first-level cache.
    ///
    /// @return floating-point operations done, two for each fused multiply-add
    public long multiplyAdd(int repeats) {
        for (int i = 0; i < repeats; i++) {
            kernels.gemmTile(rows, 0, columns, 0, K, tile, 0, kernels.columns(), false);
        }
        return 2L * kernels.rows() * kernels.columns() * K * repeats;
    }

    /// Reads a block of memory once, front to back.
    ///
    /// @return a value that depends on every byte, so that nothing is left out
    public static int read(MemorySegment memory) {
        IntVector a = IntVector.zero(IntVector.SPECIES_PREFERRED);
        IntVector b = a;
        IntVector c = a;
        IntVector d = a;
        int bytes = IntVector.SPECIES_PREFERRED.vectorByteSize();
        long at = 0;
        for (; at + 4L * bytes <= memory.byteSize(); at += 4L * bytes) {
            a = a.add(IntVector.fromMemorySegment(IntVector.SPECIES_PREFERRED, memory, at, ByteOrder.LITTLE_ENDIAN));
            b = b.add(IntVector.fromMemorySegment(IntVector.SPECIES_PREFERRED, memory, at + bytes, ByteOrder.LITTLE_ENDIAN));
            c = c.add(IntVector.fromMemorySegment(IntVector.SPECIES_PREFERRED, memory, at + 2L * bytes, ByteOrder.LITTLE_ENDIAN));
            d = d.add(IntVector.fromMemorySegment(IntVector.SPECIES_PREFERRED, memory, at + 3L * bytes, ByteOrder.LITTLE_ENDIAN));
        }
        return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
    }
}
