package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import org.dhsa.forward.Probe;
import org.dhsa.reference.baseline.TopKAttentionMask;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Masks made of the largest entries of the true attention.
final class TopKAttentionCheck extends ReferenceFunctionCheck {

    private static final String NAME = "topk-attention-mask";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        if (golden.has("attention")) {
            masks(check);
        }
        for (JsonNode row : golden.results().path("cases")) {
            singleQuery(check, row);
        }
        for (JsonNode row : golden.results().path("dilated_indices")) {
            int position = row.get("pos").asInt();
            int window = row.get("window").asInt();
            int dilation = row.get("dilation").asInt();
            String name = "results.dilated_indices pos=" + position + " window=" + window + " dilation=" + dilation;
            check.exact(NAME, Probe.NO_LAYER, name, "keyLen", PredictBoundariesCheck.ints(row.get("result")),
                    check.call(NAME, Probe.NO_LAYER, name, () -> TopKAttentionMask.dilatedIndices(position, window, dilation)));
        }
    }

    private static void masks(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("attention");
        TopKAttentionMask.Input in = new TopKAttentionMask.Input(golden.tensor("attention").row(0, "heads", "queryLen", "keyLen"),
                golden.intOf("topk"), golden.intOf("block"), golden.booleanOf("sliding"));
        TopKAttentionMask.Output out = check.call(NAME, Probe.NO_LAYER, "keep_raw_low", () -> TopKAttentionMask.apply(in));
        booleans(check, NAME, "keep_raw_low", golden.tensor("keep_raw_low").named("queryLen", "keyLen"), out.keepRaw());
        booleans(check, NAME, "keep_causal", golden.tensor("keep_causal").named("queryLen", "keyLen"), out.keepCausal());
    }

    /// A decoded query that keeps the last keys.
    private static void singleQuery(CaseCheck check, JsonNode row) throws GoldenFormatException {
        int keys = row.get("keys").asInt();
        int topK = row.get("topk").asInt();
        DoubleTensor keep = DoubleTensor.zeros(Shape.of("queryLen", 1, "keyLen", keys));
        for (int k = 0; k < keys; k++) {
            keep.data()[k] = row.get("keep").get(k).asBoolean() ? 1 : 0;
        }
        String name = "results.cases keys=" + keys + " topk=" + topK;
        DoubleTensor attention = DoubleTensor.zeros(Shape.of("heads", 1, "queryLen", 1, "keyLen", keys));
        booleans(check, NAME, name, keep, check.call(NAME, Probe.NO_LAYER, name,
                () -> TopKAttentionMask.apply(new TopKAttentionMask.Input(attention, topK, 1, true)).keepCausal()));
    }
}
