package org.dhsa.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import java.util.function.Supplier;

/// Keeps the JVM's signal handlers while a driver starts or compiles.
///
/// Drivers built on LLVM (PoCL 7 when it looks for its devices) put LLVM's crash handlers in the place of those that were there. The JVM needs
/// its own: a null check in compiled code is a SIGSEGV that it turns into an exception. So every handler that a call has
/// changed is put back after it. Does nothing where there is no `sigaction`, as on Windows.
final class SignalHandlers {

    /// Signals 1 to 31; the system refuses KILL and STOP, which is no harm.
    private static final int SIGNALS = 32;
    /// More than `struct sigaction` takes on any system (152 bytes on Linux); it is only copied, never looked into.
    private static final long BYTES = 512;

    private static final Optional<MethodHandle> SIGACTION = sigaction();

    private SignalHandlers() {}

    private static Optional<MethodHandle> sigaction() {
        if (System.getProperty("os.name").startsWith("Windows")) {
            return Optional.empty();
        }
        Linker linker = Linker.nativeLinker();
        SymbolLookup system = linker.defaultLookup();
        return system.find("sigaction").map(address -> linker.downcallHandle(address,
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS)));
    }

    /// The call's result, with the handlers that were there before it.
    static <T> T kept(Supplier<T> call) {
        if (SIGACTION.isEmpty()) {
            return call.get();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment before = all(arena);
            try {
                return call.get();
            } finally {
                MemorySegment after = all(arena);
                for (int signal = 1; signal < SIGNALS; signal++) {
                    MemorySegment was = before.asSlice(signal * BYTES, BYTES);
                    if (was.mismatch(after.asSlice(signal * BYTES, BYTES)) >= 0) {
                        sigaction(signal, was, MemorySegment.NULL);
                    }
                }
            }
        }
    }

    private static MemorySegment all(Arena arena) {
        MemorySegment all = arena.allocate(SIGNALS * BYTES, 16);
        for (int signal = 1; signal < SIGNALS; signal++) {
            sigaction(signal, MemorySegment.NULL, all.asSlice(signal * BYTES, BYTES));
        }
        return all;
    }

    /// The first word of what handles a signal: the address of the handler on Linux and macOS. 0 where that cannot be asked.
    static long handler(int signal) {
        if (SIGACTION.isEmpty()) {
            return 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment now = arena.allocate(BYTES, 16);
            sigaction(signal, MemorySegment.NULL, now);
            return now.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /// Handles a signal by ignoring it, `SIG_IGN`; for tests, on Linux.
    static void ignore(int signal) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ignore = arena.allocate(BYTES, 16);
            ignore.set(ValueLayout.JAVA_LONG, 0, 1);
            sigaction(signal, ignore, MemorySegment.NULL);
        }
    }

    private static void sigaction(int signal, MemorySegment to, MemorySegment old) {
        try {
            int ignored = (int) SIGACTION.orElseThrow().invokeExact(signal, to, old);
        } catch (Throwable e) {
            throw new IllegalStateException("sigaction cannot be called", e);
        }
    }
}
