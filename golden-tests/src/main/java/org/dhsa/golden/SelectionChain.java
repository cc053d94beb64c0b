package org.dhsa.golden;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Quirk;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// The selection stages of DHSA one by one over a backend, the authors' way: fixed query blocks, a padded last block.
final class SelectionChain {

    private final CaseCheck check;
    private final int layer;
    private final String target;
    private final DhsaConfig config;

    /// @param target the recorded tensor for whose sake the stages run; an exception is noted under its name
    SelectionChain(CaseCheck check, int layer, String target, DhsaConfig config) {
        this.check = check;
        this.layer = layer;
        this.target = target;
        this.config = config;
    }

    /// Where the dense rows start: the authors' rule, by which 0 instruction tokens are all of them.
    static int denseFrom(int length, OptionalInt instruction) {
        if (instruction.isEmpty()) {
            return length;
        }
        return instruction.getAsInt() == 0 ? 0 : Math.max(0, length - instruction.getAsInt());
    }

    Tensor queryChunks(Tensor query, int denseFrom) throws GoldenFormatException {
        ChunkRepresentation.Pooling pooling = switch (config.aggregation()) {
            case MEAN -> ChunkRepresentation.Pooling.MEAN;
            case MEAN_SQRT_LENGTH -> ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH;
            case MAX_ON_QUERIES -> ChunkRepresentation.Pooling.MAX;
        };
        return check.apply(Stage.CHUNK_REPRESENTATION, layer, target, () -> new ChunkRepresentation.Input(query,
                Boundaries.uniform(denseFrom, config.blockSize()), pooling, config.blockSize()), check.backend().chunkRepresentation()).chunks();
    }

    /// The maximum is for queries only; keys then have the plain mean.
    Tensor keyChunks(Tensor key, Boundaries boundaries) throws GoldenFormatException {
        ChunkRepresentation.Pooling pooling = config.aggregation() == DhsaConfig.Aggregation.MEAN_SQRT_LENGTH
                ? ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH : ChunkRepresentation.Pooling.MEAN;
        return check.apply(Stage.CHUNK_REPRESENTATION, layer, target, () -> new ChunkRepresentation.Input(key, boundaries, pooling, 0),
                check.backend().chunkRepresentation()).chunks();
    }

    Tensor chunkScores(Tensor queryChunks, Tensor keyChunks) throws GoldenFormatException {
        return check.apply(Stage.CHUNK_SIMILARITY, layer, target, () -> new ChunkSimilarity.Input(queryChunks, keyChunks),
                check.backend().chunkSimilarity()).chunkScores();
    }

    Tensor tokenScores(Tensor chunkScores, Boundaries boundaries) throws GoldenFormatException {
        return check.apply(Stage.UPSAMPLING, layer, target, () -> new Upsampling.Input(chunkScores, boundaries),
                check.backend().upsampling()).tokenScores();
    }

    KeySelection select(Tensor tokenScores, QueryBlocks blocks, int window, int budget, DhsaConfig rules) throws GoldenFormatException {
        return check.apply(Stage.TOP_K_SELECTION, layer, target,
                () -> new TopKSelection.Input(tokenScores, blocks, new Visibility(window, false), budget, rules), check.backend().topKSelection()).selection();
    }

    /// Everything from queries and keys to token scores.
    Tensor tokenScores(Tensor query, Tensor key, Boundaries boundaries, int denseFrom) throws GoldenFormatException {
        return tokenScores(chunkScores(queryChunks(query, denseFrom), keyChunks(key, boundaries)), boundaries);
    }

