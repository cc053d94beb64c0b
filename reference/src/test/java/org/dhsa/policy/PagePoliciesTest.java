package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.reference.baseline.CascadingCache;
import org.dhsa.reference.baseline.KMeans;
import org.dhsa.reference.baseline.TailFit;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.testing.Tensors;
import org.junit.jupiter.api.Test;

/// Policies of pages, clusters and caches, on cases small enough to do on paper.
class PagePoliciesTest {

    private static final LayerKind GLOBAL = new LayerKind.Global();

    private static LayerState prompt(int layer, int layers, DoubleTensor query, DoubleTensor key) {
        int length = key.shape().extent("keyLen");
        return new LayerState(layer, layers, GLOBAL, query, key, new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0), length, false, new ReferenceBackend());
    }

    private static LayerState token(int layer, int layers, double query, double... keys) {
        return new LayerState(layer, layers, GLOBAL, Tensors.query(Tensors.row(query)), Tensors.keys(keys),
                new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, keys.length - 1, 0), keys.length, true, new ReferenceBackend());
    }

    private static LayerState line(double... keys) {
        return prompt(0, 1, Tensors.query(Arrays.stream(keys).mapToObj(k -> new double[] {1}).toArray(double[][]::new)), Tensors.keys(keys));
    }

    private static int[] only(LayerSelection selection) {
        return selection.of(0).blocks().getFirst().keys();
    }

    // Quest

    /// Pages 1 −9 | 4 5 | 2 −3 | 0: a positive query goes for the largest key of a page, a negative one for the smallest.
    @Test
    void questLooksAtTheBestKeyOfAPage() {
        double[] keys = {1, -9, 4, 5, 2, -3, 0};
        QuestPolicy two = new QuestPolicy(4, 2, 1, 0, false, Optional.empty());
        assertThat(only(two.open(new int[0]).select(token(0, 1, 1, keys)))).containsExactly(2, 3, 4, 5);
        assertThat(only(two.open(new int[0]).select(token(0, 1, -1, keys)))).as("bounds 9, −4, 3, 0").containsExactly(0, 1, 4, 5);
        assertThat(only(two.open(new int[0]).select(token(0, 1, 1, -1, -1, -1, -1, 7, 0, 5)))).as("a partial page counts as a page").containsExactly(4, 5, 6);
        assertThat(two.open(new int[0]).select(token(0, 1, 1, keys)).selectionFlops()).as("4 per page, 2 for the new key").isEqualTo(4 * 4 + 2);
        assertThat(two.open(new int[0]).select(line(keys)).pairs(line(keys).rule(), 7)).as("the prompt is dense").isEqualTo(28);
        assertThat(new QuestPolicy(4, 2, 3, 0, false, Optional.empty()).open(new int[0]).select(token(0, 1, 1, keys)).of(0).blocks().getFirst().keys())
                .as("at least three pages").containsExactly(0, 1, 2, 3, 4, 5);
        assertThat(new QuestPolicy(4, 2, 1, 2, false, Optional.empty()).open(new int[0]).select(token(1, 4, 1, keys)).of(0).blocks()).as("layer 1 of the first two").isEmpty();
    }

    /// Chunks 0 | 1 2 3 | 4 5: with room for four keys the best chunk of three leaves no room for the next one of two.
    @Test
    void questReadsChunksWhole() {
        ChunkSource given = new ChunkSource.Given(Boundaries.of(0, 1, 4, 6));
        QuestPolicy policy = new QuestPolicy(4, 2, 1, 0, true, Optional.of(given));
        LayerState layer = line(0, 1, 9, 1, 5, 5);
        assertThat(policy.open(new int[6]).select(layer).of(0).blocks().getLast().keys()).containsExactly(1, 2, 3);
        assertThat(policy.open(new int[6]).select(layer).of(0).blocks().get(2).keys()).as("as far as row 2 sees the chunk; the first still fits").containsExactly(0, 1, 2);
        SelectionPolicy.Selector selector = policy.open(new int[6]);
        selector.select(layer);
        assertThat(only(selector.select(token(0, 1, 1, 0, 1, 3, 1, 5, 5, 2)))).as("the new token is in the last chunk, whose bound is 5").containsExactly(4, 5, 6);
    }

    // K-means

    @Test
    void threeHeapsAreThreeClusters() {
        Random random = new Random(1);
        double[][] points = IntStream.range(0, 30).mapToObj(n -> new double[] {10 * (n % 3) + random.nextGaussian(), n % 3 == 1 ? 20 : random.nextGaussian()}).toArray(double[][]::new);
        KMeans.Clusters clusters = KMeans.fit(points, 3, false, 20, 5);
        for (int n = 3; n < 30; n++) {
            assertThat(clusters.labels()[n]).isEqualTo(clusters.labels()[n % 3]);
        }
        assertThat(clusters.labels()[0]).isNotEqualTo(clusters.labels()[1]).isNotEqualTo(clusters.labels()[2]);
        double mean = IntStream.range(0, 10).mapToDouble(n -> points[3 * n][0]).average().orElseThrow();
        assertThat(clusters.centroids()[clusters.labels()[0]][0]).isCloseTo(mean, within(1e-12));
        assertThat(KMeans.fit(points, 3, false, 20, 5).labels()).isEqualTo(clusters.labels());
        assertThat(clusters.sizes(0, 30)).containsExactly(10, 10, 10);
    }

    @Test
    void byCosineLengthDoesNotMatter() {
        double[][] points = {{1, 0}, {9, 0.1}, {0, 1}, {0, 30}};
        KMeans.Clusters clusters = KMeans.fit(points, 2, true, 10, 0);
        assertThat(clusters.labels()[0]).isEqualTo(clusters.labels()[1]).isNotEqualTo(clusters.labels()[2]);
        assertThat(clusters.labels()[2]).isEqualTo(clusters.labels()[3]);
        assertThat(clusters.centroids()[clusters.labels()[2]]).as("the mean of the points themselves").containsExactly(0, 15.5);
        KMeans.Clusters equal = KMeans.fit(new double[][] {{2, 2}, {2, 2}, {2, 2}}, 2, false, 3, 0);
        assertThat(equal.count()).as("equal points make one centre").isEqualTo(1);
        assertThat(equal.flops()).as("3·2 per distance: of the start, 3 points to 2 centres meant, 1 made; two rounds; one mean").isEqualTo(6 * 3 + 2 * 6 * 3 + 2 * 3);
    }

    // Tactic

    @Test
    void aTailOfTheFittedFormIsEstimatedExactly() {
        TailFit.Sampling narrow = new TailFit.Sampling(0.05, 0.1, 0.6, 0.001);
        double[] y = IntStream.rangeClosed(1, 100).mapToDouble(x -> 3.0 / x + 0.1).toArray();
        double all = Arrays.stream(y).sum();
        for (double p : new double[] {0.2, 0.5, 0.9, 0.99}) {
            double sum = 0;
            int count = 0;
            while (sum < p * all) {
                sum += y[count++];
            }
            TailFit.Estimate estimate = TailFit.count(100, x -> Math.log(y[x]), p, narrow);
            assertThat(estimate.count()).isEqualTo(count);
            assertThat(estimate.looked()).as("five of the head, one in each window").isEqualTo(7);
        }
        assertThat(TailFit.count(100, x -> 0, 0.3, narrow).count()).as("all alike: the share of the keys").isEqualTo(30);
        assertThat(TailFit.count(100, x -> x / 10.0, 0.5, narrow).count()).as("rising: the tail is taken as level").isBetween(50, 55);
        assertThat(TailFit.count(3, x -> -x, 1, narrow)).isEqualTo(new TailFit.Estimate(3, 2));
    }

    /// Keys of two kinds, 5 and −5: a query of 1 gives the first kind nearly everything.
    @Test
    void tacticReadsTheClusterThatHoldsTheAttention() {
        double[] keys = {5, -5, -5, 5, -5, 5, -5, -5};
        TacticPolicy policy = new TacticPolicy(0.9, 4, new TailFit.Sampling(1, 0.1, 0.6, 0.1), 10, 0, false);
        SelectionPolicy.Selector selector = policy.open(new int[0]);
        LayerSelection dense = selector.select(line(keys));
        assertThat(dense.pairs(line(keys).rule(), 8)).isEqualTo(36);
        double[] later = {5, -5, -5, 5, -5, 5, -5, -5, 0, 0};
        LayerSelection read = selector.select(token(0, 1, 1, later));
        assertThat(only(read)).as("the three large ones and what came after the prompt").containsExactly(0, 3, 5, 8, 9);
        assertThat(read.selectionFlops()).as("two centroids and eight exact logits").isEqualTo(2 * (2 + 8));
        assertThat(only(selector.select(token(0, 1, -1, later)))).containsExactly(1, 2, 4, 6, 7, 8, 9);
    }

    @Test
    void theHeadsOfAGroupReadWhatAnyOfThemWants() {
        DoubleTensor query = DoubleTensor.of(Shape.of("heads", 2, "queryLen", 1, "headDim", 1), 1, -1);
        LayerState layer = new LayerState(0, 1, GLOBAL, query, Tensors.keys(5, -5, 0, 0, 0, 0, 5), new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 6, 0), 7, true,
                new ReferenceBackend());
        TacticPolicy policy = new TacticPolicy(0.9, 2, new TailFit.Sampling(1, 0.1, 0.6, 0.1), 10, 0, false);
        SelectionPolicy.Selector selector = policy.open(new int[0]);
        selector.select(line(5, -5, 0, 0, 0, 0));
        LayerSelection read = selector.select(layer);
        assertThat(read.of(0).blocks().getFirst().keys()).containsExactly(0, 1, 6);
        assertThat(read.of(1)).isEqualTo(read.of(0));
    }

    // Squeezed Attention

    /// Eight keys of two directions, then a window of one whose query likes the first direction, then the input.
    @Test
    void squeezedReadsTheClusterAboveTheThreshold() {
        double[][] key = {{4, 0}, {0, 4}, {5, 0}, {0, 5}, {4, 0}, {0, 4}, {5, 0}, {0, 5}, {1, 1}, {1, 1}};
        double[][] query = IntStream.range(0, 10).mapToObj(i -> i < 9 ? new double[] {1, 0} : new double[] {0, 1}).toArray(double[][]::new);
        LayerState layer = prompt(0, 1, Tensors.query(query), Tensors.key(key));
        SqueezedPolicy policy = new SqueezedPolicy(0.5, 0.25, 1, 1, false, 1, 0.25, 10, 0);
        LayerSelection read = policy.open(new int[0]).select(layer);
        assertThat(read.of(0).queryBlocks().blocks()).as("the prefix of nine is one block, the input row another").hasSize(2);
        assertThat(read.of(0).blocks().getLast().keys()).as("the second direction, the window, itself").containsExactly(1, 3, 5, 7, 8, 9);
        assertThat(LayerSelection.shared(read.of(0), 1, 0).pairs(layer.rule(), 10)).as("the prefix is dense").isEqualTo(45 + 6);
        long kmeans = SqueezedPrefix.of(Arrays.copyOf(key, 8), 2, 0, 10, 0).flops();
        assertThat(read.selectionFlops() - kmeans).as("the calibrating query and the input look at two centroids of two channels").isEqualTo(2 * 2 * 2 * 2);
    }

    /// Where the input asks what the calibrating queries asked, it reads the share that was wanted, but for clusters on the edge.
    @Test
    void theThresholdLetsTheWantedShareThrough() {
        LayerState random = PolicyCases.layer(4, 80, GLOBAL, 0);
        DoubleTensor query = random.query().toDouble();
        for (int n = 0; n < query.data().length; n++) {
            query.data()[n] = query.data()[n / (80 * 4) * 80 * 4 + n % 4];
        }
        LayerState layer = prompt(0, 2, query, random.key().toDouble());
        double last = 0;
        for (double keep : new double[] {0.1, 0.3, 0.6, 1}) {
            LayerSelection read = new SqueezedPolicy(keep, 0.5, 20, 20, false, 1, 0.5, 20, 0).open(new int[0]).select(layer);
            double share = 0;
            for (int h = 0; h < 4; h++) {
                share += Arrays.stream(read.keysOf(h, 79, layer.rule(), 80)).filter(j -> j < 40).count() / 160.0;
            }
            assertThat(share).as("keep %s", keep).isGreaterThan(last).isCloseTo(keep, within(0.07));
            last = share;
        }
    }

    @Test
    void aHierarchyLooksAtFewerCentroids() {
        LayerState layer = PolicyCases.layer(4, 120, GLOBAL, 0);
        HeadStates states = new HeadStates(layer);
        SqueezedPrefix prefix = SqueezedPrefix.of(states.keys(0, 0, 100), 40, 8, 20, 0);
        double[] query = states.query(0, 110);
        SqueezedPrefix.Lookup open = prefix.lookup(query, 0, layer.rule(), new SqueezedPrefix.Thresholds(0.01, Double.NEGATIVE_INFINITY));
        SqueezedPrefix.Lookup flat = SqueezedPrefix.of(states.keys(0, 0, 100), 40, 0, 20, 0).lookup(query, 0, layer.rule(), new SqueezedPrefix.Thresholds(0.01, 0));
        assertThat(open.kept()).as("with every coarse cluster open it is the flat one").isEqualTo(flat.kept());
        assertThat(open.centroids()).isEqualTo(48);
        SqueezedPrefix.Lookup some = prefix.lookup(query, 0, layer.rule(), new SqueezedPrefix.Thresholds(0.01, 0.01));
        assertThat(some.centroids()).isLessThan(48).isGreaterThan(8);
        for (int c = 0; c < 40; c++) {
            int coarse = prefix.coarse().labels()[c];
            assertThat(some.kept()[c] && IntStream.range(0, 40).noneMatch(o -> prefix.coarse().labels()[o] == coarse && flat.kept()[o])).isFalse();
        }
    }

    // DELTA

    /// Pages of two: weights 0.8 on key 0; the last page is kept anyway.
    @Test
    void deltaChoosesInOneLayerForTheNext() {
        double[] keys = {5, 0, 1, 1, 4, 0, 0, 0, 0};
        DeltaPolicy policy = new DeltaPolicy(6, 2, 1, 1, List.of(1), false);
        SelectionPolicy.Selector selector = policy.open(new int[0]);
        assertThat(selector.select(token(0, 3, 1, keys)).of(0).blocks()).as("layer 0 is dense").isEmpty();
        LayerSelection chooses = selector.select(token(1, 3, 1, keys));
        assertThat(chooses.of(0).blocks()).as("a choosing layer is dense").isEmpty();
        assertThat(chooses.selectionFlops()).isEqualTo(9);
        assertThat(only(selector.select(token(2, 3, 7, -1, -1, -1, -1, -1, -1, -1, -1, 9)))).as("layer 2 has other states and reads layer 1's pages").containsExactly(0, 1, 4, 5, 8);
        selector.select(token(0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        assertThat(selector.select(token(1, 3, 1, 0, 0, 3, 3, 0, 0, 9, 9, 0, 0)).of(0).blocks()).isEmpty();
        assertThat(only(selector.select(token(2, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))).as("the next token chooses anew").containsExactly(2, 3, 6, 7, 8, 9);
        assertThat(selector.select(line(keys)).of(0).blocks()).as("the prompt is dense").isEmpty();
    }

    /// One head is sure of a key of page 1, two lean to page 0: the mean would say page 0, the maximum says page 1.
    @Test
    void deltaBelievesTheHeadThatIsSure() {
        DoubleTensor key = DoubleTensor.of(Shape.of("kvHeads", 3, "keyLen", 6, "headDim", 1), 0, 0, 0, 12, 0, 0, 1.54, 1.54, 0, 0, 0, 0, 1.54, 1.54, 0, 0, 0, 0);
        DoubleTensor query = DoubleTensor.of(Shape.of("heads", 3, "queryLen", 1, "headDim", 1), 1, 1, 1);
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 5, 0);
        SelectionPolicy.Selector selector = new DeltaPolicy(2, 2, 0, 0, List.of(0), false).open(new int[0]);
        selector.select(new LayerState(0, 2, GLOBAL, query, key, rule, 6, true, new ReferenceBackend()));
        assertThat(only(selector.select(new LayerState(1, 2, GLOBAL, query, key, rule, 6, true, new ReferenceBackend())))).containsExactly(2, 3);
    }

    /// A local layer says nothing about a global one.
    @Test
    void deltaChoosesForEachKindOfLayer() {
        SelectionPolicy.Selector selector = new DeltaPolicy(2, 2, 0, 0, List.of(0), true).open(new int[0]);
        for (int l = 0; l < 4; l++) {
            LayerState state = PolicyCases.layer(l, 12, l % 2 == 0 ? new LayerKind.Local(5) : GLOBAL, 0);
            LayerState layer = new LayerState(l, 4, state.kind(), state.query(), state.key(), state.rule(), 12, false, state.backend());
            assertThat(selector.select(layer).of(0).blocks().isEmpty()).as("layer %d", l).isEqualTo(l < 2);
        }
        assertThat(new DeltaPolicy(2, 2, 0, 2, List.of(), true).deltas(26)).isEqualTo(Set.of(2, 10, 18));
        assertThatIllegalArgumentException().isThrownBy(() -> new DeltaPolicy(2, 2, 0, 0, List.of(3, 3), true)).withMessage("deltas must rise, from 0 on, were [3, 3]");
    }

    // Cascading KV Cache

    /// One sink, then two sub-caches of two. Nobody looks, so scores are equal and the newer stays.
    @Test
    void theSecondSubCacheTakesEverySecondToken() {
        CascadingCache cache = new CascadingCache(5, 1, 2, 0.5);
        int[][] after = {{0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4},
            {0, 2, 3, 4, 5},    // token 5, fourth after the sink: 3 goes on and is taken, 1 is lost
            {0, 2, 4, 5, 6},    // token 6, fifth: 4 competes with 3 and stays as the newer
            {0, 4, 5, 6, 7}};   // token 7: 5 goes on and is taken, 2 is lost
        for (int t = 0; t < after.length; t++) {
            cache.add();
            assertThat(cache.positions()).as("after token %d", t).isEqualTo(after[t]);
        }
    }

    /// The same, but key 3 is looked at: it stands against what comes after it.
    @Test
    void anImportantTokenStays() {
        CascadingCache cache = new CascadingCache(5, 1, 2, 0.5);
        for (int t = 0; t < 6; t++) {
            cache.add();
            cache.look(cache.positions(), j -> j == 3 ? 1 : 0);
        }
        cache.add();
        assertThat(cache.positions()).contains(3).doesNotContain(4);
    }

    @Test
    void aCascadeReachesFurtherThanAWindow() {
        LayerState layer = PolicyCases.layer(8, 60, GLOBAL, 0);
        LayerSelection read = new CascadePolicy(16, 0, 4, 1, 0.9).open(new int[0]).select(layer);
        assertThat(read.of(0).blocks().getLast().keys()).hasSize(17).contains(59, 58, 57, 56).satisfies(keys -> assertThat(keys[0]).isLessThan(59 - 16));
        LayerSelection strided = new CascadePolicy(16, 2, 4, 10, 0.9).open(new int[0]).select(layer);
        assertThat(strided.of(3).blocks().getLast().keys()).as("cache and stride").hasSize(26).contains(0, 1, 50, 59);
        assertThat(strided.of(0)).as("heads of a group share").isEqualTo(strided.of(1)).isNotEqualTo(strided.of(2));
    }

    // TCA

    @Test
    void sharesFollowTheNeed() {
        assertThat(TcaPolicy.inProportion(new double[] {1, 3}, 0.4)).containsExactly(new double[] {0.2, 0.6}, within(1e-12));
        assertThat(TcaPolicy.inProportion(new double[] {1, 9, 2}, 0.6)).as("one is full, the others share the rest").containsExactly(
                new double[] {0.8 / 3, 1, 1.6 / 3}, within(1e-12));
        assertThat(TcaPolicy.inProportion(new double[] {1, 9}, 1)).containsExactly(1, 1);
    }

    /// Blocks of four; in each one key says something else.
    @Test
    void theKeyThatStandsOutIsKept() {
        double[][] key = IntStream.range(0, 16).mapToObj(j -> j % 4 == j / 4 ? new double[] {-1, 2} : new double[] {3, 0.1 * (j % 4)}).toArray(double[][]::new);
        LayerState layer = prompt(0, 1, Tensors.query(IntStream.range(0, 16).mapToObj(i -> new double[] {0, 0}).toArray(double[][]::new)), Tensors.key(key));
        LayerSelection read = new TcaPolicy(10, 4, 2, 0.9).open(new int[0]).select(layer);
        assertThat(read.of(0).blocks().getLast().keys()).as("first block, keys 5 and 10, own block").containsExactly(0, 1, 2, 3, 5, 10, 12, 13, 14, 15);
        assertThat(read.selectionFlops()).as("two rows of 16 and 15 logits of two channels; four blocks").isEqualTo(4 * 31 + 4 * (5 * 4 + 2) * 2);
    }

    // SparseAccelerate

    @Test
    void everyHeadTakesThePatternThatHoldsMost() {
        LayerState layer = PolicyCases.layer(10, 64, GLOBAL, 0);
        SparseAcceleratePolicy policy = new SparseAcceleratePolicy(16, 4, 4, 64);
        LayerSelection read = policy.open(new int[0]).select(layer);
        LayerSelection triangular = new StreamingPolicy(2, 14, 1).open(new int[0]).select(layer);
        LayerSelection cluster = new BlockTopKPolicy(4, 16, false).open(new int[0]).select(layer);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        for (int h = 0; h < 4; h++) {
            assertThat(mass(read, h, layer, weights)).isGreaterThanOrEqualTo(Math.max(mass(triangular, h, layer, weights), mass(cluster, h, layer, weights)));
        }
        long own = 2L * 4 * 4 * (64 * 65 / 2);
        assertThat(read.selectionFlops()).isEqualTo(own + cluster.selectionFlops());
    }

    private static double mass(LayerSelection selection, int head, LayerState layer, AttentionWeights weights) {
        return IntStream.range(0, layer.end()).mapToDouble(i -> Arrays.stream(selection.keysOf(head, i, layer.rule(), layer.end())).mapToDouble(j -> weights.row(head, i)[j]).sum()).sum();
    }

    /// Keys in a line, queries that look a fixed way back: only slashes can follow.
    @Test
    void aFixedDistanceIsASlash() {
        int n = 24;
        double[][] query = new double[n][n];
        double[][] key = new double[n][n];
        for (int i = 0; i < n; i++) {
            key[i][i] = 1;
            query[i][Math.max(0, i - 13)] = 20;
        }
        LayerState layer = prompt(0, 1, Tensors.query(query), Tensors.key(key));
        LayerSelection read = new SparseAcceleratePolicy(4, 2, 2, 8).open(new int[0]).select(layer);
        assertThat(read.of(0).blocks().get(23).keys()).as("distances 0 and 1, 12 and 13").containsExactly(10, 11, 22, 23);
    }
}
