package org.dhsa.reference.baseline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dhsa.recording.Close.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.model.Profile;
import org.dhsa.recording.Recording;
import org.dhsa.reference.baseline.PyramidKvCache.Pooling;
import org.dhsa.reference.baseline.PyramidKvCache.Pyramid;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class BaselineRecordingsTest {

    static List<String> blockSparse() {
        return Recording.cases("block_sparse", "");
    }

    static List<String> topKAttention() {
        return Recording.cases("topk_attention", "").stream().filter(id -> !id.endsWith("decode_sliding")).toList();
    }

    static List<String> mergeRegions() {
        return Recording.cases("merge_regions", "");
    }

    static List<String> h2o() {
        return Recording.cases("kv", "h2o_");
    }

    static List<String> pyramid() {
        return Recording.cases("kv", "pyramid_").stream().filter(id -> !id.endsWith("budgets")).toList();
    }

    @ParameterizedTest
    @MethodSource("blockSparse")
    void blockSparseAttentionEqualsTheRecordedOne(String id) {
        Recording r = Recording.of(id);
        BlockSparseAttention.Output out = BlockSparseAttention.apply(new BlockSparseAttention.Input(
                r.item(0, "query", "heads", "queryLen", "headDim"), r.item(0, "key", "kvHeads", "keyLen", "headDim"),
                r.item(0, "value", "kvHeads", "keyLen", "headDim"), r.parameter("bs"), r.parameter("topk"),
                new AttentionRule(r.number("scaling"), OptionalDouble.empty(),
                        r.maybeInt("W").isPresent() ? new Visibility(r.parameter("W"), true) : Visibility.GLOBAL, 0, 0)));
        assertClose("block_scores", out.blockScores(), r.item(0, "block_scores", "queryBlocks", "chunks"));
        assertThat(out.blockIndices()).isEqualTo(Arrays.stream(r.rowsOfInts(0, "block_indices"))
                .map(row -> Arrays.stream(row).boxed().toList()).toList());
        assertClose("output", out.output(), r.item(0, "output", "heads", "queryLen", "headDim"));
        assertThat(r.result("max_abs_output_difference_between_tie_orders").doubleValue()).isZero();
        assertThat(r.unread()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("topKAttention")
    void topKMasksEqualTheRecordedOnes(String id) {
        Recording r = Recording.of(id);
        TopKAttentionMask.Output out = TopKAttentionMask.apply(new TopKAttentionMask.Input(
                r.item(0, "attention", "heads", "queryLen", "keyLen"), r.parameter("topk"), r.parameter("block"), r.flag("sliding")));
        assertThat(flat(out.keepRaw())).isEqualTo(r.booleans("keep_raw_low"));
        assertThat(flat(out.keepCausal())).isEqualTo(r.booleans("keep_causal"));
        assertThat(r.unread()).isEmpty();
    }

    @Test
    void aSingleSlidingQueryKeepsTheRecordedKeys() {
        for (JsonNode row : Recording.of("topk_attention/decode_sliding").result("cases")) {
            DoubleTensor attention = DoubleTensor.zeros(Shape.of("heads", 1, "queryLen", 1, "keyLen", row.get("keys").intValue()));
            boolean[][] keep = TopKAttentionMask.apply(
                    new TopKAttentionMask.Input(attention, row.get("topk").intValue(), 1, true)).keepCausal();
            for (int j = 0; j < keep[0].length; j++) {
                assertThat(keep[0][j]).as("%s key %d", row, j).isEqualTo(row.get("keep").get(j).booleanValue());
            }
        }
    }

    @Test
    void dilatedIndicesEqualTheRecordedOnes() {
        for (JsonNode row : Recording.of("topk_attention/decode_sliding").result("dilated_indices")) {
            int[] expected = new int[row.get("result").size()];
            Arrays.setAll(expected, i -> row.get("result").get(i).intValue());
            assertThat(TopKAttentionMask.dilatedIndices(row.get("pos").intValue(), row.get("window").intValue(), row.get("dilation").intValue()))
                    .as("%s", row).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @MethodSource("mergeRegions")
    void mergedAndUnmergedRegionsEqualTheRecordedOnes(String id) {
        Recording r = Recording.of(id);
        Boundaries boundaries = Boundaries.of(r.ints("boundaries"));
        for (int causal = 0; causal < 2; causal++) {
            DoubleTensor merged = MergeRegions.merge(r.item(0, "attention", "queryLen", "keyLen"), boundaries, causal == 1);
            assertClose("merged", merged, r.item(0, "merged_causal" + causal, "queryBlocks", "chunks"));
            assertClose("unmerged", MergeRegions.unmerge(merged, boundaries, causal == 1),
                    r.item(0, "unmerged_causal" + causal, "queryLen", "keyLen"));
        }
        assertThat(r.unread()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("h2o")
    void h2oKeepsTheRecordedTokens(String id) {
        Recording r = Recording.of(id);
        assertKept(r, H2oCache.apply(cache(r), config(r)));
    }

    @ParameterizedTest
    @MethodSource("pyramid")
    void pyramidKvKeepsTheRecordedTokens(String id) {
        Recording r = Recording.of(id);
        assertKept(r, PyramidKvCache.apply(cache(r), pyramidOf(r, r.parameter("layer_idx"),
                r.parameter("kernel_size"), r.text("pooling").equals("maxpool") ? Pooling.MAX : Pooling.AVERAGE)));
    }

    @Test
    void streamingLlmKeepsTheRecordedTokens() {
        Recording r = Recording.of("kv/streamingllm_0");
        assertKept(r, StreamingLlmCache.apply(cache(r), config(r)));
    }

    @Test
    void streamingLlmStoresOverlappingTokensTwiceAsRecorded() {
        Recording r = Recording.of("kv/streamingllm_overlap");
        assertThat(StreamingLlmCache.kept(r.item(0, "key", "kvHeads", "keyLen", "headDim").shape().extent("keyLen"), config(r)))
                .isEqualTo(r.ints("kept_positions"));
        assertThat(r.unread()).isEmpty();
    }

    @Test
    void budgetsPerLayerAndLengthEqualTheRecordedOnes() {
        Recording r = Recording.of("kv/pyramid_budgets");
        for (JsonNode row : r.result("kept")) {
            assertThat(PyramidKvCache.keptCount(row.get("L").intValue(), pyramidOf(r, row.get("layer").intValue(), 5, Pooling.AVERAGE)))
                    .as("%s", row).isEqualTo(row.get("kept").intValue());
        }
        for (JsonNode row : r.result("h2o_kept")) {
            int length = row.get("L").intValue();
            if (row.has("raises")) {
                assertThatThrownBy(() -> H2oCache.keptCount(length, config(r))).as("%s", row)
                        .isInstanceOf(IllegalStateException.class).hasMessageContaining("this one has " + length);
            } else {
                assertThat(H2oCache.keptCount(length, config(r))).as("%s", row).isEqualTo(row.get("kept").intValue());
            }
        }
        assertThat(r.unread()).isEmpty();
    }

    private static KvCompression.Input cache(Recording r) {
        return new KvCompression.Input(r.item(0, "query", "heads", "queryLen", "headDim"),
                r.item(0, "key", "kvHeads", "keyLen", "headDim"), r.item(0, "value", "kvHeads", "keyLen", "headDim"));
    }

    private static KvCompression.Config config(Recording r) {
        return new KvCompression.Config(r.parameter("window_size"), r.parameter("max_capacity_prompt"), r.flag("headwise_selection"),
                r.flag("use_global_score"), r.flag("is_sliding"), Profile.UPSTREAM);
    }

    private static Pyramid pyramidOf(Recording r, int layer, int kernelSize, Pooling pooling) {
        return new Pyramid(config(r), r.parameter("num_hidden_layers"), layer, kernelSize, pooling, r.parameter("beta"));
    }

    private static void assertKept(Recording r, KvCompression.Output out) {
        assertClose("key_out", out.keyOut(), r.item(0, "key_out", "kvHeads", "keyLen", "headDim"));
        assertClose("value_out", out.valueOut(), r.item(0, "value_out", "kvHeads", "keyLen", "headDim"));
        if (r.has("kept_positions")) {
            assertThat(out.keptPositions()).isEqualTo(Arrays.stream(r.ints("kept_positions")).boxed().toList());
        }
        assertThat(r.unread()).isEmpty();
    }

    private static boolean[] flat(boolean[][] rows) {
        boolean[] flat = new boolean[rows.length * rows[0].length];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(rows[i], 0, flat, i * rows[0].length, rows[0].length);
        }
        return flat;
    }
}
