package org.dhsa.golden;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.QuestPolicy;
import org.dhsa.reference.baseline.PageBounds;
import org.dhsa.reference.gemma.AttentionRow;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Quest's decode step at several lengths of the cache: bounds of pages, kept pages, attention over them.
final class QuestCheck extends ReferenceFunctionCheck {

    private static final String NAME = "quest";
    /// What the official evaluation code has as its fewest pages.
    private static final int OFFICIAL_MIN_PAGES = 3;

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key", "value");
        int[] lengths = PredictBoundariesCheck.ints(golden.hyperparameters().path("kv_lengths"));
        DoubleTensor query = golden.tensor("query").row(0, "heads", "queryLen", "headDim");
        DoubleTensor key = golden.tensor("key").row(0, "kvHeads", "keyLen", "headDim");
        DoubleTensor value = golden.tensor("value").row(0, "kvHeads", "keyLen", "headDim");
        for (int step = 0; step < lengths.length; step++) {
            check.batch(step, lengths.length);
            step(check, step, lengths[step], query, key, value);
        }
    }

    private static void step(CaseCheck check, int step, int length, DoubleTensor query, DoubleTensor key, DoubleTensor value) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        int heads = query.shape().extent("heads");
        int headDim = query.shape().extent("headDim");
        int page = golden.intOf("page_size");
        int pages = golden.tensor("page_scores").extent(2);
        Backend backend = check.backend();
        AttentionRule rule = new AttentionRule(1 / Math.sqrt(headDim), OptionalDouble.empty(), Visibility.GLOBAL, length - 1, 0);
        LayerState layer = new LayerState(2, 3, new LayerKind.Global(), row(query, length - 1), backend.keyRows(key, 0, length),
                rule, length, true, backend);
        DoubleTensor scores = check.call(NAME, Probe.NO_LAYER, "page_scores", () -> scores(layer, pages, page));
        check.close(NAME, Probe.NO_LAYER, "page_scores", golden.tensor("page_scores").row(step, "heads", "chunks"), scores);
        LayerSelection selection = check.call(NAME, Probe.NO_LAYER, "page_mask", () -> new QuestPolicy(golden.intOf("token_budget"), page,
                OFFICIAL_MIN_PAGES, 2, false, Optional.empty()).open(new int[0]).select(layer));
        DoubleTensor recorded = golden.tensor("page_mask").row(step, "heads", "chunks");
        DoubleTensor mask = DoubleTensor.zeros(recorded.shape());
        DoubleTensor output = DoubleTensor.zeros(Shape.of("heads", heads, "headDim", headDim));
        DoubleTensor context = DoubleTensor.zeros(Shape.of("heads", heads, "queryLen", 1, "headDim", headDim));
        AttentionRow attention = new AttentionRow(layer.query().toDouble(), layer.key().toDouble(), backend.keyRows(value, 0, length).toDouble(), rule);
        int[] kept = new int[heads];
        for (int h = 0; h < heads; h++) {
            int[] keys = selection.of(h).blocks().getFirst().keys();
            for (int j : keys) {
                mask.set(1, h, j / page);
            }
            attention.attend(h, 0, keys, keys.length, context);
            kept[h] = keys.length;
        }
        System.arraycopy(context.data(), 0, output.data(), 0, output.data().length);
        check.add(Compare.exact(check.place(NAME, Probe.NO_LAYER, "page_mask"), recorded, mask));
        check.exact(NAME, Probe.NO_LAYER, "results.keys_kept", "heads", PredictBoundariesCheck.ints(golden.results().path("keys_kept").path(step)), kept);
        check.close(NAME, Probe.NO_LAYER, "output", golden.tensor("output").row(step, "heads", "headDim"), output);
    }

    /// One row of every head.
    private static DoubleTensor row(DoubleTensor query, int position) {
        int heads = query.shape().extent("heads");
        int headDim = query.shape().extent("headDim");
        DoubleTensor row = DoubleTensor.zeros(Shape.of("heads", heads, "queryLen", 1, "headDim", headDim));
        for (int h = 0; h < heads; h++) {
            System.arraycopy(query.data(), (h * query.shape().extent("queryLen") + position) * headDim, row.data(), h * headDim, headDim);
        }
        return row;
    }

    /// NaN where a page does not exist yet.
    private static DoubleTensor scores(LayerState layer, int pages, int page) {
        int heads = layer.heads();
        int headDim = layer.headDim();
        DoubleTensor query = layer.query().toDouble();
        DoubleTensor scores = DoubleTensor.zeros(Shape.of("heads", heads, "chunks", pages));
        Arrays.fill(scores.data(), Double.NaN);
        Boundaries bounds = Boundaries.uniform(layer.end(), page);
        List<PageBounds> perKeyHead = IntStream.range(0, layer.kvHeads())
                .mapToObj(g -> new PageBounds(layer.backend().rows(layer.key(), g, g + 1).toDouble(), bounds)).toList();
        for (int h = 0; h < heads; h++) {
            for (int u = 0; u < bounds.chunks(); u++) {
                scores.set(perKeyHead.get(h * layer.kvHeads() / heads).score(Arrays.copyOfRange(query.data(), h * headDim, (h + 1) * headDim), u), h, u);
            }
        }
        return scores;
    }
}
