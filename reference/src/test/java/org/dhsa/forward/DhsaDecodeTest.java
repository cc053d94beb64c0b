package org.dhsa.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.dhsa.recording.Close.assertClose;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.reference.dhsa.ChunkRepresentationReference;
import org.dhsa.reference.dhsa.ChunkSimilarityReference;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.reference.dhsa.UpsamplingReference;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.testing.TinyModel;
import org.junit.jupiter.api.Test;

class DhsaDecodeTest {

    private static final int WINDOW = 5;
    private static final int PROMPT = 8;
    private static final int[] IDS = TinyModel.tokens(5, PROMPT + 6);

    /// Boundaries, selections, queries and all keys, layer by layer.
    private static final class Seen implements Probe {
        final Map<Integer, Boundaries> boundaries = new HashMap<>();
        final Map<Integer, KeySelection> selections = new HashMap<>();
        final Map<Integer, DoubleTensor> queries = new HashMap<>();
        final Map<Integer, List<DoubleTensor>> keys = new HashMap<>();
        final List<String> boundaryHistory = new ArrayList<>();

        @Override
        public void tensor(Stage stage, int layer, String name, Tensor value) {
            if (name.equals("q_rope")) {
                queries.put(layer, value.toDouble());
            } else if (name.equals("k_rope")) {
                keys.computeIfAbsent(layer, l -> new ArrayList<>()).add(value.toDouble());
            }
        }

        @Override
        public void boundaries(int layer, Boundaries found) {
            boundaries.put(layer, found);
            if (layer == 0) {
                boundaryHistory.add(found.toString());
            }
        }

        @Override
        public void selection(int layer, LayerKind kind, KeySelection selection) {
            selections.put(layer, selection);
        }

        /// Every key of a layer since position 0, `[kvHeads, keyLen, headDim]`, forgotten ones too.
        DoubleTensor allKeys(int layer) {
            int length = keys.get(layer).stream().mapToInt(k -> k.shape().extent("keyLen")).sum();
            Shape one = keys.get(layer).getFirst().shape();
            DoubleTensor all = DoubleTensor.zeros(Shape.of("kvHeads", one.extent("kvHeads"), "keyLen", length, "headDim", one.extent("headDim")));
            int position = 0;
            for (DoubleTensor part : keys.get(layer)) {
                for (int t = 0; t < part.shape().extent("keyLen"); t++, position++) {
                    for (int h = 0; h < one.extent("kvHeads"); h++) {
                        for (int d = 0; d < one.extent("headDim"); d++) {
                            all.set(part.at(h, t, d), h, position, d);
                        }
                    }
                }
            }
            return all;
        }
    }

