package org.dhsa.opencl;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Dense and sparse attention on the device, whose kernels share their loops. Twin: `TiledAttention` of the optimized path.
///
/// The host only says which rows read which keys; nothing is read back. A single query, as in decoding, is split along its
/// keys instead: runs of them are read apart and put together.
final class DeviceAttention {

    static final String DENSE = "dense-attention";
    static final String SPARSE = "sparse-attention";

    private static final double LARGEST_CAP_WITHOUT_MAXIMUM = 60;
    /// Defaults of the tunables that the host needs to know, as in the `.cl` files.
    private static final int KEY_BLOCK = 64;
    private static final int SPLIT = 256;
    private static final int CPU_TILE = 32;

    private final OpenClContext context;

    DeviceAttention(OpenClContext context) {
        this.context = context;
    }

    record Result(DeviceTensor context, long pairsRead) {}

    Result dense(Tensor query, Tensor key, Tensor value, AttentionRule rule) {
        Call call = new Call(query, key, value, rule);
        long pairs = call.heads * densePairs(rule, 0, call.queryLen, call.keyLen);
        if (call.queryLen == 1) {
            int first = first(rule, rule.queryStart());
            return call.single(first, Math.max(0, last(rule, rule.queryStart(), call.keyLen) - first + 1), null, pairs);
        }
        Tunables tunables = call.tunables(DENSE);
        return call.tiles(DENSE, tunables, (call.queryLen + tunables.tileQueries - 1) / tunables.tileQueries, null, pairs);
    }

