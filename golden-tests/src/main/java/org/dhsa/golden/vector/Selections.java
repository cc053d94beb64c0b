package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.dhsa.model.DhsaConfig;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Lists of keys as tensors, and back.
final class Selections {

    /// Fills the shorter rows of an index matrix.
    static final int NONE = -1;

    private Selections() {}

    /// Rows of different length as one matrix, as wide as the longest.
    static DoubleTensor matrix(String rowAxis, String columnAxis, List<int[]> rows) {
        int width = rows.stream().mapToInt(r -> r.length).max().orElse(0);
        double[] flat = new double[rows.size() * width];
        Arrays.fill(flat, NONE);
        for (int r = 0; r < rows.size(); r++) {
            for (int c = 0; c < rows.get(r).length; c++) {
                flat[r * width + c] = rows.get(r)[c];
            }
        }
        return DoubleTensor.of(Shape.of(rowAxis, rows.size(), columnAxis, width), flat);
    }

    static DoubleTensor blocks(QueryBlocks blocks) {
        return StageInputs.ints(Shape.of("queryBlocks", blocks.blocks().size(), "columns", 4),
                blocks.blocks().stream().flatMapToInt(b -> Arrays.stream(new int[] {b.start(), b.end(), b.nominalEnd(), b.segment()})).toArray());
    }

    static void keys(Map<String, Tensor> out, String prefix, KeySelection selection) {
        out.put(prefix + "selectedKeys", matrix("queryBlocks", "budget", selection.blocks().stream().map(KeySelection.BlockSelection::keys).toList()));
        out.put(prefix + "selectedCounts", StageInputs.ints(Shape.of("queryBlocks", selection.blocks().size()),
                selection.blocks().stream().mapToInt(b -> b.keys().length).toArray()));
    }

    /// What was kept whatever its score, what was allowed, and how clear the cut was.
    static void evidence(Map<String, Tensor> out, KeySelection selection, Visibility visibility, int budget, int keyLen, DhsaConfig config) {
        int cut = TopKSelectionReference.cut(budget, keyLen, visibility, config);
        List<int[]> forced = new ArrayList<>();
        List<int[]> allowed = new ArrayList<>();
        for (QueryBlocks.Block block : selection.queryBlocks().blocks()) {
            int start = TopKSelectionReference.allowedStart(block, visibility, config);
            int end = TopKSelectionReference.allowedEnd(block, keyLen, config);
            forced.add(TopKSelectionReference.forced(block, start, end, cut, config).stream().mapToInt(Integer::intValue).sorted().toArray());
            allowed.add(new int[] {start, end});
        }
        out.put("forcedKeys", matrix("queryBlocks", "budget", forced));
        out.put("allowed", matrix("queryBlocks", "columns", allowed));
        int blocks = selection.blocks().size();
        out.put("threshold", DoubleTensor.of(Shape.of("queryBlocks", blocks), selection.blocks().stream().mapToDouble(KeySelection.BlockSelection::threshold).toArray()));
        out.put("margin", DoubleTensor.of(Shape.of("queryBlocks", blocks), selection.blocks().stream().mapToDouble(KeySelection.BlockSelection::margin).toArray()));
    }

    /// The lists that sparse attention reads; how they came about is not known here.
    static KeySelection of(Tensor selectedKeys, QueryBlocks blocks) {
        DoubleTensor matrix = selectedKeys.toDouble();
        int rows = matrix.shape().extent(0);
        int width = matrix.shape().extent(1);
        List<KeySelection.BlockSelection> lists = new ArrayList<>();
        for (int r = 0; r < rows; r++) {
            int[] keys = Arrays.stream(matrix.data(), r * width, (r + 1) * width).filter(k -> k != NONE).mapToInt(k -> (int) k).toArray();
            lists.add(new KeySelection.BlockSelection(keys, keys.length, 0, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0]));
        }
        return new KeySelection(blocks, lists);
    }
}
