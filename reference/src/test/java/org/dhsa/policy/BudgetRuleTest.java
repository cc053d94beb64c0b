package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.dhsa.model.LayerKind;
import org.junit.jupiter.api.Test;

/// Budgets that move between rows and layers, and never grow.
class BudgetRuleTest {

    private static final double NO = Double.NEGATIVE_INFINITY;

    private static boolean[][] share(BudgetRule rule, BudgetRule.Row... rows) {
        return rule.open().share(0, 0, List.of(rows));
    }

    /// One row of queries, units of one pair each.
    private static BudgetRule.Row row(long budget, double... mass) {
        long[] pairs = new long[mass.length];
        java.util.Arrays.fill(pairs, 1);
        return new BudgetRule.Row(1, mass, mass, pairs, 0, budget);
    }

    @Test
    void topPStopsWhereTheMassIsReached() {
        BudgetRule rule = new BudgetRule(BudgetRule.Kind.TOP_P, 0.7);
        assertThat(share(rule, row(3, 0.1, 0.6, 0.2, 0.1))).isDeepEqualTo(new boolean[][] {{false, true, true, false}});
        assertThat(share(rule, row(1, 0.1, 0.6, 0.2, 0.1))).as("the static budget comes first").isDeepEqualTo(new boolean[][] {{false, true, false, false}});
    }

    @Test
    void waterFillingGivesTheFlatRowWhatThePeakedOneDoesNotNeed() {
        BudgetRule rule = new BudgetRule(BudgetRule.Kind.WATER_FILLING, 1);
        assertThat(share(rule, row(2, 0.97, 0.01, 0.01, 0.01), row(2, 0.25, 0.25, 0.25, 0.25))).isDeepEqualTo(
                new boolean[][] {{true, false, false, false}, {true, true, true, false}});
    }

    @Test
    void aUnitThatDoesNotFitIsPassedOver() {
        BudgetRule.Row row = new BudgetRule.Row(2, new double[] {3, 2, 1}, new double[] {3, 2, 1}, new long[] {4, 6, 2}, 0, 7);
        assertThat(share(new BudgetRule(BudgetRule.Kind.TOP_P, 1), row)).isDeepEqualTo(new boolean[][] {{true, false, true}});
    }

    @Test
    void aLayerSpendsWhatTheOneBeforeLeft() {
        BudgetRule.Ledger ledger = new BudgetRule(BudgetRule.Kind.PER_LAYER, 0.8).open();
        assertThat(ledger.share(0, 0, List.of(row(2, 0.9, 0.05, 0.05)))).isDeepEqualTo(new boolean[][] {{true, false, false}});
        assertThat(ledger.share(1, 0, List.of(row(2, 0.4, 0.3, 0.3)))).isDeepEqualTo(new boolean[][] {{true, true, true}});
        assertThat(ledger.share(2, 0, List.of(row(2, 0.4, 0.3, 0.3)))).as("all is spent").isDeepEqualTo(new boolean[][] {{true, true, false}});
        assertThat(ledger.share(0, 0, List.of(row(2, 0.4, 0.3, 0.3)))).as("a new token starts with nothing").isDeepEqualTo(new boolean[][] {{true, true, false}});
    }

    @Test
    void forcedMassCountsTowardsTheShare() {
        BudgetRule.Row row = new BudgetRule.Row(1, new double[] {NO, 2, 1}, new double[] {9, 1, 1}, new long[] {1, 1, 1}, 9, 2);
        assertThat(share(new BudgetRule(BudgetRule.Kind.TOP_P, 0.9), row)).isDeepEqualTo(new boolean[][] {{false, true, false}});
    }

    @Test
    void aMassOutsideTheUnitIntervalIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new BudgetRule(BudgetRule.Kind.TOP_P, 1.5)).withMessage("mass must be above 0 and at most 1, was 1.5");
    }

    /// In every layer and, per layer, up to every layer: exact integers, every policy that takes the option.
    @Property(seed = "20251122", tries = 12)
    void neverMorePairsThanTheStaticBudget(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 40) int length,
                                           @ForAll @IntRange(min = 1, max = 20) int budget, @ForAll @IntRange(min = 1, max = 6) int block) {
        List<SelectionPolicy> plain = GatePolicyCases.withRule(budget, block, BudgetRule.STATIC);
        for (BudgetRule rule : GatePolicyCases.rules(0.3 + seed % 8 * 0.1)) {
            List<SelectionPolicy> adaptive = GatePolicyCases.withRule(budget, block, rule);
            for (int p = 0; p < plain.size(); p++) {
                SelectionPolicy.Selector some = adaptive.get(p).open(PolicyCases.ids(length));
                SelectionPolicy.Selector all = plain.get(p).open(PolicyCases.ids(length));
                long spent = 0;
                long there = 0;
                for (int l = 0; l < 3; l++) {
                    LayerState state = PolicyCases.layer(seed + l, length, l % 2 == 0 ? new LayerKind.Local(7) : new LayerKind.Global(), seed % 3 == 0 ? length / 3 : 0);
                    LayerState layer = new LayerState(l, 3, state.kind(), state.query(), state.key(), state.rule(), state.denseFrom(), false, state.backend());
                    long now = some.select(layer).pairs(layer.rule(), length);
                    long most = all.select(layer).pairs(layer.rule(), length);
                    spent += now;
                    there += most;
                    if (rule.kind() == BudgetRule.Kind.PER_LAYER) {
                        assertThat(spent).as("%s up to layer %s", adaptive.get(p), l).isLessThanOrEqualTo(there);
                    } else {
                        assertThat(now).as("%s in layer %s", adaptive.get(p), l).isLessThanOrEqualTo(most);
                    }
                }
            }
        }
    }
}