    /// Recorded lists `[queryBlocks, budget]` against lists that were computed, exactly or up to equal scores.
    static void compare(CaseCheck check, int layer, String tensor, GoldenTensor recorded, int b, KeySelection computed, DoubleTensor tokenScores,
                        int window, DhsaConfig rules, boolean onlyUpToTies) throws GoldenFormatException {
        recorded.requireRank(3);
        int blocks = recorded.extent(1);
        int budget = recorded.extent(2);
        int[] lists = recorded.rowInts(b);
        Compare.Place place = check.place(Stage.TOP_K_SELECTION.slug(), layer, tensor);
        if (computed.blocks().size() != blocks) {
            check.add(place.wrong(computed.blocks().size() + " query blocks where " + blocks + " are recorded"));
            return;
        }
        Verdict verdict = Verdict.PASS;
        int different = 0;
        int where = -1;
        for (int block = 0; block < blocks; block++) {
            int[] expected = Arrays.copyOfRange(lists, block * budget, (block + 1) * budget);
            int[] actual = computed.blocks().get(block).keys();
            int row = computed.queryBlocks().blocks().get(block).segment();
            Verdict here = Compare.keys(expected, actual, key -> tokenScores.at(row, key),
                    free(computed.queryBlocks().blocks().get(block), tokenScores.shape().extent("keyLen"), window, budget, rules),
                    check.backend().precision() == org.dhsa.backend.Backend.Precision.FP32 ? check.tolerance().budget(maxAbs(tokenScores)) : 0);
            different += here == Verdict.PASS ? 0 : 1;
            if (here.compareTo(verdict) > 0) {
                verdict = here;
                where = block;
            }
        }
        if (verdict == Verdict.PASS) {
            check.add(place.result(Verdict.PASS, 0, 0, 1, 0, "[]", 0, 0, ""));
            return;
        }
        int[] expected = Arrays.copyOfRange(lists, where * budget, (where + 1) * budget);
        int[] actual = computed.blocks().get(where).keys();
        int at = firstDifference(expected, actual);
        String index = "[queryBlocks=" + where + ", budget=" + at + "]";
        double want = at < expected.length ? expected[at] : Double.NaN;
        double have = at < actual.length ? actual[at] : Double.NaN;
        if (verdict == Verdict.NEAR_TIE && onlyUpToTies) {
            check.add(place.result(Verdict.PASS, 0, 0, 1, 0, "[]", 0, 0,
                    "recorded in the order of an unstable sort, so held to the tie rule only; other keys of equal score in " + different + " of " + blocks + " blocks"));
        } else {
            String remark = verdict == Verdict.NEAR_TIE ? "keys of equal score were exchanged in " + different + " of " + blocks + " blocks"
                    : "other keys in " + different + " of " + blocks + " blocks" + (actual.length == expected.length ? "" : ", " + actual.length + " keys where " + expected.length + " are recorded");
            double error = verdict == Verdict.NEAR_TIE ? 0 : Math.abs(want - have);
            check.add(place.result(verdict, error, 0, Double.NaN, 0, index, want, have, remark));
        }
    }

    private static double maxAbs(DoubleTensor x) {
        return Arrays.stream(x.data()).map(Math::abs).max().orElse(0);
    }

    private static int firstDifference(int[] expected, int[] actual) {
        int at = Arrays.mismatch(expected, actual);
        return Math.max(0, at);
    }

    /// Keys that may be exchanged for one another: allowed for the block, and not the recent ones that are always kept.
    private static IntPredicate free(QueryBlocks.Block block, int keyLen, int window, int budget, DhsaConfig rules) {
        int end = Math.min(keyLen, block.nominalEnd());
        int start = window > 0 ? Math.max(0, block.nominalEnd() - window) : 0;
        int forcedFrom = end - Math.min(rules.localTokens(), budget);
        return key -> key >= start && key < end && key < forcedFrom;
    }

    /// Recorded lists as the input of sparse attention.
    static KeySelection recorded(GoldenTensor lists, int b, QueryBlocks blocks) throws GoldenFormatException {
        int[] keys = lists.rowInts(b);
        int budget = lists.extent(2);
        List<KeySelection.BlockSelection> selections = IntStream.range(0, lists.extent(1))
                .mapToObj(block -> new KeySelection.BlockSelection(Arrays.copyOfRange(keys, block * budget, (block + 1) * budget), 0, budget,
                        Double.NaN, Double.POSITIVE_INFINITY, budget, new int[0]))
                .toList();
        return new KeySelection(blocks, selections);
    }

    static int repeated(int[] keys) {
        Set<Integer> distinct = new HashSet<>();
        Arrays.stream(keys).forEach(distinct::add);
        return keys.length - distinct.size();
    }

    /// Rules without the overwriting by global tokens, and without padding when the lists should hold real keys only.
    static DhsaConfig without(DhsaConfig config, Quirk... quirks) {
        return config.with(c -> {
            for (Quirk quirk : quirks) {
                c.quirk(quirk, false);
            }
        });
    }
}
