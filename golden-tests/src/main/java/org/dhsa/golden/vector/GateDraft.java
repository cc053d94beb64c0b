package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.matrix;

import org.dhsa.model.GateWeights.LearnedTopK;
import org.dhsa.tensor.Shape;

/// Random weights of the trained gates, for the layer of a case, under the names of [org.dhsa.weights.GateLoader].
final class GateDraft {

    private static final int HIDDEN = 3;

    private GateDraft() {}

    /// @param type      pooling, `Qavg_Kmaxminavg`
    /// @param mapped    queries have a map too
    /// @param rotaryBase null: the pooled vectors are not turned
    static CaseDraft seerAttention(CaseDraft draft, String type, boolean mapped, int block, Double rotaryBase) {
        String[] parts = type.substring(1).split("_K");
        int queryIn = parts[0].length() / 3 * PolicyCases.HEAD_DIM;
        int keyIn = parts[1].length() / 3 * PolicyCases.HEAD_DIM;
        int heads = draft.inputs().get("query").tensor().shape().extent("heads");
        int kvHeads = draft.inputs().get("key").tensor().shape().extent("kvHeads");
        // the rotary embedding turns pairs of channels
        int hidden = mapped ? 2 : queryIn;
        if (mapped) {
            draft.random("mask_linear_q.weight", Shape.of("heads", heads, "in", queryIn, "hidden", hidden), 0.8);
        }
        draft.random("mask_linear_k.weight", Shape.of("maps", mapped ? kvHeads : heads, "in", keyIn, "hidden", hidden), 0.8);
        return draft.with("gateType", type).with("gateBlockSize", block).with("gateBlockRope", rotaryBase != null).with("gateRopeTheta", rotaryBase == null ? 10000 : rotaryBase);
    }

    static CaseDraft vsPrefill(CaseDraft draft) {
        return draft.random("inner.weight", matrix("hidden", HIDDEN, "in", 2 * PolicyCases.HEAD_DIM), 1).random("inner.bias", Shape.of("hidden", HIDDEN), 0.5)
                .random("outer.weight", matrix("outputs", 2, "hidden", HIDDEN), 1.5);
    }

    /// @param buckets of the table of budgets, 0 for none
    static CaseDraft learned(CaseDraft draft, int buckets) {
        int heads = draft.inputs().get("query").tensor().shape().extent("heads");
        draft.random("local_weight", Shape.of("heads", heads, "features", LearnedTopK.LOCAL, "hidden", HIDDEN), 3)
                .random("context_weight", Shape.of("heads", heads, "features", LearnedTopK.CONTEXT, "hidden", HIDDEN), 0.3)
                .random("input_bias", matrix("heads", heads, "hidden", HIDDEN), 0.5).random("output_weight", matrix("heads", heads, "hidden", HIDDEN), 2)
                .random("output_bias", Shape.of("heads", heads), 0.5);
        if (buckets > 0) {
            draft.random("budget_bias", matrix("heads", heads, "buckets", buckets), 4);
        }
        return draft.with("residualBound", 1.5);
    }
}
