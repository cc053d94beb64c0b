package org.dhsa.bug;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ejml.Linear;
import org.dhsa.reference.gemma.FeedForwardReference;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Embedding, norms, projections, feed-forward and head: what goes wrong in Gemma 2 outside attention.
final class GemmaBugs {

    private GemmaBugs() {}

    static List<KnownBug> all() {
        return List.of(
                KnownBug.of("embed-scale-missing", "L0", "embeddings are not multiplied by sqrt(hidden_size)", "multiply on the way in, not on the way out")
                        .seenIn("transformers#29402", "gemma_pytorch#67")
                        .shows(Changes.embedding((healthy, in, context) -> new Embedding.Output(unscaled(in)))),
                KnownBug.of("embed-scale-exact-in-bf16", "L0", "a bf16 model multiplies by the exact sqrt(hidden_size)",
                                "round the factor to the type of the activations first")
                        .seenIn("transformers#29402", "gemma_pytorch#67")
                        .shows(Changes.embedding((healthy, in, context) -> healthy.apply(new Embedding.Input(in.ids(), in.table(), EmbeddingScale.EXACT)))),
                KnownBug.of("embed-scale-rounded", "L0", "sqrt(hidden_size) is rounded to bf16 though the model runs in f32", "use the exact factor")
                        .shows(Changes.embedding((healthy, in, context) -> healthy.apply(new Embedding.Input(in.ids(), in.table(), EmbeddingScale.BF16_ROUNDED)))),
                KnownBug.of("missing-bos", "L2", "the prompt's first token, bos, is missing", "exactly one bos in front")
                        .variant("", Changes.NONE, run -> run.withInput("ids", ids -> ids.shape().elements() > 1 ? tokens(ids, 1) : ids))
                        .build(),
                KnownBug.of("double-bos", "L2", "the prompt starts with two bos tokens", "exactly one bos in front: text that has one already gets no other")
                        .variant("", Changes.NONE, run -> run.withInput("ids", ids -> ids.shape().elements() > 0 ? tokens(ids, -1) : ids))
                        .build(),

                KnownBug.of("norm-plus-one-missing", "L0", "the norm multiplies by the weight", "multiply by 1 + weight")
                        .seenIn("transformers#29402", "mold#1078")
                        .shows(normWeight(w -> w - 1)),
                KnownBug.of("norm-plus-one-twice", "L0", "one is added to a norm weight that contains it already", "GGUF files store 1 + weight: add nothing there")
                        .seenIn("transformers#29402", "mold#1078")
                        .shows(normWeight(w -> w + 1)),
                KnownBug.of("norm-eps-outside", "L0", "eps is added to the root", "x / sqrt(mean(x^2) + eps)")
                        .seenIn("transformers#29402")
                        .shows(Changes.rmsNorm((healthy, in, context) -> norm(in, false, (meanOfSquares, eps) -> 1 / (Math.sqrt(meanOfSquares) + eps)))),
                KnownBug.of("norm-low-precision", "L0", "the product with 1 + weight is taken after the cast to bf16", "multiply in f32, then cast")
                        .seenIn("transformers#29402")
                        .variant("product in bf16", lowPrecisionNorm(Numeric::bf16, Numeric::bf16))
                        .variant("product in f32 of two bf16 factors", lowPrecisionNorm(Numeric::bf16, x -> x))
                        .variant("normed value in bf16, weight in f32", lowPrecisionNorm(x -> x, x -> x))
                        .build(),
                KnownBug.of("norm-mean-subtracted", "L0", "the mean is subtracted first, as in LayerNorm", "RMSNorm subtracts nothing")
                        .shows(Changes.rmsNorm((healthy, in, context) -> norm(in, true, (meanOfSquares, eps) -> 1 / Math.sqrt(meanOfSquares + eps)))),
                KnownBug.of("norm-sum-of-squares", "L0", "x is divided by its length, not by the root of the mean square", "take the mean over the channels")
                        .shows(Changes.rmsNorm((healthy, in, context) -> norm(in, false, (meanOfSquares, eps) ->
                                1 / Math.sqrt(meanOfSquares * in.x().shape().extent("modelDim") + eps)))),
                KnownBug.of("post-norms-missing", "L1", "a layer has only its two pre-norms", "four norms a layer: the post-norms act on the branch, before it is added")
                        .seenIn("exllamav2#539")
                        .shows(identityNorm("post_")),
                KnownBug.of("final-norm-missing", "L2", "the head reads hidden states that were not normed", "apply the final norm")
                        .shows(identityNorm("model.norm.")),

                KnownBug.of("kv-swapped", "L0", "keys and values are exchanged", "k_proj gives keys, v_proj values")
                        .shows(Changes.qkvProjection((healthy, in, context) -> {
                            QkvProjection.Output out = healthy.apply(in);
                            return new QkvProjection.Output(out.query(), out.value(), out.key());
                        })),
                KnownBug.of("weight-transposed", "L0", "the weight's buffer is read as [in, out]", "weights are [out, in]: y = x W^T")
                        .shows(transposedWeights()),
                KnownBug.of("heads-not-transposed", "L0", "[tokens, heads, headDim] is taken for [heads, tokens, headDim]",
                                "exchange the two axes, a reshape alone does not")
                        .shows(headsNotTransposed()),
                KnownBug.of("qk-permuted", "L0", "rows of q_proj and k_proj stand in the order of interleaved rotary pairs", "keep the order of the checkpoint, or undo the converter's permutation")
                        .shows(Changes.qkvProjection((healthy, in, context) -> healthy.apply(new QkvProjection.Input(in.x(),
                                permuted(in.qProj(), in.headDim()), permuted(in.kProj(), in.headDim()), in.vProj(), in.headDim())))),

                KnownBug.of("gelu-erf", "L0", "the exact GELU, with erf", "the tanh form, gelu_pytorch_tanh")
                        .seenIn("gemma_pytorch#37", "CTranslate2#1658")
                        .shows(feedForward(Numeric::geluErf, false)),
                KnownBug.of("gelu-on-up", "L0", "the activation sits on the up branch, or gate and up are exchanged", "gelu(gate) * up")
                        .shows(feedForward(FeedForwardReference::geluTanh, true)),
                KnownBug.of("gelu-sigmoid", "L0", "GELU is approximated by x * sigmoid(1.702 x)", "the tanh form, gelu_pytorch_tanh")
                        .shows(feedForward(z -> z / (1 + Math.exp(-1.702 * z)), false)),
                KnownBug.of("silu-not-gelu", "L0", "the activation is SiLU, as in Llama", "the tanh form of GELU")
                        .shows(feedForward(z -> z / (1 + Math.exp(-z)), false)),
                KnownBug.of("residual-missing", "L0", "the branch replaces the stream", "add the branch to it")
                        .shows(Changes.residualAdd((healthy, in, context) -> new ResidualAdd.Output(in.branch()))),

                KnownBug.of("final-cap-missing", "L0", "final logits are not capped", "30 * tanh(x / 30)")
                        .seenIn("keras-hub#1712", "vllm#52173")
                        .shows(Changes.lmHead((healthy, in, context) -> healthy.apply(new LmHead.Input(in.x(), in.table(), OptionalDouble.empty())))),
                KnownBug.of("untied-head", "L2", "the head has a matrix of its own, left as it was made", "use the embedding as output matrix")
                        .variant("zeros", Changes.lmHead((healthy, in, context) -> healthy.apply(new LmHead.Input(in.x(), Numeric.map(in.table(), w -> 0), in.softCap()))))
                        .build(),
                KnownBug.of("head-scaled", "L0", "the head reads the embedding that is already multiplied by sqrt(hidden_size)", "scale the looked-up rows, not the table")
                        .shows(Changes.lmHead((healthy, in, context) -> healthy.apply(new LmHead.Input(in.x(),
                                Numeric.map(in.table(), w -> w * Math.sqrt(in.table().dim(1))), in.softCap())))),

                KnownBug.of("output-in-bf16", "L0", "the result was rounded to bf16", "compare with a bf16 budget, or keep the result in f32")
                        .shows(output(Numeric::bf16)),
                KnownBug.of("bf16-truncated", "L0", "the result was cut to bf16 by dropping the lower bits", "round to nearest, ties to even")
                        .shows(output(Numeric::bf16Truncated)));
    }

