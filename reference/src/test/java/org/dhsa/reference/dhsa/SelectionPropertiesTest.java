package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Profile;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.testing.Tensors;
import org.dhsa.testing.TinyModel;

class SelectionPropertiesTest {

    private static final String SEED = "20251024";

    /// Queries, keys and a set-up made of one seed.
    private record Problem(DoubleTensor query, DoubleTensor key, Boundaries boundaries, Visibility visibility, DhsaConfig config) {

        static Problem of(long seed, int length, Consumer<DhsaConfig.Builder> change) {
            Random random = new Random(seed);
            DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
                c.blockSize = 1 + random.nextInt(5);
                c.budget = c.blockSize + random.nextInt(length + 3);
                c.localTokens = random.nextInt(4);
                c.globalTokens = random.nextInt(4);
                change.accept(c);
            });
            return new Problem(Tensors.random(random, 1, "heads", 2, "queryLen", length, "headDim", 3),
                    Tensors.random(random, 1, "kvHeads", 1, "keyLen", length, "headDim", 3), TinyModel.boundaries(seed, length),
                    random.nextBoolean() ? Visibility.GLOBAL : new Visibility(1 + random.nextInt(length), false), config);
        }

        Problem withQueriesTimes(double factor) {
            DoubleTensor scaled = DoubleTensor.of(query.shape(), Arrays.stream(query.data()).map(x -> x * factor).toArray());
            return new Problem(scaled, key, boundaries, visibility, config);
        }

        KeySelection solve() {
            int length = boundaries.totalLength();
            DoubleTensor queryChunks = new ChunkRepresentationReference().apply(new ChunkRepresentation.Input(query,
                    Boundaries.uniform(length, config.blockSize()), Pooling.MEAN_SQRT_LENGTH, 0)).chunks().toDouble();
            DoubleTensor keyChunks = new ChunkRepresentationReference().apply(
                    new ChunkRepresentation.Input(key, boundaries, Pooling.MEAN_SQRT_LENGTH, 0)).chunks().toDouble();
            DoubleTensor scores = new ChunkSimilarityReference().apply(new ChunkSimilarity.Input(queryChunks, keyChunks)).chunkScores().toDouble();
            return select(new UpsamplingReference().apply(new Upsampling.Input(scores, boundaries)).tokenScores().toDouble());
        }

        KeySelection select(DoubleTensor tokenScores) {
            int length = boundaries.totalLength();
            return new TopKSelectionReference().apply(new TopKSelection.Input(tokenScores,
                    QueryBlocks.fixed(length, length, config.blockSize()), visibility, config.budget(), config)).selection();
        }

        DoubleTensor tokenScores(double... values) {
            int blocks = (values.length + config.blockSize() - 1) / config.blockSize();
            DoubleTensor rows = DoubleTensor.zeros(Shape.of("queryBlocks", blocks, "keyLen", values.length));
            for (int b = 0; b < blocks; b++) {
                System.arraycopy(values, 0, rows.data(), b * values.length, values.length);
            }
            return rows;
        }
    }

    private static int[][] keys(KeySelection selection) {
        return selection.blocks().stream().map(BlockSelection::keys).toArray(int[][]::new);
    }

    @Property(seed = SEED)
    void longerOrShorterQueriesSelectTheSameKeys(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length,
                                                 @ForAll @DoubleRange(min = 0.01, max = 100) double factor) {
        Problem problem = Problem.of(seed, length, c -> {});
        assertThat(keys(problem.withQueriesTimes(factor).solve())).isEqualTo(keys(problem.solve()));
    }

    @Property(seed = SEED)
    void noListExceedsTheBudgetInEitherProfile(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length, @ForAll boolean upstream) {
        Problem problem = Problem.of(seed, length, c -> c.quirks = (upstream ? Profile.UPSTREAM : Profile.CORRECTED).quirks());
        assertThat(problem.solve().blocks()).allSatisfy(list ->
                assertThat(list.keys().length).isLessThanOrEqualTo(problem.config().budget()));
    }

    @Property(seed = SEED)
    void noKeyIsListedTwiceAndListsAscend(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length) {
        for (int[] list : keys(Problem.of(seed, length, c -> {}).solve())) {
            assertThat(list).isEqualTo(Arrays.stream(list).distinct().sorted().toArray());
        }
    }

    @Property(seed = SEED)
    void everyQuerySeesItself(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length) {
        KeySelection selection = Problem.of(seed, length, c -> {}).solve();
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            assertThat(selection.blocks().get(b).keys()).contains(IntStream.range(block.start(), block.end()).toArray());
        }
    }

    @Property(seed = SEED)
    void listedKeysLieInTheAllowedRange(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length) {
        Problem problem = Problem.of(seed, length, c -> {});
        KeySelection selection = problem.solve();
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            int oldest = problem.visibility().first(block.start());
            assertThat(Arrays.stream(selection.blocks().get(b).keys())).allMatch(j -> j >= oldest && j < block.end());
        }
    }

    @Property(seed = SEED)
    void amongEqualScoresTheLowestPositionsAreTaken(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length) {
        Problem problem = Problem.of(seed, length, c -> {});
        KeySelection selection = problem.select(problem.tokenScores(new double[length]));
        for (BlockSelection list : selection.blocks()) {
            int[] tiesTaken = Arrays.stream(list.tieGroup()).filter(j -> Arrays.binarySearch(list.keys(), j) >= 0).toArray();
            assertThat(tiesTaken).isEqualTo(Arrays.copyOf(list.tieGroup(), list.selected()));
        }
    }

    @Property(seed = SEED)
    void nanIsNeverTakenBeforeANumber(@ForAll long seed, @ForAll @IntRange(min = 1, max = 30) int length) {
        Problem problem = Problem.of(seed, length, c -> {
            c.localTokens = 0;
            c.globalTokens = 0;
        });
        Random random = new Random(seed);
        double[] scores = random.doubles(length).map(x -> x < 0.4 ? Double.NaN : x < 0.5 ? Double.NEGATIVE_INFINITY : x).toArray();
        KeySelection selection = problem.select(problem.tokenScores(scores));
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            int[] keys = selection.blocks().get(b).keys();
            int oldest = problem.visibility().first(block.start());
            boolean tookNaN = Arrays.stream(keys).anyMatch(j -> j < block.start() && Double.isNaN(scores[j]));
            boolean leftANumber = IntStream.range(oldest, block.start())
                    .anyMatch(j -> !Double.isNaN(scores[j]) && Arrays.binarySearch(keys, j) < 0);
            assertThat(tookNaN && leftANumber).isFalse();
        }
    }
}
