package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Dense and sparse attention with one set of loops.
///
/// A task is one query head and one tile of queries, one per lane. Keys and values are never packed or gathered: their
/// elements are broadcast operands, addressed through a table of row offsets, so a list of scattered keys costs what a run
/// of adjoining keys costs. Scores of a block of keys go to a small buffer, become softmax weights there, and are at once
/// the panel that weights the values. No `[queryLen, keyLen]` matrix ever exists.
///
/// With a soft cap of 60 or less no maximum is needed: `e^60` times a million keys still fits FP32. Otherwise the
/// maximum runs along and earlier results are rescaled.
final class TiledAttention {

    /// Keys per block: a multiple of both tile heights (12 and 6, and 4 of the scalar twin); the weights of a block and a
    /// tile of queries take 30 KB.
    private static final int KEY_BLOCK = 240;
    private static final double LARGEST_CAP_WITHOUT_MAXIMUM = 60;

    private final Kernels kernels;
    private final Workers workers;
    private Scratch[] scratch = new Scratch[0];

    TiledAttention(Kernels kernels, Workers workers) {
        this.kernels = kernels;
        this.workers = workers;
    }

    record Result(FloatTensor context, long pairsRead) {}

    /// Adjoining query rows that read the same keys: all visible ones, or those of a list.
    private record Rows(int from, int to, int[] list) {}

    Result dense(FloatTensor query, Tensor key, Tensor value, AttentionRule rule) {
        List<Rows> rows = new ArrayList<>();
        addTiles(rows, 0, query.shape().extent("queryLen"), null);
        return attend(query, key, value, rule, rows);
    }

