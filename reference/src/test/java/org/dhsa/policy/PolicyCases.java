package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.QueryChunking;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.testing.Tensors;
import org.dhsa.testing.TinyModel;

/// Every kind of policy, and layers to try them on.
final class PolicyCases {

    static final int HEADS = 4;
    static final int KV_HEADS = 2;
    static final int HEAD_DIM = 4;

    private PolicyCases() {}

    /// A prompt's layer with random states; every third has a dense tail, every second a window of 7.
    static LayerState layer(long seed, int length) {
        return layer(seed, length, seed % 2 == 0 ? new LayerKind.Global() : new LayerKind.Local(7), seed % 3 == 0 ? length / 3 : 0);
    }

    static LayerState layer(long seed, int length, LayerKind kind, int denseTail) {
        Random random = new Random(seed);
        DoubleTensor query = Tensors.random(random, 2, "heads", HEADS, "queryLen", length, "headDim", HEAD_DIM);
        DoubleTensor key = Tensors.random(random, 2, "kvHeads", KV_HEADS, "keyLen", length, "headDim", HEAD_DIM);
        DoubleTensor value = Tensors.random(random, 2, "kvHeads", KV_HEADS, "keyLen", length, "headDim", HEAD_DIM);
        AttentionRule rule = new AttentionRule(0.4, OptionalDouble.of(5), Visibility.of(kind), 0, 0);
        return new LayerState(0, 2, kind, query, key, rule, length - denseTail, false, new ReferenceBackend(), 10_000, Optional.of(value));
    }

    /// Token ids 0 to 16 in turn; id 4 ends a sentence.
    static int[] ids(int length) {
        return java.util.stream.IntStream.range(0, length).map(i -> i % TinyModel.VOCAB).toArray();
    }

    static DhsaConfig config(int budget, int block) {
        return DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = block;
            c.budget = Math.max(budget, block);
            c.decodeBudget = Math.max(budget, block);
            c.localTokens = 2;
            c.globalTokens = 1;
            c.nmsWindow = 2;
            c.instructionTokens = OptionalInt.empty();
        });
    }

    /// Policies that spend `budget` keys per list on blocks of `block` rows.
    static List<SelectionPolicy> all(int budget, int block) {
        List<SelectionPolicy> all = new ArrayList<>(List.of(
                new StreamingPolicy(0, budget, 1), new StreamingPolicy(0, budget, block), new StreamingPolicy(2, budget, 1),
                new BlockTopKPolicy(block, budget, true), new BlockTopKPolicy(block, budget, false),
                OraclePolicy.row(budget), OraclePolicy.block(block, budget), new OraclePolicy(1, true, budget, 0), new OraclePolicy(block, false, budget, 0),
                new CachePolicy(CachePolicy.Kind.STREAMING_CACHE, Math.max(3, budget), 1, 3, 2)));
        for (CachePolicy.Kind kind : CachePolicy.Kind.values()) {
            all.add(new CachePolicy(kind, Math.max(5, budget), 2, 3, 2));
        }
        DhsaConfig config = config(budget, block);
        ChunkSource predicted = new ChunkSource.Predicted(TinyModel.constantPredictor(2, 3));
        List<ChunkSource> sources = List.of(predicted, new ChunkSource.Fixed(3), new ChunkSource.Shuffled(predicted, 5),
                new ChunkSource.SentenceEnds(Set.of(4)), new ChunkSource.Labels(2, 1.1));
        sources.forEach(source -> all.add(DhsaPolicy.published(config, source)));
        for (ChunkScoring scoring : ChunkScoring.values()) {
            all.add(new DhsaPolicy(config, predicted, scoring, true));
            all.add(new DhsaPolicy(config, predicted, scoring, false));
        }
        all.add(DhsaPolicy.published(config.with(c -> c.queryChunking = QueryChunking.DYNAMIC_CHUNKS), predicted));
        all.add(DhsaPolicy.published(config.with(c -> c.shareMasks = true), predicted));
        all.add(DhsaPolicy.published(config.with(c -> c.shareBoundaries = false), predicted));
        all.addAll(EstimatingPolicyCases.all(budget, block));
        all.addAll(PagePolicyCases.all(budget, block));
        all.addAll(GatePolicyCases.all(budget, block));
        return all;
    }

    /// [#all], with those that have no budget.
    static List<SelectionPolicy> withoutBudget() {
        List<SelectionPolicy> all = new ArrayList<>(List.of(new DensePolicy(), OraclePolicy.topP(0.7), new OraclePolicy(3, true, 0, 0.9)));
        all.addAll(EstimatingPolicyCases.withoutBudget());
        all.addAll(PagePolicyCases.withoutBudget());
        return all;
    }
}
