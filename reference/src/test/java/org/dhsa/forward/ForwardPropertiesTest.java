package org.dhsa.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.recording.Close.assertClose;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.dhsa.testing.TinyModel;

/// Three layers, local, global, local, with a window of 5: prompts of up to 16 tokens leave it.
class ForwardPropertiesTest {

    private static final String SEED = "20251024";
    private static final int WINDOW = 5;

    private static DhsaConfig config(long seed, int budget, int decodeBudget) {
        Random random = new Random(seed);
        return DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 1 + random.nextInt(4);
            c.budget = Math.max(budget, c.blockSize);
            c.decodeBudget = decodeBudget;
            c.localTokens = random.nextInt(3);
            c.globalTokens = random.nextInt(3);
            c.instructionTokens = random.nextBoolean() ? OptionalInt.of(random.nextInt(4)) : OptionalInt.empty();
            c.queryChunking = random.nextBoolean() ? DhsaConfig.QueryChunking.FIXED_BLOCKS : DhsaConfig.QueryChunking.DYNAMIC_CHUNKS;
            c.aggregation = DhsaConfig.Aggregation.values()[random.nextInt(3)];
            c.shareMasks = random.nextBoolean();
        });
    }

    private static Gemma2Forward.Session dense(long seed) {
        return TinyModel.forward(seed, WINDOW).open(new AttentionMode.Dense());
    }

    private static Gemma2Forward.Session sparse(long seed, int length, DhsaConfig config, Probe probe) {
        return TinyModel.forward(seed, WINDOW).open(AttentionMode.Dhsa.given(config, TinyModel.boundaries(seed, length)), probe);
    }

    @Property(seed = SEED)
    void aBudgetOfTheWholePromptIsDenseAttention(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 16) int length) {
        int[] ids = TinyModel.tokens(seed, length);
        assertClose("logits", sparse(seed, length, config(seed, length, 1), Probe.NONE).prefillAllLogits(ids).toDouble(),
                dense(seed).prefillAllLogits(ids).toDouble());
    }

    @Property(seed = SEED)
    void aPromptInPartsIsThePromptAtOnce(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 2, max = 16) int length,
                                         @ForAll @IntRange(min = 1, max = 7) int part) {
        int[] ids = TinyModel.tokens(seed, length);
        DoubleTensor whole = dense(seed).prefillAllLogits(ids).toDouble();
        Gemma2Forward.Session session = dense(seed);
        for (int from = 0; from < length; from += part) {
            int to = Math.min(length, from + part);
            assertClose("tokens " + from + " to " + to, session.prefillAllLogits(Arrays.copyOfRange(ids, from, to)).toDouble(), whole.rows(from, to));
        }
        assertThat(session.position()).isEqualTo(length);
    }

    /// A prompt that attention must see whole is not cut: only what needs no other row goes in tiles.
    @Property(seed = SEED)
    void aSparsePromptInTilesOfRowsIsThePromptAtOnce(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 16) int length,
                                                     @ForAll @IntRange(min = 1, max = 7) int tile) {
        int[] ids = TinyModel.tokens(seed, length + 2);
        DhsaConfig config = config(seed, 4, 3);
        List<KeySelection> atOnce = new ArrayList<>();
        List<KeySelection> inTiles = new ArrayList<>();
        Set<Integer> rows = new TreeSet<>();
        Gemma2Forward.Session whole = sparse(seed, length, config, noting(atOnce, new TreeSet<>()));
        Gemma2Forward.Session tiled = TinyModel.forward(seed, WINDOW).open(AttentionMode.Dhsa.given(config, TinyModel.boundaries(seed, length)),
                noting(inTiles, rows), tile);
        assertClose("logits", tiled.prefillAllLogits(Arrays.copyOf(ids, length)).toDouble(), whole.prefillAllLogits(Arrays.copyOf(ids, length)).toDouble());
        assertThat(rows).as("rows of the feed-forward at once").allMatch(n -> n <= tile + 1).isNotEmpty();
        for (int t = length; t < ids.length; t++) {
            assertClose("token " + t, tiled.decode(ids[t]).toDouble(), whole.decode(ids[t]).toDouble());
        }
        assertThat(inTiles).isEqualTo(atOnce);
    }

    private static Probe noting(List<KeySelection> selections, Set<Integer> rows) {
        return new Probe() {
            @Override
            public void selection(int layer, LayerKind kind, KeySelection selection) {
                selections.add(selection);
            }

            @Override
            public void tensor(Stage stage, int layer, String name, Tensor value) {
                if (stage == Stage.FEED_FORWARD) {
                    rows.add(value.shape().extent("queryLen"));
                }
            }
        };
    }

    @Property(seed = SEED)
    void aDecodedTokenIsTheLastRowOfALongerPrompt(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 2, max = 16) int length,
                                                  @ForAll @IntRange(min = 1, max = 5) int prompt) {
        int[] ids = TinyModel.tokens(seed, length);
        DoubleTensor whole = dense(seed).prefillAllLogits(ids).toDouble();
        Gemma2Forward.Session session = dense(seed);
        int start = Math.min(prompt, length - 1);
        assertClose("prompt", session.prefill(Arrays.copyOf(ids, start)).toDouble(), whole.rows(start - 1, start));
        for (int t = start; t < length; t++) {
            assertClose("token " + t, session.decode(ids[t]).toDouble(), whole.rows(t, t + 1));
        }
    }

    @Property(seed = SEED)
    void decodingWithABudgetOfEverythingIsDenseDecoding(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 10) int prompt) {
        int length = prompt + 6;
        int[] ids = TinyModel.tokens(seed, length);
        Gemma2Forward.Session sparse = sparse(seed, prompt, config(seed, length, length), Probe.NONE);
        Gemma2Forward.Session dense = dense(seed);
        assertClose("prompt", sparse.prefill(Arrays.copyOf(ids, prompt)).toDouble(), dense.prefill(Arrays.copyOf(ids, prompt)).toDouble());
        for (int t = prompt; t < length; t++) {
            assertClose("token " + t, sparse.decode(ids[t]).toDouble(), dense.decode(ids[t]).toDouble());
        }
    }

    @Property(seed = SEED)
    void noRowReadsMoreThanItsBudgetOrThanItSees(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 16) int length) {
        DhsaConfig config = config(seed, 4, 2);
        int[] ids = TinyModel.tokens(seed, length + 3);
        Probe probe = new Probe() {
            private int budget = config.budget();

            @Override
            public void selection(int layer, LayerKind kind, KeySelection selection) {
                budget = selection.queryBlocks().end() > length ? config.decodeBudget() : config.budget();
                assertThat(selection.blocks()).allSatisfy(list -> assertThat(list.keys().length).isLessThanOrEqualTo(budget));
            }

            @Override
            public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
                assertThat(pairsRead).isPositive().isLessThanOrEqualTo(pairsVisible);
            }
        };
        Gemma2Forward.Session session = sparse(seed, length, config, probe);
        session.prefill(Arrays.copyOf(ids, length));
        for (int t = length; t < ids.length; t++) {
            session.decode(ids[t]);
        }
    }
}