    private static DoubleTensor unscaled(Embedding.Input in) {
        int modelDim = Math.toIntExact(in.table().dim(1));
        DoubleTensor rows = DoubleTensor.zeros(Shape.of("queryLen", in.ids().length, "modelDim", modelDim));
        for (int t = 0; t < in.ids().length; t++) {
            System.arraycopy(in.table().rows(in.ids()[t], in.ids()[t] + 1L), 0, rows.data(), t * modelDim, modelDim);
        }
        return rows;
    }

    /// Without the first `drop` tokens; with the first one repeated if `drop` is -1.
    private static DoubleTensor tokens(Tensor ids, int drop) {
        double[] all = ids.toDouble().data();
        double[] y = drop > 0 ? Arrays.copyOfRange(all, drop, all.length) : new double[all.length + 1];
        if (drop < 0) {
            y[0] = all[0];
            System.arraycopy(all, 0, y, 1, all.length);
        }
        return DoubleTensor.of(Shape.of("queryLen", y.length), y);
    }

    private static Changes normWeight(DoubleUnaryOperator change) {
        return Changes.rmsNorm((healthy, in, context) -> healthy.apply(new RmsNorm.Input(in.x(), Numeric.map(in.weight(), change), in.eps())));
    }

    private interface Inverse {
        double of(double meanOfSquares, double eps);
    }

