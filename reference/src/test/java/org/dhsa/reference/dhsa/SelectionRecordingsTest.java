package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.recording.Close.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.Profile;
import org.dhsa.recording.Recording;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SelectionRecordingsTest {

    static List<String> masks() {
        return Recording.cases("dhsa_mask", "");
    }

    static List<String> attentions() {
        return Recording.cases("dhsa_sdpa", "");
    }

    static List<String> quirks() {
        return Recording.cases("dhsa_quirk", "").stream().filter(id -> !id.endsWith("instruction_zero")).toList();
    }

    /// The four stages from chunks to lists of keys, fed with recorded queries, keys and boundaries.
    private record Stages(DoubleTensor queryChunks, DoubleTensor keyChunks, DoubleTensor chunkScores, DoubleTensor tokenScores,
                          KeySelection selection) {

        static Stages run(DoubleTensor query, DoubleTensor key, Boundaries boundaries, int sparseQueries, DhsaConfig config,
                          Visibility visibility, Pooling queryPooling, Pooling keyPooling) {
            DoubleTensor queryChunks = new ChunkRepresentationReference().apply(new ChunkRepresentation.Input(query,
                    Boundaries.uniform(sparseQueries, config.blockSize()), queryPooling, config.blockSize())).chunks().toDouble();
            DoubleTensor keyChunks = new ChunkRepresentationReference().apply(
                    new ChunkRepresentation.Input(key, boundaries, keyPooling, 0)).chunks().toDouble();
            DoubleTensor chunkScores = new ChunkSimilarityReference().apply(
                    new ChunkSimilarity.Input(queryChunks, keyChunks)).chunkScores().toDouble();
            DoubleTensor tokenScores = new UpsamplingReference().apply(
                    new Upsampling.Input(chunkScores, boundaries)).tokenScores().toDouble();
            QueryBlocks blocks = QueryBlocks.fixed(sparseQueries, boundaries.totalLength(), config.blockSize());
            KeySelection selection = new TopKSelectionReference().apply(
                    new TopKSelection.Input(tokenScores, blocks, visibility, config.budget(), config)).selection();
            return new Stages(queryChunks, keyChunks, chunkScores, tokenScores, selection);
        }
    }

    @ParameterizedTest
    @MethodSource("masks")
    void everyStepOfTheSelectionEqualsTheRecordedOne(String id) {
        Recording r = Recording.of(id);
        int length = r.parameter("L");
        DhsaConfig config = config(r, 0, TieOrder.LOW_POSITION_FIRST);
        int ambiguous = 0;
        for (int b = 0; b < r.stored("query").dim(0); b++) {
            int chunks = Math.toIntExact(r.stored("boundaries").dim(1));
            Boundaries boundaries = Boundaries.of(Arrays.copyOfRange(r.ints("boundaries"), b * chunks, (b + 1) * chunks));
            DoubleTensor query = r.item(b, "query", "heads", "queryLen", "headDim");
            DoubleTensor key = r.item(b, "key", "kvHeads", "keyLen", "headDim");
            Stages stages = run(r, query, key, boundaries, r.parameter("q_len"), config);
            assertClose("q_repr", stages.queryChunks(), r.item(b, "q_repr", "chunks", "headDim"));
            assertClose("k_repr", stages.keyChunks(), r.item(b, "k_repr", "chunks", "headDim"));
            assertClose("chunk_scores", stages.chunkScores(), r.item(b, "chunk_scores", "queryBlocks", "chunks"));
            assertClose("token_scores", stages.tokenScores(), r.item(b, "token_scores", "queryBlocks", "keyLen"));
            assertThat(IntStream.range(0, length).map(boundaries::chunkOf).toArray())
                    .isEqualTo(Arrays.copyOfRange(r.ints("token_to_chunk"), b * length, (b + 1) * length));

            List<BlockSelection> lists = stages.selection().blocks();
            assertThat(lists).hasSize(r.parameter("num_q_blocks"));
            assertThat(keys(stages.selection())).isEqualTo(r.rowsOfInts(b, r.has("indices_low") ? "indices_low" : "indices"));
            if (r.has("indices_high")) {
                Stages high = run(r, query, key, boundaries, r.parameter("q_len"), config(r, 0, TieOrder.HIGH_POSITION_FIRST));
                assertThat(keys(high.selection())).isEqualTo(r.rowsOfInts(b, "indices_high"));
            }
            assertSelectionFacts(r, b, lists, config);
            assertUpToTies(r.rowsOfInts(b, "indices"), stages, config, r);
            ambiguous += (int) stages.selection().ambiguousBlocks();
        }
        assertThat(ambiguous).isEqualTo(r.result("blocks_with_ambiguous_ties").intValue());
        assertThat(ambiguous == 0).isEqualTo(r.result("all_blocks_tie_free").booleanValue());
        r.result("float32_run_gives_same_indices");
        assertThat(r.unread()).isEmpty();
    }

    private static void assertSelectionFacts(Recording r, int b, List<BlockSelection> lists, DhsaConfig config) {
        int length = r.parameter("L");
        int blocks = lists.size();
        int[] mask = r.ints("block_mask");
        double[] threshold = r.item(b, "threshold", "queryBlocks").data();
        QueryBlocks queryBlocks = QueryBlocks.fixed(r.parameter("q_len"), length, config.blockSize());
        for (int i = 0; i < blocks; i++) {
            BlockSelection list = lists.get(i);
            int[] allowed = TopKSelectionReference.allowed(queryBlocks.blocks().get(i), visibility(r), length, config);
            int[] row = Arrays.copyOfRange(mask, i * length, (i + 1) * length);
            assertThat(allowed).as("block_mask %d", i).isEqualTo(IntStream.range(0, length).filter(j -> row[j] != 0).toArray());
            assertClose("threshold " + i, list.threshold(), threshold[i]);
            assertThat(stat(r, "allowed", b, i)).isEqualTo(allowed.length);
            assertThat(stat(r, "recent", b, i)).isEqualTo(list.forced());
            assertThat(stat(r, "k_select", b, i)).isEqualTo(list.selected());
            assertThat(stat(r, "n_greater", b, i)).isEqualTo(list.greater());
            assertThat(stat(r, "n_ties_at_threshold", b, i)).isEqualTo(list.tieGroup().length);
            assertThat(stat(r, "n_selected_ties", b, i)).isEqualTo(list.tiesTaken());
            assertThat(stat(r, "pad", b, i)).isEqualTo(list.keys().length - list.forced() - list.selected());
        }
    }

    private static int stat(Recording r, String name, int batch, int block) {
        return (int) r.item(batch, "stat." + name, "queryBlocks").at(block);
    }

    /// The list of another implementation: the same strictly better keys, any of the tied ones.
    private static void assertUpToTies(int[][] other, Stages stages, DhsaConfig config, Recording r) {
        for (int i = 0; i < other.length; i++) {
            BlockSelection mine = stages.selection().blocks().get(i);
            Set<Integer> different = new TreeSet<>(Arrays.stream(other[i]).boxed().toList());
            Arrays.stream(mine.keys()).forEach(different::remove);
            assertThat(Arrays.stream(mine.tieGroup()).boxed().toList()).containsAll(different);
            assertThat(other[i]).hasSameSizeAs(mine.keys()).hasSize(r.parameter("topk_effective"));
        }
    }

    @ParameterizedTest
    @MethodSource("attentions")
    void sparseAttentionEqualsTheRecordedOne(String id) {
        assertAttention(Recording.of(id), "", TieOrder.LOW_POSITION_FIRST);
    }

    @ParameterizedTest
    @MethodSource("quirks")
    void quirkyAttentionEqualsTheRecordedOneInBothTieOrders(String id) {
        assertAttention(Recording.of(id), "low.", TieOrder.LOW_POSITION_FIRST);
        assertAttention(Recording.of(id), Recording.of(id).has("high.output") ? "high." : "low.", TieOrder.HIGH_POSITION_FIRST);
    }

    private static void assertAttention(Recording r, String prefix, TieOrder tieOrder) {
        DoubleTensor query = r.item(0, "query", "heads", "queryLen", "headDim");
        DoubleTensor key = r.item(0, "key", "kvHeads", "keyLen", "headDim");
        DoubleTensor value = r.item(0, "value", "kvHeads", "keyLen", "headDim");
        Boundaries boundaries = Boundaries.of(r.ints("boundaries"));
        int sparse = r.parameter("L") - r.maybeInt("ins").orElse(0);
        assertThat(sparse).isEqualTo(r.parameter("q_len_without_instruction"));

        KeySelection before = run(r, query, key, boundaries, sparse, config(r, 0, tieOrder)).selection();
        KeySelection selection = run(r, query, key, boundaries, sparse, config(r, r.parameter("G"), tieOrder)).selection();
        assertThat(keys(before)).isEqualTo(r.rowsOfInts(0, prefix + "indices_before_global"));
        assertThat(keys(selection)).isEqualTo(r.rowsOfInts(0, prefix + "topk_indices"));

        Visibility visibility = new Visibility(visibility(r).window(), true);
        assertClose("output", attend(query, key, value, selection, r.number("scaling"), OptionalDouble.empty(), visibility),
                r.item(0, prefix + "output", "heads", "queryLen", "headDim"));
        if (r.has("output_softcap5")) {
            assertClose("output_softcap5", attend(query, key, value, selection, r.number("scaling"), OptionalDouble.of(5), visibility),
                    r.item(0, "output_softcap5", "heads", "queryLen", "headDim"));
        }
        assertCounts(r, selection, visibility);
        for (String known : List.of("max_abs_output_difference_of_official_float32_run", "low_equals_high")) {
            r.result(known);
        }
        assertThat(r.unread().stream().filter(name -> prefix.isEmpty() || name.startsWith(prefix))).isEmpty();
    }

    private static void assertCounts(Recording r, KeySelection selection, Visibility visibility) {
        int rowsWithoutKey = 0;
        int rowsWithoutThemselves = 0;
        int[] duplicates = new int[selection.blocks().size()];
        int[] visibleDuplicates = new int[selection.blocks().size()];
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            int[] keys = selection.blocks().get(b).keys();
            duplicates[b] = keys.length - (int) Arrays.stream(keys).distinct().count();
            int[] visible = Arrays.stream(keys).filter(j -> IntStream.range(block.start(), block.end()).anyMatch(q -> visibility.sees(q, j))).toArray();
            visibleDuplicates[b] = visible.length - (int) Arrays.stream(visible).distinct().count();
            for (int q = block.start(); q < block.end(); q++) {
                int position = q;
                rowsWithoutKey += Arrays.stream(keys).noneMatch(j -> visibility.sees(position, j)) ? 1 : 0;
                rowsWithoutThemselves += Arrays.stream(keys).noneMatch(j -> j == position) ? 1 : 0;
            }
        }
        JsonNode perBlock = r.result("duplicate_indices_per_block");
        if (perBlock != null) {
            assertThat(duplicates).isEqualTo(ints(perBlock));
        }
        assertThat(visibleDuplicates).isEqualTo(ints(r.result("duplicates_visible_to_some_query_per_block")));
        assertThat(rowsWithoutKey).isEqualTo(r.result("rows_without_any_visible_key").intValue());
        assertThat(rowsWithoutThemselves).isEqualTo(r.result("rows_not_seeing_themselves").intValue());
    }

    @Test
    void zeroInstructionTokensMakeTheWholePromptDense() {
        Recording r = Recording.of("dhsa_quirk/instruction_zero");
        int length = r.parameter("L");
        KeySelection nothingSparse = new KeySelection(new QueryBlocks(List.of(), 0, length), List.of());
        assertClose("dense_output", attend(r.item(0, "query", "heads", "queryLen", "headDim"),
                        r.item(0, "key", "kvHeads", "keyLen", "headDim"), r.item(0, "value", "kvHeads", "keyLen", "headDim"), nothingSparse,
                        r.number("scaling"), OptionalDouble.empty(), Visibility.GLOBAL),
                r.item(0, "dense_output", "heads", "queryLen", "headDim"));
        assertThat(ints(r.result("returned_index_shape"))).isEqualTo(new int[] {1, 0, r.parameter("topk")});
        r.ints("boundaries");
        assertThat(r.unread()).isEmpty();
    }

    private static DoubleTensor attend(DoubleTensor query, DoubleTensor key, DoubleTensor value, KeySelection selection, double scale,
                                       OptionalDouble cap, Visibility visibility) {
        return new SparseAttentionReference().apply(new SparseAttention.Input(query, key, value, selection,
                new AttentionRule(scale, cap, visibility, 0, 0))).context().toDouble();
    }

    private static Stages run(Recording r, DoubleTensor query, DoubleTensor key, Boundaries boundaries, int sparseQueries, DhsaConfig config) {
        return switch (r.text("pooling")) {
            case "avgpool" -> Stages.run(query, key, boundaries, sparseQueries, config, visibility(r), Pooling.MEAN, Pooling.MEAN);
            case "avgpool_norm" -> Stages.run(query, key, boundaries, sparseQueries, config, visibility(r),
                    Pooling.MEAN_SQRT_LENGTH, Pooling.MEAN_SQRT_LENGTH);
            case "maxpool" -> Stages.run(query, key, boundaries, sparseQueries, config, visibility(r), Pooling.MAX, Pooling.MEAN);
            default -> throw new AssertionError(r.text("pooling"));
        };
    }

    private static DhsaConfig config(Recording r, int globalTokens, TieOrder tieOrder) {
        return DhsaConfig.DEFAULT.with(c -> {
            c.quirks = Profile.UPSTREAM.quirks();
            c.blockSize = r.parameter("bs");
            c.budget = r.parameter("topk");
            c.localTokens = r.parameter("local");
            c.globalTokens = globalTokens;
            c.instructionTokens = OptionalInt.empty();
            c.tieOrder = tieOrder;
        });
    }

    private static Visibility visibility(Recording r) {
        return r.maybeInt("W").isPresent() ? new Visibility(r.parameter("W"), false) : Visibility.GLOBAL;
    }

    private static int[][] keys(KeySelection selection) {
        return selection.blocks().stream().map(BlockSelection::keys).toArray(int[][]::new);
    }

    private static int[] ints(JsonNode array) {
        int[] out = new int[array.size()];
        Arrays.setAll(out, i -> array.get(i).intValue());
        return out;
    }
}