    Result sparse(Tensor query, Tensor key, Tensor value, KeySelection selection, AttentionRule rule) {
        Call call = new Call(query, key, value, rule);
        int start = rule.queryStart();
        int end = start + call.queryLen;
        int denseFrom = Math.min(call.queryLen, Math.max(0, selection.queryBlocks().denseFrom() - start));
        if (call.queryLen == 1 && denseFrom == 0) {
            return dense(query, key, value, rule);
        }
        Tunables tunables = call.tunables(SPARSE);
        Lists lists = new Lists(rule, call.keyLen, tunables);
        int covered = 0;
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            int from = Math.max(start, block.start()) - start;
            int to = Math.min(end, block.end()) - start;
            if (from < to) {
                if (from != covered) {
                    throw new IllegalArgumentException("no query block holds position " + (start + covered));
                }
                lists.add(from, to, selection.blocks().get(b).keys());
                covered = to;
            }
        }
        if (covered < denseFrom) {
            throw new IllegalArgumentException("no query block holds position " + (start + covered));
        }
        if (call.queryLen == 1) {
            int[] seen = lists.seenBy(0);
            return call.single(0, seen.length, seen, (long) call.heads * seen.length);
        }
        lists.addDense(denseFrom, call.queryLen);
        long pairs = call.heads * (lists.pairs + densePairs(rule, denseFrom, call.queryLen, call.keyLen));
        return call.tiles(SPARSE, tunables, lists.tiles.size(), lists, pairs);
    }

    private static int first(AttentionRule rule, int position) {
        return Math.max(rule.keyStart(), rule.visibility().first(position));
    }

    private static int last(AttentionRule rule, int position, int keyLen) {
        return Math.min(position, rule.keyStart() + keyLen - 1);
    }

    /// Pairs of one head.
    private static long densePairs(AttentionRule rule, int from, int to, int keyLen) {
        long pairs = 0;
        for (int row = from; row < to; row++) {
            int position = rule.queryStart() + row;
            pairs += Math.max(0, last(rule, position, keyLen) - first(rule, position) + 1);
        }
        return pairs;
    }

    /// What the host must know of a program's tunables.
    private record Tunables(Map<String, Integer> defines, int tileQueries, int keyBlock, int split, int tiling) {
        int of(String name, int otherwise) {
            return defines.getOrDefault(name, otherwise);
        }
    }

    /// Which rows read which part of which list.
    private static final class Lists {
        private final AttentionRule rule;
        private final int keyLen;
        private final Tunables tunables;
        private final List<int[]> tiles = new ArrayList<>();
        private int[] entries = new int[1024];
        private int count;
        private long pairs;

        Lists(AttentionRule rule, int keyLen, Tunables tunables) {
            this.rule = rule;
            this.keyLen = keyLen;
            this.tunables = tunables;
        }

        /// Rows `[from, to)` read this list. Of an ascending one a tile reads only the part that one of its rows sees. Another,
        /// as upstream's splicing leaves it, is read whole and in its own order: sorting would put equal addends side by side,
        /// and long runs of them round one way.
        void add(int from, int to, int[] keys) {
            int at = count;
            entries = count + keys.length > entries.length ? Arrays.copyOf(entries, Math.max(2 * entries.length, count + keys.length)) : entries;
            System.arraycopy(keys, 0, entries, at, keys.length);
            count += keys.length;
            if (!ascending(keys)) {
                for (int row = from; row < to; row++) {
                    pairs += seen(keys, row).length;
                }
                for (int row = from; row < to; row += tunables.tileQueries) {
                    tiles.add(new int[] {row, Math.min(to, row + tunables.tileQueries), at, keys.length});
                }
                return;
            }
            for (int row = from; row < to; row++) {
                int position = rule.queryStart() + row;
                pairs += Math.max(0, lowerBound(at, last(rule, position, keyLen) + 1) - lowerBound(at, first(rule, position)));
            }
            for (int row = from; row < to; row += tunables.tileQueries) {
                int end = Math.min(to, row + tunables.tileQueries);
                int begin = lowerBound(at, first(rule, rule.queryStart() + row));
                int stop = lowerBound(at, last(rule, rule.queryStart() + end - 1, keyLen) + 1);
                // blocks of keys start where they would start for any other tile of the list
                begin = at + (begin - at) / tunables.keyBlock * tunables.keyBlock;
                tiles.add(new int[] {row, end, begin, Math.max(0, stop - begin)});
            }
        }

        void addDense(int from, int to) {
            for (int row = from; row < to; row += tunables.tileQueries) {
                tiles.add(new int[] {row, Math.min(to, row + tunables.tileQueries), 0, -1});
            }
        }

        private static boolean ascending(int[] keys) {
            for (int n = 1; n < keys.length; n++) {
                if (keys[n] < keys[n - 1]) {
                    return false;
                }
            }
            return true;
        }

        private int[] seen(int[] keys, int row) {
            int position = rule.queryStart() + row;
            int first = first(rule, position);
            int last = last(rule, position, keyLen);
            return Arrays.stream(keys).filter(key -> key >= first && key <= last).toArray();
        }

        /// The part of the only list that a row sees.
        int[] seenBy(int row) {
            return seen(Arrays.copyOf(entries, count), row);
        }

        /// First index from `at` on whose entry is not below `position`.
        private int lowerBound(int at, int position) {
            int low = at;
            int high = count;
            while (low < high) {
                int middle = (low + high) >>> 1;
                if (entries[middle] < position) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            return low;
        }
    }

    /// Rows of heads where they lie, as floats or as bfloat16.
    private record Rows(OpenClBuffer buffer, long offset, long stride, boolean bf16) {}

    private boolean isBf16(Tensor tensor) {
        return tensor instanceof DeviceBf16Tensor half && half.context() == context;
    }

    private Rows rows(Tensor tensor, boolean bf16) {
        if (bf16 && tensor instanceof DeviceBf16Tensor half) {
            return new Rows(half.buffer(), half.offset(), half.stride(), true);
        }
        DeviceTensor floats = DeviceTensor.of(context, tensor);
        return new Rows(floats.buffer(), floats.offset(), floats.stride(), false);
    }

    /// One attention call: its tensors on the device and its numbers.
    private final class Call {
        private final DeviceTensor query;
        private final Rows key;
        private final Rows value;
        private final AttentionRule rule;
        private final int heads;
        private final int groups;
        private final int queryLen;
        private final int keyLen;
        private final int headDim;
        /// Divided by the cap if there is one.
        private final float scale;
        private final float cap;
        private final DeviceTensor out;

        Call(Tensor query, Tensor key, Tensor value, AttentionRule rule) {
            this.query = DeviceTensor.of(context, query);
            boolean bf16 = isBf16(key) && isBf16(value);
            this.key = rows(key, bf16);
            this.value = rows(value, bf16);
            this.rule = rule;
            this.heads = query.shape().extent("heads");
            this.groups = heads / key.shape().extent("kvHeads");
            this.queryLen = query.shape().extent("queryLen");
            this.keyLen = key.shape().extent("keyLen");
            this.headDim = query.shape().extent("headDim");
            this.scale = (float) (rule.scale() / rule.softCap().orElse(1));
            this.cap = (float) rule.softCap().orElse(0);
            this.out = DeviceTensor.allocate(context, Shape.of("heads", heads, "queryLen", queryLen, "headDim", headDim));
        }

        Tunables tunables(String slug) {
            Map<String, Integer> defines = new HashMap<>(context.tuning().of(slug));
            defines.put("KV_BF16", key.bf16 ? 1 : 0);
            defines.put("HEAD_DIM", headDim);
            defines.put("ONLINE", cap > 0 && cap <= LARGEST_CAP_WITHOUT_MAXIMUM ? 0 : 1);
            int tiling = defines.getOrDefault("TILING", 0);
            int together = tiling == 0 ? divisor(groups, defines.getOrDefault("TOGETHER", 1)) : 1;
            defines.put("TOGETHER", together);
            int tile = tiling == 0 ? CPU_TILE : defines.getOrDefault("ROWS_PER_ITEM", 4) * defines.getOrDefault("TILE_ROWS", 16);
            return new Tunables(defines, tile, defines.getOrDefault("KEY_BLOCK", KEY_BLOCK), defines.getOrDefault("SPLIT", SPLIT), tiling);
        }

        /// The largest divisor of `n` that is not above `most`.
        private static int divisor(int n, int most) {
            return IntStream.rangeClosed(1, Math.min(n, most)).filter(d -> n % d == 0).max().orElse(1);
        }

        private List<Object> views() {
            List<Object> views = new ArrayList<>();
            for (Rows rows : List.of(rows(query, false), key, value)) {
                views.addAll(List.of(rows.buffer, rows.offset, rows.stride, (long) headDim));
            }
            return views;
        }

        Result tiles(String slug, Tunables tunables, int tiles, Lists lists, long pairs) {
            if (tiles == 0) {
                return new Result(out, pairs);
            }
            Visibility visibility = rule.visibility();
            int reach = visibility.isLocal() ? visibility.window() - (visibility.extraKey() ? 0 : 1) : Integer.MAX_VALUE;
            List<Object> args = views();
            args.addAll(List.of(out.buffer(), out.offset(), out.stride(), (long) headDim, heads, groups, queryLen, keyLen,
                    rule.queryStart(), rule.keyStart(), reach, scale, cap, tiles));
            List<OpenClBuffer> scratch = new ArrayList<>();
            if (lists != null) {
                scratch.add(context.upload(lists.tiles.stream().flatMapToInt(Arrays::stream).toArray()));
                scratch.add(context.upload(Arrays.copyOf(lists.entries, Math.max(1, lists.count))));
                args.addAll(scratch);
            }
            OpenClKernel kernel = context.program(slug, tunables.defines).kernel(slug.replace('-', '_')).args(args.toArray());
            if (tunables.tiling == 0) {
                int group = tunables.of("GROUP", 1);
                kernel.run(tiles, group, heads / tunables.of("TOGETHER", 1), 1);
            } else {
                int rows = tunables.of("TILE_ROWS", 16);
                kernel.run(new long[] {16L * tiles, (long) rows * heads}, new long[] {16, rows});
            }
            scratch.forEach(OpenClBuffer::release);
            return new Result(out, pairs);
        }

        /// @param first position of the first key where there is no list
        /// @param list  positions that the query sees, or null for `length` adjoining ones
        Result single(int first, int length, int[] list, long pairs) {
            String slug = list == null ? DENSE : SPARSE;
            Tunables tunables = tunables(slug);
            int splits = Math.max(1, (length + tunables.split - 1) / tunables.split);
            OpenClBuffer partial = context.allocateFloats((long) heads * splits * (headDim + 2));
            List<Object> args = views();
            args.addAll(List.of(partial, heads, groups, rule.keyStart(), first, length, scale, cap, splits));
            List<OpenClBuffer> scratch = new ArrayList<>(List.of(partial));
            if (list != null) {
                scratch.add(context.upload(list.length == 0 ? new int[1] : list));
                args.addAll(List.of(scratch.get(1), scratch.get(1)));
            }
            OpenClProgram program = context.program(slug, tunables.defines);
            String name = slug.replace('-', '_');
            OpenClKernel runs = program.kernel(name + "_single").args(args.toArray());
            if (tunables.tiling == 0) {
                runs.run(splits, tunables.of("GROUP", 1), heads, 1);
            } else {
                int items = tunables.of("SINGLE_ITEMS", 64);
                runs.run(new long[] {(long) items * splits, heads}, new long[] {items, 1});
            }
            program.kernel(name + "_combine").args(partial, out.buffer(), out.offset(), out.stride(), heads, splits)
                    .run(headDim, tunables.tiling == 0 ? 16 : 64, heads, 1);
            scratch.forEach(OpenClBuffer::release);
            return new Result(out, pairs);
        }
    }
}
