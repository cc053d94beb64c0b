package org.dhsa.optimized;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// The inner loops on the JDK Vector API.
///
/// The width is the machine's preferred one, or `-Ddhsa.vector.bits=128|256|512`; it is fixed when this class loads,
/// because the compiler only does its work when the species is a constant. For the same reason accumulators are local
/// variables, one each: in an array they would live in memory. And for the same reason no vector is ever handed to a helper
/// method: one that the compiler declines to inline costs a factor of thirteen, because its arguments become objects.
///
/// With 16 lanes a tile is 12 x 32: 24 accumulators, two vectors of B and one broadcast fill 27 of 32 registers. With
/// fewer lanes it is 6 x 2 vectors, which fits the 16 registers of older machines.
///
/// Sums run in index order like the scalar twin's; only the fused multiply-add rounds once instead of twice.
final class VectorKernels implements Kernels {

    static final String BITS_PROPERTY = "dhsa.vector.bits";

    private static final VectorSpecies<Float> S = species();
    private static final int LANES = S.length();
    private static final int COLUMNS = 2 * LANES;
    private static final boolean WIDE = LANES == 16;
    private static final int ROWS = WIDE ? 12 : 6;
    private static final VectorSpecies<Integer> INTS = S.withLanes(int.class);
    private static final FloatVector ONE = FloatVector.broadcast(S, 1f);
    /// Lane l holds bit l. Compared with a word of bits this makes a mask on every machine; not all have an instruction for it.
    private static final IntVector LANE_BIT = (IntVector) IntVector.broadcast(INTS, 1).lanewise(VectorOperators.LSHL, IntVector.zero(INTS).addIndex(1));

    private static final VectorShuffle<Integer> SWAP_8 = swap(8);
    private static final VectorShuffle<Integer> SWAP_4 = swap(4);
    private static final VectorShuffle<Integer> SWAP_2 = swap(2);
    private static final VectorShuffle<Integer> SWAP_1 = swap(1);
    private static final VectorMask<Integer> UPPER_8 = upper(8);
    private static final VectorMask<Integer> UPPER_4 = upper(4);
    private static final VectorMask<Integer> UPPER_2 = upper(2);
    private static final VectorMask<Integer> UPPER_1 = upper(1);
    private static final VectorMask<Integer> LOWER_8 = upper(8).not();
    private static final VectorMask<Integer> LOWER_4 = upper(4).not();
    private static final VectorMask<Integer> LOWER_2 = upper(2).not();
    private static final VectorMask<Integer> LOWER_1 = upper(1).not();

    // e^x = 2^n · e^f with |f| <= ln 2 / 2; tanh below 0.625 by a polynomial, above it by e^2x (coefficients of Cephes, 1 ulp).
    // The EXP and TANH of the Vector API give other bits once their code is compiled: results would depend on how warm the JVM is.
    private static final float LOG2_E = 1.44269504f;
    private static final float TO_WHOLE = 12582912f;
    private static final float EXP_LOWEST = -87.3f;
    private static final float TANH_SMALL = 0.625f;
    private static final float TANH_IS_ONE = 9.02f;
    private static final int ONE_BITS = 127 << 23;
    private static final int SIGN = 0x80000000;
    private static final FloatVector TWO = FloatVector.broadcast(S, 2f);
    private static final FloatVector MINUS_LN2_HIGH = FloatVector.broadcast(S, -0.693359375f);
    private static final FloatVector MINUS_LN2_LOW = FloatVector.broadcast(S, 2.12194440e-4f);
    private static final FloatVector E5 = FloatVector.broadcast(S, 1.9875691500e-4f);
    private static final FloatVector E4 = FloatVector.broadcast(S, 1.3981999507e-3f);
    private static final FloatVector E3 = FloatVector.broadcast(S, 8.3334519073e-3f);
    private static final FloatVector E2 = FloatVector.broadcast(S, 4.1665795894e-2f);
    private static final FloatVector E1 = FloatVector.broadcast(S, 1.6666665459e-1f);
    private static final FloatVector E0 = FloatVector.broadcast(S, 5.0000001201e-1f);
    private static final FloatVector T4 = FloatVector.broadcast(S, -5.70498872745e-3f);
    private static final FloatVector T3 = FloatVector.broadcast(S, 2.06390887954e-2f);
    private static final FloatVector T2 = FloatVector.broadcast(S, -5.37397155531e-2f);
    private static final FloatVector T1 = FloatVector.broadcast(S, 1.33314422036e-1f);
    private static final FloatVector T0 = FloatVector.broadcast(S, -3.33332819422e-1f);

    /// Lane l takes lane `l xor step`. `reduceLanes` adds in another order once its code is compiled, so that the same
    /// call gives other bits before and after; this order is fixed.
    private static final VectorShuffle<Float> BY_8 = VectorShuffle.fromOp(S, l -> (l ^ 8) % LANES);
    private static final VectorShuffle<Float> BY_4 = VectorShuffle.fromOp(S, l -> (l ^ 4) % LANES);
    private static final VectorShuffle<Float> BY_2 = VectorShuffle.fromOp(S, l -> l ^ 2);
    private static final VectorShuffle<Float> BY_1 = VectorShuffle.fromOp(S, l -> l ^ 1);

    private static VectorSpecies<Float> species() {
        String bits = System.getProperty(BITS_PROPERTY, "");
        return switch (bits) {
            // not above 512: a tile's columns are the bits of an int
            case "" -> FloatVector.SPECIES_PREFERRED.length() < 4 ? FloatVector.SPECIES_128
                    : FloatVector.SPECIES_PREFERRED.length() > 16 ? FloatVector.SPECIES_512 : FloatVector.SPECIES_PREFERRED;
            case "128" -> FloatVector.SPECIES_128;
            case "256" -> FloatVector.SPECIES_256;
            case "512" -> FloatVector.SPECIES_512;
            default -> throw new IllegalArgumentException("-D" + BITS_PROPERTY + " must be 128, 256 or 512, was " + bits);
        };
    }

    /// One step of a transposition: lane l changes places with lane `l xor step`.
    private static VectorShuffle<Integer> swap(int step) {
        return VectorShuffle.fromOp(INTS, l -> (l ^ step) % LANES);
    }

    /// Lanes whose number holds the bit `step`.
    private static VectorMask<Integer> upper(int step) {
        long bits = 0;
        for (int l = 0; l < LANES; l++) {
            bits |= (l & step) != 0 ? 1L << l : 0;
        }
        return VectorMask.fromLong(INTS, bits);
    }

    @Override
    public String description() {
        return "Vector API, " + S.vectorBitSize() + " bit";
    }

    @Override
    public int rows() {
        return ROWS;
    }

    @Override
    public int columns() {
        return COLUMNS;
    }

    @Override
    public void gemmTile(float[] a, int aOffset, float[] b, int bOffset, int k, float[] c, int cOffset, int cStride, boolean accumulate) {
        if (WIDE) {
            gemm12(a, aOffset, b, bOffset, k, c, cOffset, cStride, accumulate);
        } else {
            gemm6(a, aOffset, b, bOffset, k, c, cOffset, cStride, accumulate);
        }
    }

    @Override
    public void scoreTile(float[] keys, int[] offsets, int first, float[] queries, int headDim, float[] s, int sOffset) {
        if (WIDE) {
            score12(keys, offsets, first, queries, headDim, s, sOffset);
        } else {
            score6(keys, offsets, first, queries, headDim, s, sOffset);
        }
    }

    @Override
    public void values(float[] values, int[] offsets, int first, int count, float[] p, int d0, int d1, float[] out) {
        int d = d0;
        if (WIDE) {
            for (; d + 12 <= d1; d += 12) {
                values12(values, offsets, first, count, p, d, out);
            }
        } else {
            for (; d + 6 <= d1; d += 6) {
                values6(values, offsets, first, count, p, d, out);
            }
        }
        for (; d + 4 <= d1; d += 4) {
            values4(values, offsets, first, count, p, d, out);
        }
        for (; d < d1; d++) {
            values1(values, offsets, first, count, p, d, out);
        }
    }

