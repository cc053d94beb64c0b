package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Buffers, tensors, the cache, and what an error says.
class RuntimeTest {

    private static OpenClContext context;

    @BeforeAll
    static void open() {
        context = Device.context();
    }

    @AfterAll
    static void close() {
        if (context != null) {
            Device.close(context);
        }
    }

    private static DoubleTensor ramp(double first, Object... axes) {
        DoubleTensor t = DoubleTensor.zeros(Shape.of(axes));
        for (int i = 0; i < t.data().length; i++) {
            t.data()[i] = first + i;
        }
        return t;
    }

    @Test
    void whatIsUploadedComesBack() {
        DoubleTensor x = ramp(0.5, "heads", 3, "queryLen", 5, "headDim", 4);
        DeviceTensor there = DeviceTensor.of(context, x);
        assertThat(there.toDouble().data()).containsExactly(x.data());
        assertThat(there.rows(1, 3).toDouble().data()).containsExactly(x.rows(1, 3).data());
    }

    @Test
    void rowsOfKeysAreAViewOfTheSameMemory() {
        DoubleTensor keys = ramp(0, "kvHeads", 2, "keyLen", 7, "headDim", 3);
        try (ReferenceBackend reference = new ReferenceBackend()) {
            assertThat(DeviceTensor.of(context, keys).keyRows(2, 6).toDouble().data())
                    .containsExactly(reference.keyRows(keys, 2, 6).toDouble().data());
        }
    }

    @Test
    void partsAreJoinedOnTheDevice() {
        DoubleTensor x = ramp(0, "heads", 3, "queryLen", 7, "headDim", 2);
        DeviceTensor there = DeviceTensor.of(context, x);
        long before = context.readBacks();
        DeviceTensor along = DeviceTensor.join(context, List.of(there.keyRows(0, 3), there.keyRows(3, 4), there.keyRows(4, 7)), "queryLen");
        DeviceTensor first = DeviceTensor.join(context, List.of(there.rows(0, 2), there.rows(2, 3)), "heads");
        assertThat(context.readBacks()).isEqualTo(before);
        assertThat(along.shape()).isEqualTo(x.shape());
        assertThat(along.toDouble().data()).containsExactly(x.data());
        assertThat(first.toDouble().data()).containsExactly(x.data());
        assertThatThrownBy(() -> DeviceTensor.join(context, List.of(there), "headDim")).hasMessageContaining("not along headDim");
    }

    @Test
    void onlyLookingAtValuesIsAReadBack() {
        long before = context.readBacks();
        DeviceTensor x = DeviceTensor.of(context, ramp(0, "queryLen", 4, "modelDim", 3)).rows(1, 2);
        assertThat(context.readBacks()).isEqualTo(before);
        x.toDouble();
        assertThat(context.readBacks()).isEqualTo(before + 1);
    }

    /// Nearest bfloat16, ties to the even one, worked out from the two neighbours.
    private static double bf16(double value) {
        int bits = Float.floatToRawIntBits((float) value);
        float below = Float.intBitsToFloat(bits & 0xffff0000);
        float above = Float.intBitsToFloat((bits & 0xffff0000) + 0x10000);
        if (Double.isNaN(value) || Double.isInfinite(value) || value == below) {
            return value;
        }
        // beyond the largest one the next would be 2^128
        double next = Float.isInfinite(above) ? Math.copySign(0x1p128, above) : above;
        double down = Math.abs(value - below);
        double up = Math.abs(next - value);
        return down < up || down == up && (bits & 0x10000) == 0 ? below : above;
    }

    @Test
    void aBf16CacheRoundsToNearestTiesToEven() {
        float[] values = {0f, -0f, 1f, 1.00390625f, 1.01171875f, -1.00390626f, -1.01171874f, 3.3895314e38f, -3.3961775e38f, 1e-45f, 1e-40f, Float.NaN,
            Float.intBitsToFloat(0x7f800001), Float.intBitsToFloat(0xffffffff), Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 3.4028235e38f, 0.1f, 3.1415927f};
        DoubleTensor rows = DoubleTensor.zeros(Shape.of("kvHeads", 1, "keyLen", values.length, "headDim", 1));
        java.util.Arrays.setAll(rows.data(), i -> values[i]);
        OpenClLayerCache cache = new OpenClLayerCache(context, 1, 1, new LayerKind.Global(), true);
        cache.append(rows, rows);
        assertThat(cache.keys()).isInstanceOf(DeviceBf16Tensor.class);
        assertThat(((DeviceBf16Tensor) cache.keys()).buffer().bytes()).as("16 bits an element, room for 64 rows").isEqualTo(2 * 64);
        for (double[] kept : new double[][] {cache.keys().toDouble().data(), cache.values().toDouble().data()}) {
            for (int i = 0; i < values.length; i++) {
                assertThat(Float.floatToIntBits((float) kept[i])).as("%s became %s", values[i], kept[i]).isEqualTo(Float.floatToIntBits((float) bf16(values[i])));
            }
        }
    }

