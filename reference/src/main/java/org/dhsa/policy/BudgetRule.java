package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;

/// How the pairs of a static budget are shared out among blocks of rows: an option of every policy that reads whole units (blocks, pages, chunks).
///
///     static         every block of rows keeps what the policy's own rule gives it
///     top-p          a block of rows takes units, best first, until they hold `mass` of its estimated attention, or its static pairs are spent
///     water-filling  the static pairs of a layer go to where the next unit holds most attention per pair, whichever row it is in
///     per-layer      water-filling in which every block of rows stops at `mass`; what a layer leaves over is there for the next layers
///
/// Whatever the rule, never more pairs are read than under the static budget: `top-p` in every block of rows, `water-filling` in every layer and list of
/// heads, `per-layer` in every list over the layers 0 to n, for every n. Pairs are counted exactly, as [LayerSelection#pairs] counts them.
/// A unit that does not fit any more is passed over, so a total may stay a little below the static one, by less than the pairs of the smallest unit left.
///
/// **Source** the cumulative threshold of Tactic (arXiv 2502.12216), FlexPrefill (arXiv 2502.20766) and others for `top-p`; the row budgets of the later DHSA
/// code (arXiv 2510.24606v2) for `water-filling`, there learned. `per-layer` is this project's own.
/// **Cost** a softmax and a sort of the scores that the policy has anyway; not counted.
///
/// @param mass share of the estimated attention mass at which a block of rows has enough, above 0 and at most 1
public record BudgetRule(Kind kind, double mass) {

    /// Which rule.
    public enum Kind {
        STATIC, TOP_P, WATER_FILLING, PER_LAYER;

        public String slug() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        boolean stopsAtMass() {
            return this == TOP_P || this == PER_LAYER;
        }
    }

    /// The policy's own rule alone.
    public static final BudgetRule STATIC = new BudgetRule(Kind.STATIC, 1);

    public BudgetRule {
        if (!(mass > 0 && mass <= 1)) {
            throw new IllegalArgumentException("mass must be above 0 and at most 1, was " + mass);
        }
    }

    public boolean isStatic() {
        return kind == Kind.STATIC;
    }

    /// What a policy's name ends with: nothing, or `,rule=top-p,mass=0.9`.
    String suffix() {
        return isStatic() ? "" : ",rule=" + kind.slug() + (kind.stopsAtMass() ? ",mass=" + mass : "");
    }

    /// One block of rows before its units are chosen.
    ///
    /// @param rows       query rows in it
    /// @param scores     per unit, what units are ranked by; −∞ for one that cannot be chosen, or is forced
    /// @param units      per unit, its estimated attention mass, in any scale of this row
    /// @param pairs      per unit, query-key pairs that reading it costs
    /// @param forcedMass estimated mass of what is read anyway, in the same scale
    /// @param budget     pairs that the static rule spends on units that are not forced
    record Row(int rows, double[] scores, double[] units, long[] pairs, double forcedMass, long budget) {}

    /// For one sequence: what layers have left over.
    Ledger open() {
        return new Ledger();
    }

    /// Shares out pairs, layer after layer.
    final class Ledger {

        private final Map<Integer, Long> saved = new HashMap<>();
        private int lastLayer = -1;

        boolean isStatic() {
            return BudgetRule.this.isStatic();
        }

        /// The units that each block of rows keeps, beside those that are forced.
        ///
        /// @param layer of the model; one that is not above the last begins a new prompt or token
        /// @param list  which of the layer's lists: a head, or 0 for all of them
        boolean[][] share(int layer, int list, List<Row> rows) {
            skip(layer, list);
            List<Walk> walks = new ArrayList<>();
            rows.forEach(row -> walks.add(new Walk(row, walks.size())));
            if (kind == Kind.TOP_P) {
                walks.forEach(walk -> pour(List.of(walk), walk.row.budget()));
            } else {
                long budget = rows.stream().mapToLong(Row::budget).sum();
                long left = pour(walks, budget + (kind == Kind.PER_LAYER ? saved.getOrDefault(list, 0L) : 0));
                saved.put(list, left);
            }
            return walks.stream().map(walk -> walk.kept).toArray(boolean[][]::new);
        }

        /// A list that is read as the static rule has it: it neither leaves nor spends anything.
        void skip(int layer, int list) {
            if (layer < lastLayer || layer == lastLayer && list == 0) {
                saved.clear();
            }
            lastLayer = layer;
        }

        /// @return pairs that are left
        private long pour(List<Walk> walks, long pairs) {
            // equal levels: the earlier row first
            PriorityQueue<Walk> queue = new PriorityQueue<>((a, b) -> a.level() == b.level() ? Integer.compare(a.index, b.index)
                    : Double.compare(b.level(), a.level()));
            walks.stream().filter(Walk::wantsMore).forEach(queue::add);
            long left = pairs;
            while (!queue.isEmpty()) {
                Walk walk = queue.remove();
                left -= walk.take(left);
                if (walk.wantsMore()) {
                    queue.add(walk);
                }
            }
            return left;
        }
    }

    /// One block of rows while it is being filled, its units best first.
    private final class Walk {

        private final Row row;
        private final int index;
        private final int[] order;
        private final double total;
        private final boolean[] kept;
        private double held;
        private int next;

        Walk(Row row, int index) {
            this.row = row;
            this.index = index;
            this.order = Lists.ranked(row.scores()).stream().filter(u -> row.scores()[u] > Double.NEGATIVE_INFINITY && row.pairs()[u] > 0)
                    .mapToInt(Integer::intValue).toArray();
            this.total = row.forcedMass() + Arrays.stream(order).mapToDouble(u -> row.units()[u]).sum();
            this.kept = new boolean[row.scores().length];
            this.held = row.forcedMass();
        }

        boolean wantsMore() {
            return next < order.length && (!kind.stopsAtMass() || mass == 1 || held < mass * total);
        }

        /// Attention mass per pair of the next unit.
        double level() {
            int unit = order[next];
            return total > 0 ? row.units()[unit] / total * row.rows() / row.pairs()[unit] : 0;
        }

        /// Takes the next unit if it fits.
        long take(long left) {
            int unit = order[next++];
            if (row.pairs()[unit] > left) {
                return 0;
            }
            kept[unit] = true;
            held += row.units()[unit];
            return row.pairs()[unit];
        }
    }
}
