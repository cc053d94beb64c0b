package org.dhsa.bug;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.Quirk;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.StageOp;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Chunks, similarity, selection and sparse attention: what goes wrong in DHSA once the boundaries are there.
final class SelectionBugs {

    private SelectionBugs() {}

    static List<KnownBug> chunks() {
        return List.of(
                KnownBug.of("mean-not-sqrt", "L4", "a chunk is the plain mean of its tokens", "mean * sqrt(length)")
                        .shows(pooling((in, isKey) -> in.pooling() == Pooling.MEAN_SQRT_LENGTH ? Pooling.MEAN : in.pooling())),
                KnownBug.of("sum-not-sqrt", "L4", "a chunk is the plain sum of its tokens", "sum / sqrt(length)")
                        .shows(Changes.chunkRepresentation((healthy, in, context) -> in.pooling() == Pooling.MEAN_SQRT_LENGTH ? sum(healthy, in) : healthy.apply(in))),
                KnownBug.of("sqrt-of-query-only", "L4", "the length factor is applied to queries only, which changes no ranking", "apply it to the keys")
                        .shows(pooling((in, isKey) -> isKey && in.pooling() == Pooling.MEAN_SQRT_LENGTH ? Pooling.MEAN : in.pooling())),
                KnownBug.of("keys-per-query-head", "L4", "the mean over key heads has wrong weights", "the plain mean over the kv heads")
                        .variant("repeated heads are summed and divided by kvHeads", keyStates((x, context) ->
                                scaled(x, context.heads().isPresent() ? (double) context.heads().getAsInt() / x.shape().extent(0) : 2)))
                        .variant("heads are summed", keyStates((x, context) -> scaled(x, x.shape().extent(0))))
                        .variant("first head only", keyStates((x, context) -> firstHead(x)))
                        .build(),
                KnownBug.of("padded-query-block", "L4", "the mean of a partial block includes its padding", "divide by the number of real tokens")
                        .seenIn("DHSA legacy code")
                        .shows(Changes.chunkRepresentation((healthy, in, context) -> {
                            int longest = IntStream.range(0, in.segments().chunks()).map(in.segments()::length).max().orElse(0);
                            return in.states().shape().name(0).equals("kvHeads") || in.padTo() >= longest ? healthy.apply(in)
                                    : healthy.apply(new ChunkRepresentation.Input(in.states(), in.segments(), in.pooling(), longest));
                        })),
                KnownBug.of("similarity-scaled", "L4", "chunk scores are divided by sqrt(head_dim)", "the plain dot product; only the order counts, the numbers differ")
                        .shows(Changes.chunkSimilarity((healthy, in, context) -> new ChunkSimilarity.Output(Numeric.map(healthy.apply(in).chunkScores(),
                                s -> s / Math.sqrt(in.queryChunks().shape().extent("headDim")))))),
                KnownBug.of("similarity-cosine", "L4", "chunk scores are cosines", "the plain dot product: the length of a chunk's vector counts")
                        .shows(Changes.chunkSimilarity((healthy, in, context) -> cosine(in))),
                KnownBug.of("bisect-left", "L4", "a token on a boundary counts to the earlier chunk", "right bisection: it opens the next chunk")
                        .shows(Changes.upsampling((healthy, in, context) -> {
                            int[] starts = in.boundaries().toArray();
                            for (int b = 1; b < starts.length - 1; b++) {
                                starts[b] = Math.min(starts[b] + 1, in.boundaries().totalLength());
                            }
                            return healthy.apply(new Upsampling.Input(in.chunkScores(), Boundaries.of(starts)));
                        })),
                KnownBug.of("decode-chunks-stale", "L6", "in decoding, new tokens never join a chunk", "they join the last chunk until the predictor closes it")
                        .shows(staleChunks()));
    }