    /// Appending and forgetting in every order gives what the cache of the reference gives, rounded if it is to be.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theCacheKeepsWhatTheReferencesCacheKeeps(boolean bf16) {
        SplittableRandom random = new SplittableRandom(7);
        for (LayerKind kind : new LayerKind[] {new LayerKind.Global(), new LayerKind.Local(5), new LayerKind.Local(1)}) {
            OpenClLayerCache cache = new OpenClLayerCache(context, 2, 3, kind, bf16);
            var expected = new ReferenceBackend().newLayerCache(2, 3, kind);
            for (int step = 0; step < 40; step++) {
                DoubleTensor k = ramp(random.nextInt(1000), "kvHeads", 2, "keyLen", 1 + random.nextInt(9), "headDim", 3);
                DoubleTensor v = ramp(random.nextInt(1000), "kvHeads", 2, "keyLen", k.shape().extent("keyLen"), "headDim", 3);
                cache.append(k, v);
                expected.append(bf16 ? rounded(k) : k, bf16 ? rounded(v) : v);
                if (random.nextInt(3) > 0) {
                    cache.trim();
                    expected.trim();
                }
                assertThat(cache.keys().toDouble().data()).containsExactly(expected.keys().toDouble().data());
                assertThat(cache.values().toDouble().data()).containsExactly(expected.values().toDouble().data());
                assertThat(DeviceTensor.of(context, new OpenClBackend(context).keyRows(cache.keys(), 1, cache.keys().shape().extent("keyLen"))).toDouble().data())
                        .containsExactly(new ReferenceBackend().keyRows(expected.keys(), 1, expected.keys().shape().extent("keyLen")).toDouble().data());
                assertThat(cache.firstPosition()).isEqualTo(expected.firstPosition());
                assertThat(cache.endPosition()).isEqualTo(expected.endPosition());
            }
        }
    }

    @Test
    void theProviderOpensTheCacheThatIsAskedFor() {
        Device.any();
        DoubleTensor rows = ramp(0, "kvHeads", 1, "keyLen", 2, "headDim", 3);
        for (BackendOptions.KvType kv : BackendOptions.KvType.values()) {
            try (Backend backend = new OpenClBackendProvider().open(new BackendOptions(OptionalInt.empty(), kv))) {
                LayerCache cache = backend.newLayerCache(1, 3, new LayerKind.Global());
                cache.append(rows, rows);
                assertThat(cache.keys()).isInstanceOf(kv == BackendOptions.KvType.BF16 ? DeviceBf16Tensor.class : DeviceTensor.class);
            }
        }
    }

    private static DoubleTensor rounded(DoubleTensor x) {
        return DoubleTensor.of(x.shape(), java.util.Arrays.stream(x.data()).map(RuntimeTest::bf16).toArray());
    }

    @Test
    void aProgramThatDoesNotCompileShowsTheCompilersWords() {
        assertThatThrownBy(() -> OpenClProgram.build(context, "wrong", "__kernel void f() { int x = nonsense; }", Map.of("WG", 4)))
                .isInstanceOf(OpenClException.class).hasMessageContaining("wrong.cl").hasMessageContaining("-D WG=4")
                .hasMessageContaining("CL_BUILD_PROGRAM_FAILURE").hasMessageContaining("nonsense").hasMessageContaining(context.device().name());
    }

    @Test
    void aWrongArgumentNamesKernelAndStatus() {
        try (OpenClProgram program = OpenClProgram.build(context, "toy", "__kernel void f(__global float *x, int n) { x[n] = 1; }", Map.of())) {
            OpenClKernel kernel = program.kernel("f");
            assertThatThrownBy(() -> kernel.args(1, 2, 3)).isInstanceOf(OpenClException.class).hasMessageContaining("toy.cl/f").hasMessageContaining("CL_INVALID");
            assertThatThrownBy(() -> program.kernel("g")).isInstanceOf(OpenClException.class).hasMessageContaining("g in toy.cl")
                    .hasMessageContaining("CL_INVALID_KERNEL_NAME");
        }
    }

    @Test
    void memoryBeyondTheLimitIsRefusedWithNumbers() {
        OpenClDevice device = Device.any();
        try (OpenClContext small = new OpenClContext(device, Tuning.of(device), OptionalLong.of(1 << 20))) {
            OpenClBuffer kept = small.pool().allocate(600_000);
            assertThatThrownBy(() -> small.pool().allocate(500_000)).isInstanceOf(OpenClException.class)
                    .hasMessageContaining("500,224 bytes").hasMessageContaining("600,064 are in use").hasMessageContaining("448,512 are available")
                    .hasMessageContaining("--max-device-memory");
            kept.release();
            assertThat(small.pool().allocate(500_000).bytes()).isEqualTo(500_000);
        }
    }

    @Test
    void thePeakIsWhatWasInUseAtOnceNotWhatIsHeld() {
        OpenClDevice device = Device.any();
        try (OpenClContext small = new OpenClContext(device, Tuning.of(device), OptionalLong.of(1 << 20))) {
            OpenClBuffer first = small.pool().allocate(256_000);
            OpenClBuffer second = small.pool().allocate(512_000);
            assertThat(small.pool().peakBytes()).isEqualTo(768_000);
            second.release();
            small.pool().resetPeak();
            assertThat(small.pool().heldBytes()).as("a free buffer is kept").isEqualTo(768_000);
            assertThat(small.pool().peakBytes()).isEqualTo(256_000);
            small.pool().allocate(100_096).release();
            assertThat(small.pool().peakBytes()).isEqualTo(356_096);
            assertThat(first.bytes()).isEqualTo(256_000);
        }
    }

    /// The forward pass closes no tensor: memory comes back when nobody refers to it.
    @Test
    void memoryOfForgottenTensorsIsLentAgain() {
        OpenClDevice device = Device.any();
        try (OpenClContext small = new OpenClContext(device, Tuning.of(device), OptionalLong.of(1 << 20))) {
            for (int i = 0; i < 10; i++) {
                small.pool().allocate(400_000 + 100_000 * (i % 2));
            }
            assertThat(small.pool().heldBytes()).isLessThanOrEqualTo(1 << 20);
        }
    }

    @Test
    void aReleasedBufferCannotBeUsed() {
        OpenClBuffer buffer = context.allocateFloats(4);
        buffer.release();
        assertThatThrownBy(buffer::memory).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aKernelThatWritesOutsideItsBufferIsCaught() {
        for (int at : new int[] {-1, 3, 700}) {
            OpenClContext own = Device.context();
            try (own; OpenClProgram program = OpenClProgram.build(own, "toy", "__kernel void f(__global float *x, int n) { x[n] = 1; }", Map.of())) {
                OpenClBuffer buffer = own.allocateFloats(3);
                program.kernel("f").args(buffer, 2).run(1, 1);
                own.pool().checkGuards();
                program.kernel("f").args(buffer, at).run(1, 1);
                assertThatThrownBy(() -> own.pool().checkGuards()).isInstanceOf(OpenClException.class)
                        .hasMessageContaining("outside a buffer of 12 bytes: at byte " + 4 * at);
                assertThat(buffer.bytes()).isEqualTo(12);
            }
        }
    }

    @Test
    void mappedMemoryIsWrittenInOrder() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(4 * 1000, 4);
            for (int i = 0; i < 1000; i++) {
                segment.setAtIndex(java.lang.foreign.ValueLayout.JAVA_FLOAT, i, i);
            }
            OpenClBuffer buffer = context.allocateFloats(1000);
            context.write(buffer, 0, segment.asReadOnly());
            assertThat(context.readFloats(buffer, 998, 2)).containsExactly(998, 999);
        }
    }

    /// Some drivers install LLVM's handlers when they start; then the first null check in compiled code would end the process.
    @Test
    @EnabledOnOs(OS.LINUX)
    void aDriverDoesNotTakeTheJvmsSignalHandlers() throws IOException {
        int segmentationFault = 11;
        long handler = SignalHandlers.handler(segmentationFault);
        String owner = Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> {
            String[] range = line.split(" ")[0].split("-");
            return Long.parseUnsignedLong(range[0], 16) <= handler && handler < Long.parseUnsignedLong(range[1], 16);
        }).findFirst().orElseThrow();
        assertThat(owner).contains("libjvm.so");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void whatACallDoesToAHandlerIsUndone() {
        int signal = 25; // SIGXFSZ: nothing here raises it
        long before = SignalHandlers.handler(signal);
        String result = SignalHandlers.kept(() -> {
            SignalHandlers.ignore(signal);
            assertThat(SignalHandlers.handler(signal)).isNotEqualTo(before);
            return "done";
        });
        assertThat(result).isEqualTo("done");
        assertThat(SignalHandlers.handler(signal)).isEqualTo(before);
    }

    @Test
    void aDeviceThatDoesNotExistIsNamedBesideThoseThatDo() {
        OpenClDevice device = Device.any();
        assertThatThrownBy(() -> OpenClLibrary.choose(java.util.List.of(device), "9:9")).isInstanceOf(OpenClException.class)
                .hasMessageContaining("9:9").hasMessageContaining(device.name());
    }
}
