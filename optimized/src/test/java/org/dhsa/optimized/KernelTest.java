package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.optimized.ThreeRungs.wide;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every kernel against FP64 and the plain loops, at ugly lengths and places, with poison around what it writes.
///
/// All kernels work on 12 rows and 32 columns here, which every geometry divides: 4 x 8, 6 x 8, 6 x 16, 12 x 32.
@DisplayName("kernels")
class KernelTest {

    private static final int ROWS = 12;
    private static final int COLUMNS = 32;
    private static final Kernels SCALAR = new ScalarKernels();
    private static final Kernels FAST = KernelChoice.best();
    private static final int LANES = FAST.columns() / 2;

    @AfterAll
    static void report() {
        ThreeRungs.report("kernels, " + FAST.description());
    }

    static IntStream lengths() {
        return IntStream.of(1, 2, 3, LANES - 1, LANES, LANES + 1, 2 * LANES - 1, 2 * LANES, 2 * LANES + 1, 31, 32, 33, 67, 127, 257, 1021, 2305).distinct();
    }

    /// How large the numbers are: ordinary, near overflow of a product, denormal, from one to the other.
    enum Size {
        ORDINARY, LARGE, DENORMAL, MIXED;

        float next(SplittableRandom random) {
            double x = random.nextDouble(-1, 1);
            return (float) switch (this) {
                case ORDINARY -> x;
                case LARGE -> x * 1e15;
                case DENORMAL -> x * 1e-39;
                case MIXED -> x * Math.pow(10, random.nextInt(-30, 8));
            };
        }

        float[] array(SplittableRandom random, int n) {
            float[] out = new float[n];
            for (int i = 0; i < n; i++) {
                out[i] = next(random);
            }
            return out;
        }
    }

    static Stream<Size> sizes() {
        return Stream.of(Size.values());
    }

    private static void rungs(String what, String where, double[] truth, Function<Kernels, float[]> run) {
        ThreeRungs.check(what, what + " " + where + ", " + FAST.description(), truth, wide(run.apply(SCALAR)), wide(run.apply(FAST)));
    }

    @Test
    void theWidthIsTheOneThatWasAskedFor() {
        String bits = System.getProperty("dhsa.vector.bits");
        if (!KernelChoice.vectorModulePresent() || "scalar".equals(System.getProperty("dhsa.kernels"))) {
            assertThat(FAST.description()).isEqualTo("plain loops");
        } else if (bits != null) {
            assertThat(FAST.description()).isEqualTo("Vector API, " + bits + " bit");
            assertThat(LANES).isEqualTo(Integer.parseInt(bits) / 32);
        } else {
            assertThat(FAST.description()).startsWith("Vector API, ");
        }
        assertThat(ROWS % FAST.rows()).isZero();
        assertThat(COLUMNS % FAST.columns()).isZero();
    }

