package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.golden.GoldenCase;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenTensor;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.WeightsFormatException;

/// Cases with the inputs of recordings of the official code. Expected is the reference as everywhere; that what the official
/// code gave on just these inputs lies this far from it is the case's evidence.
final class RecordedCases {

    private final CaseList list;
    private final Path recordings;
    private GoldenCase golden;

    private RecordedCases(CaseList list, Path recordings) {
        this.list = list;
        this.recordings = recordings;
    }

    static void add(CaseList list, Path recordings) throws GoldenFormatException, IOException {
        RecordedCases cases = new RecordedCases(list, recordings);
        cases.gemma2("base_f32");
        cases.capped("odd_softcap");
        for (String predictor : new String[] {"attn_0", "attn_1", "cnn_4", "cnn_5", "stack_6"}) {
            cases.predictor(predictor);
        }
        for (int n = 0; n < 4; n++) {
            cases.boundaries(n);
        }
        cases.mask("tiefree_0");
        cases.mask("tiefree_1");
        cases.lists("tiefree_3");
        cases.lists("tiefree_4");
        cases.attention("0", "output_softcap5", 5.0);
        cases.attention("3", "output", null);
    }

    private CaseDraft draft(boolean dhsa, String slug, String level, String suffix, String of) {
        String id = golden.id().replace('_', '-').replace('/', '-') + (suffix.isEmpty() ? "" : "-" + suffix);
        String name = "recorded-" + id.substring(id.indexOf('-') + 1);
        String comment = "the inputs of the recording " + golden.id() + (of.isEmpty() ? "" : ", " + of);
        CaseDraft draft = dhsa ? list.dhsa(slug, name, level, comment).upstream() : list.gemma2(slug, name, level, comment);
        return draft.recorded(golden.id()).flags("RECORDED_INPUTS");
    }

    /// An input under the axis names of the catalogue: as float32 where that holds every value.
    private static CaseDraft input(CaseDraft draft, String name, int[] extents, double... values) {
        DType dtype = Arrays.stream(values).allMatch(v -> v == (float) v) ? DType.F32 : DType.F64;
        return draft.stored(name, VectorTensor.of(shape(draft.slug(), name, extents), dtype, values));
    }

    private static Shape shape(String slug, String name, int... extents) {
        List<String> axes = StageCatalog.texts(StageCatalog.INSTANCE.input(slug, name).orElseThrow().get("axes"));
        Object[] namesAndExtents = new Object[2 * extents.length];
        for (int a = 0; a < extents.length; a++) {
            namesAndExtents[2 * a] = axes.get(a);
            namesAndExtents[2 * a + 1] = extents[a];
        }
        return Shape.of(namesAndExtents);
    }

    private static CaseDraft weight(CaseDraft draft, String name, WeightTensor weight) {
        int[] extents = IntStream.range(0, weight.rank()).map(a -> Math.toIntExact(weight.dim(a))).toArray();
        return draft.stored(name, VectorTensor.ofBytes(shape(draft.slug(), name, extents), weight.dtype(), weight.bytes().toArray(ValueLayout.JAVA_BYTE)));
    }

    /// The first of a batch, without the batch axis.
    private double[] first(String tensor) throws GoldenFormatException {
        GoldenTensor t = golden.tensor(tensor);
        return Arrays.copyOf(t.values(), t.values().length / t.extent(0));
    }

    private int[] extents(String tensor) throws GoldenFormatException {
        int[] shape = golden.tensor(tensor).shape();
        return Arrays.copyOfRange(shape, 1, shape.length);
    }

    private CaseDraft input(CaseDraft draft, String name, String tensor) throws GoldenFormatException {
        return input(draft, name, extents(tensor), first(tensor));
    }

    private CaseDraft ints(CaseDraft draft, String name, String tensor) throws GoldenFormatException {
        return draft.stored(name, VectorTensor.of(shape(draft.slug(), name, extents(tensor)), DType.I64, first(tensor)));
    }

    private JsonNode parameter(String name) {
        return golden.hyperparameters().path(name);
    }

    private Object optional(String name) {
        return parameter(name).isNumber() ? parameter(name) : null;
    }

    // Gemma 2

    private void gemma2(String name) throws GoldenFormatException, IOException {
        golden = GoldenCase.read(recordings.resolve("gemma2").resolve(name));
        try (SafetensorsFile model = model()) {
            WeightTensor table = model.tensor("model.embed_tokens.weight");
            embedding(table);
            layer(model, 0);
            layer(model, 1);
            CaseDraft norm = input(draft(false, "rms-norm", "L0", "final", "the final norm"), "x", "layers." + (parameter("layers").intValue() - 1) + ".hidden_out").with("rmsNormEps", parameter("eps"));
            weight(norm, "weight", model.tensor("model.norm.weight")).official("normed", first("final_norm"));
            head(table);
        } catch (WeightsFormatException e) {
            throw broken(e);
        }
    }

