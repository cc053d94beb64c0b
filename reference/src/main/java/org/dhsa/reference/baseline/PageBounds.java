package org.dhsa.reference.baseline;

import java.util.Arrays;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;

/// Quest's bound: how large the dot product of a query with a key of a page can be at most.
///
///     S(q, page) = Σ_d max( q[d] · min k[d], q[d] · max k[d] )     over the keys k of the page
///
/// **Shapes** key `[keyLen, headDim]` (read), query `[headDim]` (read).
/// **Source** Quest (arXiv 2406.10774), section 3.3; the paper's pages have one size, a dynamic chunk is a page of its own length.
/// **Reading** the bound grows with the page, never shrinks: a page that is still being filled has the bound of what is in it.
/// **Golden** `quest/p16_b96`, `quest/p32_b48_min3`, `quest/p8_b64_gqa`.
/// **Pitfall** the bound is unscaled: the factor 1/√headDim, or Gemma 2's soft cap, would not change the order of pages.
public final class PageBounds {

    private final double[] keys;
    private final int headDim;
    private final Boundaries pages;
    private final double[][] lows;
    private final double[][] highs;

    /// @param key   `[keyLen, headDim]` of one key head, or with a leading axis of extent 1
    /// @param pages rows of `key` per page
    public PageBounds(DoubleTensor key, Boundaries pages) {
        this.keys = key.data();
        this.headDim = key.shape().extent("headDim");
        this.pages = pages;
        if ((long) pages.totalLength() * headDim != keys.length) {
            throw new IllegalArgumentException("the pages hold " + pages.totalLength() + " keys, the tensor has shape " + key.shape());
        }
        this.lows = new double[pages.chunks()][];
        this.highs = new double[pages.chunks()][];
        for (int page = 0; page < pages.chunks(); page++) {
            lows[page] = extreme(pages.start(page), pages.end(page), true);
            highs[page] = extreme(pages.start(page), pages.end(page), false);
        }
    }

    /// The bound over the whole page.
    public double score(double[] query, int page) {
        return bound(query, lows[page], highs[page]);
    }

    /// The bound over the keys of the page before row `end`: all that a query sees of a page it stands in.
    public double score(double[] query, int page, int end) {
        if (end >= pages.end(page)) {
            return score(query, page);
        }
        return bound(query, extreme(pages.start(page), end, true), extreme(pages.start(page), end, false));
    }

    /// How many of the best pages are read: the budget in whole pages, all if everything fits.
    ///
    /// @param minPages fewest pages, whatever the budget. 1 keeps the budget; the official evaluation code has 3
    public static int count(int pages, int keys, int page, int budget, int minPages) {
        return budget >= keys ? pages : Math.min(pages, Math.max(minPages, budget / page));
    }

    private double[] extreme(int start, int end, boolean low) {
        double[] extreme = new double[headDim];
        Arrays.fill(extreme, low ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY);
        for (int row = start; row < end; row++) {
            for (int d = 0; d < headDim; d++) {
                double k = keys[row * headDim + d];
                extreme[d] = low ? Math.min(extreme[d], k) : Math.max(extreme[d], k);
            }
        }
        return extreme;
    }

    private static double bound(double[] query, double[] low, double[] high) {
        double sum = 0;
        for (int d = 0; d < query.length; d++) {
            sum += Math.max(query[d] * low[d], query[d] * high[d]);
        }
        return sum;
    }
}