    /// Some vector operations round otherwise in the interpreter than in compiled code; with them a result would depend on how
    /// warm the JVM is, and with it on the number of threads. A JVM that only interprets gives the same bits as this one, at
    /// first and after thousands of calls.
    @Test
    void theInterpreterAndTheCompilersGiveTheSameBits() throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xint"));
        if (KernelChoice.vectorModulePresent()) {
            command.add("--add-modules=jdk.incubator.vector");
        }
        for (String property : new String[] {"dhsa.vector.bits", "dhsa.kernels"}) {
            if (System.getProperty(property) != null) {
                command.add("-D" + property + "=" + System.getProperty(property));
            }
        }
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), KernelBits.class.getName()));
        Process interpreter = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(interpreter.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(interpreter.waitFor()).as(said).isZero();
        Map<String, Integer> first = KernelBits.of(FAST);
        assertThat(said).endsWith("bits " + first + System.lineSeparator());
        for (int i = 0; i < 3000; i++) {
            assertThat(KernelBits.of(FAST)).isEqualTo(first);
        }
    }

    // ---------------------------------------------------------------- matrix products

    @ParameterizedTest
    @MethodSource("lengths")
    void gemmTile(int k) {
        for (Size size : Size.values()) {
            for (boolean accumulate : new boolean[] {false, true}) {
                SplittableRandom random = new SplittableRandom(k);
                float[] a = size.array(random, ROWS * k);
                float[] b = size == Size.DENORMAL ? Size.ORDINARY.array(random, COLUMNS * k) : size.array(random, COLUMNS * k);
                float[] c = size.array(random, ROWS * COLUMNS);
                double[] truth = new double[ROWS * COLUMNS];
                for (int i = 0; i < ROWS; i++) {
                    for (int j = 0; j < COLUMNS; j++) {
                        double sum = accumulate ? c[i * COLUMNS + j] : 0;
                        for (int p = 0; p < k; p++) {
                            sum += (double) a[i * k + p] * b[j * k + p];
                        }
                        truth[i * COLUMNS + j] = sum;
                    }
                }
                rungs("gemmTile", size + " k=" + k + " accumulate=" + accumulate, truth, kernels -> gemm(kernels, a, b, c, k, accumulate));
            }
        }
    }

    /// Tiles of a 12 x 32 result whose rows are 41 apart; the gap must stay as it is.
    private static float[] gemm(Kernels kernels, float[] a, float[] b, float[] c, int k, boolean accumulate) {
        int stride = 41;
        int mr = kernels.rows();
        int nr = kernels.columns();
        float[] result = new float[ROWS * COLUMNS];
        for (int i = 0; i < ROWS; i += mr) {
            for (int j = 0; j < COLUMNS; j += nr) {
                float[] before = new float[(mr - 1) * stride + nr];
                Arrays.fill(before, 1234.5f);
                for (int r = 0; r < mr; r++) {
                    System.arraycopy(c, (i + r) * COLUMNS + j, before, r * stride, nr);
                }
                Guarded out = Guarded.of(5, before);
                kernels.gemmTile(panel(a, i, mr, k, 3), 3, panel(b, j, nr, k, 1), 1, k, out.data(), 5, stride, accumulate);
                float[] after = out.values();
                for (int at = 0; at < after.length; at++) {
                    if (at % stride < nr) {
                        result[(i + at / stride) * COLUMNS + j + at % stride] = after[at];
                    } else if (after[at] != 1234.5f) {
                        throw new AssertionError("written between the rows of the tile, at " + at);
                    }
                }
            }
        }
        return result;
    }

    /// `[rows][k]` to `[k][rows]` from an unaligned offset; not one element more, so that reading too far throws.
    private static float[] panel(float[] x, int first, int rows, int k, int offset) {
        float[] panel = new float[offset + rows * k];
        Arrays.fill(panel, 0, offset, Float.NaN);
        for (int r = 0; r < rows; r++) {
            for (int p = 0; p < k; p++) {
                panel[offset + p * rows + r] = x[(first + r) * k + p];
            }
        }
        return panel;
    }

    private static final short[] SPECIAL = {0x7fc0, (short) 0xffc1, 0x7f81, 0x7f80, (short) 0xff80, 0x0001, (short) 0x8001, (short) 0x8000, 0, 0x7f7f, 0x0080, 0x007f};

    /// BF16 rows, `strideBytes` apart, from an odd offset; the segment ends with the last row.
    private static MemorySegment bf16(SplittableRandom random, int rows, int k, int offsetBytes, int strideBytes, boolean special) {
        byte[] bytes = new byte[offsetBytes + (rows - 1) * strideBytes + 2 * k];
        random.nextBytes(bytes);
        for (int r = 0; r < rows; r++) {
            for (int p = 0; p < k; p++) {
                short bits = (short) (Float.floatToRawIntBits((float) random.nextDouble(-1, 1)) >>> 16);
                if (special && random.nextInt(3) == 0) {
                    bits = SPECIAL[random.nextInt(SPECIAL.length)];
                }
                bytes[offsetBytes + r * strideBytes + 2 * p] = (byte) bits;
                bytes[offsetBytes + r * strideBytes + 2 * p + 1] = (byte) (bits >>> 8);
            }
        }
        return MemorySegment.ofArray(bytes);
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void packBf16KeepsEveryBit(int k) {
        for (Kernels kernels : new Kernels[] {SCALAR, FAST}) {
            int columns = kernels.columns();
            for (int offset : new int[] {0, 1, 6}) {
                int stride = 2 * k + 3 * offset;
                MemorySegment weights = bf16(new SplittableRandom(k), columns, k, offset, stride, true);
                Guarded panel = Guarded.of(3, new float[columns * k]);
                kernels.packBf16(weights, offset, stride, k, panel.data(), 3);
                float[] values = panel.values();
                for (int j = 0; j < columns; j++) {
                    for (int p = 0; p < k; p++) {
                        float expected = ScalarKernels.bf16(weights, offset + (long) j * stride + 2L * p);
                        if (Float.floatToIntBits(values[p * columns + j]) != Float.floatToIntBits(expected)) {
                            throw new AssertionError(kernels.description() + ": row " + j + ", element " + p + " of k=" + k + " is "
                                    + values[p * columns + j] + ", not " + expected);
                        }
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void gemvBf16(int k) {
        for (int offset : new int[] {0, 1, 14}) {
            SplittableRandom random = new SplittableRandom(k);
            int stride = 2 * k + offset;
            MemorySegment weights = bf16(random, 4, k, offset, stride, false);
            float[] x = Size.ORDINARY.array(random, k);
            double[] truth = new double[4];
            for (int n = 0; n < 4; n++) {
                for (int p = 0; p < k; p++) {
                    truth[n] += (double) ScalarKernels.bf16(weights, offset + n * (long) stride + 2L * p) * x[p];
                }
            }
            rungs("gemvBf16", "k=" + k + " offset=" + offset, truth, kernels -> gemv(kernels, weights, offset, stride, x));
        }
    }

    private static float[] gemv(Kernels kernels, MemorySegment weights, int offset, int stride, float[] x) {
        float[] even = new float[(x.length + 1) / 2];
        float[] odd = new float[(x.length + 1) / 2];
        for (int p = 0; p < x.length; p++) {
            (p % 2 == 0 ? even : odd)[p / 2] = x[p];
        }
        Guarded out = Guarded.of(7, 9, 9, 9, 9);
        kernels.gemvBf16(weights, offset, stride, x.length, even, odd, out.data(), 7);
        return out.values();
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void aNaNOrInfinityInOneBf16RowReachesThatRowAlone(int k) {
        for (int at : new int[] {0, k / 2, k - 1}) {
            byte[] bytes = new byte[4 * 2 * k];
            bytes[2 * (k + at)] = (byte) 0xc0;
            bytes[2 * (k + at) + 1] = 0x7f;
            bytes[2 * (2 * k + at)] = (byte) 0x80;
            bytes[2 * (2 * k + at) + 1] = (byte) 0xff;
            float[] x = new float[k];
            Arrays.fill(x, 2f);
            for (Kernels kernels : new Kernels[] {SCALAR, FAST}) {
                assertThat(gemv(kernels, MemorySegment.ofArray(bytes), 0, 2 * k, x)).as("NaN at %d of %d", at, k)
                        .containsExactly(0f, Float.NaN, Float.NEGATIVE_INFINITY, 0f);
            }
        }
    }

    // ---------------------------------------------------------------- vectors

    @ParameterizedTest
    @MethodSource("lengths")
    void dot(int n) {
        for (Size size : Size.values()) {
            SplittableRandom random = new SplittableRandom(n);
            float[] a = size.array(random, n + 3);
            float[] b = size == Size.DENORMAL ? Size.ORDINARY.array(random, n + 1) : size.array(random, n + 1);
            double truth = 0;
            double magnitude = 0;
            for (int i = 0; i < n; i++) {
                truth += (double) a[3 + i] * b[1 + i];
                magnitude += Math.abs((double) a[3 + i] * b[1 + i]);
            }
            // the sum of magnitudes stands beside the result: of terms that cancel no more can be asked
            double[] both = {truth, magnitude};
            rungs("dot", size + " n=" + n, both, kernels -> new float[] {kernels.dot(a, 3, b, 1, n), kernels.dot(absolute(a), 3, absolute(b), 1, n)});
        }
    }

    private static float[] absolute(float[] x) {
        float[] y = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = Math.abs(x[i]);
        }
        return y;
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void axpy(int n) {
        for (Size size : Size.values()) {
            SplittableRandom random = new SplittableRandom(n);
            float[] x = size.array(random, n + 1);
            float[] y = size.array(random, n);
            double[] truth = new double[n];
            for (int i = 0; i < n; i++) {
                truth[i] = y[i] + (double) 0.7f * x[1 + i];
            }
            rungs("axpy", size + " n=" + n, truth, kernels -> {
                Guarded out = Guarded.of(5, y);
                kernels.axpy(0.7f, x, 1, out.data(), 5, n);
                return out.values();
            });
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void normRow(int n) {
        for (Size size : Size.values()) {
            SplittableRandom random = new SplittableRandom(n);
            float[] x = size.array(random, n + 3);
            float[] weight = Size.ORDINARY.array(random, n);
            double[] truth = new double[n];
            for (int i = 0; i < n; i++) {
                truth[i] = (double) x[3 + i] * 0.37f * (1.0 + weight[i]);
            }
            rungs("normRow", size + " n=" + n, truth, kernels -> {
                Guarded out = Guarded.of(1, new float[n]);
                kernels.normRow(x, 3, 0.37f, weight, out.data(), 1, n);
                return out.values();
            });
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void geluTimes(int n) {
        for (double scale : new double[] {1, 8, 200, 1e-39}) {
            SplittableRandom random = new SplittableRandom(n);
            float[] gate = new float[n];
            for (int i = 0; i < n; i++) {
                gate[i] = (float) (scale * random.nextDouble(-1, 1));
            }
            float[] up = Size.ORDINARY.array(random, n + 5);
            double[] truth = new double[n];
            for (int i = 0; i < n; i++) {
                double z = gate[i];
                truth[i] = z / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))) * up[5 + i];
            }
            rungs("geluTimes", "scale " + scale + " n=" + n, truth, kernels -> {
                Guarded out = Guarded.of(5, gate);
                kernels.geluTimes(out.data(), up, 5, n);
                return out.values();
            });
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 15, 16, 17, 31, 33, 100})
    void cap(int n) {
        for (double scale : new double[] {0.1, 30, 1000}) {
            SplittableRandom random = new SplittableRandom(n);
            float[] x = new float[n];
            double[] truth = new double[n];
            for (int i = 0; i < n; i++) {
                x[i] = (float) (scale * random.nextDouble(-1, 1));
                truth[i] = 30 * Math.tanh(0.5 * x[i] / 30);
            }
            rungs("cap", "scale " + scale + " n=" + n, truth, kernels -> {
                Guarded out = Guarded.of(5, x);
                kernels.cap(out.data(), 5, n, 0.5f, 30);
                return out.values();
            });
        }
    }

    /// Copies bit for bit, also from rows that end where the array ends, and no further than the slack.
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 30})
    void packRows(int count) {
        int width = 40;
        float[] x = Size.MIXED.array(new SplittableRandom(count), width * count);
        int[] offsets = IntStream.range(0, count).map(n -> (count - 1 - n) * width).toArray();
        for (Kernels kernels : new Kernels[] {SCALAR, FAST}) {
            int height = kernels.rows();
            for (int d : new int[] {0, 1, width - height}) {
                float[] panel = new float[3 + count * height + Kernels.PACK_SLACK + 9];
                Arrays.fill(panel, -7f);
                kernels.packRows(x, offsets, count, d, panel, 3);
                for (int n = 0; n < count; n++) {
                    assertThat(Arrays.copyOfRange(panel, 3 + n * height, 3 + (n + 1) * height)).as("row %s from %s", n, d)
                            .isEqualTo(Arrays.copyOfRange(x, offsets[n] + d, offsets[n] + d + height));
                }
                assertThat(Arrays.copyOf(panel, 3)).containsOnly(-7f);
                assertThat(Arrays.copyOfRange(panel, panel.length - 9, panel.length)).containsOnly(-7f);
            }
        }
    }

    @Test
    void geluOfGreatAndOfStrangeNumbers() {
        float[] gate = {0f, -0f, 1e20f, -1e20f, Float.POSITIVE_INFINITY, Float.NaN, 12f, -12f};
        for (Kernels kernels : new Kernels[] {SCALAR, FAST}) {
            // once in the vector part, once in the tail
            for (int n : new int[] {gate.length, gate.length + 32}) {
                float[] g = Arrays.copyOf(gate, n);
                float[] up = new float[n];
                Arrays.fill(up, 1f);
                kernels.geluTimes(g, up, 0, n);
                assertThat(g[0]).isEqualTo(0f);
                assertThat(g[2]).isEqualTo(1e20f);
                assertThat(Math.abs(g[3])).isEqualTo(0f);
                assertThat(g[4]).isEqualTo(Float.POSITIVE_INFINITY);
                assertThat(g[5]).isNaN();
                assertThat(g[6]).isEqualTo(12f);
                assertThat(Math.abs(g[7])).isLessThan(1e-6f);
            }
        }
    }

    // ---------------------------------------------------------------- attention

    /// Rows at scattered places of a poisoned array, some of them twice.
    private static int[] scattered(SplittableRandom random, int count, int width) {
        int[] offsets = new int[count];
        for (int n = 0; n < count; n++) {
            offsets[n] = 3 + random.nextInt(count) * (width + 2);
        }
        return offsets;
    }

    private static float[] store(SplittableRandom random, Size size, int[] offsets, int width) {
        float[] data = new float[Arrays.stream(offsets).max().orElseThrow() + width];
        Arrays.fill(data, Float.NaN);
        for (int offset : offsets) {
            System.arraycopy(size.array(random, width), 0, data, offset, width);
        }
        return data;
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void scoreTile(int headDim) {
        for (Size size : Size.values()) {
            SplittableRandom random = new SplittableRandom(headDim);
            int[] offsets = scattered(random, ROWS, headDim);
            float[] keys = store(random, size, offsets, headDim);
            float[] queries = size == Size.DENORMAL ? Size.ORDINARY.array(random, COLUMNS * headDim) : size.array(random, COLUMNS * headDim);
            double[] truth = new double[ROWS * COLUMNS];
            for (int i = 0; i < ROWS; i++) {
                for (int j = 0; j < COLUMNS; j++) {
                    for (int d = 0; d < headDim; d++) {
                        truth[i * COLUMNS + j] += (double) keys[offsets[i] + d] * queries[j * headDim + d];
                    }
                }
            }
            rungs("scoreTile", size + " headDim=" + headDim, truth, kernels -> {
                float[] result = new float[ROWS * COLUMNS];
                int nr = kernels.columns();
                int[] table = new int[ROWS + 2];
                System.arraycopy(offsets, 0, table, 2, ROWS);
                for (int i = 0; i < ROWS; i += kernels.rows()) {
                    for (int j = 0; j < COLUMNS; j += nr) {
                        Guarded s = Guarded.of(9, new float[kernels.rows() * nr]);
                        kernels.scoreTile(keys, table, 2 + i, panel(queries, j, nr, headDim, 0), headDim, s.data(), 9);
                        place(s.values(), nr, result, i, j);
                    }
                }
                return result;
            });
        }
    }

    private static void place(float[] tile, int columns, float[] result, int row, int column) {
        for (int at = 0; at < tile.length; at++) {
            result[(row + at / columns) * COLUMNS + column + at % columns] = tile[at];
        }
    }

    private static float[] cut(float[] x, int rows, int column, int columns) {
        float[] tile = new float[rows * columns];
        for (int at = 0; at < tile.length; at++) {
            tile[at] = x[at / columns * COLUMNS + column + at % columns];
        }
        return tile;
    }

    @ParameterizedTest
    @MethodSource("lengths")
    void values(int headDim) {
        for (int count : new int[] {1, 5, 12, 37}) {
            for (Size size : Size.values()) {
                SplittableRandom random = new SplittableRandom(headDim + count);
                int[] offsets = scattered(random, count, headDim);
                float[] values = store(random, size, offsets, headDim);
                float[] p = absolute(Size.ORDINARY.array(random, count * COLUMNS));
                float[] before = size.array(random, headDim * COLUMNS);
                int d0 = headDim / 3;
                int d1 = headDim - headDim / 5;
                double[] truth = wide(before);
                for (int d = d0; d < d1; d++) {
                    for (int j = 0; j < COLUMNS; j++) {
                        for (int n = 0; n < count; n++) {
                            truth[d * COLUMNS + j] += (double) p[n * COLUMNS + j] * values[offsets[n] + d];
                        }
                    }
                }
                rungs("values", size + " headDim=" + headDim + " count=" + count, truth, kernels -> {
                    float[] result = new float[headDim * COLUMNS];
                    int nr = kernels.columns();
                    int[] table = new int[count + 1];
                    System.arraycopy(offsets, 0, table, 1, count);
                    for (int j = 0; j < COLUMNS; j += nr) {
                        Guarded out = Guarded.of(0, cut(before, headDim, j, nr));
                        kernels.values(values, table, 1, count, cut(p, count, j, nr), d0, d1, out.data());
                        place(out.values(), nr, result, 0, j);
                    }
                    for (int d = 0; d < headDim; d++) {
                        if (d < d0 || d >= d1) {
                            assertThat(Arrays.copyOfRange(result, d * COLUMNS, (d + 1) * COLUMNS)).as("channel %d outside [%d, %d)", d, d0, d1)
                                    .containsExactly(Arrays.copyOfRange(before, d * COLUMNS, (d + 1) * COLUMNS));
                        }
                    }
                    return result;
                });
            }
        }
    }

    @Test
    void scaleColumns() {
        SplittableRandom random = new SplittableRandom(1);
        for (int rows : new int[] {1, 2, 7, 80}) {
            float[] x = Size.MIXED.array(random, rows * COLUMNS);
            float[] factor = Size.ORDINARY.array(random, COLUMNS);
            factor[3] = 0;
            factor[17] = 1;
            double[] truth = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                truth[i] = (double) x[i] * factor[i % COLUMNS];
            }
            rungs("scaleColumns", "rows=" + rows, truth, kernels -> {
                float[] result = new float[x.length];
                int nr = kernels.columns();
                for (int j = 0; j < COLUMNS; j += nr) {
                    Guarded out = Guarded.of(0, cut(x, rows, j, nr));
                    kernels.scaleColumns(out.data(), rows, Arrays.copyOfRange(factor, j, j + nr));
                    place(out.values(), nr, result, 0, j);
                }
                return result;
            });
        }
    }

    /// Who reads whom, 32 queries.
    enum Seen {
        ALL, CAUSAL, WINDOW, BY_CHANCE, SOME_LANES_NOTHING, NOBODY_ANYTHING;

        /// A word for each key, bit j for query j; null for all. Keys are drawn from 1000 on, in no order, with gaps, some twice.
        int[] members(SplittableRandom random, int count) {
            int[] keys = IntStream.range(0, count).map(n -> 1000 + random.nextInt(count)).toArray();
            return this == ALL ? null : Arrays.stream(keys).map(key -> {
                int word = 0;
                for (int j = 0; j < COLUMNS; j++) {
                    int position = 1000 + j * count / COLUMNS;
                    boolean reads = switch (this) {
                        case ALL, CAUSAL -> key <= position;
                        case WINDOW -> key <= position && key >= position - 4;
                        case BY_CHANCE -> (key * 0x9e3779b9 >>> j & 1) == 1;
                        case SOME_LANES_NOTHING -> key <= position && j % 3 != 1;
                        case NOBODY_ANYTHING -> false;
                    };
                    word |= reads ? 1 << j : 0;
                }
                return word;
            }).toArray();
        }
    }

    private static boolean seen(int[] members, int key, int query) {
        return members == null || (members[key] >>> query & 1) == 1;
    }

    /// Words for the queries from `column` on, behind `offset` others. What stands above a tile's columns is not the kernel's business.
    private static int[] cutMembers(int[] members, int column, int offset) {
        return members == null ? null : IntStream.concat(IntStream.range(0, offset).map(n -> -1), Arrays.stream(members).map(word -> word >>> column)).toArray();
    }

    static Stream<Seen> masks() {
        return Stream.of(Seen.values());
    }

    @ParameterizedTest
    @MethodSource("masks")
    void capExp(Seen who) {
        for (int count : new int[] {1, 2, 11, 12, 13, 67, 240}) {
            for (float cap : new float[] {5, 50, 60}) {
                for (double size : new double[] {1e-40, 1, 100, 3000, 1e30}) {
                    SplittableRandom random = new SplittableRandom(count);
                    float scale = 0.0625f;
                    int[] members = who.members(random, count);
                    float[] s = new float[count * COLUMNS];
                    for (int i = 0; i < s.length; i++) {
                        s[i] = (float) (size * random.nextDouble(-1, 1));
                    }
                    float[] sums = absolute(Size.ORDINARY.array(random, COLUMNS));
                    double[] p = new double[s.length];
                    double[] sum = wide(sums);
                    for (int i = 0; i < s.length; i++) {
                        p[i] = seen(members, i / COLUMNS, i % COLUMNS) ? Math.exp(cap * Math.tanh((double) scale * s[i] / cap)) : 0;
                        sum[i % COLUMNS] += p[i];
                    }
                    double[] baseline = capExp(SCALAR, s, count, members, scale, cap, sums);
                    double[] candidate = capExp(FAST, s, count, members, scale, cap, sums);
                    String where = who + " count=" + count + " cap=" + cap + " scores up to " + size + ", " + FAST.description();
                    for (int i = 0; i < p.length; i++) {
                        if (p[i] == 0 && candidate[i] != 0) {
                            throw new AssertionError(where + ": a masked weight is " + candidate[i]);
                        }
                    }
                    // weights run over 50 orders of magnitude: each against its own size; an exponent rounded once moves its
                    // weight by its own size times 2^-24
                    double floor = ThreeRungs.FLOOR + Math.min(cap, scale * size) * 0x1p-24;
                    ThreeRungs.check("capExp weights", where, relative(p, p), relative(baseline, p), relative(candidate, p), floor);
                    int from = p.length;
                    ThreeRungs.check("capExp sums", where, relative(sum, sum), relative(Arrays.copyOfRange(baseline, from, from + COLUMNS), sum),
                            relative(Arrays.copyOfRange(candidate, from, from + COLUMNS), sum), floor);
                }
            }
        }
    }

    /// `x / truth`, 1 where both are 0.
    private static double[] relative(double[] x, double[] truth) {
        double[] out = new double[truth.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = x[i] == truth[i] ? 1 : x[i] / truth[i];
        }
        return out;
    }

    /// Weights, then sums.
    private static double[] capExp(Kernels kernels, float[] s, int count, int[] members, float scale, float cap, float[] sums) {
        float[] result = new float[(count + 1) * COLUMNS];
        int nr = kernels.columns();
        for (int j = 0; j < COLUMNS; j += nr) {
            Guarded tile = Guarded.of(0, cut(s, count, j, nr));
            Guarded sum = Guarded.of(0, Arrays.copyOfRange(sums, j, j + nr));
            kernels.capExp(tile.data(), count, cutMembers(members, j, 3), 3, scale, cap, sum.data());
            place(tile.values(), nr, result, 0, j);
            place(sum.values(), nr, result, count, j);
        }
        return wide(result);
    }

    /// Running sums, maxima, rescaling factors of 32 queries.
    private record Running(float[] sums, float[] maxima, float[] rescale) {
        Running() {
            this(new float[COLUMNS], new float[COLUMNS], new float[COLUMNS]);
            Arrays.fill(maxima, Float.NEGATIVE_INFINITY);
        }
    }

    @ParameterizedTest
    @MethodSource("masks")
    void onlineExpOverSeveralBlocks(Seen who) {
        for (int count : new int[] {1, 2, 12, 13, 67, 240}) {
            for (float cap : new float[] {0, 100}) {
                for (double size : new double[] {1e-40, 10, 3000, 1e30}) {
                    if (cap == 0 && size == 1e30) {
                        continue; // differences of such scores are rounded to steps of 1e22 whoever computes them
                    }
                    onlineBlocks(who, count, cap, size);
                }
            }
        }
    }

    /// Four blocks, the first read by nobody unless all read all; scores grow, so that the maximum moves.
    private static void onlineBlocks(Seen who, int count, float cap, double size) {
        SplittableRandom random = new SplittableRandom(count);
        float scale = 0.0625f;
        double[] max = new double[COLUMNS];
        Arrays.fill(max, Double.NEGATIVE_INFINITY);
        double[] sum = new double[COLUMNS];
        Running baseline = new Running();
        Running candidate = new Running();
        for (int block = 0; block < 4; block++) {
            String where = who + " block=" + block + " count=" + count + " cap=" + cap + " scores up to " + size + ", " + FAST.description();
            int[] members = block > 0 ? who.members(random, count) : who == Seen.ALL ? null : new int[count];
            float[] s = new float[count * COLUMNS];
            for (int i = 0; i < s.length; i++) {
                s[i] = (float) (size * (block + 1) / 4 * random.nextDouble(-1, 1));
            }
            double[] x = new double[s.length];
            double[] next = max.clone();
            for (int i = 0; i < s.length; i++) {
                double scaled = (double) scale * s[i];
                x[i] = seen(members, i / COLUMNS, i % COLUMNS) ? cap > 0 ? cap * Math.tanh(scaled / cap) : scaled : Double.NEGATIVE_INFINITY;
                next[i % COLUMNS] = Math.max(next[i % COLUMNS], x[i]);
            }
            double[] rescale = new double[COLUMNS];
            for (int j = 0; j < COLUMNS; j++) {
                rescale[j] = next[j] == Double.NEGATIVE_INFINITY ? 1 : Math.exp(max[j] - next[j]);
                sum[j] *= rescale[j];
            }
            double[] p = new double[x.length];
            for (int i = 0; i < p.length; i++) {
                p[i] = x[i] == Double.NEGATIVE_INFINITY ? 0 : Math.exp(x[i] - next[i % COLUMNS]);
                sum[i % COLUMNS] += p[i];
            }
            max = next;
            double[] pBaseline = onlineExp(SCALAR, s, count, members, scale, cap, baseline);
            double[] pCandidate = onlineExp(FAST, s, count, members, scale, cap, candidate);
            double floor = ThreeRungs.FLOOR + (cap > 0 ? Math.min(cap, scale * size) : scale * size) * 0x1p-24;
            ThreeRungs.check("onlineExp weights", where, p, pBaseline, pCandidate, floor);
            ThreeRungs.check("onlineExp sums", where, sum, wide(baseline.sums), wide(candidate.sums), floor);
            ThreeRungs.check("onlineExp maxima", where, max, wide(baseline.maxima), wide(candidate.maxima));
            ThreeRungs.check("onlineExp rescale", where, rescale, wide(baseline.rescale), wide(candidate.rescale), floor);
            for (int i = 0; i < p.length; i++) {
                if (x[i] == Double.NEGATIVE_INFINITY && pCandidate[i] != 0) {
                    throw new AssertionError(where + ": a masked weight is " + pCandidate[i]);
                }
            }
        }
    }

    private static double[] onlineExp(Kernels kernels, float[] s, int count, int[] members, float scale, float cap, Running running) {
        float[] result = new float[count * COLUMNS];
        int nr = kernels.columns();
        for (int j = 0; j < COLUMNS; j += nr) {
            Guarded tile = Guarded.of(0, cut(s, count, j, nr));
            Guarded sums = Guarded.of(0, Arrays.copyOfRange(running.sums, j, j + nr));
            Guarded maxima = Guarded.of(0, Arrays.copyOfRange(running.maxima, j, j + nr));
            Guarded rescale = Guarded.of(0, new float[nr]);
            kernels.onlineExp(tile.data(), count, cutMembers(members, j, 1), 1, scale, cap, sums.data(), maxima.data(), rescale.data());
            place(tile.values(), nr, result, 0, j);
            System.arraycopy(sums.values(), 0, running.sums, j, nr);
            System.arraycopy(maxima.values(), 0, running.maxima, j, nr);
            System.arraycopy(rescale.values(), 0, running.rescale, j, nr);
        }
        return wide(result);
    }

    @Test
    void aNaNScoreStaysInItsColumnAndIsNotLost() {
        for (Kernels kernels : new Kernels[] {SCALAR, FAST}) {
            int nr = kernels.columns();
            float[] capped = new float[12 * nr];
            capped[5 * nr + 2] = Float.NaN;
            float[] online = capped.clone();
            float[] sums = new float[nr];
            kernels.capExp(capped, 12, null, 0, 1, 50, sums);
            Running running = new Running();
            kernels.onlineExp(online, 12, null, 0, 1, 0, running.sums, running.maxima, running.rescale);
            for (int j = 0; j < nr; j++) {
                assertThat(Float.isNaN(sums[j])).as("capExp column %d", j).isEqualTo(j == 2);
                assertThat(Float.isNaN(running.sums[j])).as("onlineExp column %d", j).isEqualTo(j == 2);
            }
            assertThat(capped[5 * nr + 2]).isNaN();
        }
    }
}
