package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Profile;
import org.dhsa.policy.PolicySetting.Layers;
import org.dhsa.testing.TinyModel;

/// The policy and the forward pass of DHSA are two pieces of code for one method.
class DhsaPolicyTest {

    private static DhsaConfig config(long seed) {
        Random random = new Random(seed);
        return DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 1 + random.nextInt(4);
            c.budget = c.blockSize + random.nextInt(6);
            c.decodeBudget = 2 + random.nextInt(4);
            c.localTokens = random.nextInt(3);
            c.globalTokens = random.nextInt(3);
            c.instructionTokens = random.nextBoolean() ? OptionalInt.of(1 + random.nextInt(4)) : OptionalInt.empty();
            c.queryChunking = DhsaConfig.QueryChunking.values()[random.nextInt(2)];
            c.aggregation = DhsaConfig.Aggregation.values()[random.nextInt(3)];
            c.shareMasks = random.nextBoolean();
            c.shareBoundaries = random.nextBoolean();
            c.nmsWindow = random.nextInt(3);
            c.chunkBeta = 4;
            c.decode = DhsaConfig.DecodeMode.values()[random.nextInt(2)];
            c.quirks = random.nextBoolean() ? Profile.UPSTREAM.quirks() : Profile.CORRECTED.quirks();
        });
    }

    @Property(seed = "7", tries = 100)
    void isDhsaBitForBit(@ForAll @IntRange(max = 100_000) int seed, @ForAll @IntRange(min = 5, max = 24) int length) {
        DhsaConfig config = config(seed);
        BoundaryPredictorWeights predictor = TinyModel.constantPredictor(1 + seed % 2, 2);
        boolean given = seed % 3 == 0;
        AttentionMode.Dhsa dhsa = given ? new AttentionMode.Dhsa(config, Optional.empty(), Optional.of(TinyModel.boundaries(seed, length)))
                : AttentionMode.Dhsa.predicted(config, predictor);
        ChunkSource source = given ? new ChunkSource.Given(TinyModel.boundaries(seed, length)) : new ChunkSource.Predicted(predictor);
        PolicySetting setting = new PolicySetting(config.instructionTokens().orElse(0), config.decode() == DhsaConfig.DecodeMode.DENSE, Layers.ALL);
        assertThat(logits(seed, length, new AttentionMode.Policy(DhsaPolicy.published(config, source), setting)))
                .isDeepEqualTo(logits(seed, length, dhsa));
    }

    private static double[][] logits(int seed, int length, AttentionMode mode) {
        Gemma2Forward.Session session = TinyModel.forward(seed, 5).open(mode);
        double[][] all = new double[9][];
        all[0] = session.prefillAllLogits(TinyModel.tokens(seed, length)).toDouble().data();
        for (int t = 1; t < all.length; t++) {
            all[t] = session.decode(t).toDouble().data();
        }
        return all;
    }
}