    private static RmsNorm.Output norm(RmsNorm.Input in, boolean subtractMean, Inverse inverse) {
        double[] weight = in.weight().widen();
        double[] y = in.x().toDouble().data().clone();
        int modelDim = weight.length;
        for (int row = 0; row < y.length; row += modelDim) {
            double mean = subtractMean ? Arrays.stream(y, row, row + modelDim).sum() / modelDim : 0;
            double squares = 0;
            for (int d = 0; d < modelDim; d++) {
                y[row + d] -= mean;
                squares += y[row + d] * y[row + d];
            }
            double factor = inverse.of(squares / modelDim, in.eps());
            for (int d = 0; d < modelDim; d++) {
                y[row + d] *= factor * (1 + weight[d]);
            }
        }
        return new RmsNorm.Output(DoubleTensor.of(in.x().shape(), y));
    }

    /// `round(normed) * weight(1 + w)`, and the product rounded; the normed value is always bf16.
    private static Changes lowPrecisionNorm(DoubleUnaryOperator weight, DoubleUnaryOperator product) {
        return Changes.rmsNorm((healthy, in, context) -> {
            double[] w = in.weight().widen();
            DoubleTensor normed = healthy.apply(new RmsNorm.Input(in.x(), Numeric.map(in.weight(), x -> 0), in.eps())).normed().toDouble();
            double[] y = new double[normed.data().length];
            for (int i = 0; i < y.length; i++) {
                y[i] = product.applyAsDouble(Numeric.bf16(normed.data()[i]) * weight.applyAsDouble(1 + w[i % w.length]));
            }
            return new RmsNorm.Output(DoubleTensor.of(in.x().shape(), y));
        });
    }

    /// A norm that lets everything through: the one of that name, or a norm that stands alone and has no name of a checkpoint.
    private static Changes identityNorm(String part) {
        return Changes.rmsNorm((healthy, in, context) -> in.weight().name().contains(part) || !in.weight().name().contains("norm")
                ? new RmsNorm.Output(in.x()) : healthy.apply(in));
    }

    private static Changes transposedWeights() {
        return Changes.qkvProjection((healthy, in, context) -> healthy.apply(new QkvProjection.Input(in.x(), Numeric.readTransposed(in.qProj()),
                        Numeric.readTransposed(in.kProj()), Numeric.readTransposed(in.vProj()), in.headDim())))
                .and(Changes.outputProjection((healthy, in, context) -> healthy.apply(new OutputProjection.Input(in.context(), Numeric.readTransposed(in.oProj())))))
                .and(Changes.feedForward((healthy, in, context) -> healthy.apply(new FeedForward.Input(in.x(), Numeric.readTransposed(in.gateProj()),
                        Numeric.readTransposed(in.upProj()), Numeric.readTransposed(in.downProj())))));
    }

    private static Changes headsNotTransposed() {
        return Changes.qkvProjection((healthy, in, context) -> {
            QkvProjection.Output out = healthy.apply(in);
            return new QkvProjection.Output(tokensFirst(out.query()), tokensFirst(out.key()), tokensFirst(out.value()));
        }).and(Changes.outputProjection((healthy, in, context) -> {
            // healthy reads [heads, tokens, headDim] and exchanges the axes; handing it the exchanged tensor undoes that
            DoubleTensor x = in.context().toDouble();
            int heads = x.shape().extent("heads");
            int tokens = x.shape().extent("queryLen");
            DoubleTensor asRead = x.reshape(Shape.of("queryLen", tokens, "heads", heads, "headDim", x.shape().extent("headDim")))
                    .swapFirstTwo(x.shape());
            return healthy.apply(new OutputProjection.Input(asRead, in.oProj()));
        }));
    }