    /// Of a recording whose logits the caps bite only what has a cap.
    private void capped(String name) throws GoldenFormatException, IOException {
        golden = GoldenCase.read(recordings.resolve("gemma2").resolve(name));
        try (SafetensorsFile model = model()) {
            denseAttention(0);
            denseAttention(1);
            head(model.tensor("model.embed_tokens.weight"));
        } catch (WeightsFormatException e) {
            throw broken(e);
        }
    }

    private SafetensorsFile model() throws WeightsFormatException, IOException {
        return SafetensorsFile.open(golden.folder().resolve("model.safetensors"));
    }

    private GoldenFormatException broken(WeightsFormatException e) {
        return new GoldenFormatException(golden.folder(), "the model of the recording is broken: " + e.getMessage(), "copy it again", e);
    }

    private void head(WeightTensor table) throws GoldenFormatException {
        CaseDraft head = input(draft(false, "lm-head", "L0", "", ""), "x", "final_norm").with("finalLogitSoftcapping", parameter("fcap"));
        weight(head, "table", table).official("logits", first("logits"));
    }

    private void embedding(WeightTensor table) throws GoldenFormatException {
        CaseDraft draft = ints(draft(false, "embedding", "L0", "", ""), "ids", "input_ids").with("hiddenSize", parameter("hidden")).with("embeddingScale", "exact");
        weight(draft, "table", table).official("hidden", first("embeddings_scaled"));
    }

    /// Queries and keys are recorded after the rotation only, so of the projection the values are compared, and the rotation
    /// has its evidence in the whole layer.
    private void layer(SafetensorsFile model, int l) throws GoldenFormatException, WeightsFormatException {
        String in = "layers." + l + ".";
        String layer = "layer" + l;
        int headDim = parameter("hd").intValue();
        JsonNode eps = parameter("eps");
        CaseDraft norm = input(draft(false, "rms-norm", "L0", layer, "input norm"), "x", before(l)).with("rmsNormEps", eps);
        weight(norm, "weight", model.tensor("model." + in + "input_layernorm.weight")).official("normed", first(in + "input_layernorm"));
        CaseDraft post = input(draft(false, "rms-norm", "L0", layer + "-post-attention", "norm after the attention"), "x", in + "attn_output").with("rmsNormEps", eps);
        weight(post, "weight", model.tensor("model." + in + "post_attention_layernorm.weight")).official("normed", first(in + "post_attention_layernorm"));
        CaseDraft qkv = input(draft(false, "qkv-projection", "L0", layer, "values; queries and keys are recorded after the rotation only"), "x", in + "input_layernorm")
                .with(CaseList.parameters("numAttentionHeads", parameter("heads"), "numKeyValueHeads", parameter("kv"), "headDim", headDim));
        for (String p : new String[] {"q", "k", "v"}) {
            weight(qkv, p + "Proj", model.tensor("model." + in + "self_attn." + p + "_proj.weight"));
        }
        qkv.official("value", headsFirst(in + "v", headDim));
        denseAttention(l);
        CaseDraft output = draft(false, "output-projection", "L0", layer, "").with("numAttentionHeads", parameter("heads")).with("headDim", headDim);
        input(output, "context", heads(in + "attn_context", headDim), headsFirst(in + "attn_context", headDim));
        weight(output, "oProj", model.tensor("model." + in + "self_attn.o_proj.weight")).official("hidden", first(in + "attn_output"));
        CaseDraft fed = input(draft(false, "feed-forward", "L0", layer, ""), "x", in + "pre_feedforward_layernorm").with("hiddenActivation", "gelu_pytorch_tanh");
        for (String p : new String[] {"gate", "up", "down"}) {
            weight(fed, p + "Proj", model.tensor("model." + in + "mlp." + p + "_proj.weight"));
        }
        fed.official("hidden", first(in + "mlp_output"));
        wholeLayer(model, l, headDim);
    }

