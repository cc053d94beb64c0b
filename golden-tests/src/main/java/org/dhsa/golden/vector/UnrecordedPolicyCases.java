package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.keys;
import static org.dhsa.golden.vector.CaseList.queries;
import static org.dhsa.golden.vector.PolicyCases.DECODE;
import static org.dhsa.golden.vector.PolicyCases.DECODE_LOCAL;
import static org.dhsa.golden.vector.PolicyCases.DECODING;
import static org.dhsa.golden.vector.PolicyCases.GLOBAL;
import static org.dhsa.golden.vector.PolicyCases.HEAD_DIM;
import static org.dhsa.golden.vector.PolicyCases.LOCAL;
import static org.dhsa.golden.vector.PolicyCases.PLAIN;
import static org.dhsa.golden.vector.PolicyCases.PROMPT;
import static org.dhsa.golden.vector.PolicyCases.SHORT;
import static org.dhsa.golden.vector.PolicyCases.TIES;
import static org.dhsa.golden.vector.PolicyCases.policy;
import static org.dhsa.golden.vector.PolicyCases.variant;

import java.util.function.UnaryOperator;
import org.dhsa.golden.vector.PolicyCases.Setup;
import org.dhsa.tensor.Shape;

/// Policies that no recording of official code holds, and those with a trained gate. What they are held to beside the reference is the NumPy port.
final class UnrecordedPolicyCases {

    private static final Setup DECODE_AFTER_TAIL = new Setup("decode-after-tail", "21 tokens of which the last 6 are dense, then 4 one by one", 4, 2, 21, 4, null, 6, "DECODE", "INSTRUCTION");

    /// Every row of every head has a list.
    private static final Setup FEW = new Setup("global", "a global layer, 20 tokens", 4, 2, 20, 0, null, 0, "GQA", "GQA_ORDER");

    private UnrecordedPolicyCases() {}

    static void add(CaseList list) {
        list.since("1.2.0");
        sampled(list);
        clustered(list);
        delta(list);
        kept(list);
        gated(list);
    }

    private static void sampled(CaseList list) {
        String sample = "sample-attention:alpha=0.7,r_row=0.2,r_window=0.1,block=";
        policy(list, sample + 4, PROMPT, new Setup[] {DECODE});
        variant(list, "rows", sample + 1, PLAIN, LOCAL);
        String icml = "icml-vs-sample:block=4,key-block=2,samples=3,";
        policy(list, icml + "budget=11", PROMPT);
        variant(list, "density", icml + "density=0.4", PLAIN, DECODE);
        variant(list, "upstream", icml + "density=0.4,profile=upstream", PLAIN, GLOBAL);
        variant(list, "ratio", icml + "budget=15,ratio=0.3", PLAIN, GLOBAL);
    }

    private static void clustered(CaseList list) {
        String tactic = "tactic:p=0.7,cluster=4,exact=0.1,first=0.2,second=0.6,width=0.1,iterations=2";
        policy(list, tactic, DECODING, new Setup[] {TIES});
        variant(list, "sparse", tactic + ",prompt=sparse,seed=7", PLAIN, FEW, LOCAL);
        String squeezed = "squeezed:keep=0.4,centroids=0.5,input=6,window=5,iterations=20";
        policy(list, squeezed, PROMPT, DECODING);
        // more keys would pass the second line than are behind the first
        variant(list, "levels", squeezed.replace("keep=0.4", "keep=0.8") + ",levels=2,keep-coarse=0.3,coarse=0.3,seed=3", PLAIN, GLOBAL, DECODE_LOCAL);
    }

    private static void delta(CaseList list) {
        String delta = "delta:budget=9,page=4,recent=1,";
        // of the global layers 3 and 5 the first chooses at the rise in layer 2
        UnaryOperator<CaseDraft> chosen = draft -> choosing(draft, draft.config().get("layer").intValue() % 2 == 0 ? 4 : 5, 6);
        for (Setup setup : new Setup[] {DECODE, DECODE_LOCAL}) {
            PolicyCases.draft(list, "", delta + "deltas=2", chosen, setup);
        }
        variant(list, "sparse", delta + "deltas=2,prompt=sparse", chosen, GLOBAL, LOCAL);
        variant(list, "spread", delta + "dense-layers=2", draft -> choosing(draft, 9, 10), DECODE);
        variant(list, "chooses", delta + "deltas=2+4,prompt=sparse", draft -> draft.with("layer", 5).with("numHiddenLayers", 6), DECODE);
    }

