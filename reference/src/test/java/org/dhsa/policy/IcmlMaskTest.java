package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.IcmlBlockMask.Kind;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.testing.Tensors;
import org.dhsa.tensor.DoubleTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The block masks of the later DHSA code without its quirks, and each quirk alone. With all of them the recordings are the test.
class IcmlMaskTest {

    private static final int LENGTH = 32;

    private static IcmlBlockMask.Output mask(Kind kind, int seed, int keys, int budget, Set<IcmlQuirk> quirks) {
        Random random = new Random(seed);
        DoubleTensor query = Tensors.random(random, 1, "heads", 2, "queryLen", LENGTH, "headDim", 4);
        DoubleTensor key = Tensors.random(random, 1, "kvHeads", 1, "keyLen", keys, "headDim", 4);
        AttentionRule rule = new AttentionRule(0.5, OptionalDouble.empty(), new Visibility(0, false), keys - LENGTH, 0);
        return IcmlBlockMask.apply(new IcmlBlockMask.Input(kind, query, key, rule, LENGTH, 8, 4, budget, 0.5, 4, quirks, TieOrder.LOW_POSITION_FIRST));
    }

    private static String picture(boolean[][] mask) {
        return Arrays.stream(mask).map(row -> IntStream.range(0, row.length).mapToObj(j -> row[j] ? "x" : ".").collect(Collectors.joining(" ")))
                .collect(Collectors.joining("\n", "", "\n"));
    }

    /// Two queries per block, one key per block; keys 0 to 7 score 7, 1, 6, 2, 5, 3, 4, 0 with every query.
    @Test
    void theDiagonalGoesFirstThenTheSinkThenTheBest() {
        double[] scores = {7, 1, 6, 2, 5, 3, 4, 0};
        DoubleTensor query = Tensors.query(IntStream.range(0, 8).mapToObj(i -> new double[] {1}).toArray(double[][]::new));
        DoubleTensor key = Tensors.keys(scores);
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), new Visibility(0, false), 0, 0);
        assertThat(picture(IcmlBlockMask.apply(new IcmlBlockMask.Input(Kind.A, query, key, rule, 8, 2, 1, 4, 0.5, 4, Set.of(), TieOrder.LOW_POSITION_FIRST))
                .heads().getFirst().mask())).isEqualTo("""
                x x . . . . . .
                x x x x . . . .
                x . x . x x . .
                x . x . . . x x
                """);
        assertThat(picture(IcmlBlockMask.apply(new IcmlBlockMask.Input(Kind.TOPK, query, key, rule, 8, 2, 1, 2, 0.5, 4, Set.of(IcmlQuirk.FUTURE_BLOCKS_COMPETE),
                TieOrder.LOW_POSITION_FIRST)).heads().getFirst().mask())).as("I1: every row wants the same two, seen or not").isEqualTo("""
                x . x . . . . .
                x . x . . . . .
                x . x . . . . .
                x . x . . . . .
                """);
    }

    /// The last query puts its weight on key 1 and on the key three back.
    @Test
    void columnsAndDistancesOfTheLastQueriesSpread() {
        double[] scores = {0, 9, 0, 0, 9, 0, 0, 0};
        DoubleTensor query = Tensors.query(IntStream.range(0, 8).mapToObj(i -> new double[] {i == 7 ? 1 : 0}).toArray(double[][]::new));
        DoubleTensor key = Tensors.keys(scores);
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), new Visibility(0, false), 0, 0);
        IcmlBlockMask.Output out = IcmlBlockMask.apply(new IcmlBlockMask.Input(Kind.VS, query, key, rule, 8, 1, 1, 4, 0.5, 4, Set.of(), TieOrder.LOW_POSITION_FIRST));
        assertThat(out.heads().getFirst().estimate().columns()).containsExactly(1, 4);
        assertThat(out.heads().getFirst().estimate().distances()).containsExactly(3, 6);
        assertThat(picture(out.heads().getFirst().mask())).isEqualTo("""
                x . . . . . . .
                x x . . . . . .
                x x x . . . . .
                x x x x . . . .
                x x x . x . . .
                x x x . . x . .
                x x . x . . x .
                x x . . x . . x
                """);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void withoutQuirksARowReadsItselfNoFutureAndNoMoreThanItsBudget(Kind kind) {
        for (int seed = 0; seed < 20; seed++) {
            int budget = 1 + seed % 8;
            IcmlBlockMask.Output out = mask(kind, seed, LENGTH, budget, Set.of());
            for (IcmlBlockMask.Head head : out.heads()) {
                for (int i = 0; i < head.mask().length; i++) {
                    int row = i;
                    int[] kept = IntStream.range(0, 8).filter(j -> head.mask()[row][j]).toArray();
                    assertThat(kept).contains(2 * i, 2 * i + 1);
                    assertThat(kept[kept.length - 1]).as("nothing of the future").isEqualTo(2 * i + 1);
                    assertThat(kept.length).isEqualTo(Math.min(2 * i + 2, Math.max(2, budget)));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = IcmlQuirk.class, mode = EnumSource.Mode.EXCLUDE, names = {"ZERO_PADDED", "BUDGET_ROUNDED_TWICE", "EMPTY_BUDGET_SERVED"})
    void eachQuirkAloneChangesAMask(IcmlQuirk quirk) {
        // a forced sink shows where the diagonal uses up the budget, a doubled pick where diagonal blocks score high
        boolean changes = Arrays.stream(Kind.values()).anyMatch(kind -> IntStream.range(0, 40).anyMatch(seed ->
                !masks(mask(kind, seed, quirk == IcmlQuirk.ROWS_FROM_KEY_ZERO ? LENGTH + 16 : LENGTH, 1 + seed % 6, Set.of(quirk)))
                        .equals(masks(mask(kind, seed, quirk == IcmlQuirk.ROWS_FROM_KEY_ZERO ? LENGTH + 16 : LENGTH, 1 + seed % 6, Set.of())))));
        assertThat(changes).isTrue();
    }

    private static String masks(IcmlBlockMask.Output out) {
        return out.heads().stream().map(h -> picture(h.mask())).collect(Collectors.joining());
    }

    @Test
    void paddingIsPartOfTheMeansUpstream() {
        LayerState layer = PolicyCases.layer(4, 21, new LayerKind.Global(), 0);
        IcmlMaskPolicy plain = new IcmlMaskPolicy(Kind.VSB, 12, 0, 4, 2, 0.5, 1, Set.of(), BudgetRule.STATIC);
        IcmlMaskPolicy padded = new IcmlMaskPolicy(Kind.VSB, 12, 0, 4, 2, 0.5, 1, Set.of(IcmlQuirk.ZERO_PADDED), BudgetRule.STATIC);
        assertThat(padded.open(new int[0]).select(layer).perHead()).isNotEqualTo(plain.open(new int[0]).select(layer).perHead());
        assertThat(IcmlBlocks.paddedLength(21, 4, 6)).isEqualTo(24);
    }

    @Test
    void theBudgetIsRoundedOnce() {
        assertThat(IcmlBlocks.budget(0.1, 20, Set.of())).isEqualTo(2);
        assertThat(IcmlBlocks.budget(0.1, 20, IcmlQuirk.UPSTREAM)).as("1 - (1 - 0.1) is a little below 0.1").isEqualTo(1);
    }

    @Test
    void anEmptyBudgetIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> mask(Kind.A, 1, LENGTH, 0, Set.of())).withMessage("budget must be positive, was 0");
        assertThat(mask(Kind.A, 1, LENGTH, -3, IcmlQuirk.UPSTREAM).remaining()).containsOnly(0);
    }
}
