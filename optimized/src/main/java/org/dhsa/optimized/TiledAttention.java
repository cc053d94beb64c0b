package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Dense and sparse attention with one set of loops.
///
/// A task is one KV head and a run of queries that read the same keys, for all query heads of the group: up to eight tiles
/// of `columns()` queries, one query per lane. Keys come in blocks of 180. A block is brought into the cache once and
/// serves every tile of the task: its values are packed into row panels, its keys are broadcast operands addressed
/// through a table of row offsets, so a list of scattered keys costs what a run of adjoining keys costs. Scores of a block
/// and a tile go to a small buffer, become softmax weights there, and are at once the panel that weights the values. No
/// `[queryLen, keyLen]` matrix ever exists.
///
/// With a soft cap of 60 or less no maximum is needed: `e^60` times a million keys still fits FP32. Otherwise the
/// maximum runs along and earlier results are rescaled.
final class TiledAttention {

    /// Keys per block: a multiple of all tile heights (12, 6, and 4 of the scalar twin); the weights of a block and a tile
    /// of queries take 23 KB.
    private static final int KEY_BLOCK = 180;
    private static final int TILES_PER_TASK = 8;
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
        addRuns(rows, 0, query.shape().extent("queryLen"), null, groups(query, key));
        return attend(query, key, value, rule, rows);
    }

    Result sparse(FloatTensor query, Tensor key, Tensor value, KeySelection selection, AttentionRule rule) {
        List<Rows> rows = new ArrayList<>();
        int start = rule.queryStart();
        int end = start + query.shape().extent("queryLen");
        int groups = groups(query, key);
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            addRuns(rows, Math.max(start, block.start()) - start, Math.min(end, block.end()) - start, selection.blocks().get(b).keys(), groups);
        }
        addRuns(rows, Math.max(start, selection.queryBlocks().denseFrom()) - start, end - start, null, groups);
        return attend(query, key, value, rule, rows);
    }

    /// Query heads that share one KV head.
    private static int groups(Tensor query, Tensor key) {
        return query.shape().extent("heads") / key.shape().extent("kvHeads");
    }

    private void addRuns(List<Rows> rows, int from, int to, int[] list, int groups) {
        int step = Math.max(1, TILES_PER_TASK / groups) * kernels.columns();
        for (int at = from; at < to; at += step) {
            rows.add(new Rows(at, Math.min(to, at + step), list));
        }
    }

    private Result attend(FloatTensor query, Tensor key, Tensor value, AttentionRule rule, List<Rows> runs) {
        int heads = query.shape().extent("heads");
        int kvHeads = key.shape().extent("kvHeads");
        int headDim = query.shape().extent("headDim");
        int groups = heads / kvHeads;
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
            return singleQuery(query, keys, values, key.shape(), rule, runs.getFirst().list, context);
        }
        long[] pairs = new long[runs.size()];
        // Later runs read more keys, so they go first: no thread is left alone with the longest.
        workers.run(kvHeads * runs.size(), (task, worker) -> {
            int run = runs.size() - 1 - task / kvHeads;
            int kvHead = task % kvHeads;
            Scratch s = scratch[worker];
            List<Tile> tiles = s.tiles(runs.get(run), kvHead * groups, groups);
            tiles.forEach(tile -> tile.load(query, rule, key.shape().extent("keyLen")));
            attend(tiles, keys, values, kvHead, rule, runs.get(run).list, s);
            tiles.forEach(tile -> tile.store(context));
            if (kvHead == 0) {
                pairs[run] = tiles.stream().filter(tile -> tile.head == 0).mapToLong(tile -> tile.pairs).sum();
            }
        });
        return new Result(context, Arrays.stream(pairs).sum() * heads);
    }

    /// All keys of one task, block by block.
    private void attend(List<Tile> tiles, KeyRows keys, KeyRows values, int kvHead, AttentionRule rule, int[] list, Scratch s) {
        int first = tiles.stream().mapToInt(tile -> tile.first).min().orElseThrow();
        int last = tiles.stream().mapToInt(tile -> tile.last).max().orElseThrow();
        int length = list == null ? Math.max(0, last - first + 1) : list.length;
        int taken = 0;
        while (taken < length) {
            int n = 0;
            boolean ascending = true;
            while (n < KEY_BLOCK && taken < length) {
                int position = list == null ? first + taken : list[taken];
                taken++;
                if (position >= first && position <= last) {
                    ascending &= n == 0 || position >= s.positions[n - 1];
                    s.positions[n] = position;
                    s.rows[n] = position - rule.keyStart();
                    n++;
                }
            }
            if (n > 0) {
                keyBlock(tiles, keys, values, kvHead, rule, n, ascending, s);
            }
        }
    }

    private void keyBlock(List<Tile> tiles, KeyRows keys, KeyRows values, int kvHead, AttentionRule rule, int n, boolean ascending, Scratch s) {
        float[] valueData = values.locate(kvHead, s.rows, n, s.valueOffsets, s.widenedValues);
        packValues(valueData, n, s);
        float[] keyData = keys.locate(kvHead, s.rows, n, s.keyOffsets, s.widenedKeys);
        for (int pad = n; pad % kernels.rows() != 0; pad++) {
            s.keyOffsets[pad] = s.keyOffsets[n - 1];
        }
        for (Tile tile : tiles) {
            int from = 0;
            int to = n;
            if (ascending) {
                // keys before the tile's first or behind its last position need no score
                while (from < n && s.positions[from] < tile.first) {
                    from++;
                }
                from -= from % kernels.rows();
                while (to > from && s.positions[to - 1] > tile.last) {
                    to--;
                }
            }
            if (from < to) {
                keyBlock(tile, keyData, valueData, rule, from, to, s);
            }
        }
    }

    /// One block of keys, numbers `from` to `to`, for one tile of queries.
    private void keyBlock(Tile tile, float[] keyData, float[] valueData, AttentionRule rule, int from, int to, Scratch s) {
        int height = kernels.rows();
        int nq = kernels.columns();
        int n = to - from;
        for (int at = from; at < to; at += height) {
            kernels.scoreTile(keyData, s.keyOffsets, at, tile.queries, s.headDim, s.weights, (at - from) * nq);
        }
        float[] bounds = tile.countPairs(s.positions, from, to) ? null : tile.bounds;
        float scale = (float) rule.scale();
        double cap = rule.softCap().orElse(0);
        if (cap > 0 && cap <= LARGEST_CAP_WITHOUT_MAXIMUM) {
            kernels.capExp(s.weights, n, s.positions, from, bounds, scale, (float) cap, tile.sums);
        } else {
            kernels.onlineExp(s.weights, n, s.positions, from, bounds, scale, (float) cap, tile.sums, tile.maxima, s.rescale);
            kernels.scaleColumns(tile.out, s.headDim, s.rescale);
        }
        int d = 0;
        for (; d + height <= s.headDim; d += height) {
            kernels.gemmTile(s.packed, (d / height * KEY_BLOCK + from) * height, s.weights, 0, n, tile.out, d * nq, nq, true);
        }
        kernels.values(valueData, s.valueOffsets, from, n, s.weights, d, s.headDim, tile.out);
    }

    /// Row panels of the values, `[panels][KEY_BLOCK][rows()]`; what is left over of headDim is read where it lies.
    private void packValues(float[] data, int n, Scratch s) {
        int height = kernels.rows();
        for (int d = 0; d + height <= s.headDim; d += height) {
            kernels.packRows(data, s.valueOffsets, n, d, s.packed, d / height * KEY_BLOCK * height);
        }
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
        float scale = (float) rule.scale();
        // A KV head per task: its keys and values are fetched once for all its query heads. A query head per task where there
        // would be fewer tasks than threads. No sum runs over heads, so the bits are the same.
        int together = keyShape.extent("kvHeads") < workers.threads() ? 1 : groups;
        workers.run(heads / together, (task, worker) -> {
            int firstHead = task * together;
            int kvHead = firstHead / groups;
            float[][] weights = new float[together][rows.length];
            for (int from = 0; from < rows.length; from += KEY_BLOCK) {
                int count = Math.min(KEY_BLOCK, rows.length - from);
                float[] data = locate(keys, kvHead, rows, from, count, scratch[worker]);
                for (int g = 0; g < together; g++) {
                    int at = query.offset() + (firstHead + g) * query.stride();
                    for (int n = 0; n < count; n++) {
                        weights[g][from + n] = kernels.dot(query.data(), at, data, scratch[worker].keyOffsets[n], headDim);
                    }
                }
            }
            for (float[] of : weights) {
                softmax(of, scale, rule.softCap());
            }
            for (int from = 0; from < rows.length; from += KEY_BLOCK) {
                int count = Math.min(KEY_BLOCK, rows.length - from);
                float[] data = locate(values, kvHead, rows, from, count, scratch[worker]);
                for (int g = 0; g < together; g++) {
                    for (int n = 0; n < count; n++) {
                        kernels.axpy(weights[g][from + n], data, scratch[worker].keyOffsets[n], context.data(), (firstHead + g) * headDim, headDim);
                    }
                }
            }
        });
        return new Result(context, (long) rows.length * heads);
    }

    /// Raw scores to weights that sum to 1, in place.
    private void softmax(float[] s, float scale, OptionalDouble cap) {
        if (cap.isPresent()) {
            kernels.cap(s, 0, s.length, scale, (float) cap.getAsDouble());
        }
        float max = Float.NEGATIVE_INFINITY;
        for (int n = 0; n < s.length; n++) {
            s[n] *= cap.isPresent() ? 1 : scale;
            max = Math.max(max, s[n]);
        }
        float sum = 0;
        for (int n = 0; n < s.length; n++) {
            s[n] = (float) Math.exp(s[n] - max);
            sum += s[n];
        }
        for (int n = 0; n < s.length; n++) {
            s[n] /= sum;
        }
    }

    private static float[] locate(KeyRows rows, int kvHead, int[] all, int from, int count, Scratch s) {
        System.arraycopy(all, from, s.rows, 0, count);
        return rows.locate(kvHead, s.rows, count, s.keyOffsets, s.widenedKeys);
    }

    /// One query head and up to `columns()` queries: what goes in, and what is summed up key block by key block.
    private static final class Tile {
        final int headDim;
        final float[] queries;
        final float[] out;
        final float[] bounds;
        final float[] sums;
        final float[] maxima;
        int head;
        int from;
        int count;
        int first;
        int last;
        long pairs;

        Tile(int nq, int headDim) {
            this.headDim = headDim;
            queries = new float[headDim * nq];
            out = new float[headDim * nq];
            bounds = new float[2 * nq];
            sums = new float[nq];
            maxima = new float[nq];
        }

        /// Reads the queries. Lanes without one see nothing: their first position lies behind their last.
        void load(FloatTensor query, AttentionRule rule, int keyLen) {
            int nq = sums.length;
            pairs = 0;
            Arrays.fill(out, 0f);
            Arrays.fill(sums, 0f);
            Arrays.fill(maxima, Float.NEGATIVE_INFINITY);
            Arrays.fill(bounds, 0, nq, Integer.MAX_VALUE);
            Arrays.fill(bounds, nq, 2 * nq, -1f);
            if (count < nq) {
                Arrays.fill(queries, 0f);
            }
            int base = query.offset() + head * query.stride() + from * headDim;
            for (int d = 0; d < headDim; d++) {
                for (int j = 0; j < count; j++) {
                    queries[d * nq + j] = query.data()[base + j * headDim + d];
                }
            }
            for (int j = 0; j < count; j++) {
                int position = rule.queryStart() + from + j;
                bounds[j] = Math.max(rule.keyStart(), rule.visibility().first(position));
                bounds[nq + j] = Math.min(position, rule.keyStart() + keyLen - 1);
            }
            first = (int) bounds[0];
            last = (int) bounds[nq + count - 1];
        }

        /// Counts the visible pairs of keys `from` to `to`.
        ///
        /// @return true if every query sees every one of these keys
        boolean countPairs(int[] positions, int from, int to) {
            int nq = sums.length;
            int smallest = Integer.MAX_VALUE;
            int largest = -1;
            for (int n = from; n < to; n++) {
                smallest = Math.min(smallest, positions[n]);
                largest = Math.max(largest, positions[n]);
            }
            if (smallest >= bounds[count - 1] && largest <= bounds[nq]) {
                pairs += (long) (to - from) * count;
                return true;
            }
            for (int n = from; n < to; n++) {
                for (int j = 0; j < count; j++) {
                    pairs += positions[n] >= bounds[j] && positions[n] <= bounds[nq + j] ? 1 : 0;
                }
            }
            return false;
        }

        /// Divides by the sums; a query that saw no key gets zeros.
        void store(FloatTensor context) {
            int nq = sums.length;
            int queryLen = context.shape().extent("queryLen");
            for (int j = 0; j < count; j++) {
                float inverse = sums[j] == 0 ? 0 : 1 / sums[j];
                int to = (head * queryLen + from + j) * headDim;
                for (int d = 0; d < headDim; d++) {
                    context.data()[to + d] = out[d * nq + j] * inverse;
                }
            }
        }
    }

    /// What one thread needs for one task.
    private static final class Scratch {
        final int columns;
        final int headDim;
        final List<Tile> tiles = new ArrayList<>();
        final float[] weights;
        final float[] packed;
        final float[] rescale;
        final int[] positions = new int[KEY_BLOCK];
        final int[] rows = new int[KEY_BLOCK];
        final int[] keyOffsets = new int[KEY_BLOCK];
        final int[] valueOffsets = new int[KEY_BLOCK];
        final float[] widenedKeys;
        final float[] widenedValues;

        Scratch(Kernels kernels, int headDim) {
            this.columns = kernels.columns();
            this.headDim = headDim;
            weights = new float[KEY_BLOCK * columns];
            packed = new float[KEY_BLOCK * headDim + Kernels.PACK_SLACK];
            rescale = new float[columns];
            widenedKeys = new float[KEY_BLOCK * headDim];
            widenedValues = new float[KEY_BLOCK * headDim];
        }

        /// The tiles of a run of queries, for query heads `firstHead` to `firstHead + heads`.
        List<Tile> tiles(Rows run, int firstHead, int heads) {
            int perHead = (run.to - run.from + columns - 1) / columns;
            while (tiles.size() < perHead * heads) {
                tiles.add(new Tile(columns, headDim));
            }
            for (int t = 0; t < perHead * heads; t++) {
                Tile tile = tiles.get(t);
                tile.head = firstHead + t / perHead;
                tile.from = run.from + t % perHead * columns;
                tile.count = Math.min(columns, run.to - tile.from);
            }
            return tiles.subList(0, perHead * heads);
        }
    }
}