    /// States of the layer of the same kind that chooses: two before this one.
    private static CaseDraft choosing(CaseDraft draft, int layer, int layers) {
        Shape query = draft.inputs().get("query").tensor().shape();
        int rows = query.extent("queryLen");
        int kvHeads = draft.inputs().get("key").tensor().shape().extent("kvHeads");
        return draft.with("layer", layer).with("numHiddenLayers", layers).with("choosingLayer", layer - 2)
                .random("choosing.query", queries(query.extent("heads"), rows, HEAD_DIM), 3).random("choosing.key", keys(kvHeads, rows, HEAD_DIM), 2);
    }

    private static void kept(CaseList list) {
        policy(list, "cascade:budget=9,sinks=2,cascades=2,stride=1,beta=0.9", PROMPT, DECODING, new Setup[] {DECODE_AFTER_TAIL, TIES});
        variant(list, "strides", "cascade:budget=9,sinks=1,cascades=3,stride=4,beta=0.5", PLAIN, GLOBAL, LOCAL);
        policy(list, "tca:budget=14,block=4,window=6,mass=0.8", PROMPT, DECODING, new Setup[] {TIES});
        variant(list, "wide", "tca:budget=22,block=7,window=6,mass=0.8", PLAIN, GLOBAL);
        policy(list, "sparse-accelerate:budget=8,block=4,interval=3,window=6", PROMPT, new Setup[] {DECODE, TIES});
    }

    private static void gated(CaseList list) {
        seerAttention(list);
        UnaryOperator<CaseDraft> indexer = GateDraft::vsPrefill;
        variant(list, "threshold", "vsprefill:threshold=0.6,block=4", indexer, GLOBAL, LOCAL);
        variant(list, "budget", "vsprefill:budget=8,block=4", indexer, GLOBAL, LOCAL);
        variant(list, "rows", "vsprefill:threshold=0.6,block=1", indexer, DECODE);
        String learned = "icml-learned:block=4,key-block=2,";
        UnaryOperator<CaseDraft> network = draft -> GateDraft.learned(draft, 0);
        UnaryOperator<CaseDraft> table = draft -> GateDraft.learned(draft, 5);
        variant(list, "static", learned + "budget=11", network, GLOBAL, LOCAL);
        // small logits: the hyperbolic tangents of the features are not saturated, and the deviation weighs most
        variant(list, "density", learned + "density=0.4", draft -> spread(network.apply(draft).with("attnLogitSoftcapping", 0.6)), DECODE);
        variant(list, "tight", learned + "budget=4", network, GLOBAL);
        variant(list, "dynamic", learned + "budget=9,budgets=dynamic", table, GLOBAL, LOCAL);
        variant(list, "dynamic-wide", learned + "budget=17,budgets=dynamic", table, GLOBAL);
    }

    private static CaseDraft spread(CaseDraft draft) {
        return draft.set("local_weight", 9, 0, 9).set("local_weight", -9, 1, 9).set("local_weight", 9, 2, 9).set("local_weight", -9, 3, 9);
    }

    private static void seerAttention(CaseList list) {
        UnaryOperator<CaseDraft> gate = draft -> GateDraft.seerAttention(draft, "Qavg_Kmaxminavg", true, 4, 10000.0);
        variant(list, "threshold", "seerattention:threshold=0.15", gate, GLOBAL, LOCAL);
        variant(list, "gate-alone", "seerattention:threshold=0.3,own=gate", gate, DECODE);
        variant(list, "ratio", "seerattention:nz-ratio=0.6,own=gate", gate, GLOBAL);
        variant(list, "ratio-forced", "seerattention:nz-ratio=0.6", gate, LOCAL);
        variant(list, "budget", "seerattention:budget=13,last=dense", gate, GLOBAL);
        // no map of queries: a map of keys for every query head, and what is pooled is as wide as what is mapped
        variant(list, "unmapped", "seerattention:budget=12", draft -> GateDraft.seerAttention(draft, "Qmaxmin_Kavg", false, 4, null), LOCAL);
    }
}