    static List<KnownBug> selection() {
        return List.of(
                KnownBug.of("block-causality", "L4", "a block's allowed keys do not end with the block", "keys j < (i + 1) * B; the causal mask inside the block comes later")
                        .variant("only keys before the block", allowedEnd((block, keyLen) -> Math.min(keyLen, block.start())))
                        .variant("keys of the next block too", allowedEnd((block, keyLen) -> Math.min(keyLen, block.end() + block.nominalEnd() - block.start())))
                        .variant("keys of all blocks", allowedEnd((block, keyLen) -> keyLen))
                        .variant("the block's mean takes in the next block", Changes.chunkRepresentation((healthy, in, context) ->
                                in.states().shape().name(0).equals("kvHeads") ? healthy.apply(in) : withNextBlock(healthy, in)))
                        .build(),
                KnownBug.of("forced-inside-budget", "L4", "local and global tokens are added to the budget, or counted twice in it", "inside the budget, each once")
                        .variant("on top of the budget", budget((in, block, healthy) -> in.budget() + healthy.forced()))
                        .variant("counted twice: by force and by score", Changes.topKSelection((healthy, in, context) -> takenTwice(healthy, in, true)))
                        .build(),
                KnownBug.of("duplicate-keys", "L4", "a key is listed more than once, and the softmax counts it as often", "list each key once")
                        .seenIn("DHSA legacy code")
                        .variant("padding with the last key", selectionConfig(c -> c.quirk(Quirk.PADDED_WITH_LAST_KEY, true)))
                        .variant("global tokens spliced in", selectionConfig(c -> c.quirk(Quirk.GLOBAL_TOKENS_SPLICED, true)))
                        .variant("forced keys are taken by score again", Changes.topKSelection((healthy, in, context) -> takenTwice(healthy, in, false)))
                        .build(),
                KnownBug.of("tie-order", "L4", "of equal scores the last positions are taken", "lowest position first")
                        .shows(selectionConfig(c -> c.tieOrder = reversed(c.tieOrder))
                                .and(Changes.nonMaximumSuppression((healthy, in, context) -> healthy.apply(new NonMaximumSuppression.Input(in.logits(),
                                        in.window(), in.chunkBudget(), in.config().with(c -> c.tieOrder = reversed(c.tieOrder))))))),
                KnownBug.of("window-in-selection", "L4", "local layers select keys outside the window", "select among the keys that the block's first query sees, and later")
                        .shows(Changes.topKSelection((healthy, in, context) -> healthy.apply(new TopKSelection.Input(in.tokenScores(), in.queryBlocks(),
                                Visibility.GLOBAL, in.budget(), in.config())))),
                KnownBug.of("window-from-block-end", "L4", "on local layers the window of a block is counted from its end", "from its first query")
                        .seenIn("DHSA legacy code")
                        .shows(selectionConfig(c -> c.quirk(Quirk.WINDOW_FROM_BLOCK_END, true))),
                KnownBug.of("budget-cut-to-window", "L4", "on local layers the budget is cut to the window", "the rows of a block together see window + block - 1 keys")
                        .seenIn("DHSA legacy code")
                        .shows(selectionConfig(c -> c.quirk(Quirk.BUDGET_CUT_TO_WINDOW, true))),
                KnownBug.of("own-tokens-not-forced", "L4", "local tokens are the last allowed keys, so early queries of a block may miss themselves", "keep each query's own position")
                        .seenIn("DHSA legacy code")
                        .shows(selectionConfig(c -> c.quirk(Quirk.LOCAL_TOKENS_AT_BLOCK_END, true))),
                KnownBug.of("selection-lowest-first", "L4", "the lowest scores are taken", "the highest")
                        .shows(Changes.topKSelection((healthy, in, context) -> healthy.apply(new TopKSelection.Input(Numeric.map(in.tokenScores(), s -> -s),
                                in.queryBlocks(), in.visibility(), in.budget(), in.config())))));
    }

    static List<KnownBug> attention() {
        return List.of(
                KnownBug.of("future-tokens-used", "L5", "the causal mask is missing inside a block", "key position <= query position, for every row")
                        .shows(sparse((in, row, position) -> position >= in.selection().queryBlocks().denseFrom() ? visible(in, row)
                                : Arrays.stream(AttentionVariant.listed(in, row)).filter(j -> j >= in.rule().visibility().first(position)).toArray())),
                KnownBug.of("instruction-sparse", "L5", "instruction tokens go through the sparse path", "they attend densely")
                        .variant("with the last block's keys and their own", sparse((in, row, position) -> position < in.selection().queryBlocks().denseFrom()
                                ? visible(in, row) : sparseInstruction(in, position, true)))
                        .variant("with the last block's keys", sparse((in, row, position) -> position < in.selection().queryBlocks().denseFrom()
                                ? visible(in, row) : sparseInstruction(in, position, false)))
                        .build(),
                KnownBug.of("duplicates-dropped", "L5", "a key that is listed twice counts once", "with the upstream profile it counts as often as it is listed")
                        .shows(sparse((in, row, position) -> Arrays.stream(visible(in, row)).distinct().toArray())),
                KnownBug.of("window-missing-in-block", "L5", "rows of local layers read selected keys outside their window", "apply the window to every row")
                        .shows(sparse((in, row, position) -> position >= in.selection().queryBlocks().denseFrom() ? visible(in, row)
                                : Arrays.stream(AttentionVariant.listed(in, row)).filter(j -> j <= position).toArray())),
                KnownBug.of("boundaries-per-layer", "L5", "each layer predicts its own boundaries though they are shared", "layer 0's boundaries serve all layers")
                        .variant("", Changes.NONE, run -> run.config().path("shareBoundaries").asBoolean()
                                ? run.withConfig(config -> config.put("shareBoundaries", false)) : run)
                        .build());
    }

