package org.dhsa.bench;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.dhsa.optimized.MachineCeilings;

/// Reading memory as fast as Java can: the ceiling of decoding.
final class Reading {

    private static final long LINE = 1024;

    private Reading() {}

    /// Every byte of every segment once, each thread an equal part of each segment.
    ///
    /// @return the sum of all 32-bit words, as far as whole lines of 1 KB go
    static long read(OnThreads on, List<MemorySegment> memory) {
        return on.sum(t -> {
            int sum = 0;
            for (MemorySegment one : memory) {
                sum += MachineCeilings.read(part(one, t, on.threads()));
            }
            return sum;
        });
    }

    private static MemorySegment part(MemorySegment all, int part, int parts) {
        long lines = all.byteSize() / LINE;
        long from = lines * part / parts * LINE;
        return all.asSlice(from, lines * (part + 1) / parts * LINE - from);
    }

    /// Adds the same words up with a plain loop.
    static void check(int actual, List<MemorySegment> memory, int threads) {
        int sum = 0;
        for (MemorySegment one : memory) {
            for (int t = 0; t < threads; t++) {
                MemorySegment part = part(one, t, threads);
                for (long at = 0; at < part.byteSize(); at += 4) {
                    sum += part.get(ValueLayout.JAVA_INT_UNALIGNED, at);
                }
            }
        }
        WrongResultException.unless(sum == actual, "the sum of all words is " + actual + ", the check says " + sum);
    }
}
