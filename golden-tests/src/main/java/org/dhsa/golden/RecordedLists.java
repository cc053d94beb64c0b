package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// The lists of keys that recordings of other methods hold, as they were recorded, ready to be attended over: nothing here chooses anything.
final class RecordedLists {

    /// Attention over recorded lists.
    ///
    /// @param source   the recorded tensors that the lists are from
    /// @param perHead  one list of keys per block of rows, for each query head
    /// @param expected `[heads, queryLen, headDim]` if the recording holds the output; null if not
    record Attended(String source, DoubleTensor query, DoubleTensor key, DoubleTensor value, AttentionRule rule, List<KeySelection> perHead, DoubleTensor expected) {}

    /// Finds them in a case; none where it holds no queries and keys.
    interface Reader {
        List<Attended> read(GoldenCase golden) throws GoldenFormatException;
    }

    /// Which keys row-block b of head h keeps, before the causal rule cuts them.
    private interface Kept {
        boolean at(int head, int block, int key);
    }

    private RecordedLists() {}

    /// `block_mask`, `[heads, blocks of rows, blocks of keys]`.
    ///
    /// @param size field with the size of a block
    static Reader blockMask(String size) {
        return golden -> {
            int block = golden.intOf(size);
            return List.of(blocks(golden, "block_mask", block, block, key(golden)));
        };
    }

    /// FlexPrefill's, where query head h may read key head h mod kvHeads.
    static List<Attended> flexPrefill(GoldenCase golden) throws GoldenFormatException {
        int block = golden.intOf("block_size");
        DoubleTensor key = key(golden);
        return List.of(blocks(golden, "block_mask", block, block, golden.booleanOf("gqa_interleave") ? FlexPrefillCheck.interleaved(key, golden.intOf("H")) : key));
    }

    /// The masks of all budgets that a case of the later code was recorded with.
    static List<Attended> icml(GoldenCase golden) throws GoldenFormatException {
        List<Attended> all = new ArrayList<>();
        for (JsonNode variant : golden.results().path("variants")) {
            all.add(blocks(golden, variant.get("variant").asText() + ".mask", golden.intOf("q_block"), golden.intOf("k_block"), key(golden)));
        }
        return all;
    }

    /// Columns and distances.
    static List<Attended> lines(GoldenCase golden) throws GoldenFormatException {
        int[][] columns = SelectionRecordingCheck.rows(golden.tensor("vertical_idx"), -1);
        int[][] distances = SelectionRecordingCheck.rows(golden.tensor("slash_idx"), -1);
        boolean[][] column = flags(columns, golden.intOf("L"));
        boolean[][] distance = flags(distances, golden.intOf("L"));
        return List.of(attended(golden, "vertical_idx, slash_idx", 1, key(golden), (h, row, j) -> column[h][j] || j <= row && distance[h][row - j]));
    }

    /// What a chain of maskers leaves.
    static List<Attended> lastMask(GoldenCase golden) throws GoldenFormatException {
        String last = "mask_" + (golden.hyperparameters().path("chain").size() - 1);
        GoldenTensor mask = golden.tensor(last);
        mask.requireRank(3);
        double[] kept = mask.values();
        return List.of(attended(golden, last, 1, key(golden), (h, row, j) -> kept[(h * mask.extent(1) + row) * mask.extent(2) + j] != 0));
    }

