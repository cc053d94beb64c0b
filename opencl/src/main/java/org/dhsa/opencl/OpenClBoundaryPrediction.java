package org.dhsa.opencl;

import java.util.Map;
import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.BoundaryPredictorWeights.LayerNorm;
import org.dhsa.model.BoundaryPredictorWeights.SelfAttention;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.tensor.Shape;

/// Boundary predictor in batches of gaps. Kernels: `boundary-prediction.cl`, `matrix-product.cl`. Twin: `BoundaryPredictionReference`.
///
/// In the attention architecture queries, keys and values of a token are the same in every window it stands in, so they
/// are made once per token. A token outside the sequence is a zero row, whose in-projection is the bias. The out-projection is
/// linear and is drawn through the softmax, as the optimized path does it:
///
///     W Σⱼ pᵢⱼ vⱼ = Σⱼ Σₕ pₕᵢⱼ (Wₕ vₕⱼ)
///
/// so `Wₕ vₕⱼ` too is made once per token; per window only the sum over tokens and heads is left. (Once per token of a batch: the
/// 2w - 1 tokens that two batches share are done twice, and no buffer grows with the prompt.)
final class OpenClBoundaryPrediction implements BoundaryPrediction {

    static final String PROGRAM = "boundary-prediction";
    /// Gaps per batch.
    private static final int GAPS = 256;

    private final OpenClContext context;
    private final MatrixProduct product;

    OpenClBoundaryPrediction(OpenClContext context, MatrixProduct product) {
        this.context = context;
        this.product = product;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor key = DeviceTensor.of(context, in.key());
        int length = key.shape().extent("keyLen");
        DeviceTensor logits = DeviceTensor.allocate(context, Shape.of("keyLen", length));
        if (length == 0) {
            return new Output(logits);
        }
        Pass pass = new Pass(key, in.predictor());
        int batch = context.tuning().of(PROGRAM).getOrDefault("GAPS", GAPS);
        for (int from = 0; from < length; from += batch) {
            int gaps = Math.min(batch, length - from);
            DeviceTensor sides = switch (in.predictor()) {
                case BoundaryPredictorWeights.Attention a -> pass.attention(a, from, gaps);
                case BoundaryPredictorWeights.Stack s -> pass.stack(s, from, gaps);
                case BoundaryPredictorWeights.Cnn c -> pass.cnn(c, from, gaps);
            };
            pass.decide(sides, in.predictor() instanceof BoundaryPredictorWeights.Stack ? 1e-8f : 1e-6f, from, gaps, logits);
        }
        return new Output(logits);
    }

    private OpenClBuffer vector(WeightTensor weight) {
        return context.weights().vector(weight).buffer();
    }

    /// One call: its keys and its program.
    private final class Pass {
        private final DeviceTensor key;
        private final BoundaryPredictorWeights predictor;
        private final OpenClProgram program;
        private final int length;
        private final int channels;
        private final int headDim;
        private final int tokens;
        private final int group;

        Pass(DeviceTensor key, BoundaryPredictorWeights predictor) {
            this.key = key;
            this.predictor = predictor;
            this.length = key.shape().extent("keyLen");
            this.headDim = key.shape().extent("headDim");
            this.channels = predictor.channels();
            this.tokens = 2 * predictor.window();
            this.program = context.program(PROGRAM, Map.of("TOKENS", tokens, "MIX", mix()));
            this.group = context.group(PROGRAM);
        }

        private DeviceTensor rows(int rows, int width) {
            return DeviceTensor.allocate(context, Shape.of("rows", rows, "channels", width));
        }

        private DeviceTensor linear(DeviceTensor x, WeightTensor weight) {
            int rows = x.shape().extent(0);
            DeviceTensor y = rows(rows, Math.toIntExact(weight.dim(0)));
            product.multiplyRows(MatrixProduct.Place.rows(x), rows, context.weights().matrix(weight), MatrixProduct.Place.rows(y));
            return y;
        }

        private int mix() {
            return context.tuning().of(PROGRAM).getOrDefault("MIX", 16);
        }

        /// `[tokens of the batch, 3C]`, a bias where there is no token.
        private DeviceTensor inProjection(SelfAttention attention, int first, int count) {
            DeviceTensor qkv = rows(count, 3 * channels);
            int begin = Math.max(0, first);
            int end = Math.min(length, first + count);
            product.multiplyRows(MatrixProduct.Place.heads(key).fromRow(begin), end - begin, context.weights().matrix(attention.inProjWeight()),
                    MatrixProduct.Place.rows(qkv).fromRow(begin - first));
            addBias(qkv, attention.inProjBias(), first, length);
            return qkv;
        }

        /// Rows that belong to no token of `[0, tokens)` become the bias alone.
        private void addBias(DeviceTensor x, WeightTensor bias, int first, int tokens) {
            int width = x.shape().extent(1);
            int rows = x.shape().extent(0);
            program.kernel("add_bias").args(x.buffer(), vector(bias), width, first, tokens, rows).run(width, group, rows, 1);
        }

        /// `Wₕ vₕ` of every token of a batch, `[heads * tokens, C]`.
        private DeviceTensor outProjectedValues(DeviceTensor qkv, SelfAttention attention) {
            int count = qkv.shape().extent(0);
            int heads = attention.heads();
            DeviceTensor projected = rows(heads * count, channels);
            DeviceWeight weight = context.weights().matrix(attention.outProjWeight());
            MatrixProduct.Place values = new MatrixProduct.Place(qkv.buffer(), qkv.offset() + 2L * channels, channels, 0, qkv.stride());
            for (int h = 0; h < heads; h++) {
                product.multiplyColumns(values, count, weight, h * (channels / heads), (h + 1) * (channels / heads), MatrixProduct.Place.rows(projected).fromRow(h * count));
            }
            return projected;
        }

