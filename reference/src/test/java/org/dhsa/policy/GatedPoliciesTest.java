package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.dhsa.model.GateWeights;
import org.dhsa.model.GateWeights.LearnedTopK;
import org.dhsa.model.LayerKind;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.reference.gemma.RotaryEmbeddingReference;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.testing.Gates;
import org.dhsa.testing.Tensors;
import org.junit.jupiter.api.Test;

/// Policies with given weights, where a hand can follow.
class GatedPoliciesTest {

    @Test
    void theRotationIsUndone() {
        DoubleTensor states = Tensors.random(new Random(3), 1, "heads", 2, "queryLen", 9, "headDim", 6);
        DoubleTensor rotated = new RotaryEmbeddingReference().apply(new RotaryEmbedding.Input(states, 5, 10_000)).rotated().toDouble();
        double[] back = Rotation.undone(rotated, 5, 10_000).data();
        assertThat(back).containsExactly(states.data(), within(1e-14));
        assertThat(rotated.data()).isNotEqualTo(states.data());
    }

    /// A gate that sees means of unrotated keys alone: block 1 of three holds what the queries ask for.
    @Test
    void theGateReadsStatesFromBeforeTheRotation() {
        double[] rows = {0, 0, 0, 0, 3, 0, 3, 0, 0, 0, 0, 0};
        DoubleTensor key = DoubleTensor.of(Shape.of("kvHeads", 1, "keyLen", 6, "headDim", 2), rows);
        DoubleTensor query = DoubleTensor.of(Shape.of("heads", 1, "queryLen", 6, "headDim", 2), IntStream.range(0, 12).mapToDouble(i -> i % 2 == 0 ? 1 : 0).toArray());
        RotaryEmbeddingReference rope = new RotaryEmbeddingReference();
        LayerState plain = PolicyCases.layer(2, 6, new LayerKind.Global(), 0);
        LayerState layer = new LayerState(0, 1, plain.kind(), rope.apply(new RotaryEmbedding.Input(query, 0, 10_000)).rotated(),
                rope.apply(new RotaryEmbedding.Input(key, 0, 10_000)).rotated(), plain.rule(), 6, false, new ReferenceBackend());
        GateWeights.SeerAttention gate = new GateWeights.SeerAttention(List.of(new GateWeights.SeerAttention.Layer(Optional.empty(),
                WeightTensor.of("k", new double[] {1, 0, 0, 1}, 1, 2, 2))), "Qavg_Kavg", 2, false, 10_000);
        gate.requireFit(1, 1, 1, 2);
        LayerSelection chosen = new SeerAttentionPolicy(gate, 0, 0, 4, true, false, BudgetRule.STATIC).open(new int[0]).select(layer);
        assertThat(chosen.of(0).blocks().stream().map(b -> Arrays.toString(b.keys())).toList()).containsExactly("[0, 1]", "[0, 1, 2, 3]", "[2, 3, 4, 5]");
        double[][] logits = SeerGate.logits(gate, 0, query, key, 0);
        assertThat(logits[2]).containsExactly(new double[] {0, 3 / Math.sqrt(2), 0}, within(1e-15));
        LayerSelection open = new SeerAttentionPolicy(gate, 0.5, 0, 0, false, false, BudgetRule.STATIC).open(new int[0]).select(layer);
        assertThat(open.of(0).blocks().get(2).keys()).as("0.5 < exp(2.12) / (exp(2.12) + 2)").containsExactly(2, 3);
        assertThat(open.of(0).blocks().getFirst().keys()).as("its own block holds all").containsExactly(0, 1);
    }

