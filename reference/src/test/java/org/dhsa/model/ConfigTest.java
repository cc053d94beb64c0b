package org.dhsa.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.dhsa.testing.TinyModel;
import org.junit.jupiter.api.Test;

class ConfigTest {

    @Test
    void dhsaConfigNamesFieldAndValue() {
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.budget = 0))
                .withMessage("budget must be positive, was 0");
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.nmsWindow = -1))
                .withMessage("nmsWindow must be at least 0, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.blockSize = -1))
                .withMessage("blockSize must be positive, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.localTokens = -3))
                .withMessage("localTokens must be at least 0, was -3");
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.instructionTokens = OptionalInt.of(-1)))
                .withMessage("instructionTokens must be at least 0, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.theta = OptionalDouble.of(Double.NaN)))
                .withMessage("theta must be a number");
    }

    @Test
    void aBudgetBelowTheBlockSizeIsRefusedUnlessTheQuirkAllowsIt() {
        assertThatIllegalArgumentException().isThrownBy(() -> DhsaConfig.DEFAULT.with(c -> c.budget = 127))
                .withMessageContaining("budget 127, blockSize 128").withMessageContaining("Raise the budget or lower the block size");
        assertThat(DhsaConfig.DEFAULT.with(c -> {
            c.budget = 8;
            c.quirk(Quirk.LOCAL_TOKENS_AT_BLOCK_END, true);
        }).budget()).isEqualTo(8);
    }

    @Test
    void theChunkBudgetCountsFullBlocks() {
        assertThat(DhsaConfig.DEFAULT.chunkBudget(1023)).isEqualTo(7 * 8);
        assertThat(DhsaConfig.DEFAULT.chunkBudget(127)).isZero();
    }

    @Test
    void correctedHasNoQuirkAndUpstreamHasAll() {
        assertThat(Profile.CORRECTED.quirks()).isEmpty();
        assertThat(Profile.UPSTREAM.quirks()).containsExactlyInAnyOrder(Quirk.values());
        assertThat(DhsaConfig.DEFAULT.quirks()).isEmpty();
    }

    @Test
    void gemma2ConfigNamesFieldAndValue() {
        assertThatIllegalArgumentException().isThrownBy(() -> TinyModel.config(0, 4, OptionalDouble.empty()))
                .withMessage("num_hidden_layers must be positive, was 0");
        assertThatIllegalArgumentException().isThrownBy(() -> TinyModel.config(1, 4, OptionalDouble.of(-0.5)))
                .withMessage("attn_logit_softcapping must be positive, was -0.5");
        assertThatIllegalArgumentException().isThrownBy(() -> heads(4, 3, 4))
                .withMessage("num_attention_heads must be a multiple of num_key_value_heads, was 4 and 3");
        assertThatIllegalArgumentException().isThrownBy(() -> heads(4, 2, 5))
                .withMessage("head_dim must be even for the rotary embedding, was 5");
    }

    private static Gemma2Config heads(int heads, int kvHeads, int headDim) {
        return new Gemma2Config(8, 8, 8, 1, heads, kvHeads, headDim, 64, 1e-6, 10000, 4, 4, OptionalDouble.empty(), OptionalDouble.empty(),
                2, List.of(1), 0);
    }

    @Test
    void evenLayersAreLocalAndOddLayersGlobal() {
        Gemma2Config config = TinyModel.config(3, 4, OptionalDouble.empty());
        assertThat(config.layerKind(0)).isEqualTo(new LayerKind.Local(4));
        assertThat(config.layerKind(1)).isEqualTo(new LayerKind.Global());
        assertThat(config.layerKind(2)).isEqualTo(new LayerKind.Local(4));
    }

    @Test
    void theScaleOfAttentionComesFromTheScalarNotFromTheHeadDim() {
        assertThat(TinyModel.config(1, 4, OptionalDouble.empty()).attentionScale()).isEqualTo(1 / Math.sqrt(6));
    }

    @Test
    void weightsOfAnotherModelAreRefusedByName() {
        Gemma2Weights weights = TinyModel.weights(1, TinyModel.config(1, 4, OptionalDouble.empty()));
        assertThatIllegalArgumentException().isThrownBy(() -> weights.require(TinyModel.config(2, 4, OptionalDouble.empty())))
                .withMessage("expected 2 layers, got 1");
    }

    @Test
    void predictorHeadsMustDivideTheChannels() {
        WeightTensor c = WeightTensor.of("b", new double[4], 4);
        WeightTensor cc = WeightTensor.of("w", new double[16], 4, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> new BoundaryPredictorWeights.SelfAttention(3,
                        WeightTensor.of("in", new double[48], 12, 4), WeightTensor.of("inBias", new double[12], 12), cc, c))
                .withMessage("predictor heads must divide the 4 channels, was 3");
        assertThatIllegalArgumentException().isThrownBy(() -> TinyModel.constantPredictor(0, 1))
                .withMessage("the boundary window must be positive, was 0");
    }
}
