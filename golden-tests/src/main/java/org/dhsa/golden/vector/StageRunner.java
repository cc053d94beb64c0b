package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.model.DhsaConfig;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// One stage, or one composite, of any backend applied to named tensors.
///
/// Names and parameters are those of `golden/schema/stages.json`, which `golden/CONTRACT.md` explains.
public final class StageRunner {

    private StageRunner() {}

    /// @param config parameters of the stage; what the stage does not know is ignored
    /// @param inputs by name, under the axis names of `stages.json`
    /// @return the outputs in the order in which they arise
    /// @throws IllegalArgumentException if the slug is unknown, an input or parameter is missing or does not fit
    public static Map<String, Tensor> run(Backend backend, String slug, JsonNode config, Map<String, Tensor> inputs) {
        StageInputs in = new StageInputs(slug, config, inputs);
        Map<String, Tensor> out = new LinkedHashMap<>();
        switch (slug) {
            case "embedding" -> out.put("hidden", backend.embedding().apply(
                    new Embedding.Input(in.ints("ids"), in.weight("table"), in.embeddingScale())).hidden());
            case "rms-norm" -> out.put("normed", backend.rmsNorm().apply(
                    new RmsNorm.Input(in.tensor("x"), in.weight("weight"), in.number("rmsNormEps"))).normed());
            case "qkv-projection" -> {
                QkvProjection.Output qkv = backend.qkvProjection().apply(new QkvProjection.Input(in.tensor("x"), in.weight("qProj"),
                        in.weight("kProj"), in.weight("vProj"), in.integer("headDim")));
                out.put("query", qkv.query());
                out.put("key", qkv.key());
                out.put("value", qkv.value());
            }
            case "rotary-embedding" -> out.put("rotated", backend.rotaryEmbedding().apply(
                    new RotaryEmbedding.Input(in.tensor("x"), in.integer("startPosition"), in.number("ropeTheta"))).rotated());
            case "dense-attention" -> out.put("context", backend.denseAttention().apply(
                    new DenseAttention.Input(in.tensor("query"), in.tensor("key"), in.tensor("value"), in.attentionRule(false))).context());
            case "boundary-prediction" -> out.put("logits", backend.boundaryPrediction().apply(
                    new BoundaryPrediction.Input(in.tensor("key"), in.predictor())).logits());
            case "non-maximum-suppression" -> {
                NonMaximumSuppression.Output found = backend.nonMaximumSuppression().apply(new NonMaximumSuppression.Input(
                        in.tensor("logits"), in.integer("boundaryWindowSize"), in.integer("chunkBudget"), in.suppression()));
                out.put("filled", found.filled());
                out.put("accepted", StageInputs.ints(Shape.of("accepted", found.accepted().length), found.accepted()));
                out.put("boundaries", StageInputs.ints(Shape.of("boundaries", found.boundaries().chunks() + 1), found.boundaries().toArray()));
            }
            case "chunk-representation" -> out.put("chunks", backend.chunkRepresentation().apply(new ChunkRepresentation.Input(
                    in.tensor("states"), in.boundaries("segments"), in.pooling(), in.integer("padTo"))).chunks());
            case "chunk-similarity" -> out.put("chunkScores", backend.chunkSimilarity().apply(new ChunkSimilarity.Input(
                    in.tensor("queryChunks", "chunks", "headDim"), in.tensor("keyChunks"))).chunkScores());
            case "upsampling" -> out.put("tokenScores", backend.upsampling().apply(
                    new Upsampling.Input(in.tensor("chunkScores"), in.boundaries("boundaries"))).tokenScores());
            case "top-k-selection" -> {
                Visibility visibility = in.visibility(false);
                DhsaConfig rules = in.selection();
                int[] blocks = in.ints("blocks");
                int end = blocks.length == 0 ? 0 : blocks[blocks.length - 3];
                KeySelection selection = backend.topKSelection().apply(new TopKSelection.Input(in.tensor("tokenScores"), in.queryBlocks(end, end),
                        visibility, in.integer("budget"), rules)).selection();
                Selections.keys(out, "", selection);
                Selections.evidence(out, selection, visibility, in.integer("budget"), in.tensor("tokenScores").shape().extent("keyLen"), rules);
            }
            case "sparse-attention" -> {
                int end = in.integer("queryStart") + in.tensor("query").shape().extent("queryLen");
                KeySelection selection = Selections.of(in.tensor("selectedKeys"), in.queryBlocks(in.integer("denseFrom"), end));
                out.put("context", backend.sparseAttention().apply(new SparseAttention.Input(in.tensor("query"), in.tensor("key"), in.tensor("value"),
                        selection, in.attentionRule(in.flag("extraWindowKey")))).context());
            }
            case "output-projection" -> out.put("hidden", backend.outputProjection().apply(
                    new OutputProjection.Input(in.tensor("context"), in.weight("oProj"))).hidden());
            case "residual-add" -> out.put("hidden", backend.residualAdd().apply(
                    new ResidualAdd.Input(in.tensor("x"), in.tensor("branch"))).hidden());
            case "feed-forward" -> out.put("hidden", backend.feedForward().apply(
                    new FeedForward.Input(in.tensor("x"), in.weight("gateProj"), in.weight("upProj"), in.weight("downProj"))).hidden());
            case "lm-head" -> out.put("logits", backend.lmHead().apply(
                    new LmHead.Input(in.tensor("x"), in.weight("table"), in.optionalNumber("finalLogitSoftcapping"))).logits());
            default -> CompositeRunner.run(backend, slug, in, out);
        }
        return out;
    }
}
