package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.keys;
import static org.dhsa.golden.vector.CaseList.queries;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// Selection policies on one layer, taken from the registry by name: level P, which stands outside L0 to L6.
///
/// A further policy enters by one line in [#add]: `policy(list, "name:key=value", PROMPT, DECODING)`. Policies that no recording of official code holds are in
/// [UnrecordedPolicyCases].
final class PolicyCases {

    /// Release of the vectors in which these cases came.
    private static final String SINCE = "1.1.0";
    private static final int LAYERS = 4;
    static final int HEAD_DIM = 4;
    static final UnaryOperator<CaseDraft> PLAIN = draft -> draft;

    /// What a policy is put to.
    ///
    /// @param steps  tokens decoded one by one after the prompt
    /// @param window null on a global layer
    /// @param tail   last tokens of the prompt that attend densely
    record Setup(String name, String comment, int heads, int kvHeads, int prompt, int steps, Integer window, int tail, String... flags) {}

    static final Setup GLOBAL = new Setup("global", "a global layer, 29 tokens", 4, 2, 29, 0, null, 0, "GQA", "GQA_ORDER");
    static final Setup LOCAL = new Setup("local", "a local layer, window 11, 29 tokens of which the last 5 are dense", 4, 2, 29, 0, 11, 5, "WINDOW_EDGE", "INSTRUCTION");
    static final Setup TIES = new Setup("ties", "12 of 24 keys are equal: lowest position first", 3, 1, 22, 2, null, 0, "TIE_AT_CUTOFF");
    static final Setup DECODE = new Setup("decode", "21 tokens, then 3 one by one", 4, 2, 21, 3, null, 0, "DECODE");
    static final Setup DECODE_LOCAL = new Setup("decode-local", "19 tokens, then 4 on a local layer whose cache forgets, window 13", 4, 2, 19, 4, 13, 0, "DECODE", "WINDOW_EDGE");
    static final Setup SHORT = new Setup("short", "a prompt of one token, then 2", 2, 1, 1, 2, null, 0, "SHORT_PROMPT", "DECODE");

    private static final Setup LONG = new Setup("long", "a global layer, 230 tokens: four blocks of the 64 rows that the official code has", 2, 1, 230, 0, null, 0, "GQA");

    static final Setup[] PROMPT = {GLOBAL, LOCAL};
    static final Setup[] DECODING = {DECODE, DECODE_LOCAL, SHORT};

    private PolicyCases() {}

    static void add(CaseList list) {
        list.since(SINCE);
        toy(list);
        policy(list, "dense", new Setup[] {LOCAL, DECODE_LOCAL});
        policy(list, "sliding:window=6", PROMPT, DECODING);
        variant(list, "blocks", "sliding:window=6,block=4", PLAIN, LOCAL, DECODE_LOCAL);
        policy(list, "streaming:sinks=2,window=5", PROMPT, DECODING);
        variant(list, "blocks", "streaming:sinks=3,window=5,block=4", PLAIN, GLOBAL, LOCAL);
        policy(list, "block-topk:budget=11,block=4", PROMPT, DECODING, new Setup[] {TIES});
        variant(list, "each", "block-topk:budget=8,block=4,heads=each", PLAIN, LOCAL, DECODE);
        dhsa(list);
        policy(list, "oracle-row:budget=5", PROMPT, DECODING, new Setup[] {TIES});
        variant(list, "shared", "oracle-row:budget=5,heads=shared", PLAIN, LOCAL);
        policy(list, "oracle-block:budget=7,block=4", PROMPT, DECODING, new Setup[] {TIES});
        variant(list, "each", "oracle-block:budget=7,block=4,heads=each", PLAIN, GLOBAL);
        policy(list, "oracle-topp:mass=0.6", PROMPT, DECODING, new Setup[] {TIES});
        variant(list, "blocks", "oracle-topp:mass=0.8,block=3,heads=shared", PLAIN, LOCAL);
        policy(list, "h2o:budget=9,window=3", DECODING, new Setup[] {TIES});
        policy(list, "streaming-cache:budget=9,sinks=2", DECODING);
        policy(list, "pyramidkv:budget=9,window=3,kernel=3,beta=2", DECODING, new Setup[] {TIES});
        policy(list, "snapkv:budget=9,window=3,kernel=3", DECODING, new Setup[] {TIES});
        minference(list);
        estimating(list);
        quest(list);
        icml(list);
        UnrecordedPolicyCases.add(list);
    }