    private void denseAttention(int l) throws GoldenFormatException {
        String in = "layers." + l + ".";
        int headDim = parameter("hd").intValue();
        CaseDraft dense = draft(false, "dense-attention", "L0", "layer" + l, l % 2 == 0 ? "a local layer" : "a global layer");
        AttentionCases.rule(dense, parameter("qpas").doubleValue(), parameter("acap").doubleValue(), l % 2 == 0 ? parameter("window").intValue() : null, 0, 0);
        input(dense, "query", heads(in + "q_rope", headDim), headsFirst(in + "q_rope", headDim));
        input(dense, "key", heads(in + "k_rope", headDim), headsFirst(in + "k_rope", headDim));
        input(dense, "value", heads(in + "v", headDim), headsFirst(in + "v", headDim)).official("context", headsFirst(in + "attn_context", headDim));
    }

    private void wholeLayer(SafetensorsFile model, int l, int headDim) throws GoldenFormatException, WeightsFormatException {
        String in = "layers." + l + ".";
        CaseDraft draft = input(draft(false, "decoder-layer", "L1", "layer" + l, (l % 2 == 0 ? "a local layer" : "a global layer") + " as a whole, with its rotation and both sums"), "x", before(l))
                .with(CaseList.parameters("layer", l, "hiddenSize", parameter("hidden"), "intermediateSize", parameter("ffn"), "numAttentionHeads", parameter("heads"), "numKeyValueHeads", parameter("kv"),
                        "headDim", headDim, "rmsNormEps", parameter("eps"), "ropeTheta", 10000.0, "slidingWindow", parameter("window"), "queryPreAttnScalar", parameter("qpas"), "attnLogitSoftcapping", parameter("acap")));
        for (String name : new String[] {"input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "post_attention_layernorm", "pre_feedforward_layernorm",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "post_feedforward_layernorm"}) {
            weight(draft, "model." + in + name + ".weight", model.tensor("model." + in + name + ".weight"));
        }
        draft.official("inputLayernorm", first(in + "input_layernorm")).official("query", headsFirst(in + "q_rope", headDim)).official("key", headsFirst(in + "k_rope", headDim))
                .official("value", headsFirst(in + "v", headDim)).official("context", headsFirst(in + "attn_context", headDim)).official("attnOutput", first(in + "attn_output"))
                .official("postAttentionLayernorm", first(in + "post_attention_layernorm")).official("preFeedforwardLayernorm", first(in + "pre_feedforward_layernorm"))
                .official("mlpOutput", first(in + "mlp_output")).official("postFeedforwardLayernorm", first(in + "post_feedforward_layernorm")).official("hidden", first(in + "hidden_out"));
    }

    /// What goes into a layer: recorded of the first only, for it comes out of the one before.
    private static String before(int layer) {
        return layer == 0 ? "layers.0.hidden_in" : "layers." + (layer - 1) + ".hidden_out";
    }

    /// `[heads, tokens, headDim]` of a tensor recorded with the tokens first, its heads together or apart.
    private int[] heads(String tensor, int headDim) throws GoldenFormatException {
        int tokens = extents(tensor)[0];
        return new int[] {first(tensor).length / tokens / headDim, tokens, headDim};
    }

    private double[] headsFirst(String tensor, int headDim) throws GoldenFormatException {
        double[] from = first(tensor);
        int[] to = heads(tensor, headDim);
        double[] turned = new double[from.length];
        for (int h = 0; h < to[0]; h++) {
            for (int t = 0; t < to[1]; t++) {
                System.arraycopy(from, (t * to[0] + h) * headDim, turned, (h * to[1] + t) * headDim, headDim);
            }
        }
        return turned;
    }

    // Boundaries

    private CaseDraft withPredictor(CaseDraft draft, String kind) throws GoldenFormatException {
        draft.with("predictor", kind).with("boundaryWindowSize", parameter("w")).with("predictorHeads", optional("heads"));
        for (GoldenTensor tensor : golden.tensors().values()) {
            if (StageCatalog.INSTANCE.input(draft.slug(), tensor.name()).isPresent()) {
                input(draft, tensor.name(), tensor.shape(), tensor.values());
            }
        }
        return draft;
    }

    private void predictor(String name) throws GoldenFormatException {
        golden = GoldenCase.read(recordings.resolve("predictor").resolve(name));
        double[] features = first("features");
        int[] of = extents("features");
        double[] key = new double[features.length];
        for (int c = 0; c < of[0]; c++) {
            for (int t = 0; t < of[1]; t++) {
                key[t * of[0] + c] = features[c * of[1] + t];
            }
        }
        CaseDraft draft = input(draft(true, "boundary-prediction", "L4", "", "the channels as one head"), "key", new int[] {1, of[1], of[0]}, key);
        String kind = parameter("kind").asText();
        withPredictor(draft, kind.equals("attn") ? "attention" : kind).official("logits", first("logits"));
    }

    private void boundaries(int n) throws GoldenFormatException {
        golden = GoldenCase.read(recordings.resolve("predict_boundaries").resolve(Integer.toString(n)));
        if (n < 2) {
            CaseDraft predicted = input(draft(true, "boundary-prediction", "L4", "keys", "keys of several heads"), "key", "key_states");
            withPredictor(predicted, "attention").official("logits", first("raw_logits"));
        }
        int window = parameter("use_nms").booleanValue() ? Math.max(0, parameter("nms").intValue()) : 0;
        CaseDraft draft = input(draft(true, "non-maximum-suppression", "L4", "", "logits as recorded"), "logits", "raw_logits")
                .with(CaseList.parameters("boundaryWindowSize", parameter("w"), "chunkBudget", parameter("num_chunks"), "theta", optional("theta"), "nmsWindow", window,
                        "smoothEnds", parameter("smooth"), "instructionTokens", optional("ins"), "quirks", BoundaryCases.SUPPRESSION_QUIRKS));
        draft.official("filled", first("ratios")).official("boundaries", first("boundaries"));
    }

    // Selection and attention

    private void mask(String name) throws GoldenFormatException {
        golden = GoldenCase.read(recordings.resolve("dhsa_mask").resolve(name));
        int blockSize = parameter("bs").intValue();
        String pooling = parameter("pooling").asText();
        int queries = extents("query")[1];
        int[] blocks = Boundaries.uniform(queries, blockSize).toArray();
        CaseDraft query = input(draft(true, "chunk-representation", "L4", "queries", "query blocks, the last one padded"), "states", "query");
        query.stored("segments", VectorTensor.ints(Shape.of("boundaries", blocks.length), blocks)).with("pooling", pooling).with("padTo", blockSize).official("chunks", first("q_repr"));
        CaseDraft key = input(draft(true, "chunk-representation", "L4", "keys", "chunks of keys"), "states", "key");
        ints(key, "segments", "boundaries").with("pooling", pooling.equals("maxpool") ? "avgpool" : pooling).with("padTo", 0).official("chunks", first("k_repr"));
        CaseDraft similarity = input(draft(true, "chunk-similarity", "L4", "", ""), "queryChunks", "q_repr");
        input(similarity, "keyChunks", "k_repr").official("chunkScores", first("chunk_scores"));
        // recorded scores are no float32 numbers and copies are compared exactly, so the scores count the chunks
        int chunks = extents("boundaries")[0] - 1;
        CaseDraft upsampling = input(draft(true, "upsampling", "L4", "", "scores that count the chunks give every token its chunk"), "chunkScores", new int[] {1, chunks},
                IntStream.range(0, chunks).asDoubleStream().toArray());
        ints(upsampling, "boundaries", "boundaries").official("tokenScores", first("token_to_chunk"));
        lists(name);
    }

    private void lists(String name) throws GoldenFormatException {
        golden = GoldenCase.read(recordings.resolve("dhsa_mask").resolve(name));
        int queries = extents("query")[1];
        CaseDraft draft = input(draft(true, "top-k-selection", "L4", "", "no equal scores at the cut"), "tokenScores", "token_scores");
        SelectionCases.rules(draft, QueryBlocks.fixed(queries, queries, parameter("bs").intValue()), parameter("topk").intValue(), parameter("local").intValue(), 0,
                parameter("W").isNumber() ? parameter("W").intValue() : null).with("quirks", SelectionCases.SELECTION_QUIRKS);
        draft.official("selectedKeys", first("indices")).official("threshold", first("threshold"));
    }

    private void attention(String name, String output, Double cap) throws GoldenFormatException {
        golden = GoldenCase.read(recordings.resolve("dhsa_sdpa").resolve(name));
        int length = extents("query")[1];
        int denseFrom = length - parameter("ins").intValue();
        double scale = parameter("scaling").doubleValue();
        CaseDraft draft = draft(true, "sparse-attention", "L5", "", "its lists and its instruction tail");
        for (String tensor : new String[] {"query", "key", "value"}) {
            input(draft, tensor, tensor);
        }
        double[] blocks = Selections.blocks(QueryBlocks.fixed(denseFrom, length, parameter("bs").intValue())).data();
        draft.stored("blocks", VectorTensor.of(Shape.of("queryBlocks", blocks.length / 4, "columns", 4), DType.I64, blocks));
        ints(draft, "selectedKeys", "topk_indices");
        AttentionCases.rule(draft, Math.rint(1 / (scale * scale)), cap, parameter("W").isNumber() ? parameter("W").intValue() : null, 0, 0)
                .with("extraWindowKey", true).with("denseFrom", denseFrom).official("context", first(output));
    }
}