        private void layerNorm(DeviceTensor x, Optional<WeightTensor> before, LayerNorm norm, DeviceTensor y, boolean accumulate) {
            OpenClBuffer weight = vector(norm.weight());
            int rows = x.shape().extent(0);
            program.kernel("layer_norm").args(x.buffer(), before.map(OpenClBoundaryPrediction.this::vector).orElse(weight), before.isPresent() ? 1 : 0, weight,
                    vector(norm.bias()), y.buffer(), accumulate ? 1 : 0, channels, rows).run(rows, rowGroup());
        }

        private int rowGroup() {
            return context.tuning().of(PROGRAM).getOrDefault("ROW_GROUP", 1);
        }

        private DeviceTensor pool(DeviceTensor x, Optional<WeightTensor> gate, int gaps) {
            DeviceTensor sides = rows(2 * gaps, channels);
            int rows = gaps * tokens;
            DeviceTensor gates = gate.isPresent() ? rows(rows, 1) : sides;
            gate.ifPresent(g -> program.kernel("gate").args(x.buffer(), vector(g), gates.buffer(), channels, rows).run(rows, rowGroup()));
            program.kernel("pool").args(x.buffer(), gates.buffer(), gate.isPresent() ? 1 : 0, sides.buffer(), channels, 2 * gaps)
                    .run(channels, group, 2L * gaps, 1);
            return sides;
        }

        DeviceTensor attention(BoundaryPredictorWeights.Attention a, int from, int gaps) {
            SelfAttention attention = a.attention();
            int heads = attention.heads();
            DeviceTensor qkv = inProjection(attention, from - a.window() + 1, gaps + tokens - 1);
            DeviceTensor values = outProjectedValues(qkv, attention);
            DeviceTensor weights = rows(gaps * tokens, heads * tokens);
            program.kernel("window_weights").args(qkv.buffer(), channels, heads, weights.buffer(), gaps).run(heads, 1, (long) gaps * tokens, 1);
            DeviceTensor encoded = rows(gaps * tokens, channels);
            program.kernel("mix_values").args(weights.buffer(), values.buffer(), encoded.buffer(), channels, heads, gaps)
                    .run((channels + mix() - 1) / mix(), mix() == 1 ? group : 1, gaps, 1);
            layerNorm(encoded, Optional.of(a.attention().outProjBias()), a.norm(), encoded, false);
            return pool(encoded, a.poolGate(), gaps);
        }

        DeviceTensor stack(BoundaryPredictorWeights.Stack s, int from, int gaps) {
            DeviceTensor x = rows(gaps * tokens, channels);
            program.kernel("gather_windows").args(key.buffer(), key.offset(), key.stride(), headDim, length, channels, x.buffer(), from, gaps)
                    .run(channels, group, (long) gaps * tokens, 1);
            DeviceTensor normed = rows(gaps * tokens, channels);
            for (BoundaryPredictorWeights.Stack.Block block : s.blocks()) {
                layerNorm(x, Optional.empty(), s.sharedNorm(), normed, false);
                DeviceTensor qkv = linear(normed, block.attention().inProjWeight());
                addBias(qkv, block.attention().inProjBias(), 0, gaps * tokens);
                DeviceTensor attended = rows(gaps * tokens, channels);
                int heads = block.attention().heads();
                program.kernel("window_attention").args(qkv.buffer(), channels, heads, attended.buffer(), gaps).run(heads, 1, (long) gaps * tokens, 1);
                DeviceTensor branch = linear(attended, block.attention().outProjWeight());
                layerNorm(branch, Optional.of(block.attention().outProjBias()), block.norm(), x, true);
            }
            return pool(x, s.poolGate(), gaps);
        }

        DeviceTensor cnn(BoundaryPredictorWeights.Cnn c, int from, int gaps) {
            DeviceTensor filtered = rows(2 * gaps, channels);
            program.kernel("depthwise").args(key.buffer(), key.offset(), key.stride(), headDim, length, channels, vector(c.depthwiseWeight()),
                    vector(c.depthwiseBias()), filtered.buffer(), from, gaps).run(channels, group, 2L * gaps, 1);
            DeviceTensor sides = linear(filtered, c.pointwiseWeight());
            int dim = sides.shape().extent(1);
            program.kernel("bias_relu").args(sides.buffer(), vector(c.pointwiseBias()), dim, 2 * gaps).run(dim, group, 2L * gaps, 1);
            return sides;
        }

        /// @param sides `[2 * gaps, dim]`: left, then right of every gap
        void decide(DeviceTensor sides, float cosineEps, int from, int gaps, DeviceTensor logits) {
            int dim = sides.shape().extent(1);
            DeviceTensor fused = rows(gaps, 4 * dim + 1);
            program.kernel("fuse").args(sides.buffer(), fused.buffer(), dim, gaps).run(dim, group, gaps, 1);
            program.kernel("cosine").args(sides.buffer(), fused.buffer(), dim, cosineEps, gaps).run(gaps, rowGroup());
            BoundaryPredictorWeights.DecisionMlp mlp = predictor.mlp();
            DeviceTensor hidden = linear(fused, mlp.weight0());
            program.kernel("decide").args(hidden.buffer(), vector(mlp.bias0()), vector(mlp.weight2()), vector(mlp.bias2()), hidden.shape().extent(1),
                    logits.buffer(), from, gaps).run(gaps, rowGroup());
        }
    }
}
