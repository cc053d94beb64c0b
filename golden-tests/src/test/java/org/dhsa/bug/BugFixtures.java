package org.dhsa.bug;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Small inputs for every stage on which bugs show: random, from a seed.
final class BugFixtures {

    private static final ObjectMapper JSON = new ObjectMapper();

    private BugFixtures() {}

    /// `a: 1, b: [2]` as JSON.
    static JsonNode config(String fields) {
        try {
            return JSON.readTree("{" + fields.replaceAll("([A-Za-z]\\w*)\\s*:", "\"$1\":").replaceAll(": *([a-z][\\w-]*)(?=[,}\\]]|$)", ": \"$1\"")
                    .replaceAll("\"(null|true|false)\"", "$1") + "}");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Normally distributed, rounded to float32 as vectors are.
    static DoubleTensor random(long seed, double scale, Object... shape) {
        Random random = new Random(seed);
        DoubleTensor x = DoubleTensor.zeros(Shape.of(shape));
        for (int i = 0; i < x.data().length; i++) {
            x.data()[i] = (float) (scale * random.nextGaussian());
        }
        return x;
    }

    /// As [#random], on a coarse grid, so that values are equal now and then.
    static DoubleTensor grid(long seed, double step, Object... shape) {
        DoubleTensor x = random(seed, 3 * step, shape);
        for (int i = 0; i < x.data().length; i++) {
            x.data()[i] = step * Math.rint(x.data()[i] / step);
        }
        return x;
    }

    static DoubleTensor ints(String axis, int... values) {
        DoubleTensor x = DoubleTensor.zeros(Shape.of(axis, values.length));
        for (int i = 0; i < values.length; i++) {
            x.data()[i] = values[i];
        }
        return x;
    }

    static DoubleTensor rows(String axis, String columns, int width, int... values) {
        return ints(axis, values).reshape(Shape.of(axis, values.length / width, columns, width));
    }

    static Map<String, Tensor> inputs(Object... namesAndTensors) {
        Map<String, Tensor> map = new LinkedHashMap<>();
        for (int i = 0; i < namesAndTensors.length; i += 2) {
            map.put((String) namesAndTensors[i], (Tensor) namesAndTensors[i + 1]);
        }
        return map;
    }

    static List<StageRun> all(long seed) {
        List<StageRun> runs = new ArrayList<>();
        for (String scale : List.of("exact", "bf16-rounded")) {
            runs.add(new StageRun("embedding", config("hiddenSize: 12, embeddingScale: " + scale),
                    inputs("ids", ints("queryLen", 2, 5, 0, 7, 3), "table", random(seed, 1, "vocab", 8, "modelDim", 12))));
        }
        DoubleTensor x = random(seed + 1, 0.05, "queryLen", 3, "modelDim", 12);
        x.data()[0] += 0.3;
        runs.add(new StageRun("rms-norm", config("rmsNormEps: 1e-3"), inputs("x", x, "weight", random(seed + 2, 0.4, "modelDim", 12))));
        runs.add(new StageRun("qkv-projection", config("numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 6"), inputs("x", random(seed + 3, 1, "queryLen", 5, "modelDim", 10),
                "qProj", random(seed + 4, 0.4, "qRows", 24, "modelDim", 10), "kProj", random(seed + 5, 0.4, "kvRows", 12, "modelDim", 10),
                "vProj", random(seed + 6, 0.4, "kvRows", 12, "modelDim", 10))));
        runs.add(new StageRun("rotary-embedding", config("ropeTheta: 10000, startPosition: 0"), inputs("x", random(seed + 7, 1, "heads", 2, "queryLen", 7, "headDim", 8))));
        runs.add(new StageRun("rotary-embedding", config("ropeTheta: 10000, startPosition: 777"), inputs("x", random(seed + 8, 1, "heads", 2, "queryLen", 2, "headDim", 8))));
        attention(seed + 10, runs);
        predictor(seed + 20, runs);
        for (int n = 0; n < 6; n++) {
            suppression(seed + 40 + n, runs);
        }
        chunks(seed + 60, runs);
        for (int n = 0; n < 3; n++) {
            selection(seed + 70 + n, runs);
        }
        sparse(seed + 80, runs);
        runs.add(new StageRun("output-projection", config("numAttentionHeads: 4, headDim: 6"), inputs("context", random(seed + 90, 1, "heads", 4, "queryLen", 5, "headDim", 6),
                "oProj", random(seed + 91, 0.4, "modelDim", 10, "qRows", 24))));
        runs.add(new StageRun("residual-add", config(""), inputs("x", random(seed + 92, 1, "queryLen", 3, "modelDim", 10), "branch", random(seed + 93, 1, "queryLen", 3, "modelDim", 10))));
        runs.add(new StageRun("feed-forward", config("hiddenActivation: gelu_pytorch_tanh"), inputs("x", random(seed + 94, 1, "queryLen", 3, "modelDim", 10),
                "gateProj", random(seed + 95, 0.5, "ffnDim", 9, "modelDim", 10), "upProj", random(seed + 96, 0.5, "ffnDim", 9, "modelDim", 10),
                "downProj", random(seed + 97, 0.5, "modelDim", 10, "ffnDim", 9))));
        runs.add(new StageRun("lm-head", config("finalLogitSoftcapping: 30"), inputs("x", random(seed + 98, 5, "queryLen", 3, "modelDim", 10), "table", random(seed + 99, 3, "vocab", 11, "modelDim", 10))));
        return runs;
    }

    static StageRun dense(long seed, int heads, int kvHeads, int queryLen, int keyLen, String config) {
        return new StageRun("dense-attention", config(config), inputs("query", random(seed, 3, "heads", heads, "queryLen", queryLen, "headDim", 6),
                "key", random(seed + 1, 3, "kvHeads", kvHeads, "keyLen", keyLen, "headDim", 6), "value", random(seed + 2, 1, "kvHeads", kvHeads, "keyLen", keyLen, "headDim", 6)));
    }

    private static void attention(long seed, List<StageRun> runs) {
        runs.add(dense(seed, 4, 2, 9, 9, "queryPreAttnScalar: 24, attnLogitSoftcapping: 5, slidingWindow: 3, queryStart: 0, keyStart: 0"));
        runs.add(dense(seed, 6, 2, 9, 9, "queryPreAttnScalar: 24, attnLogitSoftcapping: 5, slidingWindow: null, queryStart: 0, keyStart: 0"));
        // a decode step past the window, with every key still there
        runs.add(dense(seed, 4, 2, 1, 12, "queryPreAttnScalar: 24, attnLogitSoftcapping: 5, slidingWindow: 4, queryStart: 11, keyStart: 0"));
        runs.add(dense(seed, 4, 2, 1, 10, "queryPreAttnScalar: 24, attnLogitSoftcapping: 5, slidingWindow: 4, queryStart: 9, keyStart: 0"));
        // rows before the first key
        runs.add(dense(seed, 4, 2, 6, 4, "queryPreAttnScalar: 24, attnLogitSoftcapping: 5, slidingWindow: null, queryStart: 0, keyStart: 2"));
    }

    private static void predictor(long seed, List<StageRun> runs) {
        int c = 16;
        runs.add(new StageRun("boundary-prediction", config("predictor: attention, boundaryWindowSize: 3, predictorHeads: 4, ropeTheta: 10000"), inputs(
                "key", random(seed, 1, "kvHeads", 2, "keyLen", 11, "headDim", 8),
                "enc.mha.in_proj_weight", random(seed + 1, 0.5, "inRows", 3 * c, "channels", c), "enc.mha.in_proj_bias", random(seed + 2, 0.3, "inRows", 3 * c),
                "enc.mha.out_proj.weight", random(seed + 3, 0.4, "channelsOut", c, "channels", c), "enc.mha.out_proj.bias", random(seed + 4, 0.3, "channels", c),
                "enc.norm.weight", random(seed + 5, 1, "channels", c), "enc.norm.bias", random(seed + 6, 0.3, "channels", c),
                "mlp.0.weight", random(seed + 7, 0.3, "hidden", 7, "features", 4 * c + 1), "mlp.0.bias", random(seed + 8, 0.3, "hidden", 7),
                "mlp.2.weight", random(seed + 9, 1, "one", 1, "hidden", 7), "mlp.2.bias", random(seed + 10, 0.3, "one", 1))));
    }

    private static void suppression(long seed, List<StageRun> runs) {
        runs.add(new StageRun("non-maximum-suppression", config("boundaryWindowSize: 3, chunkBudget: 6, theta: 0.5, nmsWindow: 3, smoothEnds: false, instructionTokens: 7, quirks: []"),
                inputs("logits", grid(seed, 0.25, "keyLen", 48))));
        runs.add(new StageRun("non-maximum-suppression", config("boundaryWindowSize: 2, chunkBudget: 30, theta: 0.5, nmsWindow: 2, smoothEnds: false, instructionTokens: null, quirks: []"),
                inputs("logits", grid(seed + 100, 0.25, "keyLen", 48))));
    }

    private static void chunks(long seed, List<StageRun> runs) {
        runs.add(new StageRun("chunk-representation", config("pooling: avgpool_norm, padTo: 0, numAttentionHeads: 6, ropeTheta: 10000"),
                inputs("states", random(seed, 1, "kvHeads", 2, "tokens", 13, "headDim", 8), "segments", ints("boundaries", 0, 1, 5, 11, 13))));
        runs.add(new StageRun("chunk-representation", config("pooling: avgpool_norm, padTo: 0"),
                inputs("states", random(seed + 1, 1, "heads", 4, "tokens", 13, "headDim", 8), "segments", ints("boundaries", 0, 4, 8, 11))));
        runs.add(new StageRun("chunk-similarity", config(""), inputs("queryChunks", random(seed + 2, 1, "queryBlocks", 3, "headDim", 8), "keyChunks", random(seed + 3, 1, "chunks", 4, "headDim", 8))));
        runs.add(new StageRun("upsampling", config("promptLength: 11"), inputs("chunkScores", random(seed + 4, 1, "queryBlocks", 3, "chunks", 4), "boundaries", ints("boundaries", 0, 1, 5, 11, 13))));
    }

    private static void selection(long seed, List<StageRun> runs) {
        for (String window : List.of("null", "7")) {
            runs.add(new StageRun("top-k-selection", config("budget: 9, localTokens: 2, globalTokens: 2, quirks: [], promptLength: 24, slidingWindow: " + window),
                    inputs("tokenScores", grid(seed, 0.5, "queryBlocks", 6, "keyLen", 28), "blocks", rows("queryBlocks", "columns", 4,
                            0, 4, 4, 0, 4, 8, 8, 1, 8, 12, 12, 2, 12, 16, 16, 3, 16, 20, 20, 4, 20, 23, 24, 5))));
        }
        // a block of one, as in decoding
        runs.add(new StageRun("top-k-selection", config("budget: 6, localTokens: 1, globalTokens: 1, quirks: [], promptLength: 9, slidingWindow: null"),
                inputs("tokenScores", grid(seed, 0.5, "queryBlocks", 1, "keyLen", 26), "blocks", rows("queryBlocks", "columns", 4, 25, 26, 26, 0))));
        // a budget that its window cuts
        runs.add(new StageRun("top-k-selection", config("budget: 9, localTokens: 1, globalTokens: 0, quirks: [], slidingWindow: 6"),
                inputs("tokenScores", grid(seed, 0.5, "queryBlocks", 3, "keyLen", 12), "blocks", rows("queryBlocks", "columns", 4, 0, 4, 4, 0, 4, 8, 8, 1, 8, 12, 12, 2))));
    }

    static StageRun sparse(long seed, String window, int... keys) {
        return new StageRun("sparse-attention", config("queryPreAttnScalar: 24, attnLogitSoftcapping: 5, extraWindowKey: false, queryStart: 0, keyStart: 0, denseFrom: 8, slidingWindow: " + window),
                inputs("query", random(seed, 3, "heads", 6, "queryLen", 11, "headDim", 6), "key", random(seed + 1, 3, "kvHeads", 2, "keyLen", 11, "headDim", 6),
                        "value", random(seed + 2, 1, "kvHeads", 2, "keyLen", 11, "headDim", 6),
                        "blocks", rows("queryBlocks", "columns", 4, 0, 4, 4, 0, 4, 8, 8, 1), "selectedKeys", rows("queryBlocks", "budget", keys.length / 2, keys)));
    }

    private static void sparse(long seed, List<StageRun> runs) {
        runs.add(sparse(seed, "null", 0, 1, 2, 3, -1, -1, 0, 2, 4, 5, 6, 7));
        runs.add(sparse(seed, "3", 0, 1, 2, 3, -1, -1, 1, 2, 4, 5, 6, 7));
        // rows 0 to 2 see nothing, and keys are listed twice
        runs.add(sparse(seed, "null", 3, 3, 3, -1, -1, -1, 0, 0, 2, 5, 6, 6));
    }
}