    @Override
    public void packBf16(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] panel, int panelOffset) {
        int p = 0;
        if (WIDE) {
            for (; p + 32 <= k; p += 32) {
                long at = offsetBytes + 2L * p;
                pack16x32(weights, at, strideBytes, panel, panelOffset + p * COLUMNS);
                pack16x32(weights, at + 16 * strideBytes, strideBytes, panel, panelOffset + p * COLUMNS + LANES);
            }
        }
        if (p < k) {
            ScalarKernels.pack(weights, offsetBytes + 2L * p, strideBytes, k - p, panel, panelOffset + p * COLUMNS, COLUMNS);
        }
    }

    /// Whole vectors are copied; what they write beyond a row of the panel is overwritten by the next row.
    @Override
    public void packRows(float[] x, int[] offsets, int count, int d, float[] panel, int panelOffset) {
        for (int n = 0; n < count; n++) {
            int from = offsets[n] + d;
            int to = panelOffset + n * ROWS;
            if (from + 2 * LANES > x.length) {
                System.arraycopy(x, from, panel, to, ROWS);
                continue;
            }
            FloatVector.fromArray(S, x, from).intoArray(panel, to);
            if (ROWS > LANES) {
                FloatVector.fromArray(S, x, from + LANES).intoArray(panel, to + LANES);
            }
        }
    }

    @Override
    public void gemvBf16(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] even, float[] odd, float[] out, int outOffset) {
        FloatVector l0 = FloatVector.zero(S);
        FloatVector h0 = FloatVector.zero(S);
        FloatVector l1 = FloatVector.zero(S);
        FloatVector h1 = FloatVector.zero(S);
        FloatVector l2 = FloatVector.zero(S);
        FloatVector h2 = FloatVector.zero(S);
        FloatVector l3 = FloatVector.zero(S);
        FloatVector h3 = FloatVector.zero(S);
        int p = 0;
        for (; p + COLUMNS <= k; p += COLUMNS) {
            FloatVector e = FloatVector.fromArray(S, even, p / 2);
            FloatVector o = FloatVector.fromArray(S, odd, p / 2);
            long at = offsetBytes + 2L * p;
            IntVector w0 = IntVector.fromMemorySegment(INTS, weights, at, ByteOrder.LITTLE_ENDIAN);
            l0 = w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(e, l0);
            h0 = w0.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().fma(o, h0);
            IntVector w1 = IntVector.fromMemorySegment(INTS, weights, at + strideBytes, ByteOrder.LITTLE_ENDIAN);
            l1 = w1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(e, l1);
            h1 = w1.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().fma(o, h1);
            IntVector w2 = IntVector.fromMemorySegment(INTS, weights, at + 2 * strideBytes, ByteOrder.LITTLE_ENDIAN);
            l2 = w2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(e, l2);
            h2 = w2.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().fma(o, h2);
            IntVector w3 = IntVector.fromMemorySegment(INTS, weights, at + 3 * strideBytes, ByteOrder.LITTLE_ENDIAN);
            l3 = w3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(e, l3);
            h3 = w3.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().fma(o, h3);
        }
        l0 = l0.add(h0);
        l1 = l1.add(h1);
        l2 = l2.add(h2);
        l3 = l3.add(h3);
        if (LANES >= 16) {
            l0 = l0.add(l0.rearrange(BY_8));
            l1 = l1.add(l1.rearrange(BY_8));
            l2 = l2.add(l2.rearrange(BY_8));
            l3 = l3.add(l3.rearrange(BY_8));
        }
        if (LANES >= 8) {
            l0 = l0.add(l0.rearrange(BY_4));
            l1 = l1.add(l1.rearrange(BY_4));
            l2 = l2.add(l2.rearrange(BY_4));
            l3 = l3.add(l3.rearrange(BY_4));
        }
        l0 = l0.add(l0.rearrange(BY_2));
        l1 = l1.add(l1.rearrange(BY_2));
        l2 = l2.add(l2.rearrange(BY_2));
        l3 = l3.add(l3.rearrange(BY_2));
        out[outOffset] = l0.add(l0.rearrange(BY_1)).lane(0);
        out[outOffset + 1] = l1.add(l1.rearrange(BY_1)).lane(0);
        out[outOffset + 2] = l2.add(l2.rearrange(BY_1)).lane(0);
        out[outOffset + 3] = l3.add(l3.rearrange(BY_1)).lane(0);
        for (; p < k; p++) {
            float x = (p & 1) == 0 ? even[p / 2] : odd[p / 2];
            for (int n = 0; n < 4; n++) {
                out[outOffset + n] += ScalarKernels.bf16(weights, offsetBytes + n * strideBytes + 2L * p) * x;
            }
        }
    }

    @Override
    public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
        FloatVector s0 = FloatVector.zero(S);
        FloatVector s1 = FloatVector.zero(S);
        int i = 0;
        for (; i + COLUMNS <= n; i += COLUMNS) {
            s0 = FloatVector.fromArray(S, a, aOffset + i).fma(FloatVector.fromArray(S, b, bOffset + i), s0);
            s1 = FloatVector.fromArray(S, a, aOffset + i + LANES).fma(FloatVector.fromArray(S, b, bOffset + i + LANES), s1);
        }
        s0 = s0.add(s1);
        if (LANES >= 16) {
            s0 = s0.add(s0.rearrange(BY_8));
        }
        if (LANES >= 8) {
            s0 = s0.add(s0.rearrange(BY_4));
        }
        s0 = s0.add(s0.rearrange(BY_2));
        float sum = s0.add(s0.rearrange(BY_1)).lane(0);
        for (; i < n; i++) {
            sum += a[aOffset + i] * b[bOffset + i];
        }
        return sum;
    }

    @Override
    public void axpy(float factor, float[] x, int xOffset, float[] y, int yOffset, int n) {
        FloatVector f = FloatVector.broadcast(S, factor);
        int i = 0;
        for (; i + LANES <= n; i += LANES) {
            f.fma(FloatVector.fromArray(S, x, xOffset + i), FloatVector.fromArray(S, y, yOffset + i)).intoArray(y, yOffset + i);
        }
        for (; i < n; i++) {
            y[yOffset + i] += factor * x[xOffset + i];
        }
    }

    /// Most blocks have no score near the cap; they are spared the half of tanh that only large scores need.
    @Override
    public void capExp(float[] s, int count, int[] members, int firstKey, float scale, float cap, float[] sums) {
        if (largest(s, count * COLUMNS) * (scale / cap) < TANH_SMALL) {
            smallCapExpHalf(s, 0, count, members, firstKey, scale, cap, sums);
            smallCapExpHalf(s, LANES, count, members, firstKey, scale, cap, sums);
        } else {
            capExpHalf(s, 0, count, members, firstKey, scale, cap, sums);
            capExpHalf(s, LANES, count, members, firstKey, scale, cap, sums);
        }
    }

    /// Largest magnitude of n elements, NaN if there is one. `n` is a multiple of `COLUMNS`.
    private static float largest(float[] s, int n) {
        FloatVector low = FloatVector.zero(S);
        FloatVector high = FloatVector.zero(S);
        for (int i = 0; i < n; i += COLUMNS) {
            low = low.max(FloatVector.fromArray(S, s, i).abs());
            high = high.max(FloatVector.fromArray(S, s, i + LANES).abs());
        }
        return low.max(high).reduceLanes(VectorOperators.MAX);
    }

    /// [#capExpHalf] where no `scale · s / cap` reaches 0.625: the same bits, without the branch of tanh that no lane takes.
    private static void smallCapExpHalf(float[] s, int half, int count, int[] members, int firstKey, float scale, float cap, float[] sums) {
        FloatVector sum = FloatVector.fromArray(S, sums, half);
        float inner = scale / cap;
        for (int n = 0; n < count; n++) {
            int at = n * COLUMNS + half;
            FloatVector x = FloatVector.fromArray(S, s, at).mul(inner);
            FloatVector square = x.mul(x);
            FloatVector tanh = square.fma(T4, T3).fma(square, T2).fma(square, T1).fma(square, T0).mul(square).fma(x, x);
            FloatVector capped = tanh.mul(cap);
            FloatVector expWhole = capped.mul(LOG2_E).add(TO_WHOLE);
            IntVector expPower = expWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
            expWhole = expWhole.sub(TO_WHOLE);
            FloatVector expRest = expWhole.fma(MINUS_LN2_LOW, expWhole.fma(MINUS_LN2_HIGH, capped));
            FloatVector expPoly = expRest.fma(E5, E4).fma(expRest, E3).fma(expRest, E2).fma(expRest, E1).fma(expRest, E0);
            FloatVector p = expPoly.fma(expRest.mul(expRest), expRest.add(ONE)).mul(expPower.reinterpretAsFloats());
            if (members != null) {
                p = p.blend(0, LANE_BIT.and(members[firstKey + n] >>> half).compare(VectorOperators.EQ, 0).cast(S));
            }
            sum = sum.add(p);
            p.intoArray(s, at);
        }
        sum.intoArray(sums, half);
    }

    private static void capExpHalf(float[] s, int half, int count, int[] members, int firstKey, float scale, float cap, float[] sums) {
        FloatVector sum = FloatVector.fromArray(S, sums, half);
        float inner = scale / cap;
        for (int n = 0; n < count; n++) {
            int at = n * COLUMNS + half;
            FloatVector x = FloatVector.fromArray(S, s, at).mul(inner);
            FloatVector square = x.mul(x);
            FloatVector small = square.fma(T4, T3).fma(square, T2).fma(square, T1).fma(square, T0).mul(square).fma(x, x);
            FloatVector magnitude = x.abs();
            FloatVector twice = magnitude.blend(TANH_IS_ONE, magnitude.compare(VectorOperators.GT, TANH_IS_ONE)).mul(2f);
            FloatVector tanhWhole = twice.mul(LOG2_E).add(TO_WHOLE);
            IntVector tanhPower = tanhWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
            tanhWhole = tanhWhole.sub(TO_WHOLE);
            FloatVector tanhRest = tanhWhole.fma(MINUS_LN2_LOW, tanhWhole.fma(MINUS_LN2_HIGH, twice));
            FloatVector tanhPoly = tanhRest.fma(E5, E4).fma(tanhRest, E3).fma(tanhRest, E2).fma(tanhRest, E1).fma(tanhRest, E0);
            FloatVector power = tanhPoly.fma(tanhRest.mul(tanhRest), tanhRest.add(ONE)).mul(tanhPower.reinterpretAsFloats());
            FloatVector great = ONE.sub(TWO.div(power.add(ONE)));
            great = great.reinterpretAsInts().or(x.reinterpretAsInts().and(SIGN)).reinterpretAsFloats();
            FloatVector tanh = small.blend(great, magnitude.compare(VectorOperators.GE, TANH_SMALL));
            FloatVector capped = tanh.mul(cap);
            FloatVector expWhole = capped.mul(LOG2_E).add(TO_WHOLE);
            IntVector expPower = expWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
            expWhole = expWhole.sub(TO_WHOLE);
            FloatVector expRest = expWhole.fma(MINUS_LN2_LOW, expWhole.fma(MINUS_LN2_HIGH, capped));
            FloatVector expPoly = expRest.fma(E5, E4).fma(expRest, E3).fma(expRest, E2).fma(expRest, E1).fma(expRest, E0);
            FloatVector p = expPoly.fma(expRest.mul(expRest), expRest.add(ONE)).mul(expPower.reinterpretAsFloats());
            if (members != null) {
                p = p.blend(0, LANE_BIT.and(members[firstKey + n] >>> half).compare(VectorOperators.EQ, 0).cast(S));
            }
            sum = sum.add(p);
            p.intoArray(s, at);
        }
        sum.intoArray(sums, half);
    }

    @Override
    public void onlineExp(float[] s, int count, int[] members, int firstKey, float scale, float cap, float[] sums,
                          float[] maxima, float[] rescale) {
        if (cap > 0) {
            cap(s, 0, count * COLUMNS, scale, cap);
        }
        onlineExpHalf(s, 0, count, members, firstKey, cap > 0 ? 1 : scale, sums, maxima, rescale);
        onlineExpHalf(s, LANES, count, members, firstKey, cap > 0 ? 1 : scale, sums, maxima, rescale);
    }

    @Override
    public void cap(float[] s, int offset, int n, float scale, float cap) {
        float inner = scale / cap;
        int i = offset;
        for (; i + LANES <= offset + n; i += LANES) {
            FloatVector x = FloatVector.fromArray(S, s, i).mul(inner);
            FloatVector square = x.mul(x);
            FloatVector small = square.fma(T4, T3).fma(square, T2).fma(square, T1).fma(square, T0).mul(square).fma(x, x);
            FloatVector magnitude = x.abs();
            FloatVector twice = magnitude.blend(TANH_IS_ONE, magnitude.compare(VectorOperators.GT, TANH_IS_ONE)).mul(2f);
            FloatVector tanhWhole = twice.mul(LOG2_E).add(TO_WHOLE);
            IntVector tanhPower = tanhWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
            tanhWhole = tanhWhole.sub(TO_WHOLE);
            FloatVector tanhRest = tanhWhole.fma(MINUS_LN2_LOW, tanhWhole.fma(MINUS_LN2_HIGH, twice));
            FloatVector tanhPoly = tanhRest.fma(E5, E4).fma(tanhRest, E3).fma(tanhRest, E2).fma(tanhRest, E1).fma(tanhRest, E0);
            FloatVector power = tanhPoly.fma(tanhRest.mul(tanhRest), tanhRest.add(ONE)).mul(tanhPower.reinterpretAsFloats());
            FloatVector great = ONE.sub(TWO.div(power.add(ONE)));
            great = great.reinterpretAsInts().or(x.reinterpretAsInts().and(SIGN)).reinterpretAsFloats();
            FloatVector tanh = small.blend(great, magnitude.compare(VectorOperators.GE, TANH_SMALL));
            tanh.mul(cap).intoArray(s, i);
        }
        for (; i < offset + n; i++) {
            s[i] = cap * (float) Math.tanh(s[i] * inner);
        }
    }

    private static void onlineExpHalf(float[] s, int half, int count, int[] members, int firstKey, float scale,
                                      float[] sums, float[] maxima, float[] rescale) {
        FloatVector before = FloatVector.fromArray(S, maxima, half);
        FloatVector max = before;
        for (int n = 0; n < count; n++) {
            FloatVector x = FloatVector.fromArray(S, s, n * COLUMNS + half).mul(scale);
            if (members != null) {
                x = x.blend(Float.NEGATIVE_INFINITY, LANE_BIT.and(members[firstKey + n] >>> half).compare(VectorOperators.EQ, 0).cast(S));
            }
            x.intoArray(s, n * COLUMNS + half);
            max = max.max(x);
        }
        // a query that has seen nothing yet keeps -infinity; its shift is 0, so that no infinity is subtracted from another
        VectorMask<Float> nothing = max.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY);
        FloatVector shift = max.blend(0, nothing);
        FloatVector moved = before.sub(shift);
        FloatVector moveWhole = moved.mul(LOG2_E).add(TO_WHOLE);
        IntVector movePower = moveWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
        moveWhole = moveWhole.sub(TO_WHOLE);
        FloatVector moveRest = moveWhole.fma(MINUS_LN2_LOW, moveWhole.fma(MINUS_LN2_HIGH, moved));
        FloatVector movePoly = moveRest.fma(E5, E4).fma(moveRest, E3).fma(moveRest, E2).fma(moveRest, E1).fma(moveRest, E0);
        FloatVector factor = movePoly.fma(moveRest.mul(moveRest), moveRest.add(ONE)).mul(movePower.reinterpretAsFloats());
        factor = factor.blend(0, moved.compare(VectorOperators.LT, EXP_LOWEST)).blend(ONE, nothing);
        FloatVector sum = FloatVector.fromArray(S, sums, half).mul(factor);
        for (int n = 0; n < count; n++) {
            FloatVector x = FloatVector.fromArray(S, s, n * COLUMNS + half).sub(shift);
            FloatVector expWhole = x.mul(LOG2_E).add(TO_WHOLE);
            IntVector expPower = expWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
            expWhole = expWhole.sub(TO_WHOLE);
            FloatVector expRest = expWhole.fma(MINUS_LN2_LOW, expWhole.fma(MINUS_LN2_HIGH, x));
            FloatVector expPoly = expRest.fma(E5, E4).fma(expRest, E3).fma(expRest, E2).fma(expRest, E1).fma(expRest, E0);
            FloatVector p = expPoly.fma(expRest.mul(expRest), expRest.add(ONE)).mul(expPower.reinterpretAsFloats());
            p = p.blend(0, x.compare(VectorOperators.LT, EXP_LOWEST));
            p.intoArray(s, n * COLUMNS + half);
            sum = sum.add(p);
        }
        sum.intoArray(sums, half);
        max.intoArray(maxima, half);
        factor.intoArray(rescale, half);
    }

    @Override
    public void scaleColumns(float[] x, int rows, float[] factor) {
        FloatVector low = FloatVector.fromArray(S, factor, 0);
        FloatVector high = FloatVector.fromArray(S, factor, LANES);
        for (int r = 0; r < rows; r++) {
            FloatVector.fromArray(S, x, r * COLUMNS).mul(low).intoArray(x, r * COLUMNS);
            FloatVector.fromArray(S, x, r * COLUMNS + LANES).mul(high).intoArray(x, r * COLUMNS + LANES);
        }
    }

    @Override
    public void geluTimes(float[] gate, float[] up, int offset, int n) {
        int i = offset;
        for (; i + LANES <= offset + n; i += LANES) {
            FloatVector z = FloatVector.fromArray(S, gate, i);
            FloatVector x = z.mul(z).mul(z).mul(0.044715f).add(z).mul(0.7978845608f);
            FloatVector square = x.mul(x);
            FloatVector small = square.fma(T4, T3).fma(square, T2).fma(square, T1).fma(square, T0).mul(square).fma(x, x);
            FloatVector magnitude = x.abs();
            FloatVector twice = magnitude.blend(TANH_IS_ONE, magnitude.compare(VectorOperators.GT, TANH_IS_ONE)).mul(2f);
            FloatVector tanhWhole = twice.mul(LOG2_E).add(TO_WHOLE);
            IntVector tanhPower = tanhWhole.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(ONE_BITS);
            tanhWhole = tanhWhole.sub(TO_WHOLE);
            FloatVector tanhRest = tanhWhole.fma(MINUS_LN2_LOW, tanhWhole.fma(MINUS_LN2_HIGH, twice));
            FloatVector tanhPoly = tanhRest.fma(E5, E4).fma(tanhRest, E3).fma(tanhRest, E2).fma(tanhRest, E1).fma(tanhRest, E0);
            FloatVector power = tanhPoly.fma(tanhRest.mul(tanhRest), tanhRest.add(ONE)).mul(tanhPower.reinterpretAsFloats());
            FloatVector great = ONE.sub(TWO.div(power.add(ONE)));
            great = great.reinterpretAsInts().or(x.reinterpretAsInts().and(SIGN)).reinterpretAsFloats();
            FloatVector tanh = small.blend(great, magnitude.compare(VectorOperators.GE, TANH_SMALL));
            z.mul(0.5f).mul(tanh.add(ONE)).mul(FloatVector.fromArray(S, up, i)).intoArray(gate, i);
        }
        for (; i < offset + n; i++) {
            float z = gate[i];
            gate[i] = z / 2 * (1 + (float) Math.tanh(0.7978845608f * (z + 0.044715f * z * z * z))) * up[i];
        }
    }

    @Override
    public void normRow(float[] x, int xOffset, float inverse, float[] weight, float[] y, int yOffset, int n) {
        int i = 0;
        for (; i + LANES <= n; i += LANES) {
            FloatVector.fromArray(S, x, xOffset + i).mul(inverse).mul(FloatVector.fromArray(S, weight, i).add(1f)).intoArray(y, yOffset + i);
        }
        for (; i < n; i++) {
            y[yOffset + i] = x[xOffset + i] * inverse * (1 + weight[i]);
        }
    }

    /// 16 rows x 32 k: rows as vectors of 16 ints (two BF16 each), four butterfly steps, then each int becomes two floats.
    private static void pack16x32(MemorySegment w, long at, long strideBytes, float[] panel, int to) {
        IntVector r0 = IntVector.fromMemorySegment(INTS, w, at, ByteOrder.LITTLE_ENDIAN);
        IntVector r1 = IntVector.fromMemorySegment(INTS, w, at + strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r2 = IntVector.fromMemorySegment(INTS, w, at + 2 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r3 = IntVector.fromMemorySegment(INTS, w, at + 3 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r4 = IntVector.fromMemorySegment(INTS, w, at + 4 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r5 = IntVector.fromMemorySegment(INTS, w, at + 5 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r6 = IntVector.fromMemorySegment(INTS, w, at + 6 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r7 = IntVector.fromMemorySegment(INTS, w, at + 7 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r8 = IntVector.fromMemorySegment(INTS, w, at + 8 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r9 = IntVector.fromMemorySegment(INTS, w, at + 9 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r10 = IntVector.fromMemorySegment(INTS, w, at + 10 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r11 = IntVector.fromMemorySegment(INTS, w, at + 11 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r12 = IntVector.fromMemorySegment(INTS, w, at + 12 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r13 = IntVector.fromMemorySegment(INTS, w, at + 13 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r14 = IntVector.fromMemorySegment(INTS, w, at + 14 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector r15 = IntVector.fromMemorySegment(INTS, w, at + 15 * strideBytes, ByteOrder.LITTLE_ENDIAN);
        IntVector s8x0 = r0.blend(r8.rearrange(SWAP_8), UPPER_8);
        IntVector s8x8 = r8.blend(r0.rearrange(SWAP_8), LOWER_8);
        IntVector s8x1 = r1.blend(r9.rearrange(SWAP_8), UPPER_8);
        IntVector s8x9 = r9.blend(r1.rearrange(SWAP_8), LOWER_8);
        IntVector s8x2 = r2.blend(r10.rearrange(SWAP_8), UPPER_8);
        IntVector s8x10 = r10.blend(r2.rearrange(SWAP_8), LOWER_8);
        IntVector s8x3 = r3.blend(r11.rearrange(SWAP_8), UPPER_8);
        IntVector s8x11 = r11.blend(r3.rearrange(SWAP_8), LOWER_8);
        IntVector s8x4 = r4.blend(r12.rearrange(SWAP_8), UPPER_8);
        IntVector s8x12 = r12.blend(r4.rearrange(SWAP_8), LOWER_8);
        IntVector s8x5 = r5.blend(r13.rearrange(SWAP_8), UPPER_8);
        IntVector s8x13 = r13.blend(r5.rearrange(SWAP_8), LOWER_8);
        IntVector s8x6 = r6.blend(r14.rearrange(SWAP_8), UPPER_8);
        IntVector s8x14 = r14.blend(r6.rearrange(SWAP_8), LOWER_8);
        IntVector s8x7 = r7.blend(r15.rearrange(SWAP_8), UPPER_8);
        IntVector s8x15 = r15.blend(r7.rearrange(SWAP_8), LOWER_8);
        IntVector s4x0 = s8x0.blend(s8x4.rearrange(SWAP_4), UPPER_4);
        IntVector s4x4 = s8x4.blend(s8x0.rearrange(SWAP_4), LOWER_4);
        IntVector s4x1 = s8x1.blend(s8x5.rearrange(SWAP_4), UPPER_4);
        IntVector s4x5 = s8x5.blend(s8x1.rearrange(SWAP_4), LOWER_4);
        IntVector s4x2 = s8x2.blend(s8x6.rearrange(SWAP_4), UPPER_4);
        IntVector s4x6 = s8x6.blend(s8x2.rearrange(SWAP_4), LOWER_4);
        IntVector s4x3 = s8x3.blend(s8x7.rearrange(SWAP_4), UPPER_4);
        IntVector s4x7 = s8x7.blend(s8x3.rearrange(SWAP_4), LOWER_4);
        IntVector s4x8 = s8x8.blend(s8x12.rearrange(SWAP_4), UPPER_4);
        IntVector s4x12 = s8x12.blend(s8x8.rearrange(SWAP_4), LOWER_4);
        IntVector s4x9 = s8x9.blend(s8x13.rearrange(SWAP_4), UPPER_4);
        IntVector s4x13 = s8x13.blend(s8x9.rearrange(SWAP_4), LOWER_4);
        IntVector s4x10 = s8x10.blend(s8x14.rearrange(SWAP_4), UPPER_4);
        IntVector s4x14 = s8x14.blend(s8x10.rearrange(SWAP_4), LOWER_4);
        IntVector s4x11 = s8x11.blend(s8x15.rearrange(SWAP_4), UPPER_4);
        IntVector s4x15 = s8x15.blend(s8x11.rearrange(SWAP_4), LOWER_4);
        IntVector s2x0 = s4x0.blend(s4x2.rearrange(SWAP_2), UPPER_2);
        IntVector s2x2 = s4x2.blend(s4x0.rearrange(SWAP_2), LOWER_2);
        IntVector s2x1 = s4x1.blend(s4x3.rearrange(SWAP_2), UPPER_2);
        IntVector s2x3 = s4x3.blend(s4x1.rearrange(SWAP_2), LOWER_2);
        IntVector s2x4 = s4x4.blend(s4x6.rearrange(SWAP_2), UPPER_2);
        IntVector s2x6 = s4x6.blend(s4x4.rearrange(SWAP_2), LOWER_2);
        IntVector s2x5 = s4x5.blend(s4x7.rearrange(SWAP_2), UPPER_2);
        IntVector s2x7 = s4x7.blend(s4x5.rearrange(SWAP_2), LOWER_2);
        IntVector s2x8 = s4x8.blend(s4x10.rearrange(SWAP_2), UPPER_2);
        IntVector s2x10 = s4x10.blend(s4x8.rearrange(SWAP_2), LOWER_2);
        IntVector s2x9 = s4x9.blend(s4x11.rearrange(SWAP_2), UPPER_2);
        IntVector s2x11 = s4x11.blend(s4x9.rearrange(SWAP_2), LOWER_2);
        IntVector s2x12 = s4x12.blend(s4x14.rearrange(SWAP_2), UPPER_2);
        IntVector s2x14 = s4x14.blend(s4x12.rearrange(SWAP_2), LOWER_2);
        IntVector s2x13 = s4x13.blend(s4x15.rearrange(SWAP_2), UPPER_2);
        IntVector s2x15 = s4x15.blend(s4x13.rearrange(SWAP_2), LOWER_2);
        IntVector s1x0 = s2x0.blend(s2x1.rearrange(SWAP_1), UPPER_1);
        IntVector s1x1 = s2x1.blend(s2x0.rearrange(SWAP_1), LOWER_1);
        IntVector s1x2 = s2x2.blend(s2x3.rearrange(SWAP_1), UPPER_1);
        IntVector s1x3 = s2x3.blend(s2x2.rearrange(SWAP_1), LOWER_1);
        IntVector s1x4 = s2x4.blend(s2x5.rearrange(SWAP_1), UPPER_1);
        IntVector s1x5 = s2x5.blend(s2x4.rearrange(SWAP_1), LOWER_1);
        IntVector s1x6 = s2x6.blend(s2x7.rearrange(SWAP_1), UPPER_1);
        IntVector s1x7 = s2x7.blend(s2x6.rearrange(SWAP_1), LOWER_1);
        IntVector s1x8 = s2x8.blend(s2x9.rearrange(SWAP_1), UPPER_1);
        IntVector s1x9 = s2x9.blend(s2x8.rearrange(SWAP_1), LOWER_1);
        IntVector s1x10 = s2x10.blend(s2x11.rearrange(SWAP_1), UPPER_1);
        IntVector s1x11 = s2x11.blend(s2x10.rearrange(SWAP_1), LOWER_1);
        IntVector s1x12 = s2x12.blend(s2x13.rearrange(SWAP_1), UPPER_1);
        IntVector s1x13 = s2x13.blend(s2x12.rearrange(SWAP_1), LOWER_1);
        IntVector s1x14 = s2x14.blend(s2x15.rearrange(SWAP_1), UPPER_1);
        IntVector s1x15 = s2x15.blend(s2x14.rearrange(SWAP_1), LOWER_1);
        s1x0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to);
        s1x0.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + COLUMNS);
        s1x1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 2 * COLUMNS);
        s1x1.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 2 * COLUMNS + COLUMNS);
        s1x2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 4 * COLUMNS);
        s1x2.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 4 * COLUMNS + COLUMNS);
        s1x3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 6 * COLUMNS);
        s1x3.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 6 * COLUMNS + COLUMNS);
        s1x4.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 8 * COLUMNS);
        s1x4.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 8 * COLUMNS + COLUMNS);
        s1x5.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 10 * COLUMNS);
        s1x5.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 10 * COLUMNS + COLUMNS);
        s1x6.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 12 * COLUMNS);
        s1x6.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 12 * COLUMNS + COLUMNS);
        s1x7.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 14 * COLUMNS);
        s1x7.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 14 * COLUMNS + COLUMNS);
        s1x8.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 16 * COLUMNS);
        s1x8.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 16 * COLUMNS + COLUMNS);
        s1x9.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 18 * COLUMNS);
        s1x9.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 18 * COLUMNS + COLUMNS);
        s1x10.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 20 * COLUMNS);
        s1x10.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 20 * COLUMNS + COLUMNS);
        s1x11.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 22 * COLUMNS);
        s1x11.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 22 * COLUMNS + COLUMNS);
        s1x12.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 24 * COLUMNS);
        s1x12.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 24 * COLUMNS + COLUMNS);
        s1x13.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 26 * COLUMNS);
        s1x13.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 26 * COLUMNS + COLUMNS);
        s1x14.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 28 * COLUMNS);
        s1x14.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 28 * COLUMNS + COLUMNS);
        s1x15.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, to + 30 * COLUMNS);
        s1x15.lanewise(VectorOperators.AND, 0xffff0000).reinterpretAsFloats().intoArray(panel, to + 30 * COLUMNS + COLUMNS);
    }

    private static void gemm12(float[] a, int aOffset, float[] b, int bOffset, int k, float[] c, int cOffset, int cStride, boolean accumulate) {
        FloatVector l0 = FloatVector.zero(S);
        FloatVector h0 = FloatVector.zero(S);
        FloatVector l1 = FloatVector.zero(S);
        FloatVector h1 = FloatVector.zero(S);
        FloatVector l2 = FloatVector.zero(S);
        FloatVector h2 = FloatVector.zero(S);
        FloatVector l3 = FloatVector.zero(S);
        FloatVector h3 = FloatVector.zero(S);
        FloatVector l4 = FloatVector.zero(S);
        FloatVector h4 = FloatVector.zero(S);
        FloatVector l5 = FloatVector.zero(S);
        FloatVector h5 = FloatVector.zero(S);
        FloatVector l6 = FloatVector.zero(S);
        FloatVector h6 = FloatVector.zero(S);
        FloatVector l7 = FloatVector.zero(S);
        FloatVector h7 = FloatVector.zero(S);
        FloatVector l8 = FloatVector.zero(S);
        FloatVector h8 = FloatVector.zero(S);
        FloatVector l9 = FloatVector.zero(S);
        FloatVector h9 = FloatVector.zero(S);
        FloatVector l10 = FloatVector.zero(S);
        FloatVector h10 = FloatVector.zero(S);
        FloatVector l11 = FloatVector.zero(S);
        FloatVector h11 = FloatVector.zero(S);
        for (int p = 0; p < k; p++) {
            FloatVector low = FloatVector.fromArray(S, b, bOffset + p * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, b, bOffset + p * COLUMNS + LANES);
            int row = aOffset + p * 12;
            FloatVector a0 = FloatVector.broadcast(S, a[row]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, a[row + 1]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, a[row + 2]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, a[row + 3]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
            FloatVector a4 = FloatVector.broadcast(S, a[row + 4]);
            l4 = a4.fma(low, l4);
            h4 = a4.fma(high, h4);
            FloatVector a5 = FloatVector.broadcast(S, a[row + 5]);
            l5 = a5.fma(low, l5);
            h5 = a5.fma(high, h5);
            FloatVector a6 = FloatVector.broadcast(S, a[row + 6]);
            l6 = a6.fma(low, l6);
            h6 = a6.fma(high, h6);
            FloatVector a7 = FloatVector.broadcast(S, a[row + 7]);
            l7 = a7.fma(low, l7);
            h7 = a7.fma(high, h7);
            FloatVector a8 = FloatVector.broadcast(S, a[row + 8]);
            l8 = a8.fma(low, l8);
            h8 = a8.fma(high, h8);
            FloatVector a9 = FloatVector.broadcast(S, a[row + 9]);
            l9 = a9.fma(low, l9);
            h9 = a9.fma(high, h9);
            FloatVector a10 = FloatVector.broadcast(S, a[row + 10]);
            l10 = a10.fma(low, l10);
            h10 = a10.fma(high, h10);
            FloatVector a11 = FloatVector.broadcast(S, a[row + 11]);
            l11 = a11.fma(low, l11);
            h11 = a11.fma(high, h11);
        }
        if (accumulate) {
            l0.add(FloatVector.fromArray(S, c, cOffset)).intoArray(c, cOffset);
            h0.add(FloatVector.fromArray(S, c, cOffset + LANES)).intoArray(c, cOffset + LANES);
            l1.add(FloatVector.fromArray(S, c, cOffset + cStride)).intoArray(c, cOffset + cStride);
            h1.add(FloatVector.fromArray(S, c, cOffset + cStride + LANES)).intoArray(c, cOffset + cStride + LANES);
            l2.add(FloatVector.fromArray(S, c, cOffset + 2 * cStride)).intoArray(c, cOffset + 2 * cStride);
            h2.add(FloatVector.fromArray(S, c, cOffset + 2 * cStride + LANES)).intoArray(c, cOffset + 2 * cStride + LANES);
            l3.add(FloatVector.fromArray(S, c, cOffset + 3 * cStride)).intoArray(c, cOffset + 3 * cStride);
            h3.add(FloatVector.fromArray(S, c, cOffset + 3 * cStride + LANES)).intoArray(c, cOffset + 3 * cStride + LANES);
            l4.add(FloatVector.fromArray(S, c, cOffset + 4 * cStride)).intoArray(c, cOffset + 4 * cStride);
            h4.add(FloatVector.fromArray(S, c, cOffset + 4 * cStride + LANES)).intoArray(c, cOffset + 4 * cStride + LANES);
            l5.add(FloatVector.fromArray(S, c, cOffset + 5 * cStride)).intoArray(c, cOffset + 5 * cStride);
            h5.add(FloatVector.fromArray(S, c, cOffset + 5 * cStride + LANES)).intoArray(c, cOffset + 5 * cStride + LANES);
            l6.add(FloatVector.fromArray(S, c, cOffset + 6 * cStride)).intoArray(c, cOffset + 6 * cStride);
            h6.add(FloatVector.fromArray(S, c, cOffset + 6 * cStride + LANES)).intoArray(c, cOffset + 6 * cStride + LANES);
            l7.add(FloatVector.fromArray(S, c, cOffset + 7 * cStride)).intoArray(c, cOffset + 7 * cStride);
            h7.add(FloatVector.fromArray(S, c, cOffset + 7 * cStride + LANES)).intoArray(c, cOffset + 7 * cStride + LANES);
            l8.add(FloatVector.fromArray(S, c, cOffset + 8 * cStride)).intoArray(c, cOffset + 8 * cStride);
            h8.add(FloatVector.fromArray(S, c, cOffset + 8 * cStride + LANES)).intoArray(c, cOffset + 8 * cStride + LANES);
            l9.add(FloatVector.fromArray(S, c, cOffset + 9 * cStride)).intoArray(c, cOffset + 9 * cStride);
            h9.add(FloatVector.fromArray(S, c, cOffset + 9 * cStride + LANES)).intoArray(c, cOffset + 9 * cStride + LANES);
            l10.add(FloatVector.fromArray(S, c, cOffset + 10 * cStride)).intoArray(c, cOffset + 10 * cStride);
            h10.add(FloatVector.fromArray(S, c, cOffset + 10 * cStride + LANES)).intoArray(c, cOffset + 10 * cStride + LANES);
            l11.add(FloatVector.fromArray(S, c, cOffset + 11 * cStride)).intoArray(c, cOffset + 11 * cStride);
            h11.add(FloatVector.fromArray(S, c, cOffset + 11 * cStride + LANES)).intoArray(c, cOffset + 11 * cStride + LANES);
        } else {
            l0.intoArray(c, cOffset);
            h0.intoArray(c, cOffset + LANES);
            l1.intoArray(c, cOffset + cStride);
            h1.intoArray(c, cOffset + cStride + LANES);
            l2.intoArray(c, cOffset + 2 * cStride);
            h2.intoArray(c, cOffset + 2 * cStride + LANES);
            l3.intoArray(c, cOffset + 3 * cStride);
            h3.intoArray(c, cOffset + 3 * cStride + LANES);
            l4.intoArray(c, cOffset + 4 * cStride);
            h4.intoArray(c, cOffset + 4 * cStride + LANES);
            l5.intoArray(c, cOffset + 5 * cStride);
            h5.intoArray(c, cOffset + 5 * cStride + LANES);
            l6.intoArray(c, cOffset + 6 * cStride);
            h6.intoArray(c, cOffset + 6 * cStride + LANES);
            l7.intoArray(c, cOffset + 7 * cStride);
            h7.intoArray(c, cOffset + 7 * cStride + LANES);
            l8.intoArray(c, cOffset + 8 * cStride);
            h8.intoArray(c, cOffset + 8 * cStride + LANES);
            l9.intoArray(c, cOffset + 9 * cStride);
            h9.intoArray(c, cOffset + 9 * cStride + LANES);
            l10.intoArray(c, cOffset + 10 * cStride);
            h10.intoArray(c, cOffset + 10 * cStride + LANES);
            l11.intoArray(c, cOffset + 11 * cStride);
            h11.intoArray(c, cOffset + 11 * cStride + LANES);
        }
    }

    private static void gemm6(float[] a, int aOffset, float[] b, int bOffset, int k, float[] c, int cOffset, int cStride, boolean accumulate) {
        FloatVector l0 = FloatVector.zero(S);
        FloatVector h0 = FloatVector.zero(S);
        FloatVector l1 = FloatVector.zero(S);
        FloatVector h1 = FloatVector.zero(S);
        FloatVector l2 = FloatVector.zero(S);
        FloatVector h2 = FloatVector.zero(S);
        FloatVector l3 = FloatVector.zero(S);
        FloatVector h3 = FloatVector.zero(S);
        FloatVector l4 = FloatVector.zero(S);
        FloatVector h4 = FloatVector.zero(S);
        FloatVector l5 = FloatVector.zero(S);
        FloatVector h5 = FloatVector.zero(S);
        for (int p = 0; p < k; p++) {
            FloatVector low = FloatVector.fromArray(S, b, bOffset + p * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, b, bOffset + p * COLUMNS + LANES);
            int row = aOffset + p * 6;
            FloatVector a0 = FloatVector.broadcast(S, a[row]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, a[row + 1]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, a[row + 2]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, a[row + 3]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
            FloatVector a4 = FloatVector.broadcast(S, a[row + 4]);
            l4 = a4.fma(low, l4);
            h4 = a4.fma(high, h4);
            FloatVector a5 = FloatVector.broadcast(S, a[row + 5]);
            l5 = a5.fma(low, l5);
            h5 = a5.fma(high, h5);
        }
        if (accumulate) {
            l0.add(FloatVector.fromArray(S, c, cOffset)).intoArray(c, cOffset);
            h0.add(FloatVector.fromArray(S, c, cOffset + LANES)).intoArray(c, cOffset + LANES);
            l1.add(FloatVector.fromArray(S, c, cOffset + cStride)).intoArray(c, cOffset + cStride);
            h1.add(FloatVector.fromArray(S, c, cOffset + cStride + LANES)).intoArray(c, cOffset + cStride + LANES);
            l2.add(FloatVector.fromArray(S, c, cOffset + 2 * cStride)).intoArray(c, cOffset + 2 * cStride);
            h2.add(FloatVector.fromArray(S, c, cOffset + 2 * cStride + LANES)).intoArray(c, cOffset + 2 * cStride + LANES);
            l3.add(FloatVector.fromArray(S, c, cOffset + 3 * cStride)).intoArray(c, cOffset + 3 * cStride);
            h3.add(FloatVector.fromArray(S, c, cOffset + 3 * cStride + LANES)).intoArray(c, cOffset + 3 * cStride + LANES);
            l4.add(FloatVector.fromArray(S, c, cOffset + 4 * cStride)).intoArray(c, cOffset + 4 * cStride);
            h4.add(FloatVector.fromArray(S, c, cOffset + 4 * cStride + LANES)).intoArray(c, cOffset + 4 * cStride + LANES);
            l5.add(FloatVector.fromArray(S, c, cOffset + 5 * cStride)).intoArray(c, cOffset + 5 * cStride);
            h5.add(FloatVector.fromArray(S, c, cOffset + 5 * cStride + LANES)).intoArray(c, cOffset + 5 * cStride + LANES);
        } else {
            l0.intoArray(c, cOffset);
            h0.intoArray(c, cOffset + LANES);
            l1.intoArray(c, cOffset + cStride);
            h1.intoArray(c, cOffset + cStride + LANES);
            l2.intoArray(c, cOffset + 2 * cStride);
            h2.intoArray(c, cOffset + 2 * cStride + LANES);
            l3.intoArray(c, cOffset + 3 * cStride);
            h3.intoArray(c, cOffset + 3 * cStride + LANES);
            l4.intoArray(c, cOffset + 4 * cStride);
            h4.intoArray(c, cOffset + 4 * cStride + LANES);
            l5.intoArray(c, cOffset + 5 * cStride);
            h5.intoArray(c, cOffset + 5 * cStride + LANES);
        }
    }

    private static void score12(float[] keys, int[] offsets, int first, float[] queries, int headDim, float[] s, int sOffset) {
        int k0 = offsets[first];
        int k1 = offsets[first + 1];
        int k2 = offsets[first + 2];
        int k3 = offsets[first + 3];
        int k4 = offsets[first + 4];
        int k5 = offsets[first + 5];
        int k6 = offsets[first + 6];
        int k7 = offsets[first + 7];
        int k8 = offsets[first + 8];
        int k9 = offsets[first + 9];
        int k10 = offsets[first + 10];
        int k11 = offsets[first + 11];
        FloatVector l0 = FloatVector.zero(S);
        FloatVector h0 = FloatVector.zero(S);
        FloatVector l1 = FloatVector.zero(S);
        FloatVector h1 = FloatVector.zero(S);
        FloatVector l2 = FloatVector.zero(S);
        FloatVector h2 = FloatVector.zero(S);
        FloatVector l3 = FloatVector.zero(S);
        FloatVector h3 = FloatVector.zero(S);
        FloatVector l4 = FloatVector.zero(S);
        FloatVector h4 = FloatVector.zero(S);
        FloatVector l5 = FloatVector.zero(S);
        FloatVector h5 = FloatVector.zero(S);
        FloatVector l6 = FloatVector.zero(S);
        FloatVector h6 = FloatVector.zero(S);
        FloatVector l7 = FloatVector.zero(S);
        FloatVector h7 = FloatVector.zero(S);
        FloatVector l8 = FloatVector.zero(S);
        FloatVector h8 = FloatVector.zero(S);
        FloatVector l9 = FloatVector.zero(S);
        FloatVector h9 = FloatVector.zero(S);
        FloatVector l10 = FloatVector.zero(S);
        FloatVector h10 = FloatVector.zero(S);
        FloatVector l11 = FloatVector.zero(S);
        FloatVector h11 = FloatVector.zero(S);
        for (int d = 0; d < headDim; d++) {
            FloatVector low = FloatVector.fromArray(S, queries, d * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, queries, d * COLUMNS + LANES);
            FloatVector a0 = FloatVector.broadcast(S, keys[k0 + d]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, keys[k1 + d]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, keys[k2 + d]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, keys[k3 + d]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
            FloatVector a4 = FloatVector.broadcast(S, keys[k4 + d]);
            l4 = a4.fma(low, l4);
            h4 = a4.fma(high, h4);
            FloatVector a5 = FloatVector.broadcast(S, keys[k5 + d]);
            l5 = a5.fma(low, l5);
            h5 = a5.fma(high, h5);
            FloatVector a6 = FloatVector.broadcast(S, keys[k6 + d]);
            l6 = a6.fma(low, l6);
            h6 = a6.fma(high, h6);
            FloatVector a7 = FloatVector.broadcast(S, keys[k7 + d]);
            l7 = a7.fma(low, l7);
            h7 = a7.fma(high, h7);
            FloatVector a8 = FloatVector.broadcast(S, keys[k8 + d]);
            l8 = a8.fma(low, l8);
            h8 = a8.fma(high, h8);
            FloatVector a9 = FloatVector.broadcast(S, keys[k9 + d]);
            l9 = a9.fma(low, l9);
            h9 = a9.fma(high, h9);
            FloatVector a10 = FloatVector.broadcast(S, keys[k10 + d]);
            l10 = a10.fma(low, l10);
            h10 = a10.fma(high, h10);
            FloatVector a11 = FloatVector.broadcast(S, keys[k11 + d]);
            l11 = a11.fma(low, l11);
            h11 = a11.fma(high, h11);
        }
        l0.intoArray(s, sOffset);
        h0.intoArray(s, sOffset + LANES);
        l1.intoArray(s, sOffset + COLUMNS);
        h1.intoArray(s, sOffset + COLUMNS + LANES);
        l2.intoArray(s, sOffset + 2 * COLUMNS);
        h2.intoArray(s, sOffset + 2 * COLUMNS + LANES);
        l3.intoArray(s, sOffset + 3 * COLUMNS);
        h3.intoArray(s, sOffset + 3 * COLUMNS + LANES);
        l4.intoArray(s, sOffset + 4 * COLUMNS);
        h4.intoArray(s, sOffset + 4 * COLUMNS + LANES);
        l5.intoArray(s, sOffset + 5 * COLUMNS);
        h5.intoArray(s, sOffset + 5 * COLUMNS + LANES);
        l6.intoArray(s, sOffset + 6 * COLUMNS);
        h6.intoArray(s, sOffset + 6 * COLUMNS + LANES);
        l7.intoArray(s, sOffset + 7 * COLUMNS);
        h7.intoArray(s, sOffset + 7 * COLUMNS + LANES);
        l8.intoArray(s, sOffset + 8 * COLUMNS);
        h8.intoArray(s, sOffset + 8 * COLUMNS + LANES);
        l9.intoArray(s, sOffset + 9 * COLUMNS);
        h9.intoArray(s, sOffset + 9 * COLUMNS + LANES);
        l10.intoArray(s, sOffset + 10 * COLUMNS);
        h10.intoArray(s, sOffset + 10 * COLUMNS + LANES);
        l11.intoArray(s, sOffset + 11 * COLUMNS);
        h11.intoArray(s, sOffset + 11 * COLUMNS + LANES);
    }

    private static void score6(float[] keys, int[] offsets, int first, float[] queries, int headDim, float[] s, int sOffset) {
        int k0 = offsets[first];
        int k1 = offsets[first + 1];
        int k2 = offsets[first + 2];
        int k3 = offsets[first + 3];
        int k4 = offsets[first + 4];
        int k5 = offsets[first + 5];
        FloatVector l0 = FloatVector.zero(S);
        FloatVector h0 = FloatVector.zero(S);
        FloatVector l1 = FloatVector.zero(S);
        FloatVector h1 = FloatVector.zero(S);
        FloatVector l2 = FloatVector.zero(S);
        FloatVector h2 = FloatVector.zero(S);
        FloatVector l3 = FloatVector.zero(S);
        FloatVector h3 = FloatVector.zero(S);
        FloatVector l4 = FloatVector.zero(S);
        FloatVector h4 = FloatVector.zero(S);
        FloatVector l5 = FloatVector.zero(S);
        FloatVector h5 = FloatVector.zero(S);
        for (int d = 0; d < headDim; d++) {
            FloatVector low = FloatVector.fromArray(S, queries, d * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, queries, d * COLUMNS + LANES);
            FloatVector a0 = FloatVector.broadcast(S, keys[k0 + d]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, keys[k1 + d]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, keys[k2 + d]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, keys[k3 + d]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
            FloatVector a4 = FloatVector.broadcast(S, keys[k4 + d]);
            l4 = a4.fma(low, l4);
            h4 = a4.fma(high, h4);
            FloatVector a5 = FloatVector.broadcast(S, keys[k5 + d]);
            l5 = a5.fma(low, l5);
            h5 = a5.fma(high, h5);
        }
        l0.intoArray(s, sOffset);
        h0.intoArray(s, sOffset + LANES);
        l1.intoArray(s, sOffset + COLUMNS);
        h1.intoArray(s, sOffset + COLUMNS + LANES);
        l2.intoArray(s, sOffset + 2 * COLUMNS);
        h2.intoArray(s, sOffset + 2 * COLUMNS + LANES);
        l3.intoArray(s, sOffset + 3 * COLUMNS);
        h3.intoArray(s, sOffset + 3 * COLUMNS + LANES);
        l4.intoArray(s, sOffset + 4 * COLUMNS);
        h4.intoArray(s, sOffset + 4 * COLUMNS + LANES);
        l5.intoArray(s, sOffset + 5 * COLUMNS);
        h5.intoArray(s, sOffset + 5 * COLUMNS + LANES);
    }

    private static void values12(float[] values, int[] offsets, int first, int count, float[] p, int d, float[] out) {
        int at = d * COLUMNS;
        FloatVector l0 = FloatVector.fromArray(S, out, at);
        FloatVector h0 = FloatVector.fromArray(S, out, at + LANES);
        FloatVector l1 = FloatVector.fromArray(S, out, at + COLUMNS);
        FloatVector h1 = FloatVector.fromArray(S, out, at + COLUMNS + LANES);
        FloatVector l2 = FloatVector.fromArray(S, out, at + 2 * COLUMNS);
        FloatVector h2 = FloatVector.fromArray(S, out, at + 2 * COLUMNS + LANES);
        FloatVector l3 = FloatVector.fromArray(S, out, at + 3 * COLUMNS);
        FloatVector h3 = FloatVector.fromArray(S, out, at + 3 * COLUMNS + LANES);
        FloatVector l4 = FloatVector.fromArray(S, out, at + 4 * COLUMNS);
        FloatVector h4 = FloatVector.fromArray(S, out, at + 4 * COLUMNS + LANES);
        FloatVector l5 = FloatVector.fromArray(S, out, at + 5 * COLUMNS);
        FloatVector h5 = FloatVector.fromArray(S, out, at + 5 * COLUMNS + LANES);
        FloatVector l6 = FloatVector.fromArray(S, out, at + 6 * COLUMNS);
        FloatVector h6 = FloatVector.fromArray(S, out, at + 6 * COLUMNS + LANES);
        FloatVector l7 = FloatVector.fromArray(S, out, at + 7 * COLUMNS);
        FloatVector h7 = FloatVector.fromArray(S, out, at + 7 * COLUMNS + LANES);
        FloatVector l8 = FloatVector.fromArray(S, out, at + 8 * COLUMNS);
        FloatVector h8 = FloatVector.fromArray(S, out, at + 8 * COLUMNS + LANES);
        FloatVector l9 = FloatVector.fromArray(S, out, at + 9 * COLUMNS);
        FloatVector h9 = FloatVector.fromArray(S, out, at + 9 * COLUMNS + LANES);
        FloatVector l10 = FloatVector.fromArray(S, out, at + 10 * COLUMNS);
        FloatVector h10 = FloatVector.fromArray(S, out, at + 10 * COLUMNS + LANES);
        FloatVector l11 = FloatVector.fromArray(S, out, at + 11 * COLUMNS);
        FloatVector h11 = FloatVector.fromArray(S, out, at + 11 * COLUMNS + LANES);
        for (int n = 0; n < count; n++) {
            FloatVector low = FloatVector.fromArray(S, p, n * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, p, n * COLUMNS + LANES);
            int v = offsets[first + n] + d;
            FloatVector a0 = FloatVector.broadcast(S, values[v]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, values[v + 1]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, values[v + 2]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, values[v + 3]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
            FloatVector a4 = FloatVector.broadcast(S, values[v + 4]);
            l4 = a4.fma(low, l4);
            h4 = a4.fma(high, h4);
            FloatVector a5 = FloatVector.broadcast(S, values[v + 5]);
            l5 = a5.fma(low, l5);
            h5 = a5.fma(high, h5);
            FloatVector a6 = FloatVector.broadcast(S, values[v + 6]);
            l6 = a6.fma(low, l6);
            h6 = a6.fma(high, h6);
            FloatVector a7 = FloatVector.broadcast(S, values[v + 7]);
            l7 = a7.fma(low, l7);
            h7 = a7.fma(high, h7);
            FloatVector a8 = FloatVector.broadcast(S, values[v + 8]);
            l8 = a8.fma(low, l8);
            h8 = a8.fma(high, h8);
            FloatVector a9 = FloatVector.broadcast(S, values[v + 9]);
            l9 = a9.fma(low, l9);
            h9 = a9.fma(high, h9);
            FloatVector a10 = FloatVector.broadcast(S, values[v + 10]);
            l10 = a10.fma(low, l10);
            h10 = a10.fma(high, h10);
            FloatVector a11 = FloatVector.broadcast(S, values[v + 11]);
            l11 = a11.fma(low, l11);
            h11 = a11.fma(high, h11);
        }
        l0.intoArray(out, at);
        h0.intoArray(out, at + LANES);
        l1.intoArray(out, at + COLUMNS);
        h1.intoArray(out, at + COLUMNS + LANES);
        l2.intoArray(out, at + 2 * COLUMNS);
        h2.intoArray(out, at + 2 * COLUMNS + LANES);
        l3.intoArray(out, at + 3 * COLUMNS);
        h3.intoArray(out, at + 3 * COLUMNS + LANES);
        l4.intoArray(out, at + 4 * COLUMNS);
        h4.intoArray(out, at + 4 * COLUMNS + LANES);
        l5.intoArray(out, at + 5 * COLUMNS);
        h5.intoArray(out, at + 5 * COLUMNS + LANES);
        l6.intoArray(out, at + 6 * COLUMNS);
        h6.intoArray(out, at + 6 * COLUMNS + LANES);
        l7.intoArray(out, at + 7 * COLUMNS);
        h7.intoArray(out, at + 7 * COLUMNS + LANES);
        l8.intoArray(out, at + 8 * COLUMNS);
        h8.intoArray(out, at + 8 * COLUMNS + LANES);
        l9.intoArray(out, at + 9 * COLUMNS);
        h9.intoArray(out, at + 9 * COLUMNS + LANES);
        l10.intoArray(out, at + 10 * COLUMNS);
        h10.intoArray(out, at + 10 * COLUMNS + LANES);
        l11.intoArray(out, at + 11 * COLUMNS);
        h11.intoArray(out, at + 11 * COLUMNS + LANES);
    }

    private static void values6(float[] values, int[] offsets, int first, int count, float[] p, int d, float[] out) {
        int at = d * COLUMNS;
        FloatVector l0 = FloatVector.fromArray(S, out, at);
        FloatVector h0 = FloatVector.fromArray(S, out, at + LANES);
        FloatVector l1 = FloatVector.fromArray(S, out, at + COLUMNS);
        FloatVector h1 = FloatVector.fromArray(S, out, at + COLUMNS + LANES);
        FloatVector l2 = FloatVector.fromArray(S, out, at + 2 * COLUMNS);
        FloatVector h2 = FloatVector.fromArray(S, out, at + 2 * COLUMNS + LANES);
        FloatVector l3 = FloatVector.fromArray(S, out, at + 3 * COLUMNS);
        FloatVector h3 = FloatVector.fromArray(S, out, at + 3 * COLUMNS + LANES);
        FloatVector l4 = FloatVector.fromArray(S, out, at + 4 * COLUMNS);
        FloatVector h4 = FloatVector.fromArray(S, out, at + 4 * COLUMNS + LANES);
        FloatVector l5 = FloatVector.fromArray(S, out, at + 5 * COLUMNS);
        FloatVector h5 = FloatVector.fromArray(S, out, at + 5 * COLUMNS + LANES);
        for (int n = 0; n < count; n++) {
            FloatVector low = FloatVector.fromArray(S, p, n * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, p, n * COLUMNS + LANES);
            int v = offsets[first + n] + d;
            FloatVector a0 = FloatVector.broadcast(S, values[v]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, values[v + 1]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, values[v + 2]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, values[v + 3]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
            FloatVector a4 = FloatVector.broadcast(S, values[v + 4]);
            l4 = a4.fma(low, l4);
            h4 = a4.fma(high, h4);
            FloatVector a5 = FloatVector.broadcast(S, values[v + 5]);
            l5 = a5.fma(low, l5);
            h5 = a5.fma(high, h5);
        }
        l0.intoArray(out, at);
        h0.intoArray(out, at + LANES);
        l1.intoArray(out, at + COLUMNS);
        h1.intoArray(out, at + COLUMNS + LANES);
        l2.intoArray(out, at + 2 * COLUMNS);
        h2.intoArray(out, at + 2 * COLUMNS + LANES);
        l3.intoArray(out, at + 3 * COLUMNS);
        h3.intoArray(out, at + 3 * COLUMNS + LANES);
        l4.intoArray(out, at + 4 * COLUMNS);
        h4.intoArray(out, at + 4 * COLUMNS + LANES);
        l5.intoArray(out, at + 5 * COLUMNS);
        h5.intoArray(out, at + 5 * COLUMNS + LANES);
    }

    private static void values4(float[] values, int[] offsets, int first, int count, float[] p, int d, float[] out) {
        int at = d * COLUMNS;
        FloatVector l0 = FloatVector.fromArray(S, out, at);
        FloatVector h0 = FloatVector.fromArray(S, out, at + LANES);
        FloatVector l1 = FloatVector.fromArray(S, out, at + COLUMNS);
        FloatVector h1 = FloatVector.fromArray(S, out, at + COLUMNS + LANES);
        FloatVector l2 = FloatVector.fromArray(S, out, at + 2 * COLUMNS);
        FloatVector h2 = FloatVector.fromArray(S, out, at + 2 * COLUMNS + LANES);
        FloatVector l3 = FloatVector.fromArray(S, out, at + 3 * COLUMNS);
        FloatVector h3 = FloatVector.fromArray(S, out, at + 3 * COLUMNS + LANES);
        for (int n = 0; n < count; n++) {
            FloatVector low = FloatVector.fromArray(S, p, n * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, p, n * COLUMNS + LANES);
            int v = offsets[first + n] + d;
            FloatVector a0 = FloatVector.broadcast(S, values[v]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
            FloatVector a1 = FloatVector.broadcast(S, values[v + 1]);
            l1 = a1.fma(low, l1);
            h1 = a1.fma(high, h1);
            FloatVector a2 = FloatVector.broadcast(S, values[v + 2]);
            l2 = a2.fma(low, l2);
            h2 = a2.fma(high, h2);
            FloatVector a3 = FloatVector.broadcast(S, values[v + 3]);
            l3 = a3.fma(low, l3);
            h3 = a3.fma(high, h3);
        }
        l0.intoArray(out, at);
        h0.intoArray(out, at + LANES);
        l1.intoArray(out, at + COLUMNS);
        h1.intoArray(out, at + COLUMNS + LANES);
        l2.intoArray(out, at + 2 * COLUMNS);
        h2.intoArray(out, at + 2 * COLUMNS + LANES);
        l3.intoArray(out, at + 3 * COLUMNS);
        h3.intoArray(out, at + 3 * COLUMNS + LANES);
    }

    private static void values1(float[] values, int[] offsets, int first, int count, float[] p, int d, float[] out) {
        int at = d * COLUMNS;
        FloatVector l0 = FloatVector.fromArray(S, out, at);
        FloatVector h0 = FloatVector.fromArray(S, out, at + LANES);
        for (int n = 0; n < count; n++) {
            FloatVector low = FloatVector.fromArray(S, p, n * COLUMNS);
            FloatVector high = FloatVector.fromArray(S, p, n * COLUMNS + LANES);
            int v = offsets[first + n] + d;
            FloatVector a0 = FloatVector.broadcast(S, values[v]);
            l0 = a0.fma(low, l0);
            h0 = a0.fma(high, h0);
        }
        l0.intoArray(out, at);
        h0.intoArray(out, at + LANES);
    }
}
