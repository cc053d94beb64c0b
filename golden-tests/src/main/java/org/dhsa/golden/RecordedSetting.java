package org.dhsa.golden;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;
import org.dhsa.weights.Gemma2Model;

/// What a recording fixes, as the forward pass takes it.
///
/// @param model       empty where no decoder layer is run; to be closed
/// @param length      tokens
/// @param window      of attention that belongs to no layer, 0 for none
/// @param chunkBudget where it is recorded instead of following from the length
public record RecordedSetting(Gemma2Config config, Optional<DhsaConfig> dhsa, Optional<BoundaryPredictorWeights> predictor, Optional<Gemma2Model> model,
                              int length, int window, OptionalInt chunkBudget) {

    /// Families whose tensors belong to stages.
    public static final Set<String> FAMILIES = Set.of("gemma2", "e2e", "dhsa_mask", "dhsa_sdpa", "dhsa_quirk", "predictor", "predict_boundaries");

    /// @throws GoldenFormatException if the case lacks something
    public static RecordedSetting of(GoldenCase golden) throws GoldenFormatException, IOException {
        return switch (golden.family()) {
            case "gemma2" -> {
                Gemma2Model model = GoldenModel.load(golden.folder());
                yield new RecordedSetting(model.config(), Optional.empty(), Optional.empty(), Optional.of(model), golden.tensor("input_ids").extent(1), 0, OptionalInt.empty());
            }
            case "e2e" -> endToEnd(golden);
            case "dhsa_mask", "dhsa_sdpa", "dhsa_quirk" -> attention(golden);
            case "predictor" -> new RecordedSetting(bare(1, 1, golden.tensor("features").extent(1), 1, 0), Optional.of(Upstream.config(golden, c -> { })),
                    Optional.of(predictor(golden)), Optional.empty(), golden.tensor("features").extent(2), 0, OptionalInt.empty());
            case "predict_boundaries" -> {
                GoldenTensor key = golden.tensor("key_states");
                yield new RecordedSetting(bare(key.extent(1), key.extent(1), key.extent(3), 1, 0), Optional.of(Upstream.suppression(golden)), Optional.of(predictor(golden)),
                        Optional.empty(), key.extent(2), 0, OptionalInt.of(golden.intOf("num_chunks")));
            }
            default -> throw new GoldenFormatException(golden.folder(), "belongs to the family " + golden.family() + ", whose tensors are no stages'", "");
        };
    }

    private static RecordedSetting endToEnd(GoldenCase golden) throws GoldenFormatException, IOException {
        java.nio.file.Path folder = GoldenModel.sharedModel(golden);
        Optional<BoundaryPredictorWeights> predictor = Upstream.sharedPredictor(golden, folder);
        DhsaConfig dhsa = Upstream.endToEnd(golden);
        Gemma2Model model = GoldenModel.load(folder);
        OptionalDouble cap = golden.optionalDouble("attn_softcap");
        return new RecordedSetting(cap.isEmpty() ? model.config() : Upstream.withCap(model.config(), cap), Optional.of(dhsa), predictor, Optional.of(model),
                golden.tensor("input_ids").extent(1), 0, OptionalInt.empty());
    }

    private static RecordedSetting attention(GoldenCase golden) throws GoldenFormatException {
        GoldenTensor query = golden.tensor("query");
        query.requireRank(4);
        OptionalInt instruction = golden.optionalInt("ins");
        DhsaConfig dhsa = Upstream.selection(golden).with(c -> {
            c.instructionTokens = instruction;
            c.shareMasks = false;
        });
        double scale = golden.hyperparameters().has("scaling") ? golden.doubleOf("scaling") : 1;
        int window = golden.optionalInt("W").orElse(0);
        return new RecordedSetting(bare(query.extent(1), golden.tensor("key").extent(1), query.extent(3), 1 / (scale * scale), window), Optional.of(dhsa), Optional.empty(),
                Optional.empty(), query.extent(2), window, OptionalInt.empty());
    }

    private static BoundaryPredictorWeights predictor(GoldenCase golden) throws GoldenFormatException, IOException {
        return GoldenModel.predictor(golden.folder().resolve("weights.safetensors"), golden.optionalInt("heads"), golden.intOf("w"));
    }

    /// A model of which only the attention is used.
    private static Gemma2Config bare(int heads, int kvHeads, int headDim, double queryPreAttnScalar, int window) {
        return new Gemma2Config(1, 1, 1, 1, heads, kvHeads, headDim, Integer.MAX_VALUE, 1e-6, 10000, Math.max(1, window), queryPreAttnScalar, OptionalDouble.empty(),
                OptionalDouble.empty(), 0, List.of(), 0);
    }
}
