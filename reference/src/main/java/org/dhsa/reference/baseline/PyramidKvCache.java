package org.dhsa.reference.baseline;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.KvCompression.Config;
import org.dhsa.reference.baseline.KvCompression.Input;
import org.dhsa.reference.baseline.KvCompression.Output;

/// PyramidKV: smoothed H2O scores, and a budget that shrinks from layer to layer.
///
///     least = ⌊(cap − window) / beta⌋,  most = 2 (cap − window) − least        past keys of the last and the first layer
///     budget(l) = most − l · ⌊(most − least) / (layers − 1)⌋
///     kept = top_budget( Σ over heads of pool(score) ) in score order ++ last windowSize
///
/// **Shapes** as [H2oCache].
/// **Reading** pooling runs along the positions, per head, before the heads are added; an average counts the zeros outside. A
/// prompt shorter than cap stays whole; one shorter than 2 (cap − window) keeps cap in every layer.
/// **Golden** `kv/pyramid_0` to `_4`, `kv/pyramid_short`, `kv/pyramid_budgets`; with one layer it is SnapKV: `snapkv`.
/// **Pitfall** past keys stand in order of score, not of position. With a large beta the last layer keeps the window alone. A
/// single layer divides by zero in the authors' code; corrected, it keeps cap.
public final class PyramidKvCache {

    private PyramidKvCache() {}

    /// Smoothing of scores along positions.
    public enum Pooling { AVERAGE, MAX }

    /// @param kernelSize odd width of the pooling
    public record Pyramid(Config config, int layers, int layer, int kernelSize, Pooling pooling, int beta) {
        public Pyramid {
            if (layer < 0 || layer >= layers) {
                throw new IllegalArgumentException("layer " + layer + " is outside the " + layers + " layers");
            }
            if (kernelSize <= 0 || kernelSize % 2 == 0) {
                throw new IllegalArgumentException("kernelSize must be odd, was " + kernelSize);
            }
            if (beta <= 0) {
                throw new IllegalArgumentException("beta must be positive, was " + beta);
            }
        }
    }

    public static Output apply(Input in, Pyramid pyramid) {
        Config config = pyramid.config();
        int length = in.length();
        int kept = keptCount(length, pyramid);
        if (length < config.maxCapacityPrompt()) {
            return KvCompression.gather(in, KvCompression.everyHead(in.heads(), IntStream.range(0, length)));
        }
        int past = length - config.windowSize();
        double[][] pooled = pooledScores(in, pyramid);
        List<List<Integer>> keptByHead = new ArrayList<>();
        for (List<Integer> best : KvCompression.choose(pooled, kept - config.windowSize(), config, in.key().shape().extent("kvHeads"))) {
            List<Integer> list = new ArrayList<>(best);
            IntStream.range(past, length).forEach(list::add);
            keptByHead.add(List.copyOf(list));
        }
        return KvCompression.gather(in, List.copyOf(keptByHead));
    }

    /// `[heads][keys before the window]`: what past keys are ranked by.
    public static double[][] pooledScores(Input in, Pyramid pyramid) {
        double[][] pooled = KvCompression.scores(in, pyramid.config());
        for (int head = 0; head < pooled.length; head++) {
            pooled[head] = pool(pooled[head], pyramid.kernelSize(), pyramid.pooling());
        }
        return pooled;
    }

    /// Tokens that a layer keeps of a prompt of this length.
    ///
    /// @throws IllegalStateException upstream, if there is only one layer, whatever the length
    public static int keptCount(int length, Pyramid pyramid) {
        int window = pyramid.config().windowSize();
        int capacity = pyramid.config().maxCapacityPrompt();
        int base = capacity - window;
        if (pyramid.layers() == 1 && pyramid.config().profile() == Profile.UPSTREAM) {
            throw new IllegalStateException("the authors' PyramidKV divides by layers - 1, which is 0; the corrected profile keeps " + capacity);
        }
        if (length < capacity) {
            return length;
        }
        if (length < 2 * base || pyramid.layers() == 1) {
            return capacity;
        }
        int least = base / pyramid.beta();
        int most = 2 * base - least;
        if (most >= length - window) {
            most = length - window;
            least = 2 * base - most;
        }
        return window + most - pyramid.layer() * Math.floorDiv(most - least, pyramid.layers() - 1);
    }

    /// Stride 1, centred, as long as the input.
    static double[] pool(double[] scores, int kernelSize, Pooling pooling) {
        int half = kernelSize / 2;
        double[] pooled = new double[scores.length];
        for (int j = 0; j < scores.length; j++) {
            double sum = 0;
            double max = Double.NEGATIVE_INFINITY;
            for (int n = Math.max(0, j - half); n <= Math.min(scores.length - 1, j + half); n++) {
                sum += scores[n];
                max = Math.max(max, scores[n]);
            }
            pooled[j] = switch (pooling) {
                case AVERAGE -> sum / kernelSize;
                case MAX -> max;
            };
        }
        return pooled;
    }
}