    private interface PoolingChange {
        Pooling apply(ChunkRepresentation.Input in, boolean isKey);
    }

    private static Changes pooling(PoolingChange change) {
        return Changes.chunkRepresentation((healthy, in, context) -> healthy.apply(new ChunkRepresentation.Input(in.states(), in.segments(),
                change.apply(in, in.states().shape().name(0).equals("kvHeads")), in.padTo())));
    }

    private static ChunkRepresentation.Output sum(StageOp<ChunkRepresentation.Input, ChunkRepresentation.Output> healthy, ChunkRepresentation.Input in) {
        DoubleTensor mean = healthy.apply(new ChunkRepresentation.Input(in.states(), in.segments(), Pooling.MEAN, 0)).chunks().toDouble();
        int headDim = mean.shape().extent("headDim");
        double[] y = mean.data().clone();
        for (int i = 0; i < y.length; i++) {
            y[i] *= in.segments().length(i / headDim);
        }
        return new ChunkRepresentation.Output(DoubleTensor.of(mean.shape(), y));
    }

    /// Segment c reaches to the end of segment c + 1.
    private static ChunkRepresentation.Output withNextBlock(StageOp<ChunkRepresentation.Input, ChunkRepresentation.Output> healthy, ChunkRepresentation.Input in) {
        Boundaries segments = in.segments();
        DoubleTensor all = healthy.apply(in).chunks().toDouble();
        int headDim = all.shape().extent("headDim");
        double[] y = all.data().clone();
        for (int c = 0; c + 1 < segments.chunks(); c++) {
            int[] wide = segments.start(c) == 0 ? new int[] {0, segments.end(c + 1)} : new int[] {0, segments.start(c), segments.end(c + 1)};
            DoubleTensor one = healthy.apply(new ChunkRepresentation.Input(in.states(), Boundaries.of(wide), in.pooling(), in.padTo())).chunks().toDouble();
            System.arraycopy(one.data(), one.data().length - headDim, y, c * headDim, headDim);
        }
        return new ChunkRepresentation.Output(DoubleTensor.of(all.shape(), y));
    }

    private interface States {
        DoubleTensor apply(DoubleTensor states, BugContext context);
    }

    private static Changes keyStates(States change) {
        return Changes.chunkRepresentation((healthy, in, context) -> !in.states().shape().name(0).equals("kvHeads") ? healthy.apply(in)
                : healthy.apply(new ChunkRepresentation.Input(change.apply(in.states().toDouble(), context), in.segments(), in.pooling(), in.padTo())));
    }

    private static DoubleTensor scaled(Tensor x, double factor) {
        return Numeric.map(x, v -> v * factor);
    }

    private static DoubleTensor firstHead(DoubleTensor x) {
        double[] y = x.data().clone();
        int panel = y.length / x.shape().extent(0);
        for (int i = 0; i < y.length; i++) {
            y[i] = x.data()[i % panel];
        }
        return DoubleTensor.of(x.shape(), y);
    }

    private static ChunkSimilarity.Output cosine(ChunkSimilarity.Input in) {
        DoubleTensor q = in.queryChunks().toDouble();
        DoubleTensor k = in.keyChunks().toDouble();
        int headDim = q.shape().extent("headDim");
        return new ChunkSimilarity.Output(DoubleTensor.of(Shape.of("queryBlocks", q.shape().extent("chunks"), "chunks", k.shape().extent("chunks")),
                Linear.multTransB(unit(q.data(), headDim), q.shape().extent("chunks"), unit(k.data(), headDim), k.shape().extent("chunks"), headDim)));
    }

    private static double[] unit(double[] rows, int headDim) {
        double[] y = rows.clone();
        for (int r = 0; r < y.length; r += headDim) {
            double norm = Math.sqrt(Arrays.stream(rows, r, r + headDim).map(v -> v * v).sum());
            for (int d = 0; d < headDim && norm > 0; d++) {
                y[r + d] /= norm;
            }
        }
        return y;
    }

