package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Sparse attention on ugly sizes and wild lists.
class SparseAttentionTest extends AttentionCases {

    /// Lists as upstream leaves them and worse: out of order, keys twice, future keys, keys out of the window, none at all.
    private static KeySelection wildSelection(SplittableRandom random, QueryBlocks blocks, int keyLen) {
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : blocks.blocks()) {
            int count = switch (lists.size() % 4) {
                case 0 -> 1 + random.nextInt(40);
                case 1 -> 0;
                case 2 -> 12;
                default -> 240 + random.nextInt(40);
            };
            int[] keys = IntStream.range(0, count).map(n -> random.nextInt(Math.min(keyLen, block.end() + 3))).toArray();
            lists.add(new BlockSelection(keys, 0, count, 0, 0, count, new int[0]));
        }
        return new KeySelection(blocks, lists);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 33})
    void sparseAttentionOfWildListsInEveryTiling(int blockSize) {
        SplittableRandom random = new SplittableRandom(blockSize);
        for (int length : new int[] {1, 33, 127}) {
            for (int denseFrom : new int[] {length, Math.max(0, length - 9), 0}) {
                for (int window : new int[] {0, 1, 5, 64}) {
                    OptionalDouble cap = CAPS[random.nextInt(CAPS.length)];
                    sparse("blocks of " + blockSize + " length " + length + " dense from " + denseFrom + " window " + window + " " + cap,
                            Qkv.of(random, 4, 2, length, length, 12), wildSelection(random, QueryBlocks.fixed(denseFrom, length, blockSize), length),
                            new AttentionRule(0.25, cap, new Visibility(window, window == 5), 0, 0), true);
                }
            }
        }
    }

    @Test
    void sparseDecodingReadsOnlyTheListedKeys() {
        SplittableRandom random = new SplittableRandom(77);
        for (int[] c : new int[][] {{300, 0, 0, 50}, {299, 200, 64, 50}, {0, 0, 0, 1}, {900, 0, 0, 600}, {9, 0, 0, 0}}) {
            for (OptionalDouble cap : CAPS) {
                int position = c[0];
                int keys = position - c[1] + 1;
                int[] list = IntStream.range(0, c[3]).map(n -> c[1] + random.nextInt(keys)).toArray();
                sparse("decoding at " + position + " cache from " + c[1] + " window " + c[2] + " " + cap, Qkv.of(random, 4, 2, 1, keys, 12),
                        new KeySelection(QueryBlocks.single(position), List.of(new BlockSelection(list, 0, c[3], 0, 0, c[3], new int[0]))),
                        new AttentionRule(0.3, cap, new Visibility(c[2], false), position, c[1]), true);
            }
        }
    }

    /// Widening is exact, so bfloat16 rows give, bit for bit, what the same values give as floats: a tile of queries, one query, with lists
    /// and without.
    @ParameterizedTest(name = "tiling {0}, headDim {1}")
    @CsvSource({"0, 20", "2, 12"})
    void bfloat16RowsGiveTheBitsOfTheSameFloats(int tiling, int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        OpenClBackend backend = backends.get(tiling).getFirst();
        OpenClLayerCache cache = new OpenClLayerCache(backend.context(), 2, headDim, new LayerKind.Local(150), true);
        Qkv x = Qkv.one(random, 4, 2, 45, 170, headDim);
        cache.append(x.key(), x.value());
        cache.trim();
        Tensor key = cache.keys();
        Tensor value = cache.values();
        assertThat(key).isInstanceOf(DeviceBf16Tensor.class);
        assertThat(key.toDouble().data()).as("something was rounded").isNotEqualTo(REFERENCE.keyRows(x.key(), 20, 170).toDouble().data());
        for (int queries : new int[] {1, 45}) {
            Tensor query = Qkv.one(random, 4, 2, queries, 1, headDim).query();
            QueryBlocks blocks = QueryBlocks.fixed(170, 170, 7);
            List<BlockSelection> lists = blocks.blocks().stream().map(block -> {
                int[] keys = IntStream.range(20, Math.max(21, block.end())).filter(k -> k % 3 != 0).toArray();
                return new BlockSelection(keys, 0, keys.length, 0, 0, keys.length, new int[0]);
            }).toList();
            AttentionRule rule = new AttentionRule(0.3, OptionalDouble.of(50), new Visibility(150, false), 170 - queries, 20);
            // programs that the other tests build too
            AttentionRule listed = new AttentionRule(0.3, OptionalDouble.of(100), new Visibility(150, false), 170 - queries, 20);
            assertThat(backend.denseAttention().apply(new DenseAttention.Input(query, key, value, rule)).context().toDouble().data())
                    .as("dense, %s queries, %s", queries, backend.context().tuning())
                    .isEqualTo(backend.denseAttention().apply(new DenseAttention.Input(query, key.toDouble(), value.toDouble(), rule)).context().toDouble().data());
            if (tiling > 0) {
                continue; // the same loops
            }
            KeySelection selection = new KeySelection(blocks, lists);
            assertThat(backend.sparseAttention().apply(new SparseAttention.Input(query, key, value, selection, listed)).context().toDouble().data())
                    .as("sparse, %s queries, %s", queries, backend.context().tuning())
                    .isEqualTo(backend.sparseAttention().apply(new SparseAttention.Input(query, key.toDouble(), value.toDouble(), selection, listed)).context()
                            .toDouble().data());
        }
    }
}
