package org.dhsa.optimized;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/// A fingerprint of every kernel's results, to be compared between JVMs that compile and one that only interprets.
final class KernelBits {

    private KernelBits() {}

    public static void main(String[] args) {
        System.out.println("bits " + of(KernelChoice.best()));
    }

    static Map<String, Integer> of(Kernels kernels) {
        Map<String, Integer> bits = new TreeMap<>();
        int nr = kernels.columns();
        int mr = kernels.rows();
        SplittableRandom random = new SplittableRandom(1);
        float[] x = floats(random, 1, 999);
        float[] y = floats(random, 1, 999);
        float[] s = floats(random, 300, 13 * nr);
        byte[] rows = new byte[nr * 2 * 77];
        random.nextBytes(rows);
        for (int i = 1; i < rows.length; i += 2) {
            rows[i] &= 0x3f; // below infinity
        }
        MemorySegment weights = MemorySegment.ofArray(rows);

        bits.put("dot", Float.floatToIntBits(kernels.dot(x, 0, y, 0, 999)));
        float[] four = new float[4];
        kernels.gemvBf16(weights, 0, 2 * 77, 77, x, y, four, 0);
        bits.put("gemvBf16", Arrays.hashCode(four));
        float[] panel = new float[77 * nr];
        kernels.packBf16(weights, 0, 2 * 77, 77, panel, 0);
        bits.put("packBf16", Arrays.hashCode(panel));
        float[] tile = new float[mr * nr];
        kernels.gemmTile(x, 0, panel, 0, 77, tile, 0, nr, false);
        bits.put("gemmTile", Arrays.hashCode(tile));
        kernels.scoreTile(x, new int[mr], 0, panel, 77, tile, 0);
        bits.put("scoreTile", Arrays.hashCode(tile));
        float[] z = x.clone();
        kernels.axpy(0.3f, y, 0, z, 0, 999);
        bits.put("axpy", Arrays.hashCode(z));
        kernels.normRow(x, 0, 0.3f, y, z, 0, 999);
        bits.put("normRow", Arrays.hashCode(z));
        float[] gate = floats(random, 4, 999);
        kernels.geluTimes(gate, y, 0, 999);
        bits.put("geluTimes", Arrays.hashCode(gate));
        float[] sums = new float[nr];
        float[] p = s.clone();
        kernels.capExp(p, 13, null, 0, 0.0625f, 50, sums);
        bits.put("capExp", 31 * Arrays.hashCode(p) + Arrays.hashCode(sums));
        float[] out = new float[77 * nr];
        kernels.values(x, new int[13], 0, 13, p, 0, 77, out);
        kernels.scaleColumns(out, 77, sums);
        bits.put("values", Arrays.hashCode(out));
        for (float cap : new float[] {0, 100}) {
            float[] maxima = new float[nr];
            float[] rescale = new float[nr];
            float[] online = s.clone();
            kernels.onlineExp(online, 13, null, 0, 0.0625f, cap, sums, maxima, rescale);
            bits.put("onlineExp, cap " + cap, 31 * Arrays.hashCode(online) + Arrays.hashCode(rescale) + Arrays.hashCode(sums));
        }
        return bits;
    }

    private static float[] floats(SplittableRandom random, double scale, int n) {
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            out[i] = (float) (scale * random.nextDouble(-1, 1));
        }
        return out;
    }
}