    /// Positions after the prompt have no score and are taken only where they are forced.
    private static Changes staleChunks() {
        return Changes.upsampling((healthy, in, context) -> {
            DoubleTensor scores = healthy.apply(in).tokenScores().toDouble();
            int keyLen = scores.shape().extent("keyLen");
            int prompt = context.promptLength().orElse(keyLen);
            double[] y = scores.data().clone();
            for (int i = 0; i < y.length; i++) {
                y[i] = i % keyLen >= prompt ? Double.NEGATIVE_INFINITY : y[i];
            }
            return new Upsampling.Output(DoubleTensor.of(scores.shape(), y));
        }).and(Changes.topKSelection((healthy, in, context) -> {
            KeySelection all = healthy.apply(in).selection();
            int keyLen = in.tokenScores().shape().extent("keyLen");
            int prompt = context.promptLength().orElse(keyLen);
            return prompt >= keyLen ? new TopKSelection.Output(all) : each(in, (scores, block) -> {
                BlockSelection healthyBlock = all.blocks().get(in.queryBlocks().blocks().indexOf(block));
                Set<Integer> forced = forced(in, block, keyLen, TopKSelectionReference.allowedEnd(block, keyLen, in.config()));
                return withKeys(healthyBlock, Arrays.stream(healthyBlock.keys()).filter(j -> j < prompt || forced.contains(j)).toArray());
            });
        }));
    }

    private static TieOrder reversed(TieOrder order) {
        return order == TieOrder.LOW_POSITION_FIRST ? TieOrder.HIGH_POSITION_FIRST : TieOrder.LOW_POSITION_FIRST;
    }

    private static Changes selectionConfig(Consumer<DhsaConfig.Builder> change) {
        return Changes.topKSelection((healthy, in, context) ->
                healthy.apply(new TopKSelection.Input(in.tokenScores(), in.queryBlocks(), in.visibility(), in.budget(), in.config().with(change))));
    }

    private interface BlockRule {
        BlockSelection select(double[] scores, QueryBlocks.Block block);
    }

