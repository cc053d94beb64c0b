package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.policy.IcmlBlockMask.Estimate;
import org.dhsa.policy.IcmlBlockMask.Head;
import org.dhsa.policy.IcmlBlockMask.Input;
import org.dhsa.policy.IcmlBlockMask.Kind;
import org.dhsa.policy.IcmlBlockMask.Output;
import org.dhsa.policy.IcmlBlockMask;
import org.dhsa.policy.IcmlBlocks;
import org.dhsa.policy.IcmlQuirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// The block masks of the authors' ICML 2026 code, with every one of its quirks: masks in both orders of equal scores, what they were
/// cut from, and the counts.
final class IcmlMasksCheck extends ReferenceFunctionCheck {

    private static final String NAME = "icml-block-mask";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        if (golden.results().has("rows")) {
            if (golden.hyperparameters().has("D")) {
                IcmlLimits.check(check, golden.results().get("rows"));
            } else {
                budgets(check, golden.results());
            }
            return;
        }
        Kind kind = Arrays.stream(Kind.values()).filter(k -> k.slug().equals(golden.hyperparameters().path("kind").asText())).findFirst()
                .orElseThrow(() -> golden.wrongField("kind", "one of topk, a, vs, vsb"));
        check.input("query", "key", "pad_query_row", "pad_key_row");
        DoubleTensor query = padded(golden, "query", "heads", "queryLen");
        DoubleTensor key = padded(golden, "key", "kvHeads", "keyLen");
        means(check, query, "query_block_mean", golden.intOf("q_block"));
        means(check, key, "key_block_mean", golden.intOf("k_block"));
        for (JsonNode variant : golden.results().path("variants")) {
            Input in = input(golden, kind, query, key, variant, TieOrder.LOW_POSITION_FIRST);
            variant(check, in, variant.get("variant").asText() + ".", variant);
        }
    }

    /// The states as the mask builder sees them: through the forward they are filled up to whole blocks.
    private static DoubleTensor padded(GoldenCase golden, String tensor, String heads, String length) throws GoldenFormatException {
        DoubleTensor states = golden.tensor(tensor).row(0, heads, length, "headDim");
        if (!golden.hyperparameters().has("padded_L")) {
            return states;
        }
        DoubleTensor filler = golden.has("pad_" + tensor + "_row") ? golden.tensor("pad_" + tensor + "_row").named(heads, "headDim")
                : DoubleTensor.zeros(Shape.of(heads, states.shape().extent(0), "headDim", states.shape().extent(2)));
        return IcmlBlocks.padded(states, IcmlBlocks.paddedLength(states.shape().extent(1), golden.intOf("q_block"), golden.intOf("k_block")), filler);
    }

    private static Input input(GoldenCase golden, Kind kind, DoubleTensor query, DoubleTensor key, JsonNode variant, TieOrder ties) throws GoldenFormatException {
        int queryLen = query.shape().extent("queryLen");
        int keyLen = key.shape().extent("keyLen");
        AttentionRule rule = new AttentionRule(1 / Math.sqrt(golden.intOf("D")), OptionalDouble.empty(), new Visibility(0, false), keyLen - queryLen, 0);
        return new Input(kind, query, key, rule, queryLen, golden.intOf("q_block"), golden.intOf("k_block"), variant.get("topk_blocks").asInt(),
                variant.path("vertical_slash_ratio").asDouble(0.5), 1, IcmlQuirk.UPSTREAM, ties);
    }

    private static void means(CaseCheck check, DoubleTensor states, String tensor, int block) throws GoldenFormatException {
        if (!check.golden().has(tensor)) {
            return;
        }
        DoubleTensor expected = check.golden().tensor(tensor).row(0, "heads", "chunks", "headDim");
        int heads = expected.shape().extent("heads");
        int rows = expected.data().length / heads;
        double[] all = new double[heads * rows];
        for (int h = 0; h < heads; h++) {
            int own = h * states.shape().extent(0) / heads;
            double[] means = Arrays.stream(IcmlBlocks.means(states, own, block)).flatMapToDouble(Arrays::stream).toArray();
            System.arraycopy(means, 0, all, h * rows, rows);
        }
        check.close(NAME, Probe.NO_LAYER, tensor, expected, DoubleTensor.of(expected.shape(), all));
    }

    private static void variant(CaseCheck check, Input in, String prefix, JsonNode recorded) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        Output out = check.call(NAME, Probe.NO_LAYER, prefix + "mask", () -> IcmlBlockMask.apply(in));
        estimates(check, out, prefix);
        rows(check, out, prefix);
        masks(check, prefix + "mask", out, Head::mask);
        if (golden.has(prefix + "mask_high")) {
            masks(check, prefix + "always", out, Head::always);
            masks(check, prefix + "possible", out, Head::possible);
            Input high = new Input(in.kind(), in.query(), in.key(), in.rule(), in.rows(), in.queryBlock(), in.keyBlock(), in.budget(), in.ratio(), in.samples(),
                    in.quirks(), TieOrder.HIGH_POSITION_FIRST);
            masks(check, prefix + "mask_high", IcmlBlockMask.apply(high), Head::mask);
        }
        numbers(check, in, out, prefix, recorded);
    }

    private static void estimates(CaseCheck check, Output out, String prefix) throws GoldenFormatException {
        List<Estimate> each = out.heads().stream().map(Head::estimate).toList();
        closeIfRecorded(check, "block_scores", each.stream().map(e -> flat(e.rowScores())).toList());
        closeIfRecorded(check, "column_mass", each.stream().map(Estimate::columnMass).toList());
        closeIfRecorded(check, "distance_mass", each.stream().map(Estimate::distanceMass).toList());
        closeIfRecorded(check, "last_block_scores", each.stream().map(Estimate::lastScores).toList());
        closeIfRecorded(check, prefix + "vertical_block_scores", each.stream().map(Estimate::columnScores).toList());
        closeIfRecorded(check, prefix + "row_scores", out.heads().stream().map(h -> flat(h.candidates())).toList());
        exactIfRecorded(check, prefix + "vertical_indices", each.stream().map(Estimate::columns).toList());
        exactIfRecorded(check, prefix + "slash_distances", each.stream().map(Estimate::distances).toList());
    }

    private static void rows(CaseCheck check, Output out, String prefix) throws GoldenFormatException {
        IntStream rows = IntStream.range(0, out.blocks().queryBlocks());
        exactIfRecorded(check, "recent_key_block", List.of(rows.map(out.blocks()::recent).toArray()));
        exactIfRecorded(check, "start_key_block", List.of(IntStream.range(0, out.blocks().queryBlocks()).map(out.blocks()::start).toArray()));
        exactIfRecorded(check, prefix + "remaining", List.of(out.remaining()));
        exactIfRecorded(check, prefix + "dense_rows", List.of(ints(out.dense())));
        exactIfRecorded(check, prefix + "forced", Arrays.stream(out.forced()).map(IcmlMasksCheck::ints).toList());
    }

    private static void masks(CaseCheck check, String tensor, Output out, Function<Head, boolean[][]> which) throws GoldenFormatException {
        exactIfRecorded(check, tensor, out.heads().stream().flatMap(h -> Arrays.stream(which.apply(h))).map(IcmlMasksCheck::ints).toList());
    }

    /// What stands in case.json itself.
    private static void numbers(CaseCheck check, Input in, Output out, String prefix, JsonNode recorded) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        int queries = golden.intOf("L");
        int keys = golden.optionalInt("key_length").orElse(queries);
        if (golden.hyperparameters().has("density")) {
            number(check, recorded, prefix, "topk_blocks", IcmlBlocks.budget(golden.doubleOf("density"), out.blocks().keyBlocks(), IcmlQuirk.UPSTREAM));
        }
        number(check, recorded, prefix, "num_key_blocks", out.blocks().keyBlocks());
        number(check, recorded, prefix, "num_query_blocks", out.blocks().queryBlocks());
        number(check, recorded, prefix, "vertical_budget", out.heads().getFirst().estimate().columns().length);
        number(check, recorded, prefix, "slash_budget", out.heads().getFirst().estimate().distances().length);
        each(check, recorded, prefix, "kept_blocks_per_head", out, head -> {
            long kept = 0;
            for (boolean[] row : head.mask()) {
                kept += Arrays.stream(ints(row)).sum();
            }
            return kept;
        });
        if (queries == keys) {
            check.exact(NAME, Probe.NO_LAYER, prefix + "causal_pairs_total", "value", new int[] {recorded.get("causal_pairs_total").asInt()},
                    new int[] {queries * (queries + 1) / 2});
            each(check, recorded, prefix, "kept_pairs_per_head", out, head -> pairs(head, in, queries, false));
            each(check, recorded, prefix, "queries_without_key_per_head", out, head -> pairs(head, in, queries, true));
        }
    }

    /// Causal pairs of real tokens inside kept blocks, or queries that have none.
    private static long pairs(Head head, Input in, int length, boolean empty) {
        long count = 0;
        for (int i = 0; i < length; i++) {
            long row = 0;
            boolean[] mask = head.mask()[i / in.queryBlock()];
            for (int j = 0; j < mask.length; j++) {
                row += mask[j] ? Math.max(0, Math.min(i + 1, (j + 1) * in.keyBlock()) - j * in.keyBlock()) : 0;
            }
            count += empty ? row == 0 ? 1 : 0 : row;
        }
        return count;
    }

    private static void number(CaseCheck check, JsonNode recorded, String prefix, String field, int actual) {
        if (recorded.has(field)) {
            check.exact(NAME, Probe.NO_LAYER, "results." + prefix + field, "value", new int[] {recorded.get(field).asInt()}, new int[] {actual});
        }
    }

    private static void each(CaseCheck check, JsonNode recorded, String prefix, String field, Output out, java.util.function.ToLongFunction<Head> count) {
        if (recorded.has(field)) {
            check.exact(NAME, Probe.NO_LAYER, "results." + prefix + field, "heads", PredictBoundariesCheck.ints(recorded.get(field)),
                    out.heads().stream().mapToInt(h -> Math.toIntExact(count.applyAsLong(h))).toArray());
        }
    }

    private static void budgets(CaseCheck check, JsonNode results) {
        int differ = 0;
        for (JsonNode row : results.get("rows")) {
            int length = row.get("L").asInt();
            int block = row.get("k_block").asInt();
            double density = row.get("density").asDouble();
            int padded = IcmlBlocks.paddedLength(length, check.golden().hyperparameters().get("q_block").asInt(), block);
            int twice = IcmlBlocks.budget(density, padded / block, IcmlQuirk.UPSTREAM);
            int once = IcmlBlocks.budget(density, padded / block, java.util.Set.of());
            differ += twice == once ? 0 : 1;
            check.exact(NAME, Probe.NO_LAYER, "results.rows L=" + length + " k_block=" + block + " density=" + density, "value",
                    new int[] {row.get("padded_L").asInt(), row.get("topk_blocks").asInt(), row.get("single_rounding").asInt()}, new int[] {padded, twice, once});
        }
        check.exact(NAME, Probe.NO_LAYER, "results.rows_where_they_differ", "value", new int[] {results.get("rows_where_they_differ").asInt()}, new int[] {differ});
    }

    private static void closeIfRecorded(CaseCheck check, String tensor, List<double[]> rows) throws GoldenFormatException {
        if (check.golden().has(tensor)) {
            double[] expected = check.golden().tensor(tensor).values();
            double[] actual = rows.stream().flatMapToDouble(Arrays::stream).toArray();
            if (expected.length != actual.length) {
                check.add(check.place(NAME, Probe.NO_LAYER, tensor).wrong(actual.length + " values where " + expected.length + " are expected"));
            } else {
                check.close(NAME, Probe.NO_LAYER, tensor, vector("value", expected), vector("value", actual));
            }
        }
    }

    private static void exactIfRecorded(CaseCheck check, String tensor, List<int[]> rows) throws GoldenFormatException {
        if (check.golden().has(tensor)) {
            check.exact(NAME, Probe.NO_LAYER, tensor, "value", Arrays.stream(check.golden().tensor(tensor).values()).mapToInt(v -> (int) v).toArray(),
                    rows.stream().flatMapToInt(Arrays::stream).toArray());
        }
    }

    private static double[] flat(double[][] rows) {
        return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    }

    static int[] ints(boolean[] flags) {
        return IntStream.range(0, flags.length).map(i -> flags[i] ? 1 : 0).toArray();
    }
}