    @Test
    void anIndexerNamesColumnsAndDistances() {
        // column: the key's channel 0; distance: the value's channel 0
        GateWeights.VsPrefill.Layer layer = new GateWeights.VsPrefill.Layer(WeightTensor.of("inner", new double[] {1, 0, 0, 0, 0, 0, 1, 0}, 2, 4),
                WeightTensor.of("bias", new double[] {0, 0}, 2), WeightTensor.of("outer", new double[] {1, 0, 0, 1}, 2, 2));
        GateWeights.VsPrefill gate = new GateWeights.VsPrefill(List.of(layer));
        gate.requireFit(1, 1, 1, 2);
        DoubleTensor key = DoubleTensor.of(Shape.of("kvHeads", 1, "keyLen", 6, "headDim", 2), 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        DoubleTensor value = DoubleTensor.of(Shape.of("kvHeads", 1, "keyLen", 6, "headDim", 2), 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0);
        LayerState plain = PolicyCases.layer(2, 6, new LayerKind.Global(), 0);
        LayerState state = new LayerState(0, 1, plain.kind(), key.reshape(Shape.of("heads", 1, "queryLen", 6, "headDim", 2)), key, plain.rule(), 6, false,
                new ReferenceBackend(), 10_000, Optional.of(value));
        LayerSelection chosen = new VsPrefillPolicy(gate, 0.9, 0, 1).open(new int[0]).select(state);
        assertThat(chosen.of(0).blocks().stream().map(b -> Arrays.toString(b.keys())).toList()).as("column 1; value 3 of 0 to 5 speaks for the distance 2").containsExactly(
                "[0]", "[1]", "[0, 1, 2]", "[1, 3]", "[1, 2, 4]", "[1, 3, 5]");
        LayerState without = new LayerState(0, 1, plain.kind(), state.query(), key, plain.rule(), 6, false, new ReferenceBackend());
        assertThatThrownBy(() -> new VsPrefillPolicy(gate, 0.9, 0, 1).open(new int[0]).select(without)).hasMessage("vsprefill reads values, and layer 0 came without them");
    }

    /// With a network that says nothing the score is the soft maximum of the eight products; with one that says yes it grows by the bound.
    @Test
    void aLearnedScoreIsTheSoftMaximumAndABoundedCorrection() {
        LayerState layer = PolicyCases.layer(8, 16, new LayerKind.Global(), 0);
        IcmlBlocks blocks = new IcmlBlocks(0, 16, 16, 8, 4, layer.rule());
        DoubleTensor query = layer.query().toDouble();
        DoubleTensor key = layer.key().toDouble();
        double[][] silent = new LearnedScores(constant(0), layer, blocks).head(3, query, key);
        double[][] loud = new LearnedScores(constant(100), layer, blocks).head(3, query, key);
        double sum = 0;
        for (int s = 0; s < 4; s++) {
            for (int u = 0; u < 2; u++) {
                double[] q = IcmlBlocks.mean(query, 3, 8 + 2 * s, 10 + 2 * s);
                double[] k = IcmlBlocks.mean(key, 1, 4 + 2 * u, 6 + 2 * u);
                sum += Math.exp(layer.rule().logit(IcmlBlocks.dot(q, k)));
            }
        }
        assertThat(silent[1][1]).isCloseTo(Math.log(sum / 8), within(1e-13));
        assertThat(loud[1][1]).isCloseTo(silent[1][1] + 0.5, within(1e-13));
        assertThat(silent[0][2]).isEqualTo(Double.NEGATIVE_INFINITY);
    }

    /// Weights 0 but for the last bias.
    private static LearnedTopK constant(double outerBias) {
        int heads = PolicyCases.HEADS;
        return new LearnedTopK(List.of(new LearnedTopK.Layer(zeros(heads, LearnedTopK.LOCAL, 2), zeros(heads, LearnedTopK.CONTEXT, 2), zeros(heads, 2), zeros(heads, 2),
                WeightTensor.of("c", IntStream.range(0, heads).mapToDouble(h -> outerBias).toArray(), heads), Optional.empty())), 0.5);
    }

    private static WeightTensor zeros(long... dims) {
        return WeightTensor.of("zeros", new double[Math.toIntExact(Arrays.stream(dims).reduce(1, (a, b) -> a * b))], dims);
    }

    /// Every feature reaches the score: one weight at a time.
    @Test
    void everyFeatureOfALearnedScoreCounts() {
        LayerState layer = PolicyCases.layer(8, 16, new LayerKind.Global(), 0);
        IcmlBlocks blocks = new IcmlBlocks(0, 16, 16, 8, 4, layer.rule());
        double[][] plain = new LearnedScores(constant(0), layer, blocks).head(0, layer.query().toDouble(), layer.key().toDouble());
        for (int f = 0; f < LearnedTopK.LOCAL + LearnedTopK.CONTEXT; f++) {
            double[] local = new double[PolicyCases.HEADS * LearnedTopK.LOCAL];
            double[] context = new double[PolicyCases.HEADS * LearnedTopK.CONTEXT];
            (f < LearnedTopK.LOCAL ? local : context)[f < LearnedTopK.LOCAL ? f : f - LearnedTopK.LOCAL] = 1;
            LearnedTopK gate = new LearnedTopK(List.of(new LearnedTopK.Layer(WeightTensor.of("l", local, PolicyCases.HEADS, LearnedTopK.LOCAL, 1),
                    WeightTensor.of("c", context, PolicyCases.HEADS, LearnedTopK.CONTEXT, 1), zeros(PolicyCases.HEADS, 1),
                    WeightTensor.of("w", new double[] {1, 1, 1, 1}, PolicyCases.HEADS, 1), zeros(PolicyCases.HEADS), Optional.empty())), 0.5);
            assertThat(new LearnedScores(gate, layer, blocks).head(0, layer.query().toDouble(), layer.key().toDouble())[1][0]).as("feature %s", f).isNotEqualTo(plain[1][0]);
        }
    }

    @Test
    void learnedBudgetsKeepTheirTotalAndTheirBounds() {
        assertThat(LearnedScores.budgets(new double[] {0, 0, 0}, new int[] {1, 1, 1}, new int[] {4, 4, 4}, 7)).containsExactly(3, 2, 2);
        assertThat(LearnedScores.budgets(new double[] {9, 0, 0}, new int[] {1, 1, 1}, new int[] {4, 4, 4}, 9)).containsExactly(4, 3, 2);
        Random random = new Random(6);
        for (int trial = 0; trial < 200; trial++) {
            int[] low = random.ints(9, 0, 4).toArray();
            int[] high = Arrays.stream(low).map(l -> l + random.nextInt(6)).toArray();
            int total = Arrays.stream(low).sum() + random.nextInt(Arrays.stream(high).sum() - Arrays.stream(low).sum() + 1);
            int[] shared = LearnedScores.budgets(random.doubles(9, -3, 3).toArray(), low, high, total);
            assertThat(Arrays.stream(shared).sum()).isEqualTo(total);
            assertThat(IntStream.range(0, 9)).allMatch(r -> shared[r] >= low[r] && shared[r] <= high[r]);
        }
    }

    @Test
    void dynamicMovesBlocksBetweenRowsAndHeads() {
        LayerState layer = PolicyCases.layer(8, 40, new LayerKind.Global(), 0);
        LayerSelection even = new IcmlLearnedPolicy(Gates.learned(2, 4), false, 12, 0, 4, 2, BudgetRule.STATIC).open(new int[0]).select(layer);
        LayerSelection moved = new IcmlLearnedPolicy(Gates.learned(2, 4), true, 12, 0, 4, 2, BudgetRule.STATIC).open(new int[0]).select(layer);
        assertThat(keys(moved)).isEqualTo(keys(even));
        assertThat(moved.pairs(layer.rule(), 40)).isEqualTo(even.pairs(layer.rule(), 40));
        assertThat(moved.perHead()).isNotEqualTo(even.perHead());
        assertThatIllegalArgumentException().isThrownBy(() -> new IcmlLearnedPolicy(constant(0), true, 12, 0, 4, 2, BudgetRule.STATIC))
                .withMessageContaining("needs a table of budgets");
    }

    private static int keys(LayerSelection selection) {
        return selection.perHead().stream().flatMap(s -> s.blocks().stream()).mapToInt(b -> b.keys().length).sum();
    }
}
