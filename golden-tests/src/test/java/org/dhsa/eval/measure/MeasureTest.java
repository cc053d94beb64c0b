package org.dhsa.eval.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.IntStream;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.reference.gemma.DenseAttentionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MeasureTest {

    private static final int HEADS = 4;
    private static final int LENGTH = 33;

    private record Case(LayerState layer, DoubleTensor value) {

        static Case of(int seed, LayerKind kind, int denseTail) {
            Random random = new Random(seed);
            AttentionRule rule = new AttentionRule(0.6, OptionalDouble.of(5), Visibility.of(kind), 0, 0);
            DoubleTensor key = random(random, "kvHeads", 2, "keyLen");
            return new Case(new LayerState(0, 1, kind, random(random, "heads", HEADS, "queryLen"), key, rule, LENGTH - denseTail, false,
                    new ReferenceBackend()), random(random, "kvHeads", 2, "keyLen"));
        }

        private static DoubleTensor random(Random random, String heads, int count, String tokens) {
            Shape shape = Shape.of(heads, count, tokens, LENGTH, "headDim", 4);
            return DoubleTensor.of(shape, IntStream.range(0, (int) shape.elements()).mapToDouble(i -> 2 * random.nextGaussian()).toArray());
        }

        LayerSelection select(String spec) {
            return PolicyRegistry.create(spec, PolicyResources.NONE).open(new int[LENGTH]).select(layer);
        }

        List<HeadMeasure> measure(LayerSelection selection, int maxRows) {
            return SelectionMeasure.of(3, layer.kind(), layer.query(), layer.key(), value, layer.rule(), selection, maxRows);
        }
    }

    /// The whole matrix at once, the stages' own outputs, one boolean per pair: nothing is shared with the code under test.
    @ParameterizedTest
    @ValueSource(strings = {"dhsa:budget=8,block=4,chunking=fixed-3", "dhsa:budget=8,block=4,chunking=fixed-3,heads=each", "streaming:sinks=2,window=3",
        "oracle-row:budget=5", "dense", "block-topk:budget=8,block=4"})
    void rowByRowIsTheWholeMatrix(String spec) {
        for (LayerKind kind : List.of(new LayerKind.Global(), new LayerKind.Local(9))) {
            Case c = Case.of(5, kind, 6);
            LayerSelection selection = c.select(spec);
            List<HeadMeasure> measures = c.measure(selection, Integer.MAX_VALUE);
            int sparseRows = selection.of(0).queryBlocks().denseFrom();
            if (sparseRows == 0) {
                assertThat(measures).isEmpty();
                continue;
            }
            DoubleTensor logits = DenseAttentionReference.logits(new DenseAttention.Input(c.layer.query(), c.layer.key(), c.value, c.layer.rule()));
            DoubleTensor dense = new ReferenceBackend().denseAttention().apply(
                    new DenseAttention.Input(c.layer.query(), c.layer.key(), c.value, c.layer.rule())).context().toDouble();
            for (int h = 0; h < HEADS; h++) {
                DoubleTensor sparse = c.layer.backend().sparseAttention().apply(
                        new SparseAttention.Input(c.layer.query(), c.layer.key(), c.value, selection.of(h), c.layer.rule())).context().toDouble();
                double recall = 0;
                double mass = 0;
                double oracle = 0;
                double error = 0;
                long full = 0;
                for (int row = 0; row < sparseRows; row++) {
                    double[] weights = new double[LENGTH];
                    double sum = 0;
                    for (int j = 0; j < LENGTH; j++) {
                        sum += Math.exp(logits.at(h, row, j));
                    }
                    List<Double> all = new ArrayList<>();
                    int visible = 0;
                    for (int j = 0; j < LENGTH; j++) {
                        weights[j] = Math.exp(logits.at(h, row, j)) / sum;
                        all.add(-weights[j]);
                        visible += logits.at(h, row, j) == Double.NEGATIVE_INFINITY ? 0 : 1;
                    }
                    all.sort(Double::compare);
                    int[] keys = selection.keysOf(h, row, c.layer.rule(), LENGTH);
                    int hits = 0;
                    for (int n = 0; n < keys.length; n++) {
                        mass += weights[keys[n]];
                        oracle -= all.get(n);
                        double weight = weights[keys[n]];
                        hits += weight >= -all.get(keys.length - 1) ? 1 : 0;
                    }
                    recall += (double) hits / keys.length;
                    full += keys.length == visible ? 1 : 0;
                    double difference = 0;
                    double norm = 0;
                    for (int d = 0; d < 4; d++) {
                        difference += Math.pow(sparse.at(h, row, d) - dense.at(h, row, d), 2);
                        norm += Math.pow(dense.at(h, row, d), 2);
                    }
                    error += Math.sqrt(difference) / Math.sqrt(norm);
                }
                HeadMeasure m = measures.get(h);
                assertThat(List.of(m.layer(), m.head(), (int) m.rows(), (int) m.fullRows())).containsExactly(3, h, sparseRows, (int) full);
                assertThat(m.recall()).isCloseTo(recall / sparseRows, within(1e-12));
                assertThat(m.mass()).isCloseTo(mass / sparseRows, within(1e-12));
                assertThat(m.oracleMass()).isCloseTo(oracle / sparseRows, within(1e-12));
                assertThat(m.outputError()).isCloseTo(error / sparseRows, within(1e-12));
                assertThat(m.isLocal()).isEqualTo(kind instanceof LayerKind.Local);
            }
        }
    }

    @Test
    void theOracleHasNoRegretAndEverybodyElseHas() {
        Case c = Case.of(8, new LayerKind.Global(), 0);
        for (HeadMeasure m : c.measure(c.select("oracle-row:budget=4"), Integer.MAX_VALUE)) {
            assertThat(m.recall()).isEqualTo(1);
            assertThat(m.regret()).isCloseTo(0, within(1e-12));
            assertThat(m.fullRows()).isEqualTo(4);
        }
        for (HeadMeasure m : c.measure(c.select("sliding:window=4"), Integer.MAX_VALUE)) {
            assertThat(m.recall()).isLessThan(0.9);
            assertThat(m.regret()).isGreaterThan(0.05);
            assertThat(m.outputError()).isGreaterThan(0.05);
        }
    }

    @Test
    void aSampleOfRowsIsEvenAndHasTheLast() {
        assertThat(SelectionMeasure.sample(0, 10, 5)).containsExactly(1, 3, 5, 7, 9);
        assertThat(SelectionMeasure.sample(0, 3, 100)).containsExactly(0, 1, 2);
        assertThat(SelectionMeasure.sample(4, 4, 7)).isEmpty();
        Case c = Case.of(2, new LayerKind.Global(), 0);
        assertThat(c.measure(c.select("sliding:window=4"), 7)).allMatch(m -> m.rows() == 7);
        assertThatIllegalArgumentException().isThrownBy(() -> c.measure(c.select("dense"), 0)).withMessage("maxRows must be positive, was 0");
    }

    /// Six tokens, a window of 2, two heads on one KV head of 4 channels: everything can be counted on fingers.
    @Test
    void workIsCountedExactly() {
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0);
        DoubleTensor states = DoubleTensor.zeros(Shape.of("heads", 2, "queryLen", 6, "headDim", 4));
        DoubleTensor keys = DoubleTensor.zeros(Shape.of("kvHeads", 1, "keyLen", 6, "headDim", 4));
        LayerState layer = new LayerState(0, 1, new LayerKind.Global(), states, keys, rule, 5, false, new ReferenceBackend());
        LayerSelection window = PolicyRegistry.create("sliding:window=2", PolicyResources.NONE).open(new int[6]).select(layer);
        AttentionWork work = AttentionWork.of(1, new LayerKind.Global(), window, rule, 6, 1, 4);
        // rows 0 to 4 read 1, 2, 2, 2, 2 keys, the dense row 5 reads 6; two heads
        assertThat(work.pairsRead()).isEqualTo(2 * (9 + 6));
        assertThat(work.pairsVisible()).isEqualTo(2 * 21);
        assertThat(work.attentionFlops()).isEqualTo(30 * 16);
        assertThat(work.selectionFlops()).isZero();
        assertThat(work.elementsLoaded()).as("9 listed keys and 6 dense ones, K and V of 4 channels").isEqualTo((9 + 6) * 2 * 4);
        assertThat(work.bytesLoaded(2)).isEqualTo(240);
        assertThat(work.density()).isEqualTo(30 / 42.0);

        LayerSelection oracle = OraclePolicy.row(2).open(new int[6]).select(layer);
        // 15 visible pairs in the sparse rows, 2 operations per channel, 4 channels, 2 heads
        assertThat(AttentionWork.of(1, new LayerKind.Global(), oracle, rule, 6, 1, 4).selectionFlops()).isEqualTo(15 * 2 * 4 * 2);
        assertThat(AttentionWork.of(1, new LayerKind.Global(), oracle, rule, 6, 1, 4).elementsLoaded()).as("every query head loads its own list")
                .isEqualTo((9 * 2 + 6) * 2 * 4);
    }

    @Test
    void divergenceOfTheNextToken() {
        double[] half = {0, 0};
        double[] skewed = {Math.log(3), 0};
        assertThat(NextTokenDivergence.of(half, half)).isZero();
        assertThat(NextTokenDivergence.of(half, new double[] {7, 7})).as("a constant on all logits changes nothing").isCloseTo(0, within(1e-15));
        // p = (1/2, 1/2), q = (3/4, 1/4)
        assertThat(NextTokenDivergence.of(half, skewed)).isCloseTo(0.5 * Math.log(2 / 3.0) + 0.5 * Math.log(2), within(1e-12));
        DoubleTensor dense = DoubleTensor.of(Shape.of("queryLen", 2, "vocab", 2), 0, 0, 0, 0);
        DoubleTensor sparse = DoubleTensor.of(Shape.of("queryLen", 2, "vocab", 2), 0, 0, Math.log(3), 0);
        assertThat(NextTokenDivergence.of(dense, sparse)).hasSize(2).satisfies(kl -> assertThat(kl[1]).isGreaterThan(kl[0]));
        assertThatIllegalArgumentException().isThrownBy(() -> NextTokenDivergence.of(dense, dense.rows(0, 1))).withMessageContaining("but sparse logits");
    }

    @Test
    void timeIsSplitWithoutLosingAny() {
        SelectionPolicy sleepy = new SelectionPolicy() {
            @Override
            public String name() {
                return "sleepy";
            }

            @Override
            public Selector open(int[] ids) {
                return layer -> {
                    long until = System.nanoTime() + 2_000_000;
                    while (System.nanoTime() < until) {
                        Thread.onSpinWait();
                    }
                    return OraclePolicy.row(1).open(ids).select(layer);
                };
            }
        };
        TimedPolicy timed = new TimedPolicy(sleepy);
        timed.open(new int[LENGTH]).select(Case.of(1, new LayerKind.Global(), 0).layer);
        TimedPolicy.Split split = timed.split(Map.of(Stage.BOUNDARY_PREDICTION, 10L, Stage.UPSAMPLING, 20L, Stage.TOP_K_SELECTION, 5L,
                Stage.SPARSE_ATTENTION, 40L, Stage.FEED_FORWARD, 100L), 3_600_000_000_000L);
        assertThat(List.of(split.predict(), split.score(), split.attend())).containsExactly(10L, 20L, 40L);
        assertThat(split.select()).isGreaterThanOrEqualTo(2_000_000 - 30);
        assertThat(split.attention() + split.other()).isEqualTo(3_600_000_000_000L);
        timed.reset();
        assertThat(timed.split(Map.of(Stage.TOP_K_SELECTION, 5L), 5).select()).isEqualTo(5);
        assertThat(Arrays.asList(timed.name())).containsExactly("sleepy");
    }
}
