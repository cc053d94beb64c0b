package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Quirk;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Queries, keys and boundaries to lists of keys, with every tensor on the way.
final class DhsaMaskCheck implements FamilyCheck {

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key", "boundaries");
        int window = golden.optionalInt("W").orElse(0);
        DhsaConfig low = Upstream.selection(golden);
        int batches = golden.tensor("query").extent(0);
        int ambiguous = 0;
        for (int b = 0; b < batches; b++) {
            check.batch(b, batches);
            ambiguous += batch(check, b, low, window);
        }
        check.batch(0, 1);
        JsonNode results = golden.results();
        if (results.path("blocks_with_ambiguous_ties").isNumber()) {
            check.exact(Stage.TOP_K_SELECTION.slug(), Probe.NO_LAYER, "results.blocks_with_ambiguous_ties", "value",
                    new int[] {results.get("blocks_with_ambiguous_ties").asInt()}, new int[] {ambiguous});
        }
        if (results.path("all_blocks_tie_free").isBoolean()) {
            check.exact(Stage.TOP_K_SELECTION.slug(), Probe.NO_LAYER, "results.all_blocks_tie_free", "value",
                    new int[] {results.get("all_blocks_tie_free").asBoolean() ? 1 : 0}, new int[] {ambiguous == 0 ? 1 : 0});
        }
    }

    /// @return how many blocks have a cut among equal scores
    private static int batch(CaseCheck check, int b, DhsaConfig low, int window) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        DoubleTensor query = golden.tensor("query").row(b, "heads", "queryLen", "headDim");
        DoubleTensor key = golden.tensor("key").row(b, "kvHeads", "keyLen", "headDim");
        int[] starts = golden.tensor("boundaries").rowInts(b);
        Boundaries boundaries = check.call("boundaries", Probe.NO_LAYER, "boundaries", () -> Boundaries.of(starts));
        int queries = query.shape().extent("queryLen");
        int keyLen = key.shape().extent("keyLen");
        QueryBlocks blocks = QueryBlocks.fixed(queries, queries, low.blockSize());

        Tensor queryChunks = compared(check, b, Stage.CHUNK_REPRESENTATION, "q_repr", chain(check, low, "q_repr").queryChunks(query, queries), "chunks", "headDim");
        Tensor keyChunks = compared(check, b, Stage.CHUNK_REPRESENTATION, "k_repr", chain(check, low, "k_repr").keyChunks(key, boundaries), "chunks", "headDim");
        Tensor chunkScores = compared(check, b, Stage.CHUNK_SIMILARITY, "chunk_scores",
                chain(check, low, "chunk_scores").chunkScores(queryChunks, keyChunks), "queryBlocks", "chunks");
        if (golden.has("token_to_chunk")) {
            tokenToChunk(check, b, low, boundaries);
        }
        DoubleTensor tokenScores = compared(check, b, Stage.UPSAMPLING, "token_scores",
                chain(check, low, "token_scores").tokenScores(chunkScores, boundaries), "queryBlocks", "keyLen").toDouble();
        if (golden.has("block_mask")) {
            blockMask(check, low, window, tokenScores, blocks);
        }
        KeySelection selection = select(check, b, low, window, tokenScores, blocks);
        statistics(check, b, selection);

        check.note("end to end");
        SelectionChain whole = chain(check, low, golden.has("indices_low") ? "indices_low" : "indices");
        lists(check, b, low, window, whole.tokenScores(query, key, boundaries, queries).toDouble(), blocks, low.tieOrder());
        check.note("");
        if (keyLen != tokenScores.shape().extent("keyLen")) {
            throw new GoldenFormatException(golden.folder(), "token_scores cover " + tokenScores.shape().extent("keyLen") + " keys, key has " + keyLen, "");
        }
        return Math.toIntExact(selection.ambiguousBlocks());
    }

    private static SelectionChain chain(CaseCheck check, DhsaConfig config, String target) {
        return new SelectionChain(check, Probe.NO_LAYER, target, config);
    }

    /// The recorded tensor after comparing, or what was computed if it is not recorded.
    private static Tensor compared(CaseCheck check, int b, Stage stage, String tensor, Tensor computed, String... axes) throws GoldenFormatException {
        Optional<GoldenTensor> recorded = check.golden().find(tensor);
        if (recorded.isEmpty()) {
            return computed;
        }
        DoubleTensor expected = recorded.get().row(b, axes);
        check.close(stage, Probe.NO_LAYER, tensor, expected, computed);
        return expected;
    }

    /// Chunk scores that count the chunks, up-sampled, are the chunk of every token.
    private static void tokenToChunk(CaseCheck check, int b, DhsaConfig config, Boundaries boundaries) throws GoldenFormatException {
        DoubleTensor counting = DoubleTensor.zeros(Shape.of("queryBlocks", 1, "chunks", boundaries.chunks()));
        for (int c = 0; c < boundaries.chunks(); c++) {
            counting.data()[c] = c;
        }
        DoubleTensor expected = check.golden().tensor("token_to_chunk").row(b, "keyLen");
        check.exact(Stage.UPSAMPLING, Probe.NO_LAYER, "token_to_chunk", expected.reshape(Shape.of("queryBlocks", 1, "keyLen", expected.data().length)),
                chain(check, config, "token_to_chunk").tokenScores(counting, boundaries));
    }

    /// With a budget for all keys and nothing forced, the lists are the allowed keys.
    private static void blockMask(CaseCheck check, DhsaConfig config, int window, DoubleTensor tokenScores, QueryBlocks blocks) throws GoldenFormatException {
        DoubleTensor expected = check.golden().tensor("block_mask").named("queryBlocks", "keyLen");
        int keyLen = tokenScores.shape().extent("keyLen");
        DhsaConfig everything = SelectionChain.without(config, Quirk.PADDED_WITH_LAST_KEY, Quirk.GLOBAL_TOKENS_SPLICED).with(c -> c.localTokens = 0);
        KeySelection all = chain(check, config, "block_mask").select(tokenScores, blocks, window, keyLen, everything);
        DoubleTensor mask = DoubleTensor.zeros(Shape.of("queryBlocks", all.blocks().size(), "keyLen", keyLen));
        for (int block = 0; block < all.blocks().size(); block++) {
            for (int key : all.blocks().get(block).keys()) {
                mask.set(1, block, key);
            }
        }
        check.exact(Stage.TOP_K_SELECTION, Probe.NO_LAYER, "block_mask", expected, mask);
    }

    private static KeySelection select(CaseCheck check, int b, DhsaConfig low, int window, DoubleTensor tokenScores, QueryBlocks blocks)
            throws GoldenFormatException {
        if (check.golden().has("indices_high")) {
            lists(check, b, low.with(c -> c.tieOrder = DhsaConfig.TieOrder.HIGH_POSITION_FIRST), window, tokenScores, blocks,
                    DhsaConfig.TieOrder.HIGH_POSITION_FIRST);
        }
        return lists(check, b, low, window, tokenScores, blocks, DhsaConfig.TieOrder.LOW_POSITION_FIRST);
    }

    /// Where both tie orders are recorded, `indices` is what one machine happened to give.
    private static KeySelection lists(CaseCheck check, int b, DhsaConfig config, int window, DoubleTensor tokenScores, QueryBlocks blocks,
                                      DhsaConfig.TieOrder order) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        String named = order == DhsaConfig.TieOrder.LOW_POSITION_FIRST ? "indices_low" : "indices_high";
        String target = golden.has(named) ? named : "indices";
        KeySelection selection = chain(check, config, target).select(tokenScores, blocks, window, config.budget(), config);
        if (golden.has(named)) {
            SelectionChain.compare(check, Probe.NO_LAYER, named, golden.tensor(named), b, selection, tokenScores, window, config, false);
        }
        if (golden.has("indices")) {
            SelectionChain.compare(check, Probe.NO_LAYER, "indices", golden.tensor("indices"), b, selection, tokenScores, window, config, golden.has(named));
        }
        return selection;
    }

    /// How each list came about, block by block.
    private static void statistics(CaseCheck check, int b, KeySelection selection) throws GoldenFormatException {
        if (check.golden().has("threshold")) {
            check.close(Stage.TOP_K_SELECTION, Probe.NO_LAYER, "threshold", check.golden().tensor("threshold").row(b, "queryBlocks"),
                    perBlock(selection, KeySelection.BlockSelection::threshold));
        }
        statistic(check, b, selection, "stat.recent", KeySelection.BlockSelection::forced);
        statistic(check, b, selection, "stat.k_select", KeySelection.BlockSelection::selected);
        statistic(check, b, selection, "stat.n_greater", KeySelection.BlockSelection::greater);
        statistic(check, b, selection, "stat.n_ties_at_threshold", s -> s.tieGroup().length);
        statistic(check, b, selection, "stat.n_selected_ties", KeySelection.BlockSelection::tiesTaken);
        statistic(check, b, selection, "stat.pad", s -> s.keys().length - s.forced() - s.selected());
        Optional<GoldenTensor> allowed = check.golden().find("stat.allowed");
        if (allowed.isPresent() && check.golden().has("block_mask")) {
            // allowed keys are counted from the mask, which the stage has just been compared with
            DoubleTensor mask = check.golden().tensor("block_mask").named("queryBlocks", "keyLen");
            int keyLen = mask.shape().extent("keyLen");
            DoubleTensor counted = DoubleTensor.zeros(Shape.of("queryBlocks", mask.shape().extent(0)));
            for (int i = 0; i < mask.data().length; i++) {
                counted.data()[i / keyLen] += mask.data()[i];
            }
            check.exact(Stage.TOP_K_SELECTION, Probe.NO_LAYER, "stat.allowed", allowed.get().row(b, "queryBlocks"), counted);
        }
    }

    private static void statistic(CaseCheck check, int b, KeySelection selection, String tensor, ToDoubleFunction<KeySelection.BlockSelection> value)
            throws GoldenFormatException {
        Optional<GoldenTensor> recorded = check.golden().find(tensor);
        if (recorded.isPresent()) {
            check.exact(Stage.TOP_K_SELECTION, Probe.NO_LAYER, tensor, recorded.get().row(b, "queryBlocks"), perBlock(selection, value));
        }
    }

    private static DoubleTensor perBlock(KeySelection selection, ToDoubleFunction<KeySelection.BlockSelection> value) {
        List<KeySelection.BlockSelection> blocks = selection.blocks();
        return DoubleTensor.of(Shape.of("queryBlocks", blocks.size()), blocks.stream().mapToDouble(value).toArray());
    }
}