    private static DhsaConfig config(Consumer<DhsaConfig.Builder> change) {
        return DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 4;
            c.budget = 6;
            c.decodeBudget = 4;
            c.localTokens = 1;
            c.globalTokens = 1;
            c.instructionTokens = OptionalInt.empty();
            c.theta = OptionalDouble.of(0);
            c.nmsWindow = 2;
            change.accept(c);
        });
    }

    private static Seen run(double gapLogit, Consumer<DhsaConfig.Builder> change) {
        Seen seen = new Seen();
        Gemma2Forward.Session session = TinyModel.forward(2, WINDOW)
                .open(AttentionMode.Dhsa.predicted(config(change), TinyModel.constantPredictor(1, gapLogit)), seen);
        session.prefill(Arrays.copyOf(IDS, PROMPT));
        for (int t = PROMPT; t < IDS.length; t++) {
            session.decode(IDS[t]);
        }
        return seen;
    }

    @Test
    void newTokensJoinTheOpenChunkUntilThePredictorClosesIt() {
        // Every gap has logit 5. In the prompt of 8 the positions 0, 3 and 6 are accepted: more than 2 apart, lowest first.
        // A new gap is judged once a token stands on its right; the first one more than 2 behind position 6 is 9, judged with token 10.
        assertThat(run(5, c -> {}).boundaryHistory).containsExactly(
                "[0, 1, 4, 7, 8]",
                "[0, 1, 4, 7, 9]",
                "[0, 1, 4, 7, 10]",
                "[0, 1, 4, 7, 10, 11]",
                "[0, 1, 4, 7, 10, 12]",
                "[0, 1, 4, 7, 10, 13]",
                "[0, 1, 4, 7, 10, 13, 14]");
    }

    @Test
    void withoutAGapAboveThetaTheLastChunkGrows() {
        assertThat(run(-5, c -> {}).boundaryHistory).containsExactly(
                "[0, 8]", "[0, 9]", "[0, 10]", "[0, 11]", "[0, 12]", "[0, 13]", "[0, 14]");
    }

    @Test
    void aSpentChunkBudgetKeepsTheChunkOpen() {
        // chunkBeta 1 and blocks of 4: two boundaries for 8 tokens, three for 12
        assertThat(run(5, c -> c.chunkBeta = 1).boundaryHistory).containsExactly(
                "[0, 1, 4, 8]", "[0, 1, 4, 9]", "[0, 1, 4, 10]", "[0, 1, 4, 11]", "[0, 1, 4, 11, 12]", "[0, 1, 4, 11, 13]", "[0, 1, 4, 11, 14]");
    }

    @Test
    void allLayersFollowTheBoundariesOfLayerZero() {
        for (boolean share : new boolean[] {true, false}) {
            Seen seen = run(5, c -> c.shareBoundaries = share);
            assertThat(seen.boundaries.values()).containsOnly(Boundaries.of(0, 1, 4, 7, 10, 13, 14));
        }
    }

    @Test
    void aDecodedTokenSelectsLikeAPromptBlockOfOneTokenWithTheSameBoundaries() {
        Seen seen = run(5, c -> {});
        for (int layer = 0; layer < 3; layer++) {
            DhsaConfig config = config(c -> c.blockSize = 1);
            DoubleTensor queryChunk = represent(seen.queries.get(layer), Boundaries.of(0, 1));
            DoubleTensor keyChunks = represent(seen.allKeys(layer), seen.boundaries.get(layer));
            DoubleTensor scores = new ChunkSimilarityReference().apply(new ChunkSimilarity.Input(queryChunk, keyChunks)).chunkScores().toDouble();
            Tensor tokenScores = new UpsamplingReference().apply(new Upsampling.Input(scores, seen.boundaries.get(layer))).tokenScores();
            Visibility visibility = layer == 1 ? Visibility.GLOBAL : new Visibility(WINDOW, false);
            KeySelection expected = new TopKSelectionReference().apply(new TopKSelection.Input(tokenScores,
                    QueryBlocks.single(IDS.length - 1), visibility, config.decodeBudget(), config)).selection();
            KeySelection actual = seen.selections.get(layer);
            assertThat(actual.queryBlocks()).isEqualTo(expected.queryBlocks());
            assertThat(actual.blocks().getFirst().keys()).as("layer %d", layer).isEqualTo(expected.blocks().getFirst().keys()).hasSize(4);
            assertClose("threshold", actual.blocks().getFirst().threshold(), expected.blocks().getFirst().threshold());
        }
    }

    private static DoubleTensor represent(DoubleTensor states, Boundaries segments) {
        return new ChunkRepresentationReference().apply(
                new ChunkRepresentation.Input(states, segments, Pooling.MEAN_SQRT_LENGTH, 0)).chunks().toDouble();
    }

    @Test
    void aDecodedTokenAlwaysReadsItselfAndTheTokenBefore() {
        Seen seen = run(5, c -> {});
        assertThat(seen.selections.values()).allSatisfy(s -> assertThat(s.blocks().getFirst().keys()).contains(IDS.length - 1, IDS.length - 2));
    }

    @Test
    void denseDecodingReadsEveryKeyWhateverTheBudget() {
        List<Long> read = new ArrayList<>();
        Probe probe = new Probe() {
            @Override
            public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
                read.add(pairsRead - pairsVisible);
            }
        };
        Gemma2Forward.Session session = TinyModel.forward(2, WINDOW).open(AttentionMode.Dhsa.given(
                config(c -> c.decode = DhsaConfig.DecodeMode.DENSE), Boundaries.of(0, 3, PROMPT)), probe);
        session.prefill(Arrays.copyOf(IDS, PROMPT));
        read.clear();
        session.decode(IDS[PROMPT]);
        assertThat(read).containsExactly(0L, 0L, 0L);
    }

    @Test
    void quirksOfThePromptDoNotReachSparseDecodingExceptTheMissingCap() {
        Consumer<DhsaConfig.Builder> spliced = c -> {
            c.quirk(Quirk.GLOBAL_TOKENS_SPLICED, true);
            c.quirk(Quirk.PADDED_WITH_LAST_KEY, true);
        };
        // decodeBudget 100 and padding would make lists of one key many times
        Seen seen = run(5, spliced.andThen(c -> c.decodeBudget = 100));
        assertThat(seen.selections.get(1).blocks().getFirst().keys()).hasSize(IDS.length).doesNotHaveDuplicates();
    }

    @Test
    void misuseIsSaidPlainly() {
        Gemma2Forward forward = TinyModel.forward(2, WINDOW);
        assertThatIllegalArgumentException().isThrownBy(() -> new AttentionMode.Dhsa(config(c -> {}), Optional.empty(), Optional.empty()))
                .withMessage("DHSA needs a boundary predictor, or boundaries");
        assertThatIllegalStateException().isThrownBy(() -> forward.open(new AttentionMode.Dense()).decode(1))
                .withMessage("there is no prompt yet: call prefill first");
        assertThatIllegalArgumentException().isThrownBy(() -> forward.open(new AttentionMode.Dense()).prefill(new int[0]))
                .withMessage("the prompt is empty");
        Gemma2Forward.Session session = forward.open(AttentionMode.Dhsa.given(config(c -> {}), Boundaries.of(0, 2)));
        assertThatIllegalArgumentException().isThrownBy(() -> session.prefill(new int[] {1, 2, 3}))
                .withMessage("the given boundaries cover 2 tokens, the prompt has 3");
        Gemma2Forward.Session once = forward.open(AttentionMode.Dhsa.given(config(c -> {}), Boundaries.of(0, 2)));
        once.prefill(new int[] {1, 2});
        assertThatIllegalStateException().isThrownBy(() -> once.prefill(new int[] {1, 2}))
                .withMessageContaining("reads its prompt once, whole; 2 tokens are read already");
    }
}
