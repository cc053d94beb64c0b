package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;
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
        Arrays.fill(pairs, 1);
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

    private static long pairs(LayerSelection selection, int head, LayerState layer) {
        return new LayerSelection(List.of(selection.of(head)), 1, 0).pairs(layer.rule(), layer.end());
    }

    /// In every layer and list and, per layer, up to every layer: exact integers, every policy that takes the option.
    @Property(seed = "20251122", tries = 12)
    void neverMorePairsThanTheStaticBudget(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 40) int length,
                                           @ForAll @IntRange(min = 1, max = 20) int budget, @ForAll @IntRange(min = 1, max = 6) int block) {
        for (BudgetRule rule : GatePolicyCases.rules(0.3 + seed % 8 * 0.1)) {
            List<SelectionPolicy> adaptive = withRule(budget, block, rule);
            List<SelectionPolicy> plain = adaptive.stream().map(BudgetRuleTest::withoutRule).toList();
            for (int p = 0; p < plain.size(); p++) {
                SelectionPolicy.Selector some = adaptive.get(p).open(PolicyCases.ids(length));
                SelectionPolicy.Selector all = plain.get(p).open(PolicyCases.ids(length));
                long[] saved = new long[PolicyCases.HEADS];
                for (int l = 0; l < 3; l++) {
                    LayerState layer = layer(seed, l, length);
                    LayerSelection read = some.select(layer);
                    LayerSelection budgeted = all.select(layer);
                    for (int h = 0; h < saved.length; h++) {
                        saved[h] = pairs(budgeted, h, layer) - pairs(read, h, layer) + (rule.kind() == BudgetRule.Kind.PER_LAYER ? saved[h] : 0);
                        assertThat(saved[h]).as("pairs that head %s of %s has left in layer %s", h, adaptive.get(p), l).isNotNegative();
                    }
                }
            }
        }
    }

    /// A rule that changed nothing would pass everything above.
    @Test
    void everyRuleMovesSomethingInEveryPolicy() {
        for (BudgetRule rule : List.of(new BudgetRule(BudgetRule.Kind.TOP_P, 0.5), new BudgetRule(BudgetRule.Kind.WATER_FILLING, 1), new BudgetRule(BudgetRule.Kind.PER_LAYER, 0.4))) {
            // some need much to have something to move, some little
            List<SelectionPolicy> much = withRule(12, 3, rule);
            List<SelectionPolicy> little = withRule(4, 2, rule);
            for (int p = 0; p < much.size(); p++) {
                boolean same = nothingMoves(much.get(p)) && nothingMoves(little.get(p));
                // one threshold for the shares of all rows is water-filling already; of opened clusters alone it may or may not be
                boolean threshold = much.get(p) instanceof SqueezedPolicy && rule.kind() == BudgetRule.Kind.WATER_FILLING;
                assertThat(same).as("%s", much.get(p)).isEqualTo(threshold && (same || !((SqueezedPolicy) much.get(p)).hierarchical()));
            }
        }
    }

    private static boolean nothingMoves(SelectionPolicy policy) {
        return IntStream.range(0, 4).allMatch(seed -> lists(policy, seed).equals(lists(withoutRule(policy), seed)));
    }

    private static List<List<List<Integer>>> lists(SelectionPolicy policy, int seed) {
        SelectionPolicy.Selector selector = policy.open(PolicyCases.ids(30));
        return IntStream.range(0, 3).mapToObj(l -> selector.select(layer(seed, l, 30)).perHead().stream().flatMap(head -> head.blocks().stream())
                .map(list -> Arrays.stream(list.keys()).boxed().toList()).toList()).toList();
    }

    /// Local, global, local; every third seed with a dense tail.
    private static LayerState layer(int seed, int index, int length) {
        LayerState state = PolicyCases.layer(seed + index, length, index % 2 == 0 ? new LayerKind.Local(7) : new LayerKind.Global(), seed % 3 == 0 ? length / 3 : 0);
        return new LayerState(index, 3, state.kind(), state.query(), state.key(), state.rule(), state.denseFrom(), false, state.backend());
    }

    private static List<SelectionPolicy> withRule(int budget, int block, BudgetRule rule) {
        return Stream.concat(GatePolicyCases.withRule(budget, block, rule).stream(), GatePolicyCases.sharesWithRule(budget, block, rule).stream()).toList();
    }

    /// The same policy with the static rule.
    private static SelectionPolicy withoutRule(SelectionPolicy policy) {
        try {
            RecordComponent[] parts = policy.getClass().getRecordComponents();
            Object[] values = new Object[parts.length];
            for (int n = 0; n < parts.length; n++) {
                values[n] = parts[n].getType() == BudgetRule.class ? BudgetRule.STATIC : parts[n].getAccessor().invoke(policy);
            }
            return (SelectionPolicy) policy.getClass().getDeclaredConstructor(Arrays.stream(parts).map(RecordComponent::getType).toArray(Class[]::new)).newInstance(values);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /// Two rows, three clusters that lie anywhere, key 0 forced: totals by hand.
    @Test
    void unitsMayBeAnySetsOfKeys() {
        LayerState layer = PolicyCases.layer(1, 6, new LayerKind.Global(), 0);
        QueryBlocks rows = new QueryBlocks(List.of(new QueryBlocks.Block(0, 4, 4, 0), new QueryBlocks.Block(4, 6, 6, 1)), 6, 6);
        int[] unit = {0, 1, 0, 2, 1, 2};
        KeySelection shared = UnitBudget.share(new BudgetRule(BudgetRule.Kind.WATER_FILLING, 1).open(), layer, 0, rows, j -> unit[j],
                row -> new UnitBudget.Candidates(row.start() == 0 ? new int[] {0, 1, 2} : new int[] {0, 3, 5}, j -> j == 0, new double[] {1, 2, 3}, new double[] {1, 2, 3}));
        // static pairs that are not forced: 3 (key 1) + 2 (key 2) in the first block, 2 (key 3) + 1 (key 5) in the second, so 8 in all.
        // mass per pair, as a share of its block times rows: first block 12/7 (unit 2: 1 pair) > 8/21 (unit 1: 3) > 2/7 (unit 0: 2); second 6/13 (unit 2: 3) > ...
        // the best come first: 1 pair, then 3, then 4/13 (unit 1 of the second block: keys 1 and 4, 3 pairs) after 8/21 with 3 more; 8 − 1 − 3 − 3 leaves 1, too few for any other unit
        assertThat(shared.blocks().get(0).keys()).containsExactly(0, 1, 3);
        assertThat(shared.blocks().get(1).keys()).containsExactly(0, 3, 5);
        assertThat(LayerSelection.shared(shared, 1, 0).pairs(layer.rule(), 6)).isEqualTo(6 + 7);
    }

    /// Peaked attention in layer 0, flat in layer 1: what head 1 may spend there depends on whether its list was the rule's in layer 0.
    @Test
    void aListThatStaysStaticLeavesNothing() {
        BlockTopKPolicy policy = new BlockTopKPolicy(2, 8, false, new BudgetRule(BudgetRule.Kind.PER_LAYER, 0.6));
        LayerState peaked = scaled(0, 10);
        LayerState flat = scaled(1, 0);
        long budget = pairs(withoutRule(policy).open(new int[0]).select(flat), 1, flat);
        for (boolean adaptive : new boolean[] {true, false}) {
            BudgetRule.Ledger ledger = policy.rule().open();
            policy.select(peaked, ledger, h -> adaptive || h != 1);
            assertThat(pairs(policy.select(flat, ledger, h -> true), 1, flat) > budget).as("adaptive %s", adaptive).isEqualTo(adaptive);
        }
    }

    private static LayerState scaled(int index, double factor) {
        LayerState state = PolicyCases.layer(2, 24, new LayerKind.Global(), 0);
        DoubleTensor query = state.query().toDouble();
        return new LayerState(index, 3, state.kind(), DoubleTensor.of(query.shape(), Arrays.stream(query.data()).map(x -> x * factor).toArray()), state.key(), state.rule(),
                state.denseFrom(), false, state.backend());
    }

    @Test
    void aChoiceForSeveralLayersHasNothingToLeave() {
        assertThatIllegalArgumentException().isThrownBy(() -> new DeltaPolicy(8, 2, 1, 0, List.of(), true, new BudgetRule(BudgetRule.Kind.PER_LAYER, 0.9)))
                .withMessageContaining("delta takes no rule=per-layer: one choice of pages serves several layers");
    }
}
