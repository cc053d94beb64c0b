package org.dhsa.golden.vector;

import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;

/// What a composite vector fixes, as the forward pass takes it.
///
/// @param dhsa      empty for dense attention
/// @param predictor empty for dense attention
public record CompositeSetting(Gemma2Config config, EmbeddingScale scale, Optional<DhsaConfig> dhsa, Optional<BoundaryPredictorWeights> predictor) {

    /// @return empty for a composite that is no single pass: a generation
    /// @throws IllegalArgumentException naming the parameter or input that is missing or wrong
    public static Optional<CompositeSetting> of(VectorCase golden) {
        StageInputs in = new StageInputs(golden.slug(), golden.config(), golden.inputs());
        return switch (golden.slug()) {
            case "decoder-layer" -> Optional.of(new CompositeSetting(in.layerModel(), EmbeddingScale.EXACT, Optional.empty(), Optional.empty()));
            case "dense-model" -> Optional.of(new CompositeSetting(in.model(), in.embeddingScale(), Optional.empty(), Optional.empty()));
            case "dhsa-model" -> Optional.of(new CompositeSetting(in.model(), in.embeddingScale(), Optional.of(in.dhsa()), Optional.of(in.predictor())));
            case "selection-chain", "sparse-chain" -> Optional.of(new CompositeSetting(in.chainModel(golden.slug().equals("sparse-chain")), EmbeddingScale.EXACT,
                    Optional.of(in.chain().with(b -> b.shareBoundaries = false)), Optional.of(in.predictor())));
            default -> Optional.empty();
        };
    }
}