    /// What SnapKV keeps of a prompt, read by its last query.
    static List<Attended> snapKv(GoldenCase golden) throws GoldenFormatException {
        DoubleTensor key = key(golden);
        int length = key.shape().extent("keyLen");
        GoldenTensor kept = golden.tensor("kept_positions");
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < kept.extent(0); h++) {
            perHead.add(new KeySelection(QueryBlocks.single(length - 1), List.of(list(Arrays.stream(kept.rowInts(h)).sorted().toArray()))));
        }
        return List.of(new Attended("kept_positions", lastRow(query(golden), length - 1), key, key, rule(key, length - 1), perHead, null));
    }

    /// Quest's steps of decoding, whose outputs are recorded too.
    static List<Attended> quest(GoldenCase golden) throws GoldenFormatException {
        int page = golden.intOf("page_size");
        List<Attended> all = new ArrayList<>();
        int step = 0;
        for (int length : PredictBoundariesCheck.ints(golden.hyperparameters().path("kv_lengths"))) {
            DoubleTensor mask = golden.tensor("page_mask").row(step, "heads", "chunks");
            DoubleTensor output = golden.tensor("output").row(step, "heads", "headDim");
            DoubleTensor key = first(key(golden), length);
            List<KeySelection> perHead = new ArrayList<>();
            for (int h = 0; h < mask.shape().extent("heads"); h++) {
                int head = h;
                perHead.add(new KeySelection(QueryBlocks.single(length - 1), List.of(list(IntStream.range(0, length).filter(j -> mask.at(head, j / page) != 0).toArray()))));
            }
            all.add(new Attended("page_mask", lastRow(query(golden), length - 1), key, first(golden.tensor("value").row(0, "kvHeads", "keyLen", "headDim"), length),
                    rule(key, length - 1), perHead, DoubleTensor.of(Shape.of("heads", mask.shape().extent("heads"), "queryLen", 1, "headDim", output.shape().extent("headDim")), output.data())));
            step++;
        }
        return all;
    }

    static Reader none() {
        return golden -> List.of();
    }

    private static Attended blocks(GoldenCase golden, String tensor, int rows, int keys, DoubleTensor key) throws GoldenFormatException {
        GoldenTensor mask = golden.tensor(tensor);
        mask.requireRank(3);
        double[] kept = mask.values();
        return attended(golden, tensor, rows, key, (h, b, j) -> kept[(h * mask.extent(1) + b) * mask.extent(2) + j / keys] != 0);
    }

    /// The queries are the last ones of the keys. Keys stand for values, which none of these cases has.
    private static Attended attended(GoldenCase golden, String source, int block, DoubleTensor key, Kept kept) throws GoldenFormatException {
        DoubleTensor query = query(golden);
        int end = key.shape().extent("keyLen");
        int start = end - query.shape().extent("queryLen");
        List<QueryBlocks.Block> blocks = new ArrayList<>();
        for (int from = start; from < end; from += block) {
            blocks.add(new QueryBlocks.Block(from, Math.min(end, from + block), from + block, blocks.size()));
        }
        QueryBlocks rows = new QueryBlocks(blocks, end, end);
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < query.shape().extent("heads"); h++) {
            int head = h;
            perHead.add(new KeySelection(rows, blocks.stream().map(b -> list(IntStream.range(0, b.end()).filter(j -> kept.at(head, b.segment(), j)).toArray())).toList()));
        }
        return new Attended(source, query, key, DoubleTensor.of(key.shape(), key.data()), rule(key, start), perHead, null);
    }

    private static BlockSelection list(int[] keys) {
        return new BlockSelection(keys, keys.length, 0, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0]);
    }

    private static AttentionRule rule(DoubleTensor key, int queryStart) {
        return new AttentionRule(1 / Math.sqrt(key.shape().extent("headDim")), OptionalDouble.empty(), Visibility.GLOBAL, queryStart, 0);
    }

    private static boolean[][] flags(int[][] sets, int length) {
        boolean[][] flags = new boolean[sets.length][length];
        for (int s = 0; s < sets.length; s++) {
            for (int entry : sets[s]) {
                flags[s][entry] = true;
            }
        }
        return flags;
    }

    private static DoubleTensor query(GoldenCase golden) throws GoldenFormatException {
        return golden.tensor("query").row(0, "heads", "queryLen", "headDim");
    }

    private static DoubleTensor key(GoldenCase golden) throws GoldenFormatException {
        return golden.tensor("key").row(0, "kvHeads", "keyLen", "headDim");
    }

    private static DoubleTensor lastRow(DoubleTensor query, int position) {
        return cut(query, "heads", "queryLen", position, position + 1);
    }

    private static DoubleTensor first(DoubleTensor key, int length) {
        return cut(key, "kvHeads", "keyLen", 0, length);
    }

    /// Rows `[from, to)` of every head.
    private static DoubleTensor cut(DoubleTensor states, String heads, String axis, int from, int to) {
        int count = states.shape().extent(heads);
        int length = states.shape().extent(axis);
        int dim = states.shape().extent("headDim");
        double[] out = new double[count * (to - from) * dim];
        for (int h = 0; h < count; h++) {
            System.arraycopy(states.data(), (h * length + from) * dim, out, h * (to - from) * dim, (to - from) * dim);
        }
        return DoubleTensor.of(Shape.of(heads, count, axis, to - from, "headDim", dim), out);
    }
}
