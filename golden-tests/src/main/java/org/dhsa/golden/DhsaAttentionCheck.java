package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Quirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Lists of keys and attention over them, the authors' way: global tokens spliced in, window of one key more, dense
/// instruction. With the odd settings too.
final class DhsaAttentionCheck implements FamilyCheck {

    private static final Pattern CAPPED = Pattern.compile("output_softcap([\\d.]+)");

    /// What a case fixes, for one element of its batch.
    private record Setting(CaseCheck check, int b, DhsaConfig config, int window, double scale, Boundaries boundaries, QueryBlocks blocks,
                           DoubleTensor query, DoubleTensor key, DoubleTensor value) {

        GoldenCase golden() {
            return check.golden();
        }
    }

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key", "value", "boundaries");
        OptionalInt instruction = golden.optionalInt("ins");
        DhsaConfig config = Upstream.selection(golden);
        int batches = golden.tensor("query").extent(0);
        for (int b = 0; b < batches; b++) {
            check.batch(b, batches);
            DoubleTensor query = golden.tensor("query").row(b, "heads", "queryLen", "headDim");
            int length = query.shape().extent("queryLen");
            int[] starts = golden.tensor("boundaries").rowInts(b);
            Boundaries boundaries = check.call("boundaries", Probe.NO_LAYER, "boundaries", () -> Boundaries.of(starts));
            Setting setting = new Setting(check, b, config, golden.optionalInt("W").orElse(0), golden.doubleOf("scaling"), boundaries,
                    QueryBlocks.fixed(SelectionChain.denseFrom(length, instruction), length, config.blockSize()), query,
                    golden.tensor("key").row(b, "kvHeads", "keyLen", "headDim"), golden.tensor("value").row(b, "kvHeads", "keyLen", "headDim"));
            run(setting);
        }
        check.batch(0, 1);
    }

    private static void run(Setting s) throws GoldenFormatException {
        KeySelection plain = order(s, "", DhsaConfig.TieOrder.LOW_POSITION_FIRST);
        KeySelection low = order(s, "low.", DhsaConfig.TieOrder.LOW_POSITION_FIRST);
        KeySelection high = order(s, "high.", DhsaConfig.TieOrder.HIGH_POSITION_FIRST);
        JsonNode lowEqualsHigh = s.golden().results().path("low_equals_high");
        if (lowEqualsHigh.isBoolean() && s.b == 0) {
            s.check.exact(Stage.TOP_K_SELECTION.slug(), Probe.NO_LAYER, "results.low_equals_high", "value",
                    new int[] {lowEqualsHigh.asBoolean() ? 1 : 0}, new int[] {low.blocks().stream().map(x -> Arrays.toString(x.keys())).toList()
                            .equals(high.blocks().stream().map(x -> Arrays.toString(x.keys())).toList()) ? 1 : 0});
        }
        if (s.b == 0) {
            counts(s, s.golden().has("topk_indices") ? plain : low);
        }
    }

    /// Lists and outputs recorded under a prefix, with equal scores in one order.
    private static KeySelection order(Setting s, String prefix, DhsaConfig.TieOrder order) throws GoldenFormatException {
        DhsaConfig rules = s.config.with(c -> c.tieOrder = order);
        String target = prefix + "topk_indices";
        SelectionChain chain = new SelectionChain(s.check, Probe.NO_LAYER, target, rules);
        KeySelection selection;
        if (s.blocks.blocks().isEmpty()) {
            selection = new KeySelection(s.blocks, List.of());
        } else {
            DoubleTensor scores = chain.tokenScores(s.query, s.key, s.boundaries, s.blocks.denseFrom()).toDouble();
            String before = prefix + "indices_before_global";
            if (s.golden().has(before)) {
                DhsaConfig unspliced = SelectionChain.without(rules, Quirk.GLOBAL_TOKENS_SPLICED).with(c -> c.globalTokens = 0);
                KeySelection unsplicedLists = new SelectionChain(s.check, Probe.NO_LAYER, before, unspliced)
                        .select(scores, s.blocks, s.window, rules.budget(), unspliced);
                SelectionChain.compare(s.check, Probe.NO_LAYER, before, s.golden().tensor(before), s.b, unsplicedLists, scores, s.window, unspliced, false);
            }
            selection = chain.select(scores, s.blocks, s.window, rules.budget(), rules);
            if (s.golden().has(target)) {
                SelectionChain.compare(s.check, Probe.NO_LAYER, target, s.golden().tensor(target), s.b, selection, scores, s.window, rules, false);
            }
        }
        outputs(s, prefix, selection);
        return selection;
    }

    private static void outputs(Setting s, String prefix, KeySelection computed) throws GoldenFormatException {
        for (GoldenTensor tensor : s.golden().tensors().values()) {
            if (!tensor.name().startsWith(prefix)) {
                continue;
            }
            String output = tensor.name().substring(prefix.length());
            Matcher capped = CAPPED.matcher(output);
            OptionalDouble cap = capped.matches() ? OptionalDouble.of(Double.parseDouble(capped.group(1))) : OptionalDouble.empty();
            if (!output.equals("output") && !output.equals("dense_output") && cap.isEmpty()) {
                continue;
            }
            AttentionRule rule = new AttentionRule(s.scale, cap, new Visibility(s.window, true), 0, 0);
            DoubleTensor expected = tensor.row(s.b, "heads", "queryLen", "headDim");
            String lists = prefix + "topk_indices";
            if (s.golden().has(lists)) {
                KeySelection recorded = s.check.call(Stage.SPARSE_ATTENTION.slug(), Probe.NO_LAYER, tensor.name(),
                        () -> SelectionChain.recorded(s.golden().tensor(lists), s.b, s.blocks));
                s.check.close(Stage.SPARSE_ATTENTION, Probe.NO_LAYER, tensor.name(), expected, attend(s, tensor.name(), recorded, rule));
            }
            s.check.note("end to end");
            s.check.close(Stage.SPARSE_ATTENTION, Probe.NO_LAYER, tensor.name(), expected, attend(s, tensor.name(), computed, rule));
            s.check.note("");
        }
    }

    private static Tensor attend(Setting s, String tensor, KeySelection selection, AttentionRule rule) throws GoldenFormatException {
        return s.check.apply(Stage.SPARSE_ATTENTION, Probe.NO_LAYER, tensor,
                () -> new SparseAttention.Input(s.query, s.key, s.value, selection, rule), s.check.backend().sparseAttention()).context();
    }

    /// What the recording counted about the lists.
    private static void counts(Setting s, KeySelection selection) {
        JsonNode results = s.golden().results();
        List<Integer> repeated = new ArrayList<>();
        List<Integer> repeatedAndSeen = new ArrayList<>();
        int blind = 0;
        int withoutItself = 0;
        Visibility visibility = new Visibility(s.window, true);
        for (int n = 0; n < selection.blocks().size(); n++) {
            int[] keys = selection.blocks().get(n).keys();
            QueryBlocks.Block block = s.blocks.blocks().get(n);
            repeated.add(SelectionChain.repeated(keys));
            Set<Integer> met = new HashSet<>();
            int seen = 0;
            for (int key : keys) {
                boolean again = !met.add(key);
                boolean visible = java.util.stream.IntStream.range(block.start(), block.end()).anyMatch(q -> visibility.sees(q, key));
                seen += again && visible ? 1 : 0;
            }
            repeatedAndSeen.add(seen);
            for (int q = block.start(); q < block.end(); q++) {
                int position = q;
                blind += Arrays.stream(keys).noneMatch(key -> visibility.sees(position, key)) ? 1 : 0;
                withoutItself += Arrays.stream(keys).noneMatch(key -> key == position) ? 1 : 0;
            }
        }
        count(s, results, "duplicate_indices_per_block", repeated);
        count(s, results, "duplicates_visible_to_some_query_per_block", repeatedAndSeen);
        count(s, results, "rows_without_any_visible_key", List.of(blind));
        count(s, results, "rows_not_seeing_themselves", List.of(withoutItself));
        if (results.path("returned_index_shape").isArray()) {
            int keyLen = s.key.shape().extent("keyLen");
            int budget = Math.min(Math.min(s.config.budget(), keyLen), s.window > 0 ? s.window : keyLen);
            s.check.exact(Stage.TOP_K_SELECTION.slug(), Probe.NO_LAYER, "results.returned_index_shape", "axis",
                    PredictBoundariesCheck.ints(results.get("returned_index_shape")),
                    new int[] {s.golden().tensors().get("query").extent(0), selection.blocks().size(), budget});
        }
    }

    private static void count(Setting s, JsonNode results, String name, List<Integer> counted) {
        JsonNode recorded = results.path(name);
        if (recorded.isArray() || recorded.isNumber()) {
            int[] expected = recorded.isArray() ? PredictBoundariesCheck.ints(recorded) : new int[] {recorded.asInt()};
            s.check.exact(Stage.TOP_K_SELECTION.slug(), Probe.NO_LAYER, "results." + name, "queryBlocks", expected,
                    counted.stream().mapToInt(Integer::intValue).toArray());
        }
    }
}
