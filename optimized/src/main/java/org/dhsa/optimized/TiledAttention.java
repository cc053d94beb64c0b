package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Dense and sparse attention with one set of loops.
///
/// A task is one KV head and a run of queries that are read together ([RowRuns]), for all query heads of the group: up to
/// eight tiles of `columns()` queries, one query per lane. Keys come in blocks of 180. A block is brought into the cache once and
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
    private final boolean joinedLists;
    private Scratch[] scratch = new Scratch[0];

    /// @param joinedLists whether rows with lists of their own share tiles; if not, every list is read by itself, in its order
    TiledAttention(Kernels kernels, Workers workers, boolean joinedLists) {
        this.kernels = kernels;
        this.workers = workers;
        this.joinedLists = joinedLists;
    }

    record Result(FloatTensor context, long pairsRead) {}

    Result dense(FloatTensor query, Tensor key, Tensor value, AttentionRule rule) {
        int queryLen = query.shape().extent("queryLen");
        int keyLen = key.shape().extent("keyLen");
        return attend(query, key, value, rule, new RowRuns(rule, queryLen, keyLen, kernels.columns(), longestRun(query, key)).dense());
    }

    Result sparse(FloatTensor query, Tensor key, Tensor value, KeySelection selection, AttentionRule rule) {
        int queryLen = query.shape().extent("queryLen");
        int keyLen = key.shape().extent("keyLen");
        RowRuns runs = new RowRuns(rule, queryLen, keyLen, kernels.columns(), longestRun(query, key));
        return attend(query, key, value, rule, joinedLists ? runs.joined(selection, workers) : runs.apart(selection));
    }

    /// Query heads that share one KV head.
    private static int groups(Tensor query, Tensor key) {
        return query.shape().extent("heads") / key.shape().extent("kvHeads");
    }

    private int longestRun(Tensor query, Tensor key) {
        return Math.max(1, TILES_PER_TASK / groups(query, key)) * kernels.columns();
    }

    private Result attend(FloatTensor query, Tensor key, Tensor value, AttentionRule rule, List<RowRuns.Run> runs) {
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
        int keyLen = key.shape().extent("keyLen");
        if (query.shape().extent("queryLen") == 1) {
            return singleQuery(query, keys, values, kvHeads, keyLen, rule, runs.getFirst().list(), context);
        }
        long[] pairs = new long[runs.size()];
        // Later runs read more keys, so they go first: no thread is left alone with the longest.
        workers.run(kvHeads * runs.size(), (task, worker) -> {
            int number = runs.size() - 1 - task / kvHeads;
            RowRuns.Run run = runs.get(number);
            int kvHead = task % kvHeads;
            Scratch s = scratch[worker];
            long read = 0;
            if (run.alone()) {
                for (int row = run.from(); row < run.to(); row++) {
                    int[] rows = visibleRows(run.list(), row, keyLen, rule);
                    oneQuery(query, row, kvHead * groups, groups, keys, values, kvHead, rows, rule, context, s);
                    read += rows.length;
                }
            } else {
                List<Tile> tiles = s.tiles(run, kvHead * groups, groups);
                tiles.forEach(tile -> tile.load(query, rule, keyLen));
                attend(tiles, keys, values, kvHead, rule, run, s);
                tiles.forEach(tile -> tile.store(context));
                read = tiles.stream().filter(tile -> tile.head == kvHead * groups).mapToLong(tile -> tile.pairs).sum();
            }
            if (kvHead == 0) {
                pairs[number] = read;
            }
        });
        return new Result(context, Arrays.stream(pairs).sum() * heads);
    }

    /// All keys of one task, block by block.
    private void attend(List<Tile> tiles, KeyRows keys, KeyRows values, int kvHead, AttentionRule rule, RowRuns.Run run, Scratch s) {
        int first = tiles.stream().mapToInt(tile -> tile.first).min().orElseThrow();
        int last = tiles.stream().mapToInt(tile -> tile.last).max().orElseThrow();
        int[] list = run.list();
        int length = list == null ? Math.max(0, last - first + 1) : list.length;
        int taken = 0;
        while (taken < length) {
            int n = 0;
            boolean ascending = true;
            while (n < KEY_BLOCK && taken < length) {
                int position = list == null ? first + taken : list[taken];
                if (position >= first && position <= last) {
                    ascending &= n == 0 || position >= s.positions[n - 1];
                    s.positions[n] = position;
                    s.rows[n] = position - rule.keyStart();
                    if (run.members() != null) {
                        s.members[n] = run.members()[taken];
                    }
                    n++;
                }
                taken++;
            }
            if (n > 0) {
                keyBlock(tiles, keys, values, kvHead, rule, n, ascending, run.members() != null, s);
            }
        }
    }

    private void keyBlock(List<Tile> tiles, KeyRows keys, KeyRows values, int kvHead, AttentionRule rule, int n, boolean ascending, boolean listed, Scratch s) {
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
                int[] members = listed ? tile.listed(from, to, s.members) : tile.seen(s.positions, from, to, ascending, s.members);
                keyBlock(tile, keyData, valueData, rule, from, to, members, s);
            }
        }
    }

    /// One block of keys, numbers `from` to `to`, for one tile of queries.
    ///
    /// @param members which queries read each key; null if all read all
    private void keyBlock(Tile tile, float[] keyData, float[] valueData, AttentionRule rule, int from, int to, int[] members, Scratch s) {
        int height = kernels.rows();
        int nq = kernels.columns();
        int n = to - from;
        for (int at = from; at < to; at += height) {
            kernels.scoreTile(keyData, s.keyOffsets, at, tile.queries, s.headDim, s.weights, (at - from) * nq);
        }
        float scale = (float) rule.scale();
        double cap = rule.softCap().orElse(0);
        if (cap > 0 && cap <= LARGEST_CAP_WITHOUT_MAXIMUM) {
            kernels.capExp(s.weights, n, members, from, scale, (float) cap, tile.sums);
        } else {
            kernels.onlineExp(s.weights, n, members, from, scale, (float) cap, tile.sums, tile.maxima, s.rescale);
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

    /// One query, as in decoding.
    private Result singleQuery(FloatTensor query, KeyRows keys, KeyRows values, int kvHeads, int keyLen, AttentionRule rule, int[] list,
                               FloatTensor context) {
        int[] rows = visibleRows(list, 0, keyLen, rule);
        int heads = query.shape().extent("heads");
        int groups = heads / kvHeads;
        // A KV head per task: its keys and values are fetched once for all its query heads. A query head per task where there
        // would be fewer tasks than threads. No sum runs over heads, so the bits are the same.
        int together = kvHeads < workers.threads() ? 1 : groups;
        workers.run(heads / together, (task, worker) ->
                oneQuery(query, 0, task * together, together, keys, values, task * together / groups, rows, rule, context, scratch[worker]));
        return new Result(context, (long) rows.length * heads);
    }

    /// Rows of the cache that a query row reads: of a list, or all that it sees.
    private static int[] visibleRows(int[] list, int row, int keyLen, AttentionRule rule) {
        int position = rule.queryStart() + row;
        int first = Math.max(rule.keyStart(), rule.visibility().first(position));
        int last = Math.min(position, rule.keyStart() + keyLen - 1);
        return (list == null ? IntStream.rangeClosed(first, last) : Arrays.stream(list).filter(j -> j >= first && j <= last))
                .map(j -> j - rule.keyStart()).toArray();
    }

    /// One query row of some heads that share a KV head. A tile would leave all lanes but one empty, so the lanes run along
    /// headDim instead.
    ///
    /// @param context zeros in this row; accumulated into
    private void oneQuery(FloatTensor query, int row, int firstHead, int heads, KeyRows keys, KeyRows values, int kvHead, int[] rows, AttentionRule rule,
                          FloatTensor context, Scratch s) {
        int headDim = s.headDim;
        int queryLen = query.shape().extent("queryLen");
        float scale = (float) rule.scale();
        float[][] weights = new float[heads][rows.length];
        for (int from = 0; from < rows.length; from += KEY_BLOCK) {
            int count = Math.min(KEY_BLOCK, rows.length - from);
            float[] data = locate(keys, kvHead, rows, from, count, s);
            for (int h = 0; h < heads; h++) {
                int at = query.offset() + (firstHead + h) * query.stride() + row * headDim;
                for (int n = 0; n < count; n++) {
                    weights[h][from + n] = kernels.dot(query.data(), at, data, s.keyOffsets[n], headDim);
                }
            }
        }
        for (float[] of : weights) {
            softmax(of, scale, rule.softCap());
        }
        for (int from = 0; from < rows.length; from += KEY_BLOCK) {
            int count = Math.min(KEY_BLOCK, rows.length - from);
            float[] data = locate(values, kvHead, rows, from, count, s);
            for (int h = 0; h < heads; h++) {
                int to = ((firstHead + h) * queryLen + row) * headDim;
                for (int n = 0; n < count; n++) {
                    kernels.axpy(weights[h][from + n], data, s.keyOffsets[n], context.data(), to, headDim);
                }
            }
        }
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
        final float[] sums;
        final float[] maxima;
        int head;
        int from;
        int count;
        int first;
        int last;
        int position;
        int reach;
        long pairs;

        Tile(int nq, int headDim) {
            this.headDim = headDim;
            queries = new float[headDim * nq];
            out = new float[headDim * nq];
            sums = new float[nq];
            maxima = new float[nq];
        }

        /// Reads the queries. What lanes without one compute is not stored.
        void load(FloatTensor query, AttentionRule rule, int keyLen) {
            int nq = sums.length;
            pairs = 0;
            Arrays.fill(out, 0f);
            Arrays.fill(sums, 0f);
            Arrays.fill(maxima, Float.NEGATIVE_INFINITY);
            if (count < nq) {
                Arrays.fill(queries, 0f);
            }
            int base = query.offset() + head * query.stride() + from * headDim;
            for (int d = 0; d < headDim; d++) {
                for (int j = 0; j < count; j++) {
                    queries[d * nq + j] = query.data()[base + j * headDim + d];
                }
            }
            position = rule.queryStart() + from;
            reach = RowRuns.reach(rule);
            first = Math.max(rule.keyStart(), rule.visibility().first(position));
            last = Math.min(position + count - 1, rule.keyStart() + keyLen - 1);
        }

        /// Who sees keys `from` to `to` by position alone; counts these pairs.
        ///
        /// @param members overwritten
        /// @return members, or null if every query sees every one of these keys
        int[] seen(int[] positions, int from, int to, boolean ascending, int[] members) {
            int all = -1 >>> 32 - count;
            if (ascending && RowRuns.seen(positions[from], position, count, reach) == all && RowRuns.seen(positions[to - 1], position, count, reach) == all) {
                pairs += (long) (to - from) * count;
                return null;
            }
            for (int n = from; n < to; n++) {
                members[n] = RowRuns.seen(positions[n], position, count, reach);
            }
            return listed(from, to, members);
        }

        /// Counts the pairs of keys `from` to `to`.
        ///
        /// @return members, or null if every query reads every one of these keys
        int[] listed(int from, int to, int[] members) {
            int read = 0;
            for (int n = from; n < to; n++) {
                read += Integer.bitCount(members[n]);
            }
            pairs += read;
            return read == (to - from) * count ? null : members;
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
        final int[] members = new int[KEY_BLOCK];
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
        List<Tile> tiles(RowRuns.Run run, int firstHead, int heads) {
            int perHead = (run.to() - run.from() + columns - 1) / columns;
            while (tiles.size() < perHead * heads) {
                tiles.add(new Tile(columns, headDim));
            }
            for (int t = 0; t < perHead * heads; t++) {
                Tile tile = tiles.get(t);
                tile.head = firstHead + t / perHead;
                tile.from = run.from() + t % perHead * columns;
                tile.count = Math.min(columns, run.to() - tile.from);
            }
            return tiles.subList(0, perHead * heads);
        }
    }
}
