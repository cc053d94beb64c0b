package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.forward.Probe;
import org.dhsa.reference.baseline.MaskChain;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Masks of sparse-attention-hub after every masker of a chain, with the official quirks on.
final class MaskChainCheck extends ReferenceFunctionCheck {

    private static final String NAME = "mask-chain";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key");
        DoubleTensor query = golden.tensor("query").row(0, "heads", "queryLen", "headDim");
        DoubleTensor key = golden.tensor("key").row(0, "kvHeads", "keyLen", "headDim");
        List<MaskChain.Step> steps = steps(golden, key.shape().extent("keyLen"));
        MaskChain.Input in = new MaskChain.Input(query, key, 1 / Math.sqrt(query.shape().extent("headDim")));
        List<boolean[][][]> masks = check.call(NAME, Probe.NO_LAYER, "mask_0", () -> MaskChain.apply(in, steps));
        for (int s = 0; s < masks.size(); s++) {
            DoubleTensor recorded = golden.tensor("mask_" + s).named("heads", "queryLen", "keyLen");
            DoubleTensor mask = flat(masks.get(s), recorded.shape());
            check.add(Compare.exact(check.place(NAME, Probe.NO_LAYER, "mask_" + s), recorded, mask));
            causalPairs(check, s, mask);
        }
    }

    private static void causalPairs(CaseCheck check, int step, DoubleTensor mask) {
        int heads = mask.shape().extent("heads");
        int rows = mask.shape().extent("queryLen");
        int length = mask.shape().extent("keyLen");
        int[] pairs = new int[heads];
        for (int h = 0; h < heads; h++) {
            for (int r = 0; r < rows; r++) {
                for (int j = 0; j <= length - rows + r; j++) {
                    pairs[h] += (int) mask.at(h, r, j);
                }
            }
        }
        check.exact(NAME, Probe.NO_LAYER, "results.causal_pairs_kept step " + step, "heads",
                PredictBoundariesCheck.ints(check.golden().results().path("causal_pairs_kept").path(step)), pairs);
    }

    private static DoubleTensor flat(boolean[][][] mask, Shape shape) {
        DoubleTensor flat = DoubleTensor.zeros(shape);
        for (int h = 0; h < mask.length; h++) {
            for (int r = 0; r < mask[h].length; r++) {
                for (int j = 0; j < mask[h][r].length; j++) {
                    flat.set(mask[h][r][j] ? 1 : 0, h, r, j);
                }
            }
        }
        return flat;
    }

    private static List<MaskChain.Step> steps(GoldenCase golden, int length) throws GoldenFormatException {
        List<MaskChain.Step> steps = new ArrayList<>();
        for (JsonNode link : golden.hyperparameters().path("chain")) {
            JsonNode size = link.path(1);
            steps.add(switch (link.path(0).asText()) {
                case "sink" -> new MaskChain.Sink(keys(size, length));
                case "local" -> new MaskChain.Local(keys(size, length), true);
                case "topk" -> new MaskChain.TopK(keys(size, length));
                case "topp" -> new MaskChain.TopP(size.asDouble());
                case "quest" -> new MaskChain.Quest(size.path(0).asInt(), size.path(1).asInt(), true);
                default -> throw golden.wrongField("chain", "a list of sink, local, topk, topp and quest");
            });
        }
        return steps;
    }

    /// A size with a fraction is a share of the keys, rounded down.
    private static int keys(JsonNode size, int length) {
        return size.isIntegralNumber() ? size.asInt() : (int) (size.asDouble() * length);
    }
}