    private static TopKSelection.Output each(TopKSelection.Input in, BlockRule rule) {
        DoubleTensor scores = in.tokenScores().toDouble();
        int keyLen = scores.shape().extent("keyLen");
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : in.queryBlocks().blocks()) {
            lists.add(rule.select(Arrays.copyOfRange(scores.data(), block.segment() * keyLen, (block.segment() + 1) * keyLen), block));
        }
        return new TopKSelection.Output(new KeySelection(in.queryBlocks(), lists));
    }

    private static Set<Integer> forced(TopKSelection.Input in, QueryBlocks.Block block, int keyLen, int end) {
        return TopKSelectionReference.forced(block, TopKSelectionReference.allowedStart(block, in.visibility(), in.config()), end,
                TopKSelectionReference.cut(in.budget(), keyLen, in.visibility(), in.config()), in.config());
    }

    private static BlockSelection withKeys(BlockSelection of, int[] keys) {
        return new BlockSelection(keys, of.forced(), of.selected(), of.threshold(), of.margin(), of.greater(), of.tieGroup());
    }

    private interface End {
        int of(QueryBlocks.Block block, int keyLen);
    }

    /// Selection among keys up to another end.
    private static Changes allowedEnd(End endOf) {
        return Changes.topKSelection((healthy, in, context) -> each(in, (scores, block) -> {
            int start = TopKSelectionReference.allowedStart(block, in.visibility(), in.config());
            int end = endOf.of(block, scores.length);
            Set<Integer> forced = forced(in, block, scores.length, end);
            int cut = TopKSelectionReference.cut(in.budget(), scores.length, in.visibility(), in.config());
            List<Integer> ranked = ranked(IntStream.range(start, Math.max(start, end)).filter(j -> !forced.contains(j)).toArray(), scores, in.config().tieOrder());
            int taken = Math.min(cut - forced.size(), ranked.size());
            Set<Integer> keys = new LinkedHashSet<>(forced);
            keys.addAll(ranked.subList(0, taken));
            double threshold = taken > 0 ? scores[ranked.get(taken - 1)] : Double.NaN;
            double margin = taken > 0 && taken < ranked.size() ? threshold - scores[ranked.get(taken)] : Double.POSITIVE_INFINITY;
            int[] sorted = keys.stream().mapToInt(Integer::intValue).sorted().toArray();
            return new BlockSelection(TopKSelectionReference.finish(sorted, block, in.visibility(), cut, scores.length, in.config()), forced.size(), taken,
                    threshold, margin, (int) ranked.subList(0, taken).stream().filter(j -> scores[j] > threshold).count(),
                    ranked.stream().filter(j -> scores[j] == threshold).mapToInt(Integer::intValue).sorted().toArray());
        }));
    }

    private static List<Integer> ranked(int[] keys, double[] scores, TieOrder order) {
        Comparator<Integer> byPosition = order == TieOrder.LOW_POSITION_FIRST ? Comparator.naturalOrder() : Comparator.reverseOrder();
        return Arrays.stream(keys).boxed().sorted(Comparator.<Integer>comparingDouble(j -> 0.0 - scores[j]).thenComparing(byPosition)).toList();
    }

    private interface BudgetChange {
        int of(TopKSelection.Input in, QueryBlocks.Block block, BlockSelection healthy);
    }

    /// Every block selected with a budget of its own.
    private static Changes budget(BudgetChange change) {
        return Changes.topKSelection((healthy, in, context) -> {
            List<BlockSelection> lists = new ArrayList<>();
            List<BlockSelection> right = healthy.apply(in).selection().blocks();
            for (int b = 0; b < right.size(); b++) {
                QueryBlocks.Block block = in.queryBlocks().blocks().get(b);
                lists.add(healthy.apply(new TopKSelection.Input(in.tokenScores(), new QueryBlocks(List.of(block), block.end(), block.end()), in.visibility(),
                        change.of(in, block, right.get(b)), in.config())).selection().blocks().getFirst());
            }
            return new TopKSelection.Output(new KeySelection(in.queryBlocks(), lists));
        });
    }

    /// The forced keys stay among the candidates, so the best of them are taken twice: they stand in the list twice, or once
    /// and the list is shorter.
    private static TopKSelection.Output takenTwice(StageOp<TopKSelection.Input, TopKSelection.Output> healthy, TopKSelection.Input in, boolean once) {
        List<BlockSelection> right = healthy.apply(in).selection().blocks();
        return each(in, (scores, block) -> {
            BlockSelection of = right.get(in.queryBlocks().blocks().indexOf(block));
            int end = TopKSelectionReference.allowedEnd(block, scores.length, in.config());
            Set<Integer> forced = forced(in, block, scores.length, end);
            int[] allowed = TopKSelectionReference.allowed(block, in.visibility(), scores.length, in.config());
            int cut = TopKSelectionReference.cut(in.budget(), scores.length, in.visibility(), in.config());
            IntStream keys = IntStream.concat(forced.stream().mapToInt(Integer::intValue), ranked(allowed, scores, in.config().tieOrder()).stream()
                    .limit(Math.max(0, cut - forced.size())).mapToInt(Integer::intValue));
            return withKeys(of, (once ? keys.distinct() : keys).sorted().toArray());
        });
    }

    private interface RowKeys {
        int[] of(SparseAttention.Input in, int row, int position);
    }

    /// Sparse attention in which each row reads exactly the keys named.
    private static Changes sparse(RowKeys keysOf) {
        return Changes.sparseAttention((healthy, in, context) -> {
            long[] pairs = {0};
            DoubleTensor out = AttentionVariant.attend(in.query(), in.key(), in.value(), in.rule(), row -> {
                int[] keys = keysOf.of(in, row, in.rule().queryStart() + row);
                pairs[0] += (long) keys.length * in.query().shape().extent("heads");
                return keys;
            }, (dot, visible, rule) -> rule.logit(dot), weights -> weights);
            return new SparseAttention.Output(out, pairs[0]);
        });
    }

    /// The keys that a row should read.
    private static int[] visible(SparseAttention.Input in, int row) {
        int position = in.rule().queryStart() + row;
        return Arrays.stream(AttentionVariant.listed(in, row)).filter(j -> in.rule().visibility().sees(position, j)).toArray();
    }

    private static int[] sparseInstruction(SparseAttention.Input in, int position, boolean own) {
        KeySelection selection = in.selection();
        int[] listed = selection.blocks().isEmpty() ? new int[0] : selection.blocks().getLast().keys();
        IntStream mine = own ? IntStream.rangeClosed(selection.queryBlocks().denseFrom(), position) : IntStream.empty();
        return IntStream.concat(Arrays.stream(listed), mine).filter(j -> in.rule().visibility().sees(position, j)).distinct().sorted().toArray();
    }
}