    Result sparse(FloatTensor query, Tensor key, Tensor value, KeySelection selection, AttentionRule rule) {
        List<Rows> rows = new ArrayList<>();
        int start = rule.queryStart();
        int end = start + query.shape().extent("queryLen");
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            addTiles(rows, Math.max(start, block.start()) - start, Math.min(end, block.end()) - start, selection.blocks().get(b).keys());
        }
        addTiles(rows, Math.max(start, selection.queryBlocks().denseFrom()) - start, end - start, null);
        return attend(query, key, value, rule, rows);
    }

    private void addTiles(List<Rows> rows, int from, int to, int[] list) {
        for (int at = from; at < to; at += kernels.columns()) {
            rows.add(new Rows(at, Math.min(to, at + kernels.columns()), list));
        }
    }

    private Result attend(FloatTensor query, Tensor key, Tensor value, AttentionRule rule, List<Rows> tiles) {
        int heads = query.shape().extent("heads");
        int headDim = query.shape().extent("headDim");
        if (scratch.length != workers.threads() || scratch[0].headDim != headDim) {
            scratch = new Scratch[workers.threads()];
            for (int w = 0; w < scratch.length; w++) {
                scratch[w] = new Scratch(kernels, headDim);
            }
        }
        FloatTensor context = FloatTensor.zeros(Shape.of("heads", heads, "queryLen", query.shape().extent("queryLen"), "headDim", headDim));
        KeyRows keys = KeyRows.of(key);
        KeyRows values = KeyRows.of(value);
        if (query.shape().extent("queryLen") == 1) {
            return singleQuery(query, keys, values, key.shape(), rule, tiles.getFirst().list, context);
        }
        long[] pairs = new long[tiles.size()];
        // Later tiles read more keys, so they go first: no thread is left alone with the longest.
        workers.run(heads * tiles.size(), (task, worker) -> {
            int tile = tiles.size() - 1 - task / heads;
            int head = task % heads;
            long read = tile(query, keys, values, key.shape(), rule, tiles.get(tile), head, context, scratch[worker]);
            if (head == 0) {
                pairs[tile] = read;
            }
        });
        return new Result(context, Arrays.stream(pairs).sum() * heads);
    }

    /// One head, one tile of queries.
    ///
    /// @return query-key pairs read
    private long tile(FloatTensor query, KeyRows keys, KeyRows values, Shape keyShape, AttentionRule rule, Rows rows, int head,
                      FloatTensor context, Scratch s) {
        int nq = kernels.columns();
        int headDim = s.headDim;
        int count = rows.to - rows.from;
        int kvHead = head / (query.shape().extent("heads") / keyShape.extent("kvHeads"));
        int keyLen = keyShape.extent("keyLen");

        int queryBase = query.offset() + head * query.stride();
        s.clear();
        for (int j = 0; j < count; j++) {
            int from = queryBase + (rows.from + j) * headDim;
            for (int d = 0; d < headDim; d++) {
                s.queries[d * nq + j] = query.data()[from + d];
            }
            int position = rule.queryStart() + rows.from + j;
            s.bounds[j] = Math.max(rule.keyStart(), rule.visibility().first(position));
            s.bounds[nq + j] = Math.min(position, rule.keyStart() + keyLen - 1);
        }
        int first = (int) s.bounds[0];
        int last = (int) s.bounds[nq + count - 1];

        long pairs = 0;
        int taken = 0;
        int length = rows.list == null ? Math.max(0, last - first + 1) : rows.list.length;
        while (taken < length) {
            int n = 0;
            int smallest = Integer.MAX_VALUE;
            int largest = -1;
            while (n < KEY_BLOCK && taken < length) {
                int position = rows.list == null ? first + taken : rows.list[taken];
                taken++;
                if (position >= first && position <= last) {
                    s.positions[n] = position;
                    s.rows[n] = position - rule.keyStart();
                    smallest = Math.min(smallest, position);
                    largest = Math.max(largest, position);
                    n++;
                }
            }
            if (n > 0) {
                boolean allSeen = smallest >= s.bounds[count - 1] && largest <= s.bounds[nq];
                pairs += head == 0 ? count(s, n, count, nq, allSeen) : 0;
                keyBlock(keys, values, kvHead, rule, n, allSeen, s);
            }
        }
        for (int j = 0; j < count; j++) {
            float inverse = s.sums[j] == 0 ? 0 : 1 / s.sums[j];
            int to = (head * context.shape().extent("queryLen") + rows.from + j) * headDim;
            for (int d = 0; d < headDim; d++) {
                context.data()[to + d] = s.out[d * nq + j] * inverse;
            }
        }
        return pairs;
    }

    private static long count(Scratch s, int keys, int queries, int nq, boolean allSeen) {
        if (allSeen) {
            return (long) keys * queries;
        }
        long pairs = 0;
        for (int n = 0; n < keys; n++) {
            for (int j = 0; j < queries; j++) {
                pairs += s.positions[n] >= s.bounds[j] && s.positions[n] <= s.bounds[nq + j] ? 1 : 0;
            }
        }
        return pairs;
    }

    private void keyBlock(KeyRows keys, KeyRows values, int kvHead, AttentionRule rule, int n, boolean allSeen, Scratch s) {
        int height = kernels.rows();
        float[] keyData = keys.locate(kvHead, s.rows, n, s.offsets, s.widened);
        for (int pad = n; pad % height != 0; pad++) {
            s.offsets[pad] = s.offsets[n - 1];
        }
        for (int at = 0; at < n; at += height) {
            kernels.scoreTile(keyData, s.offsets, at, s.queries, s.headDim, s.weights, at * kernels.columns());
        }
        float[] bounds = allSeen ? null : s.bounds;
        float scale = (float) rule.scale();
        double cap = rule.softCap().orElse(0);
        if (cap > 0 && cap <= LARGEST_CAP_WITHOUT_MAXIMUM) {
            kernels.capExp(s.weights, n, s.positions, 0, bounds, scale, (float) cap, s.sums);
        } else {
            kernels.onlineExp(s.weights, n, s.positions, 0, bounds, scale, (float) cap, s.sums, s.maxima, s.rescale);
            kernels.scaleColumns(s.out, s.headDim, s.rescale);
        }
        float[] valueData = values.locate(kvHead, s.rows, n, s.offsets, s.widened);
        kernels.values(valueData, s.offsets, 0, n, s.weights, 0, s.headDim, s.out);
    }

    /// One query, as in decoding: a tile would leave all lanes but one empty, so the lanes run along headDim instead.
    private Result singleQuery(FloatTensor query, KeyRows keys, KeyRows values, Shape keyShape, AttentionRule rule, int[] list,
                               FloatTensor context) {
        int position = rule.queryStart();
        int first = Math.max(rule.keyStart(), rule.visibility().first(position));
        int last = Math.min(position, rule.keyStart() + keyShape.extent("keyLen") - 1);
        int[] rows = (list == null ? IntStream.rangeClosed(first, last) : Arrays.stream(list).filter(j -> j >= first && j <= last))
                .map(j -> j - rule.keyStart()).toArray();
        int heads = query.shape().extent("heads");
        int headDim = query.shape().extent("headDim");
        int groups = heads / keyShape.extent("kvHeads");
        workers.run(heads, (head, worker) -> {
            float[] weights = new float[rows.length];
            float max = Float.NEGATIVE_INFINITY;
            for (int from = 0; from < rows.length; from += KEY_BLOCK) {
                int count = Math.min(KEY_BLOCK, rows.length - from);
                float[] data = locate(keys, head / groups, rows, from, count, scratch[worker]);
                for (int n = 0; n < count; n++) {
                    float dot = kernels.dot(query.data(), query.offset() + head * query.stride(), data, scratch[worker].offsets[n], headDim);
                    weights[from + n] = (float) rule.logit(dot);
                    max = Math.max(max, weights[from + n]);
                }
            }
            float sum = 0;
            for (int n = 0; n < rows.length; n++) {
                weights[n] = (float) Math.exp(weights[n] - max);
                sum += weights[n];
            }
            for (int from = 0; from < rows.length; from += KEY_BLOCK) {
                int count = Math.min(KEY_BLOCK, rows.length - from);
                float[] data = locate(values, head / groups, rows, from, count, scratch[worker]);
                for (int n = 0; n < count; n++) {
                    kernels.axpy(weights[from + n] / sum, data, scratch[worker].offsets[n], context.data(), head * headDim, headDim);
                }
            }
        });
        return new Result(context, (long) rows.length * heads);
    }

    private static float[] locate(KeyRows rows, int kvHead, int[] all, int from, int count, Scratch s) {
        System.arraycopy(all, from, s.rows, 0, count);
        return rows.locate(kvHead, s.rows, count, s.offsets, s.widened);
    }

    /// What one thread needs for one tile.
    private static final class Scratch {
        final int headDim;
        final float[] queries;
        final float[] out;
        final float[] weights;
        final float[] bounds;
        final float[] sums;
        final float[] maxima;
        final float[] rescale;
        final int[] positions = new int[KEY_BLOCK];
        final int[] rows = new int[KEY_BLOCK];
        final int[] offsets = new int[KEY_BLOCK];
        final float[] widened;

        Scratch(Kernels kernels, int headDim) {
            int nq = kernels.columns();
            this.headDim = headDim;
            queries = new float[headDim * nq];
            out = new float[headDim * nq];
            weights = new float[KEY_BLOCK * nq];
            widened = new float[KEY_BLOCK * headDim];
            bounds = new float[2 * nq];
            sums = new float[nq];
            maxima = new float[nq];
            rescale = new float[nq];
        }

        /// Lanes without a query see nothing: their first position lies behind their last.
        void clear() {
            int nq = sums.length;
            Arrays.fill(queries, 0f);
            Arrays.fill(out, 0f);
            Arrays.fill(sums, 0f);
            Arrays.fill(maxima, Float.NEGATIVE_INFINITY);
            Arrays.fill(bounds, 0, nq, Integer.MAX_VALUE);
            Arrays.fill(bounds, nq, 2 * nq, -1f);
        }
    }
}
