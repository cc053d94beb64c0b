package org.dhsa.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.matrix;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.testing.Picture;
import org.dhsa.testing.TinyModel;
import org.junit.jupiter.api.Test;

/// What switching on exactly one quirk changes.
class QuirkTest {

    /// The quirk that a test is about.
    @Retention(RetentionPolicy.RUNTIME)
    @interface Shows {
        Quirk value();
    }

    @Test
    void everyQuirkIsShownOnce() {
        assertThat(Arrays.stream(QuirkTest.class.getDeclaredMethods()).filter(m -> m.isAnnotationPresent(Shows.class))
                .map(m -> m.getAnnotation(Shows.class).value())).containsExactlyInAnyOrder(Quirk.values());
    }

    // ---- selection: lists of keys, one row per block of two queries ----

    /// Later keys score higher.
    private static String lists(Visibility visibility, QueryBlocks blocks, int keyLen, int budget, Consumer<DhsaConfig.Builder> change) {
        return lists(IntStream.range(0, keyLen).asDoubleStream().toArray(), visibility, blocks, budget, change);
    }

    private static String lists(double[] scores, Visibility visibility, QueryBlocks blocks, int budget, Consumer<DhsaConfig.Builder> change) {
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 2;
            c.budget = 1000;
            c.localTokens = 0;
            c.globalTokens = 0;
            change.accept(c);
        });
        DoubleTensor rows = matrix("queryBlocks", "keyLen", blocks.blocks().stream().map(b -> scores).toArray(double[][]::new));
        KeySelection selection = new TopKSelectionReference().apply(
                new TopKSelection.Input(rows, blocks, visibility, budget, config)).selection();
        return Picture.ofLists(selection, scores.length);
    }

    private static Consumer<DhsaConfig.Builder> only(Quirk quirk) {
        return c -> c.quirk(quirk, true);
    }

    private static final QueryBlocks SIX = QueryBlocks.fixed(6, 6, 2);

    @Test
    @Shows(Quirk.PADDED_WITH_LAST_KEY)
    void shortListsAreFilledWithTheLastKey() {
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, c -> {})).isEqualTo("""
                x x . . . .
                x x x x . .
                . . x x x x""");
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, only(Quirk.PADDED_WITH_LAST_KEY))).isEqualTo("""
                x x . . . 2
                x x x x . .
                . . x x x x""");
        // the last block of four holds one query; its window of two begins behind the last key: nothing may be read, and key 0 is listed
        Consumer<DhsaConfig.Builder> windowFromTheEnd = c -> {
            c.blockSize = 4;
            c.quirk(Quirk.WINDOW_FROM_BLOCK_END, true);
            c.quirk(Quirk.ALLOWED_TO_FULL_BLOCK, true);
            c.quirk(Quirk.LOCAL_TOKENS_AT_BLOCK_END, true);
        };
        QueryBlocks fourAndOne = QueryBlocks.fixed(5, 5, 4);
        assertThat(lists(new Visibility(2, false), fourAndOne, 5, 2, windowFromTheEnd)).isEqualTo("""
                . . x x .
                . . . . .""");
        assertThat(lists(new Visibility(2, false), fourAndOne, 5, 2, windowFromTheEnd.andThen(only(Quirk.PADDED_WITH_LAST_KEY)))).isEqualTo("""
                . . x x .
                2 . . . .""");
    }

    @Test
    @Shows(Quirk.GLOBAL_TOKENS_SPLICED)
    void globalTokensOverwriteTheFirstEntriesWhateverTheyAre() {
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, c -> c.globalTokens = 1)).isEqualTo("""
                x x . . . .
                x x x x . .
                x . . x x x""");
        // the lists without global tokens are 01, 0123, 2345; their first entries become 0
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, only(Quirk.GLOBAL_TOKENS_SPLICED).andThen(c -> c.globalTokens = 1))).isEqualTo("""
                x x . . . .
                x x x x . .
                x . . x x x""");
        // three of them: block 0 has only two keys, block 1 repeats none, block 2 keeps its last key alone
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, only(Quirk.GLOBAL_TOKENS_SPLICED).andThen(c -> c.globalTokens = 3))).isEqualTo("""
                x x . . . .
                x x x x . .
                x x x . . x""");
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, c -> c.globalTokens = 3)).isEqualTo("""
                x x . . . .
                x x x x . .
                x x . . x x""");
    }

    @Test
    @Shows(Quirk.LOCAL_TOKENS_AT_BLOCK_END)
    void localTokensAtTheBlocksEndLeaveItsFirstQueryWithoutItself() {
        double[] earlierIsBetter = {6, 5, 4, 3, 2, 1};
        Consumer<DhsaConfig.Builder> oneLocal = c -> c.localTokens = 1;
        assertThat(lists(earlierIsBetter, Visibility.GLOBAL, SIX, 2, oneLocal)).isEqualTo("""
                x x . . . .
                . . x x . .
                . . . . x x""");
        assertThat(lists(earlierIsBetter, Visibility.GLOBAL, SIX, 2, only(Quirk.LOCAL_TOKENS_AT_BLOCK_END).andThen(oneLocal))).isEqualTo("""
                x x . . . .
                x . . x . .
                x . . . . x""");
    }

    @Test
    @Shows(Quirk.ALLOWED_TO_FULL_BLOCK)
    void aPartialLastBlockMayListKeysOfTheInstruction() {
        QueryBlocks fiveOfSix = QueryBlocks.fixed(5, 6, 2);
        assertThat(lists(Visibility.GLOBAL, fiveOfSix, 6, 3, c -> {})).isEqualTo("""
                x x . . . .
                . x x x . .
                . . x x x .""");
        assertThat(lists(Visibility.GLOBAL, fiveOfSix, 6, 3, only(Quirk.ALLOWED_TO_FULL_BLOCK))).isEqualTo("""
                x x . . . .
                . x x x . .
                . . . x x x""");
    }

    @Test
    @Shows(Quirk.WINDOW_FROM_BLOCK_END)
    void theWindowMeasuredFromTheBlocksEndLosesTheOldestKey() {
        Visibility window = new Visibility(3, false);
        assertThat(lists(window, SIX, 6, 100, c -> {})).isEqualTo("""
                x x . . . .
                x x x x . .
                . . x x x x""");
        assertThat(lists(window, SIX, 6, 100, only(Quirk.WINDOW_FROM_BLOCK_END))).isEqualTo("""
                x x . . . .
                . x x x . .
                . . . x x x""");
    }

    @Test
    @Shows(Quirk.BUDGET_CUT_TO_WINDOW)
    void theBudgetOfALocalLayerIsCutToTheWindow() {
        Visibility window = new Visibility(3, false);
        assertThat(lists(window, SIX, 6, 4, only(Quirk.BUDGET_CUT_TO_WINDOW))).isEqualTo("""
                x x . . . .
                . x x x . .
                . . . x x x""");
        assertThat(lists(Visibility.GLOBAL, SIX, 6, 4, only(Quirk.BUDGET_CUT_TO_WINDOW)))
                .isEqualTo(lists(Visibility.GLOBAL, SIX, 6, 4, c -> {}));
    }

    // ---- boundaries: accepted positions and chunk starts of eight tokens ----

    private static NonMaximumSuppression.Output suppress(int budget, Consumer<DhsaConfig.Builder> change, double... logits) {
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.theta = OptionalDouble.of(1);
            c.nmsWindow = 0;
            c.instructionTokens = OptionalInt.empty();
            change.accept(c);
        });
        return new NonMaximumSuppressionReference().apply(new NonMaximumSuppression.Input(
                DoubleTensor.of(Shape.of("keyLen", logits.length), logits), 1, budget, config));
    }

    private static final Consumer<DhsaConfig.Builder> THREE_INSTRUCTION_TOKENS = c -> c.instructionTokens = OptionalInt.of(3);

    @Test
    @Shows(Quirk.INSTRUCTION_BOUNDARY_SHIFTED)
    void theInstructionsChunkStartsOneTokenLate() {
        double[] flat = new double[8];
        assertThat(suppress(9, THREE_INSTRUCTION_TOKENS, flat).boundaries()).isEqualTo(Boundaries.of(0, 5, 8));
        assertThat(suppress(9, THREE_INSTRUCTION_TOKENS.andThen(only(Quirk.INSTRUCTION_BOUNDARY_SHIFTED)), flat).boundaries())
                .isEqualTo(Boundaries.of(0, 6, 8));
    }

    @Test
    @Shows(Quirk.NO_CANDIDATE_FAILS)
    void withoutACandidateTheAuthorsCodeFails() {
        double[] flat = new double[8];
        assertThat(suppress(9, c -> {}, flat).boundaries()).isEqualTo(Boundaries.of(0, 8));
        assertThatIllegalStateException().isThrownBy(() -> suppress(9, only(Quirk.NO_CANDIDATE_FAILS), flat))
                .withMessageContaining("no logit is above theta").withMessageContaining("corrected profile");
    }

    @Test
    @Shows(Quirk.ONE_CANDIDATE_TOO_MANY)
    void aSpentBudgetLetsOneMoreCandidateIn() {
        double[] logits = {0, 2, 3, 0, 0, 0, 0, 0};
        // the instruction's position 4 spends the budget of one
        assertThat(suppress(1, THREE_INSTRUCTION_TOKENS, logits).accepted()).containsExactly(4);
        assertThat(suppress(1, THREE_INSTRUCTION_TOKENS.andThen(only(Quirk.ONE_CANDIDATE_TOO_MANY)), logits).accepted()).containsExactly(2, 4);
    }

    @Test
    @Shows(Quirk.INSTRUCTION_POSITION_TWICE)
    void theInstructionsPositionIsAcceptedAsACandidateToo() {
        double[] logits = {0, 0, 0, 0, 5, 0, 0, 0};
        assertThat(suppress(9, THREE_INSTRUCTION_TOKENS, logits).accepted()).containsExactly(4);
        NonMaximumSuppression.Output twice = suppress(9, THREE_INSTRUCTION_TOKENS.andThen(only(Quirk.INSTRUCTION_POSITION_TWICE)), logits);
        assertThat(twice.accepted()).containsExactly(4, 4);
        assertThat(twice.boundaries()).isEqualTo(Boundaries.of(0, 5, 5, 8));
    }

    @Test
    @Shows(Quirk.FILLED_POSITIONS_ARE_CANDIDATES)
    void withoutAThresholdTheFilledEndsAreChosen() {
        Consumer<DhsaConfig.Builder> noTheta = c -> c.theta = OptionalDouble.empty();
        double[] logits = {1, 2, 3, 4};
        assertThat(suppress(9, noTheta, logits).accepted()).containsExactly(0, 1, 2);
        assertThat(suppress(9, noTheta.andThen(only(Quirk.FILLED_POSITIONS_ARE_CANDIDATES)), logits).accepted()).containsExactly(0, 1, 2, 3);
    }

    // ---- the forward pass ----

    /// Remembers by name what passed by; of a repeated name the last.
    private static final class Seen implements Probe {
        final Map<String, DoubleTensor> tensors = new HashMap<>();
        final List<KeySelection> selections = new ArrayList<>();

        @Override
        public void tensor(Stage stage, int layer, String name, Tensor value) {
            tensors.put(layer + "." + name, value.toDouble());
        }

        @Override
        public void selection(int layer, LayerKind kind, KeySelection selection) {
            selections.add(selection);
        }
    }

    private static final int[] IDS = TinyModel.tokens(3, 10);

    private static DhsaConfig blocksOfFour(Consumer<DhsaConfig.Builder> change) {
        return DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 4;
            c.budget = 1000;
            c.localTokens = 0;
            c.globalTokens = 0;
            c.instructionTokens = OptionalInt.empty();
            change.accept(c);
        });
    }

    private static double[] logits(Gemma2Forward forward, Consumer<DhsaConfig.Builder> change, Probe probe) {
        AttentionMode mode = AttentionMode.Dhsa.given(blocksOfFour(change), Boundaries.of(0, 3, 7, 10));
        return forward.open(mode, probe).prefillAllLogits(IDS).toDouble().data();
    }

    @Test
    @Shows(Quirk.SOFT_CAP_DROPPED)
    void attentionLogitsAreNotCapped() {
        Gemma2Forward capped = TinyModel.forward(1, TinyModel.config(3, 4, OptionalDouble.of(2)));
        Gemma2Forward uncapped = TinyModel.forward(1, TinyModel.config(3, 4, OptionalDouble.empty()));
        double[] quirk = logits(capped, only(Quirk.SOFT_CAP_DROPPED), Probe.NONE);
        assertClose("as a model without cap", quirk, logits(uncapped, c -> {}, Probe.NONE));
        assertThat(quirk).isNotEqualTo(logits(capped, c -> {}, Probe.NONE));
    }

    @Test
    @Shows(Quirk.WINDOW_PLUS_ONE)
    void localLayersReadOneKeyMore() {
        Gemma2Forward three = TinyModel.forward(1, TinyModel.config(1, 3, OptionalDouble.of(5)));
        Gemma2Forward four = TinyModel.forward(1, TinyModel.config(1, 4, OptionalDouble.of(5)));
        double[] quirk = logits(three, only(Quirk.WINDOW_PLUS_ONE), Probe.NONE);
        assertClose("as a window of four", quirk, logits(four, c -> {}, Probe.NONE));
        assertThat(quirk).isNotEqualTo(logits(three, c -> {}, Probe.NONE));
    }

    @Test
    @Shows(Quirk.PADDED_QUERY_BLOCK)
    void aPartialLastBlockIsAveragedOverTheFullBlock() {
        Gemma2Forward forward = TinyModel.forward(1, 4);
        Seen quirk = new Seen();
        Seen corrected = new Seen();
        logits(forward, only(Quirk.PADDED_QUERY_BLOCK), quirk);
        logits(forward, c -> {}, corrected);
        // ten queries in blocks of four: the last block holds two, so its mean is halved
        DoubleTensor padded = quirk.tensors.get("0.q_repr");
        DoubleTensor real = corrected.tensors.get("0.q_repr");
        for (int d = 0; d < 4; d++) {
            assertClose("a full block", padded.at(1, d), real.at(1, d));
            assertClose("the partial block", padded.at(2, d), real.at(2, d) / 2);
        }
    }

    @Test
    @Shows(Quirk.ZERO_INSTRUCTION_IS_ALL)
    void zeroInstructionTokensMakeEveryRowDense() {
        Gemma2Forward forward = TinyModel.forward(1, 4);
        Consumer<DhsaConfig.Builder> zero = c -> {
            c.instructionTokens = OptionalInt.of(0);
            c.budget = 4;
        };
        Seen quirk = new Seen();
        Seen corrected = new Seen();
        double[] dense = forward.open(new AttentionMode.Dense()).prefillAllLogits(IDS).toDouble().data();
        assertClose("dense", logits(forward, zero.andThen(only(Quirk.ZERO_INSTRUCTION_IS_ALL)), quirk), dense);
        assertThat(logits(forward, zero, corrected)).isNotEqualTo(dense);
        assertThat(quirk.selections).allMatch(s -> s.blocks().isEmpty() && s.queryBlocks().denseFrom() == 0);
        assertThat(corrected.selections).allMatch(s -> s.blocks().size() == 3 && s.queryBlocks().denseFrom() == 10);
    }
}
