package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.BoundaryPredictorWeights.DecisionMlp;
import org.dhsa.model.BoundaryPredictorWeights.LayerNorm;
import org.dhsa.model.BoundaryPredictorWeights.SelfAttention;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.Aggregation;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.GateWeights;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.Quirk;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Named tensors and parameters of a vector as the records that stages take.
///
/// What is missing is an `IllegalArgumentException` that names it.
final class StageInputs {

    private final String slug;
    private final JsonNode config;
    private final Map<String, Tensor> tensors;

    StageInputs(String slug, JsonNode config, Map<String, Tensor> tensors) {
        this.slug = slug;
        this.config = config;
        this.tensors = tensors;
    }

    boolean has(String name) {
        return tensors.containsKey(name);
    }

    Tensor tensor(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("input " + name + " of " + slug + " is missing; there are " + tensors.keySet());
        }
        return tensor;
    }

    /// The same numbers under other axis names.
    Tensor tensor(String name, String... axes) {
        Tensor tensor = tensor(name);
        if (tensor.shape().names().equals(List.of(axes))) {
            return tensor;
        }
        Object[] namesAndExtents = new Object[2 * axes.length];
        for (int a = 0; a < axes.length; a++) {
            namesAndExtents[2 * a] = axes[a];
            namesAndExtents[2 * a + 1] = tensor.shape().extent(a);
        }
        return tensor.toDouble().reshape(Shape.of(namesAndExtents));
    }

    /// In its stored type, so that a backend reads BF16 as BF16.
    WeightTensor weight(String name) {
        Tensor tensor = tensor(name);
        if (tensor instanceof VectorTensor stored) {
            return stored.weight(name);
        }
        return VectorTensor.of(tensor.shape(), DType.F64, tensor.toDouble().data()).weight(name);
    }

    int[] ints(String name) {
        return Arrays.stream(tensor(name).toDouble().data()).mapToInt(v -> {
            if (v != (int) v) {
                throw new IllegalArgumentException("input " + name + " of " + slug + " holds " + v + ", which is no 32-bit integer");
            }
            return (int) v;
        }).toArray();
    }

    Boundaries boundaries(String name) {
        return Boundaries.of(ints(name));
    }

    /// Blocks with the dense tail behind them.
    QueryBlocks queryBlocks(int denseFrom, int end) {
        int[] flat = ints("blocks");
        List<QueryBlocks.Block> blocks = new ArrayList<>();
        for (int i = 0; i < flat.length; i += 4) {
            blocks.add(new QueryBlocks.Block(flat[i], flat[i + 1], flat[i + 2], flat[i + 3]));
        }
        return new QueryBlocks(blocks, denseFrom, end);
    }

    private JsonNode parameter(String name) {
        JsonNode value = config.get(name);
        if (value == null) {
            throw new IllegalArgumentException("parameter " + name + " of " + slug + " is missing from config");
        }
        return value;
    }

    double number(String name) {
        JsonNode value = parameter(name);
        if (!value.isNumber()) {
            throw new IllegalArgumentException("parameter " + name + " of " + slug + " must be a number, was " + value);
        }
        return value.doubleValue();
    }

    int integer(String name) {
        JsonNode value = parameter(name);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw new IllegalArgumentException("parameter " + name + " of " + slug + " must be an integer, was " + value);
        }
        return value.intValue();
    }

    int[] integers(String name) {
        return parameter(name).valueStream().mapToInt(JsonNode::asInt).toArray();
    }

    boolean flag(String name) {
        JsonNode value = parameter(name);
        if (!value.isBoolean()) {
            throw new IllegalArgumentException("parameter " + name + " of " + slug + " must be true or false, was " + value);
        }
        return value.booleanValue();
    }

    String text(String name) {
        JsonNode value = parameter(name);
        if (!value.isTextual()) {
            throw new IllegalArgumentException("parameter " + name + " of " + slug + " must be a text, was " + value);
        }
        return value.textValue();
    }

    boolean isNull(String name) {
        return parameter(name).isNull();
    }

    OptionalDouble optionalNumber(String name) {
        return isNull(name) ? OptionalDouble.empty() : OptionalDouble.of(number(name));
    }

    OptionalInt optionalInteger(String name) {
        return isNull(name) ? OptionalInt.empty() : OptionalInt.of(integer(name));
    }

    private static IllegalArgumentException unknown(String slug, String name, String value) {
        return new IllegalArgumentException("parameter " + name + " of " + slug + " has the unknown value " + value);
    }

    EmbeddingScale embeddingScale() {
        return switch (text("embeddingScale")) {
            case "exact" -> EmbeddingScale.EXACT;
            case "bf16-rounded" -> EmbeddingScale.BF16_ROUNDED;
            case String other -> throw unknown(slug, "embeddingScale", other);
        };
    }

    Pooling pooling() {
        return switch (text("pooling")) {
            case "avgpool" -> Pooling.MEAN;
            case "avgpool_norm" -> Pooling.MEAN_SQRT_LENGTH;
            case "maxpool" -> Pooling.MAX;
            case String other -> throw unknown(slug, "pooling", other);
        };
    }

    private Aggregation aggregation() {
        return switch (text("aggregation")) {
            case "avgpool" -> Aggregation.MEAN;
            case "avgpool_norm" -> Aggregation.MEAN_SQRT_LENGTH;
            case "maxpool" -> Aggregation.MAX_ON_QUERIES;
            case String other -> throw unknown(slug, "aggregation", other);
        };
    }

    private DhsaConfig.QueryChunking queryChunking() {
        return switch (text("queryChunking")) {
            case "fixed-blocks" -> DhsaConfig.QueryChunking.FIXED_BLOCKS;
            case "dynamic-chunks" -> DhsaConfig.QueryChunking.DYNAMIC_CHUNKS;
            case String other -> throw unknown(slug, "queryChunking", other);
        };
    }

    private DhsaConfig.DecodeMode decodeMode() {
        return switch (text("decodeMode")) {
            case "dense" -> DhsaConfig.DecodeMode.DENSE;
            case "dhsa" -> DhsaConfig.DecodeMode.DHSA;
            case String other -> throw unknown(slug, "decodeMode", other);
        };
    }

    Set<Quirk> quirks() {
        JsonNode list = parameter("quirks");
        return list.valueStream().map(q -> {
            try {
                return Quirk.valueOf(q.textValue());
            } catch (IllegalArgumentException e) {
                throw unknown(slug, "quirks", q.toString());
            }
        }).collect(Collectors.toSet());
    }

    Visibility visibility(boolean extraKey) {
        return new Visibility(optionalInteger("slidingWindow").orElse(0), extraKey);
    }

    AttentionRule attentionRule(boolean extraKey) {
        return new AttentionRule(1 / Math.sqrt(number("queryPreAttnScalar")), optionalNumber("attnLogitSoftcapping"), visibility(extraKey),
                integer("queryStart"), integer("keyStart"));
    }

    /// The parameters of non-maximum suppression alone.
    DhsaConfig suppression() {
        return DhsaConfig.DEFAULT.with(b -> {
            b.theta = optionalNumber("theta");
            b.nmsWindow = integer("nmsWindow");
            b.smoothEnds = flag("smoothEnds");
            b.instructionTokens = optionalInteger("instructionTokens");
            b.quirks = quirks();
        });
    }

    /// The parameters of top-k selection alone. A block size of 1 satisfies the rule that a budget holds a block; the real
    /// blocks are an input.
    DhsaConfig selection() {
        return DhsaConfig.DEFAULT.with(b -> {
            b.blockSize = 1;
            b.budget = integer("budget");
            b.localTokens = integer("localTokens");
            b.globalTokens = integer("globalTokens");
            b.quirks = quirks();
        });
    }

    /// Everything that a chain needs.
    DhsaConfig chain() {
        return DhsaConfig.DEFAULT.with(b -> {
            b.blockSize = integer("blockSize");
            b.budget = integer("budget");
            b.localTokens = integer("localTokens");
            b.globalTokens = integer("globalTokens");
            b.instructionTokens = optionalInteger("instructionTokens");
            b.theta = optionalNumber("theta");
            b.nmsWindow = integer("nmsWindow");
            b.chunkBeta = integer("chunkBeta");
            b.smoothEnds = flag("smoothEnds");
            b.aggregation = aggregation();
            b.queryChunking = queryChunking();
            b.quirks = quirks();
        });
    }

    /// A chain within a model.
    DhsaConfig dhsa() {
        return chain().with(b -> {
            b.shareBoundaries = flag("shareBoundaries");
            b.shareMasks = flag("shareMasks");
            b.decodeBudget = integer("decodeBudget");
            b.decode = decodeMode();
        });
    }

    Gemma2Config model() {
        return new Gemma2Config(integer("vocabSize"), integer("hiddenSize"), integer("intermediateSize"), integer("numHiddenLayers"),
                integer("numAttentionHeads"), integer("numKeyValueHeads"), integer("headDim"), Integer.MAX_VALUE, number("rmsNormEps"),
                number("ropeTheta"), integer("slidingWindow"), number("queryPreAttnScalar"), optionalNumber("attnLogitSoftcapping"),
                optionalNumber("finalLogitSoftcapping"), 0, List.of(), 0);
    }

    /// A decoder layer as the last of a model. The layers below are never run; they stand there so that this one has its index.
    Gemma2Config layerModel() {
        return new Gemma2Config(1, integer("hiddenSize"), integer("intermediateSize"), integer("layer") + 1, integer("numAttentionHeads"),
                integer("numKeyValueHeads"), integer("headDim"), Integer.MAX_VALUE, number("rmsNormEps"), number("ropeTheta"),
                integer("slidingWindow"), number("queryPreAttnScalar"), optionalNumber("attnLogitSoftcapping"), OptionalDouble.empty(), 0, List.of(), 0);
    }

    /// A model of which only the attention of the last layer is used: the first, a local one, or the second, a global one.
    Gemma2Config chainModel(boolean attend) {
        OptionalInt window = optionalInteger("slidingWindow");
        Shape query = tensor("query").shape();
        return new Gemma2Config(1, 1, 1, window.isPresent() ? 1 : 2, query.extent("heads"), tensor("key").shape().extent("kvHeads"),
                query.extent("headDim"), Integer.MAX_VALUE, 1e-6, 10000, window.orElse(1), attend ? number("queryPreAttnScalar") : 1,
                attend ? optionalNumber("attnLogitSoftcapping") : OptionalDouble.empty(), OptionalDouble.empty(), 0, List.of(), 0);
    }

    /// A model of which only the attention of one layer is used, under a policy.
    Gemma2Config policyModel() {
        OptionalInt window = optionalInteger("slidingWindow");
        int layer = integer("layer");
        if (window.isPresent() != (layer % 2 == 0)) {
            throw new IllegalArgumentException("layer " + layer + " of " + slug + " is " + (layer % 2 == 0 ? "local and needs" : "global and has no") + " slidingWindow");
        }
        Shape query = tensor("query").shape();
        return new Gemma2Config(1, 1, 1, integer("numHiddenLayers"), query.extent("heads"), tensor("key").shape().extent("kvHeads"), query.extent("headDim"),
                Integer.MAX_VALUE, 1e-6, 10000, window.orElse(1), number("queryPreAttnScalar"), optionalNumber("attnLogitSoftcapping"), OptionalDouble.empty(), 0, List.of(), 0);
    }

    /// What a policy needs beside its numbers, as far as the case has it.
    PolicyResources policyResources() {
        return new PolicyResources(config.has("predictor") ? Optional.of(predictor()) : Optional.empty(),
                config.has("sentenceEndIds") ? Arrays.stream(integers("sentenceEndIds")).boxed().collect(Collectors.toSet()) : Set.of(), gates());
    }

    /// The trained gate among the inputs: a case has the weights of its own layer, which stand for all of them here.
    private List<GateWeights> gates() {
        int layers = integer("numHiddenLayers");
        GateWeights gate;
        if (has("mask_linear_k.weight")) {
            Optional<WeightTensor> query = has("mask_linear_q.weight") ? Optional.of(weight("mask_linear_q.weight")) : Optional.empty();
            gate = new GateWeights.SeerAttention(Collections.nCopies(layers, new GateWeights.SeerAttention.Layer(query, weight("mask_linear_k.weight"))),
                    text("gateType"), integer("gateBlockSize"), flag("gateBlockRope"), number("gateRopeTheta"));
        } else if (has("inner.weight")) {
            gate = new GateWeights.VsPrefill(Collections.nCopies(layers,
                    new GateWeights.VsPrefill.Layer(weight("inner.weight"), weight("inner.bias"), weight("outer.weight"))));
        } else if (has("local_weight")) {
            Optional<WeightTensor> table = has("budget_bias") ? Optional.of(weight("budget_bias")) : Optional.empty();
            gate = new GateWeights.LearnedTopK(Collections.nCopies(layers, new GateWeights.LearnedTopK.Layer(weight("local_weight"), weight("context_weight"),
                    weight("input_bias"), weight("output_weight"), weight("output_bias"), table)), number("residualBound"));
        } else {
            return List.of();
        }
        Shape query = tensor("query").shape();
        gate.requireFit(layers, query.extent("heads"), tensor("key").shape().extent("kvHeads"), query.extent("headDim"));
        return List.of(gate);
    }

    Gemma2Weights weights(int layers) {
        List<Gemma2Weights.Layer> list = new ArrayList<>();
        for (int l = 0; l < layers; l++) {
            list.add(layer(l));
        }
        return new Gemma2Weights(weight("model.embed_tokens.weight"), list, weight("model.norm.weight"));
    }

    Gemma2Weights.Layer layer(int layer) {
        String p = "model.layers." + layer + ".";
        return new Gemma2Weights.Layer(weight(p + "input_layernorm.weight"), weight(p + "self_attn.q_proj.weight"),
                weight(p + "self_attn.k_proj.weight"), weight(p + "self_attn.v_proj.weight"), weight(p + "self_attn.o_proj.weight"),
                weight(p + "post_attention_layernorm.weight"), weight(p + "pre_feedforward_layernorm.weight"), weight(p + "mlp.gate_proj.weight"),
                weight(p + "mlp.up_proj.weight"), weight(p + "mlp.down_proj.weight"), weight(p + "post_feedforward_layernorm.weight"));
    }

    BoundaryPredictorWeights predictor() {
        DecisionMlp mlp = new DecisionMlp(weight("mlp.0.weight"), weight("mlp.0.bias"), weight("mlp.2.weight"), weight("mlp.2.bias"));
        int window = integer("boundaryWindowSize");
        Optional<WeightTensor> gate = has("pool.gate.weight") ? Optional.of(weight("pool.gate.weight")) : Optional.empty();
        return switch (text("predictor")) {
            case "attention" -> new BoundaryPredictorWeights.Attention(window, selfAttention("enc.mha."), layerNorm("enc.norm."), gate, mlp);
            case "cnn" -> new BoundaryPredictorWeights.Cnn(window, weight("enc.0.weight"), weight("enc.0.bias"), weight("enc.2.weight"),
                    weight("enc.2.bias"), mlp);
            case "stack" -> {
                List<BoundaryPredictorWeights.Stack.Block> blocks = new ArrayList<>();
                for (int n = 0; has("enc_ls." + n + ".norm.weight"); n++) {
                    blocks.add(new BoundaryPredictorWeights.Stack.Block(selfAttention("enc_ls." + n + ".mha."), layerNorm("enc_ls." + n + ".norm.")));
                }
                yield new BoundaryPredictorWeights.Stack(window, blocks, layerNorm("norm."), gate, mlp);
            }
            case String other -> throw unknown(slug, "predictor", other);
        };
    }

    private SelfAttention selfAttention(String prefix) {
        return new SelfAttention(integer("predictorHeads"), weight(prefix + "in_proj_weight"), weight(prefix + "in_proj_bias"),
                weight(prefix + "out_proj.weight"), weight(prefix + "out_proj.bias"));
    }

    private LayerNorm layerNorm(String prefix) {
        return new LayerNorm(weight(prefix + "weight"), weight(prefix + "bias"));
    }

    /// A tensor of integers for results.
    static DoubleTensor ints(Shape shape, int... values) {
        return DoubleTensor.of(shape, Arrays.stream(values).asDoubleStream().toArray());
    }
}
