package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Profile;
import org.dhsa.policy.PolicySetting.Layers;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.testing.TinyModel;

/// What holds for every policy.
class PolicyPropertiesTest {

    private static final String SEED = "20251122";
    private static final int TRIES = 12;
    private static final int WINDOW = 5;

    private static List<SelectionPolicy> policies(int budget, int block) {
        List<SelectionPolicy> all = new ArrayList<>(PolicyCases.all(budget, block));
        all.addAll(PolicyCases.withoutBudget());
        return all;
    }

    private static LayerSelection select(SelectionPolicy policy, LayerState layer) {
        return policy.open(PolicyCases.ids(layer.end())).select(layer);
    }

    @Property(seed = SEED, tries = TRIES)
    void listsHoldVisibleKeysOnceAndInOrder(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 40) int length,
                                            @ForAll @IntRange(min = 1, max = 20) int budget, @ForAll @IntRange(min = 1, max = 6) int block) {
        LayerState layer = PolicyCases.layer(seed, length);
        for (SelectionPolicy policy : policies(budget, block)) {
            LayerSelection selection = select(policy, layer);
            for (int h = 0; h < layer.heads(); h++) {
                QueryBlocks blocks = selection.of(h).queryBlocks();
                assertThat(blocks.end()).as("%s", policy).isEqualTo(length);
                for (int b = 0; b < blocks.blocks().size(); b++) {
                    QueryBlocks.Block rows = blocks.blocks().get(b);
                    int[] keys = selection.of(h).blocks().get(b).keys();
                    assertThat(keys).as("%s", policy).isEqualTo(Arrays.stream(keys).filter(j -> j >= layer.firstVisible(rows.start()) && j < rows.end())
                            .sorted().distinct().toArray());
                }
            }
        }
    }

    @Property(seed = SEED, tries = TRIES)
    void countsAreWhatAttentionReads(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 30) int length,
                                     @ForAll @IntRange(min = 1, max = 12) int budget, @ForAll @IntRange(min = 1, max = 5) int block) {
        LayerState layer = PolicyCases.layer(seed, length);
        for (SelectionPolicy policy : policies(budget, block)) {
            LayerSelection selection = select(policy, layer);
            long read = 0;
            long listed = 0;
            for (int h = 0; h < layer.heads(); h++) {
                int g = h * layer.kvHeads() / layer.heads();
                read += layer.backend().sparseAttention().apply(new SparseAttention.Input(layer.backend().rows(layer.query(), h, h + 1),
                        layer.backend().rows(layer.key(), g, g + 1), layer.backend().rows(layer.key(), g, g + 1), selection.of(h), layer.rule())).pairsRead();
                for (int row = 0; row < length; row++) {
                    listed += selection.keysOf(h, row, layer.rule(), length).length;
                }
            }
            assertThat(selection.pairs(layer.rule(), length)).as("%s", policy).isEqualTo(read).isEqualTo(listed);
        }
    }

    @Property(seed = SEED, tries = TRIES)
    void theSameStatesGiveTheSameLists(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 30) int length) {
        LayerState layer = PolicyCases.layer(seed, length);
        for (SelectionPolicy policy : policies(6, 3)) {
            assertThat(select(policy, layer)).as("%s", policy).isEqualTo(select(policy, layer));
        }
    }

    /// No row of any policy holds more attention mass than the row oracle with as many keys.
    @Property(seed = SEED, tries = TRIES)
    void noPolicyBeatsTheOracleOfEachRow(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 30) int length,
                                         @ForAll @IntRange(min = 1, max = 12) int budget, @ForAll @IntRange(min = 1, max = 5) int block) {
        LayerState layer = PolicyCases.layer(seed, length);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        LayerSelection[] oracles = IntStream.rangeClosed(1, length).mapToObj(n -> select(OraclePolicy.row(n), layer)).toArray(LayerSelection[]::new);
        for (SelectionPolicy policy : policies(budget, block)) {
            LayerSelection selection = select(policy, layer);
            for (int h = 0; h < layer.heads(); h++) {
                for (int row = 0; row < layer.denseFrom(); row++) {
                    int[] keys = selection.keysOf(h, row, layer.rule(), length);
                    if (keys.length > 0) {
                        double best = mass(weights, h, row, oracles[keys.length - 1].keysOf(h, row, layer.rule(), length));
                        assertThat(mass(weights, h, row, keys)).as("%s", policy).isLessThanOrEqualTo(best + 1e-12);
                    }
                }
            }
        }
    }

    /// No list for a block of rows and all heads holds more mass than the block oracle's list of that length.
    @Property(seed = SEED, tries = TRIES)
    void noSharedListBeatsTheOracleOfItsBlock(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 30) int length,
                                              @ForAll @IntRange(min = 1, max = 12) int budget, @ForAll @IntRange(min = 1, max = 5) int block) {
        LayerState layer = PolicyCases.layer(seed, length);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        QueryBlocks fixed = layer.blocks(block);
        for (SelectionPolicy policy : policies(budget, block)) {
            LayerSelection selection = select(policy, layer);
            if (!selection.isShared() || !selection.of(0).queryBlocks().equals(fixed)) {
                continue;
            }
            for (int b = 0; b < fixed.blocks().size(); b++) {
                int[] keys = selection.of(0).blocks().get(b).keys();
                if (keys.length > 0) {
                    LayerSelection oracle = select(OraclePolicy.block(block, keys.length), layer);
                    assertThat(mass(weights, fixed.blocks().get(b), selection, layer)).as("%s", policy)
                            .isLessThanOrEqualTo(mass(weights, fixed.blocks().get(b), oracle, layer) + 1e-12);
                }
            }
        }
    }

    private static double mass(AttentionWeights weights, QueryBlocks.Block rows, LayerSelection selection, LayerState layer) {
        double sum = 0;
        for (int h = 0; h < layer.heads(); h++) {
            for (int row = rows.start(); row < rows.end(); row++) {
                sum += mass(weights, h, row, selection.keysOf(h, row, layer.rule(), layer.end()));
            }
        }
        return sum;
    }

    private static double mass(AttentionWeights weights, int head, int row, int[] keys) {
        double[] all = weights.row(head, row);
        return Arrays.stream(keys).mapToDouble(j -> all[j - weights.first(row)]).sum();
    }

    /// Lists of a budgeted policy are as long as the budget says; with room for more they are never shorter than they need be.
    @Property(seed = SEED, tries = TRIES)
    void noListIsLongerThanItsBudget(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 1, max = 40) int length,
                                     @ForAll @IntRange(min = 1, max = 20) int budget, @ForAll @IntRange(min = 1, max = 6) int block) {
        LayerState layer = PolicyCases.layer(seed, length, new LayerKind.Global(), 0);
        for (SelectionPolicy policy : PolicyCases.all(budget, block)) {
            int most = switch (policy) {
                case StreamingPolicy s -> s.sinks() + s.window() + s.block() - 1;
                // other rules move keys from row to row: BudgetRuleTest holds their totals
                case DhsaPolicy d when d.rule().isStatic() -> d.config().budget();
                case BlockTopKPolicy b when b.rule().isStatic() -> Math.max(block, budget);
                case IcmlMaskPolicy m when m.rule().isStatic() && m.quirks().isEmpty() -> Math.max(block + 2 * m.keyBlock(), budget + m.keyBlock());
                case OraclePolicy o -> budget;
                case MInferenceAShapePolicy a -> a.nInit() + a.nLocal() + a.block() - 1;
                case MInferenceVerticalSlashPolicy v when v.profile() == Profile.CORRECTED -> v.verticalSize() + v.slashSize() * v.blockSize();
                case MInferenceBlockSparsePolicy b when b.rule().isStatic() -> b.topK() * b.blockSize();
                case QuestPolicy q when q.chunks().isEmpty() && q.rule().isStatic() -> Math.max(q.page(), budget);
                case CascadePolicy c -> c.budget() + c.stride();
                case SparseAcceleratePolicy a -> Math.max(budget, Math.max(a.block(), a.interval()));
                default -> length;
            };
            for (BlockSelection list : select(policy, layer).of(0).blocks()) {
                assertThat(list.keys().length).as("%s", policy).isLessThanOrEqualTo(most);
            }
        }
    }

    /// Prompt and decoded tokens of a whole model, to the last bit.
    @Property(seed = SEED, tries = 5)
    void aBudgetOfEverythingIsDenseAttention(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 2, max = 16) int length,
                                             @ForAll @IntRange(min = 1, max = 4) int block) {
        int[] ids = TinyModel.tokens(seed, length);
        ids[length / 2] = 4;
        double[][] dense = logits(seed, new AttentionMode.Dense(), ids);
        List<SelectionPolicy> everything = new ArrayList<>(PolicyCases.all(length + block + 4, block));
        everything.add(new DensePolicy());
        everything.add(OraclePolicy.topP(1));
        for (SelectionPolicy policy : everything) {
            for (Layers layers : Layers.values()) {
                assertThat(logits(seed, new AttentionMode.Policy(policy, PolicySetting.STRICT.on(layers)), ids)).as("%s", policy).isDeepEqualTo(dense);
            }
        }
    }

    private static double[][] logits(int seed, AttentionMode mode, int[] ids) {
        Gemma2Forward.Session session = TinyModel.forward(seed, WINDOW).open(mode);
        double[][] all = new double[4][];
        all[0] = session.prefillAllLogits(ids).toDouble().data();
        for (int t = 1; t < all.length; t++) {
            all[t] = session.decode(t).toDouble().data();
        }
        return all;
    }

    /// The setting leaves the question's rows, and in the authors' setting all new tokens, as dense attention has them.
    @Property(seed = SEED, tries = 5)
    void theDenseTailReadsEverything(@ForAll @IntRange(max = 1000) int seed, @ForAll @IntRange(min = 6, max = 16) int length) {
        int[] ids = TinyModel.tokens(seed, length);
        for (SelectionPolicy policy : policies(2, 2)) {
            List<String> seen = new ArrayList<>();
            Gemma2Forward.Session session = TinyModel.forward(seed, WINDOW).open(new AttentionMode.Policy(policy, PolicySetting.questionDense(3)), new Probe() {
                @Override
                public void selection(int layer, LayerKind kind, LayerSelection selection) {
                    seen.add(policy.name());
                    assertThat(selection.of(0).queryBlocks().denseFrom()).isLessThanOrEqualTo(length - 3);
                }

                @Override
                public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
                    assertThat(pairsRead).isLessThanOrEqualTo(pairsVisible);
                }
            });
            session.prefill(ids);
            assertThat(seen).hasSize(3);
            session.decode(1);
            assertThat(seen).as("decoding is dense, so nothing is selected").hasSize(3);
        }
    }
}