    private static void minference(CaseList list) {
        policy(list, "minference-a-shape:n_init=2,n_local=5", new Setup[] {GLOBAL, DECODE_LOCAL});
        variant(list, "blocks", "minference-a-shape:n_init=3,n_local=5,block=4", PLAIN, LOCAL);
        String lines = "minference-vertical-slash:vertical_size=3,slash_size=3,last_q=6,block_size=";
        policy(list, lines + 4, PROMPT, new Setup[] {DECODE, SHORT});
        variant(list, "rows", lines + 1, PLAIN, LOCAL);
        variant(list, "upstream", "minference-vertical-slash:vertical_size=34,slash_size=104,last_q=64,profile=upstream", PLAIN, LONG);
        policy(list, "minference-block-sparse:block_size=4,top_k=2", PROMPT, new Setup[] {DECODE_LOCAL});
        variant(list, "upstream", "minference-block-sparse:block_size=8,top_k=2,profile=upstream", PLAIN, GLOBAL);
    }

    private static void estimating(CaseList list) {
        policy(list, "xattention:block_size=4,stride=2,threshold=0.7", PROMPT, new Setup[] {DECODE_LOCAL});
        variant(list, "upstream", "xattention:block_size=4,stride=2,threshold=0.7,profile=upstream", PLAIN, GLOBAL);
        String flex = "flexprefill:gamma=0.6,tau=0.3,min_budget=2,block_size=4";
        policy(list, flex, PROMPT, new Setup[] {DECODE});
        variant(list, "bounded", flex + ",max_budget=3", PLAIN, GLOBAL);
        String upstream = "flexprefill:gamma=0.6,min_budget=5,block_size=4,profile=upstream,tau=";
        variant(list, "upstream", upstream + "0.3", PLAIN, GLOBAL);
        variant(list, "upstream-lines", upstream + "0.0", PLAIN, GLOBAL);
    }

    private static void quest(CaseList list) {
        policy(list, "quest:budget=9,page=4,dense-layers=1", DECODING);
        variant(list, "dense-layers", "quest:budget=9,page=4", PLAIN, DECODE);
        variant(list, "min-pages", "quest:budget=4,page=4,min-pages=3,dense-layers=1", PLAIN, DECODE);
        variant(list, "sparse", "quest:budget=9,page=4,dense-layers=1,prompt=sparse", PLAIN, GLOBAL, LOCAL, DECODE_LOCAL);
        // only layer 0 finds chunks
        UnaryOperator<CaseDraft> first = draft -> draft.with("layer", 0);
        String chunks = "quest:budget=9,dense-layers=0,prompt=sparse,chunking=";
        variant(list, "fixed", chunks + "fixed-5", first, DECODE_LOCAL);
        variant(list, "sentences", chunks + "sentences", draft -> sentences(first.apply(draft)), LOCAL, DECODE_LOCAL);
    }

    private static void icml(CaseList list) {
        for (String kind : new String[] {"topk", "a", "vs", "vsb"}) {
            String policy = "icml-" + kind + ":block=4,key-block=2,";
            policy(list, policy + "budget=11", PROMPT);
            variant(list, "density", policy + "density=0.4", PLAIN, DECODE);
            variant(list, "upstream", policy + "density=0.4,profile=upstream", PLAIN, GLOBAL);
            if (kind.startsWith("vs")) {
                variant(list, "ratio", policy + "budget=15,ratio=0.3", PLAIN, GLOBAL);
            }
        }
        // the own blocks take all of it
        variant(list, "tight", "icml-a:block=4,key-block=2,budget=4", PLAIN, GLOBAL);
    }

    private static CaseDraft sentences(CaseDraft draft) {
        return draft.with("sentenceEndIds", List.of(1, 3)).randomInts("ids", Shape.of("queryLen", draft.config().get("promptLength").intValue()), 0, 12);
    }

