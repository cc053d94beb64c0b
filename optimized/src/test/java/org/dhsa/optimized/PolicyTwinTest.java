package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.policy.BlockTopKPolicy;
import org.dhsa.policy.CachePolicy;
import org.dhsa.policy.ChunkScoring;
import org.dhsa.policy.ChunkSource;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.PolicySetting;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.policy.StreamingPolicy;
import org.dhsa.reference.ReferenceBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every policy through the fast sparse attention, against the reference: prompt and decoding.
class PolicyTwinTest {

    private static final RandomModel MODEL = RandomModel.of(11, 3, 64, 4, 2, 32, 96, 80, 24);

    static Stream<SelectionPolicy> policies() {
        ChunkSource predicted = new ChunkSource.Predicted(MODEL.predictor());
        return Stream.of(List.of(new DensePolicy(), new StreamingPolicy(0, 20, 1), new StreamingPolicy(4, 20, 8), new BlockTopKPolicy(8, 24, true),
                        new BlockTopKPolicy(8, 24, false), OraclePolicy.row(12), OraclePolicy.block(8, 24), OraclePolicy.topP(0.8)),
                Stream.of(CachePolicy.Kind.values()).map(kind -> new CachePolicy(kind, 24, 4, 3, 4)).toList(),
                Stream.of(ChunkScoring.values()).map(scoring -> new DhsaPolicy(BackendTwinTest.SMALL, predicted, scoring, true)).toList(),
                Stream.of(predicted, new ChunkSource.Fixed(8), new ChunkSource.SentenceEnds(Set.of(3, 4, 5)), new ChunkSource.Labels(3, 1.1))
                        .map(source -> new DhsaPolicy(BackendTwinTest.SMALL, source, ChunkScoring.MEAN_SQRT, false)).toList())
                .<SelectionPolicy>flatMap(List::stream);
    }

    @ParameterizedTest
    @MethodSource("policies")
    void logitsAgreeWithTheReference(SelectionPolicy policy) {
        double[][] expected = run(new ReferenceBackend(), policy);
        try (Backend fast = new OptimizedBackend(2)) {
            double[][] actual = run(fast, policy);
            for (int r = 0; r < expected.length; r++) {
                assertThat(actual[r]).as(policy.name()).containsExactly(expected[r], Offset.offset(2e-4));
            }
        }
    }

    private static double[][] run(Backend backend, SelectionPolicy policy) {
        Gemma2Forward.Session session = new Gemma2Forward(MODEL.config(), MODEL.weights(), backend, EmbeddingScale.EXACT)
                .open(new AttentionMode.Policy(policy, new PolicySetting(5, false, PolicySetting.Layers.ALL)));
        double[][] all = new double[5][];
        all[0] = session.prefillAllLogits(RandomModel.ids(4, 90, 80)).toDouble().data();
        for (int t = 1; t < all.length; t++) {
            all[t] = session.decode(t).toDouble().data();
        }
        return all;
    }
}
