package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Profile;
import org.dhsa.model.Quirk;

/// The authors' way of everything, with the parameters of a case.
final class Upstream {

    /// What the authors' forward pass takes for a parameter that is null or absent.
    private static final int UNSET_GLOBAL_TOKENS = 128;
    private static final int UNSET_LOCAL_TOKENS = 128;
    private static final int UNSET_INSTRUCTION_TOKENS = 64;

    private static final DhsaConfig PARITY = DhsaConfig.DEFAULT.with(b -> {
        b.quirks = Profile.UPSTREAM.quirks();
        b.instructionTokens = OptionalInt.empty();
        b.theta = OptionalDouble.empty();
        b.globalTokens = 0;
        b.decode = DhsaConfig.DecodeMode.DENSE;
    });

    private Upstream() {}

    static DhsaConfig config(GoldenCase golden, Consumer<DhsaConfig.Builder> change) throws GoldenFormatException {
        try {
            return PARITY.with(change);
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(golden.folder().resolve(GoldenCase.FILE_NAME), "hyperparameters: " + e.getMessage(), "", e);
        }
    }

    /// The parameters of the selection alone, and of the attention over what it selects.
    static DhsaConfig selection(GoldenCase golden) throws GoldenFormatException {
        int blockSize = golden.intOf("bs");
        int budget = golden.intOf("topk");
        int local = golden.intOf("local");
        int global = golden.optionalInt("G").orElse(0);
        DhsaConfig.Aggregation pooling = pooling(golden);
        return config(golden, c -> {
            c.blockSize = blockSize;
            c.budget = budget;
            c.localTokens = local;
            c.globalTokens = global;
            c.aggregation = pooling;
        });
    }

    /// The parameters of predicting boundaries.
    static DhsaConfig suppression(GoldenCase golden) throws GoldenFormatException {
        OptionalDouble theta = golden.optionalDouble("theta");
        OptionalInt instruction = golden.optionalInt("ins");
        int nms = nmsWindow(golden, "nms");
        boolean smooth = golden.booleanOf("smooth");
        return config(golden, c -> {
            c.theta = theta;
            c.nmsWindow = nms;
            c.instructionTokens = instruction;
            c.smoothEnds = smooth;
        });
    }

    /// The parameters of a whole forward pass.
    static DhsaConfig endToEnd(GoldenCase golden) throws GoldenFormatException {
        boolean capDropped = golden.optionalDouble("attn_softcap").isEmpty();
        int blockSize = golden.intOf("block_size");
        int budget = golden.intOf("budget_prefill");
        int global = golden.optionalInt("global_tokens").orElse(UNSET_GLOBAL_TOKENS);
        int local = golden.optionalInt("local_tokens").orElse(UNSET_LOCAL_TOKENS);
        OptionalInt instruction = OptionalInt.of(golden.optionalInt("instruction_tokens").orElse(UNSET_INSTRUCTION_TOKENS));
        int beta = golden.intOf("chunk_beta");
        OptionalDouble theta = golden.optionalDouble("theta");
        int nms = nmsWindow(golden, "nms_window_size");
        boolean shareMasks = golden.hyperparameters().has("share_sparsity_masks") && golden.booleanOf("share_sparsity_masks");
        DhsaConfig.Aggregation pooling = pooling(golden);
        // where it is not said, no tie was met, or the project's own rule was meant
        DhsaConfig.TieOrder order = switch (golden.hyperparameters().has("tie_order") ? golden.textOf("tie_order") : "low") {
            case "low" -> DhsaConfig.TieOrder.LOW_POSITION_FIRST;
            case "high" -> DhsaConfig.TieOrder.HIGH_POSITION_FIRST;
            default -> throw golden.wrongField("tie_order", "low or high");
        };
        boolean perLayer = golden.hyperparameters().has("share_boundaries") ? !golden.booleanOf("share_boundaries")
                : golden.textOf("boundaries").contains("every layer") || golden.textOf("boundaries").contains("each layer");
        return config(golden, c -> {
            c.blockSize = blockSize;
            c.budget = budget;
            c.globalTokens = global;
            c.localTokens = local;
            c.instructionTokens = instruction;
            c.chunkBeta = beta;
            c.theta = theta;
            c.nmsWindow = nms;
            c.shareMasks = shareMasks;
            c.shareBoundaries = !perLayer;
            c.aggregation = pooling;
            c.tieOrder = order;
            c.quirk(Quirk.SOFT_CAP_DROPPED, capDropped);
        });
    }

    static Gemma2Config withCap(Gemma2Config c, OptionalDouble cap) {
        return new Gemma2Config(c.vocabSize(), c.hiddenSize(), c.intermediateSize(), c.numHiddenLayers(), c.numAttentionHeads(),
                c.numKeyValueHeads(), c.headDim(), c.maxPositionEmbeddings(), c.rmsNormEps(), c.ropeTheta(), c.slidingWindow(),
                c.queryPreAttnScalar(), cap, c.finalLogitSoftcapping(), c.bosTokenId(), c.eosTokenIds(), c.padTokenId());
    }

    /// The predictor of the shared model; its head count and window stand in the model folder's case.json.
    static Optional<BoundaryPredictorWeights> sharedPredictor(GoldenCase golden, java.nio.file.Path folder) throws GoldenFormatException, IOException {
        if (!golden.textOf("boundaries").startsWith("predicted")) {
            return Optional.empty();
        }
        GoldenCase shared = GoldenCase.read(folder);
        JsonNode parameters = shared.hyperparameters().path("predictor");
        if (!parameters.path("w").isInt()) {
            throw shared.wrongField("predictor", "an object with kind, w and, where there are any, heads");
        }
        return Optional.of(GoldenModel.predictor(folder.resolve("predictor.safetensors"),
                parameters.path("heads").isInt() ? OptionalInt.of(parameters.get("heads").asInt()) : OptionalInt.empty(), parameters.get("w").asInt()));
    }

    static DhsaConfig.Aggregation pooling(GoldenCase golden) throws GoldenFormatException {
        return switch (golden.textOf("pooling")) {
            case "avgpool" -> DhsaConfig.Aggregation.MEAN;
            case "avgpool_norm" -> DhsaConfig.Aggregation.MEAN_SQRT_LENGTH;
            case "maxpool" -> DhsaConfig.Aggregation.MAX_ON_QUERIES;
            default -> throw golden.wrongField("pooling", "avgpool, avgpool_norm or maxpool");
        };
    }

    /// `nms`, or 0 when suppression is switched off, by the flag or by a window that is not positive.
    static int nmsWindow(GoldenCase golden, String field) throws GoldenFormatException {
        return golden.booleanOf("use_nms") ? Math.max(0, golden.intOf(field)) : 0;
    }
}