    private static void dhsa(CaseList list) {
        String sizes = "dhsa:budget=10,block=4,local=1,sinks=1,nms=2,beta=4";
        UnaryOperator<CaseDraft> predictor = draft -> PredictorDraft.attention(draft,
                draft.inputs().get("key").tensor().shape().extent("kvHeads") * HEAD_DIM, 2, 2, false, DType.F32);
        for (Setup[] setups : new Setup[][] {PROMPT, DECODING, {TIES}}) {
            for (Setup setup : setups) {
                draft(list, "", sizes + ",theta=0.0", predictor, setup);
            }
        }
        variant(list, "upstream", sizes + ",theta=0.0,profile=upstream", draft -> predictor.apply(draft).upstream(), LOCAL);
        String fixed = sizes + ",chunking=fixed-5";
        variant(list, "fixed", fixed, PLAIN, GLOBAL, DECODE_LOCAL);
        UnaryOperator<CaseDraft> sentences = PolicyCases::sentences;
        // chunks of unlike lengths: on equal ones mean, mean-sqrt and sum choose alike
        String unequal = sizes + ",chunking=sentences";
        variant(list, "sentences", unequal, sentences, GLOBAL, DECODE);
        for (String aggregation : new String[] {"mean", "sum", "max", "max-on-queries", "min-max"}) {
            variant(list, aggregation, unequal + ",aggregation=" + aggregation, sentences, DECODE);
        }
        variant(list, "each", unequal + ",heads=each", sentences, LOCAL, DECODE);
        variant(list, "query-chunks", unequal + ",queries=chunks", sentences, LOCAL);
        variant(list, "labels", sizes + ",chunking=labels,theta=1.5", PLAIN, GLOBAL, LOCAL);
    }

    /// Zero queries, so a row's output is the mean of the values it reads.
    private static void toy(CaseList list) {
        double[] zeros = new double[16];
        for (String spec : new String[] {"sliding:window=3", "streaming:sinks=1,window=2"}) {
            CaseDraft draft = list.policy(name(spec), "toy", "by hand: zero queries, so row 7 is, up to the sign, " + (spec.startsWith("sliding") ? "the mean of 5, 6 and 7" : "the mean of 0, 6 and 7"))
                    .given("query", queries(1, 8, 2), zeros).given("key", keys(1, 8, 2), zeros)
                    .given("value", keys(1, 8, 2), 0, 0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7).flags("HAND_CHECKABLE");
            layer(draft, 8, null, 0);
            named(draft, spec);
        }
    }

    static void policy(CaseList list, String spec, Setup[]... groups) {
        for (Setup[] setups : groups) {
            for (Setup setup : setups) {
                draft(list, "", spec, PLAIN, setup);
            }
        }
    }

    static void variant(CaseList list, String variant, String spec, UnaryOperator<CaseDraft> more, Setup... setups) {
        for (Setup setup : setups) {
            draft(list, variant + "-", spec, more, setup);
        }
    }

    /// @param more inputs and parameters that the policy needs beside queries, keys and values
    static void draft(CaseList list, String prefix, String spec, UnaryOperator<CaseDraft> more, Setup s) {
        CaseDraft draft = list.policy(name(spec), prefix + s.name(), s.comment()).flags(s.flags());
        int rows = s.prompt() + s.steps();
        draft.random("query", queries(s.heads(), rows, HEAD_DIM), 3).random("key", keys(s.kvHeads(), rows, HEAD_DIM), 2).random("value", keys(s.kvHeads(), rows, HEAD_DIM), 1);
        if (s == TIES) {
            IntStream.range(4, 16).forEach(j -> draft.set("key", 0.5, 0, j));
        }
        layer(draft, s.prompt(), s.window(), s.tail());
        named(more.apply(draft), spec);
    }

    private static void layer(CaseDraft draft, int prompt, Integer window, int tail) {
        draft.with("layer", window == null ? 1 : 2).with("numHiddenLayers", LAYERS).with("promptLength", prompt).with("denseTail", tail)
                .with("slidingWindow", window).with("queryPreAttnScalar", 6.0).with("attnLogitSoftcapping", 50.0);
    }

    private static String name(String spec) {
        return spec.split(":")[0];
    }

    /// The policy with every parameter spelled out, defaults too.
    private static CaseDraft named(CaseDraft draft, String spec) {
        String canonical = PolicyRegistry.create(spec, new StageInputs(PolicyRunner.SLUG, draft.config(), draft.tensors()).policyResources()).name();
        return draft.with("policy", canonical).with("parameters", parameters(canonical));
    }

    /// `sliding:window=6,block=1` as `{window: 6, block: 1}`.
    static Map<String, Object> parameters(String spec) {
        Map<String, Object> parameters = new LinkedHashMap<>();
        if (spec.contains(":")) {
            Arrays.stream(spec.substring(spec.indexOf(':') + 1).split(",")).map(part -> part.split("=", 2)).forEach(part -> parameters.put(part[0], value(part[1])));
        }
        return parameters;
    }

    private static Object value(String text) {
        if (text.matches("-?\\d{1,9}")) {
            return Integer.valueOf(text);
        }
        if (text.matches("-?\\d{10,18}")) {
            return Long.valueOf(text);
        }
        return text.matches("-?\\d+\\.\\d+(E-?\\d+)?") ? (Object) Double.valueOf(text) : text;
    }
}