    /// The values in token order under the shape of head order.
    private static DoubleTensor tokensFirst(Tensor x) {
        Shape shape = x.shape();
        return x.toDouble().swapFirstTwo(Shape.of(shape.name(1), shape.extent(1), shape.name(0), shape.extent(0), "headDim", shape.extent("headDim")))
                .reshape(shape);
    }

    /// Row j of the first half goes to 2j, of the second half to 2j + 1.
    private static WeightTensor permuted(WeightTensor weight, int headDim) {
        int in = Math.toIntExact(weight.dim(1));
        double[] stored = weight.widen();
        double[] values = new double[stored.length];
        for (int row = 0; row < stored.length / in; row++) {
            int j = row % headDim;
            int to = row - j + (j < headDim / 2 ? 2 * j : 2 * (j - headDim / 2) + 1);
            System.arraycopy(stored, row * in, values, to * in, in);
        }
        return WeightTensor.of(weight.name(), values, weight.dims());
    }

    private static Changes feedForward(DoubleUnaryOperator activation, boolean onUp) {
        return Changes.feedForward((healthy, in, context) -> {
            int tokens = in.x().shape().extent("queryLen");
            double[] x = in.x().toDouble().data();
            double[] active = Linear.apply(x, tokens, onUp ? in.upProj() : in.gateProj());
            double[] plain = Linear.apply(x, tokens, onUp ? in.gateProj() : in.upProj());
            for (int i = 0; i < active.length; i++) {
                active[i] = activation.applyAsDouble(active[i]) * plain[i];
            }
            return new FeedForward.Output(DoubleTensor.of(in.x().shape(), Linear.apply(active, tokens, in.downProj())));
        });
    }

    /// Every stage of continuous values with its result changed element by element.
    static Changes output(DoubleUnaryOperator f) {
        return Changes.embedding((healthy, in, context) -> new Embedding.Output(Numeric.map(healthy.apply(in).hidden(), f)))
                .and(Changes.rmsNorm((healthy, in, context) -> new RmsNorm.Output(Numeric.map(healthy.apply(in).normed(), f))))
                .and(Changes.qkvProjection((healthy, in, context) -> {
                    QkvProjection.Output out = healthy.apply(in);
                    return new QkvProjection.Output(Numeric.map(out.query(), f), Numeric.map(out.key(), f), Numeric.map(out.value(), f));
                }))
                .and(Changes.rotaryEmbedding((healthy, in, context) -> new RotaryEmbedding.Output(Numeric.map(healthy.apply(in).rotated(), f))))
                .and(Changes.denseAttention((healthy, in, context) -> {
                    DenseAttention.Output out = healthy.apply(in);
                    return new DenseAttention.Output(Numeric.map(out.context(), f), out.pairsRead());
                }))
                .and(Changes.boundaryPrediction((healthy, in, context) -> new BoundaryPrediction.Output(Numeric.map(healthy.apply(in).logits(), f))))
                .and(Changes.chunkRepresentation((healthy, in, context) -> new ChunkRepresentation.Output(Numeric.map(healthy.apply(in).chunks(), f))))
                .and(Changes.chunkSimilarity((healthy, in, context) -> new ChunkSimilarity.Output(Numeric.map(healthy.apply(in).chunkScores(), f))))
                .and(Changes.sparseAttention((healthy, in, context) -> {
                    SparseAttention.Output out = healthy.apply(in);
                    return new SparseAttention.Output(Numeric.map(out.context(), f), out.pairsRead());
                }))
                .and(Changes.outputProjection((healthy, in, context) -> new OutputProjection.Output(Numeric.map(healthy.apply(in).hidden(), f))))
                .and(Changes.residualAdd((healthy, in, context) -> new ResidualAdd.Output(Numeric.map(healthy.apply(in).hidden(), f))))
                .and(Changes.feedForward((healthy, in, context) -> new FeedForward.Output(Numeric.map(healthy.apply(in).hidden(), f))))
                .and(Changes.lmHead((healthy, in, context) -> new LmHead.Output(Numeric.map(healthy.apply(in).logits(), f))));
    }
}
