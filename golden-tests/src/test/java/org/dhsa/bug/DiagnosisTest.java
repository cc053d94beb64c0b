package org.dhsa.bug;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.dhsa.bug.Diagnosis.Verdict;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// A bug is named from the numbers alone, for inputs that are stored nowhere; what is no known bug is called unknown.
class DiagnosisTest {

    private static final ReferenceBackend REFERENCE = new ReferenceBackend();

    private static StageRun run(long seed, String slug, int n) {
        return BugFixtures.all(seed).stream().filter(r -> r.slug().equals(slug)).toList().get(n);
    }

    private static Map<String, Tensor> with(String id, StageRun run, int variant) {
        return KnownBugs.byId(id).orElseThrow().run(run, REFERENCE, variant);
    }

    /// Every value off by up to 1e-7 of itself, as float32 arithmetic leaves it.
    private static Map<String, Tensor> noisy(Map<String, Tensor> outputs) {
        Random random = new Random(5);
        Map<String, Tensor> noisy = new LinkedHashMap<>();
        outputs.forEach((name, tensor) -> noisy.put(name, Distance.isList(name) || !Distance.isJudged(name) ? tensor
                : Numeric.map(tensor, v -> v * (1 + 1e-7 * (2 * random.nextDouble() - 1)))));
        return noisy;
    }

    @Test
    void everyBugIsNamedOnSomeInputAndNeverAnotherOneInItsPlace() {
        Map<String, Set<String>> confusedWith = new HashMap<>();
        List<String> wrong = new ArrayList<>();
        Set<String> alone = new TreeSet<>();
        for (StageRun run : BugFixtures.all(77)) {
            Map<String, Tensor> healthy = run.on(REFERENCE);
            for (KnownBug bug : KnownBugs.all()) {
                for (int v = 0; v < bug.variants().size(); v++) {
                    Map<String, Tensor> actual = bug.run(run, REFERENCE, v);
                    if (KnownBugsTest.same(healthy, actual)) {
                        continue;
                    }
                    Diagnosis diagnosis = Diagnosis.of(run, actual, Map.of());
                    Set<String> named = diagnosis.bugs().stream().map(m -> m.bug().id()).collect(Collectors.toCollection(TreeSet::new));
                    if (diagnosis.verdict() == Verdict.MATCH && named.contains(bug.id())) {
                        alone.add(bug.id());
                    } else if (named.contains(bug.id())) {
                        confusedWith.computeIfAbsent(bug.id(), k -> new TreeSet<>()).addAll(named);
                    } else if (diagnosis.verdict() != Verdict.HEALTHY) {
                        wrong.add(run.slug() + ", " + bug.id() + " " + bug.variants().get(v).name() + ": " + diagnosis.text());
                    }
                }
            }
        }
        assertThat(wrong).isEmpty();
        confusedWith.keySet().removeAll(alone);
        // alone, a stage does not say whose norm it is, whether its layer should have been global, or what the other side of a mean got
        assertThat(confusedWith).isEqualTo(Map.of(
                "post-norms-missing", Set.of("post-norms-missing", "final-norm-missing"), "final-norm-missing", Set.of("post-norms-missing", "final-norm-missing"),
                "window-ignored", Set.of("window-ignored", "layers-swapped"), "layers-swapped", Set.of("window-ignored", "layers-swapped", "window-in-selection"),
                "window-in-selection", Set.of("window-in-selection", "layers-swapped"), "sqrt-of-query-only", Set.of("mean-not-sqrt", "sqrt-of-query-only")));
    }

    @Test
    void float32ArithmeticDoesNotHideABug() {
        for (String id : List.of("softcap-after-mask", "softcap-dropped", "window-plus-one", "gqa-interleaved", "scale-from-head-dim")) {
            StageRun run = run(31, "dense-attention", 0);
            Diagnosis diagnosis = Diagnosis.of(run, noisy(with(id, run, 0)), Map.of());
            assertThat(diagnosis.verdict()).as(diagnosis.text()).isEqualTo(Verdict.MATCH);
            assertThat(diagnosis.bugs().getFirst().bug().id()).isEqualTo(id);
            assertThat(diagnosis.bugs().getFirst().explained()).isGreaterThan(0.99);
        }
        StageRun feedForward = run(32, "feed-forward", 0);
        for (String id : List.of("gelu-erf", "gelu-on-up", "gelu-sigmoid", "silu-not-gelu", "weight-transposed")) {
            assertThat(Diagnosis.of(feedForward, noisy(with(id, feedForward, 0)), Map.of("hidden", 1e-6)).text()).startsWith("matches bug " + id + ": ");
        }
    }

    @Test
    void theTextNamesTheBugTheRemedyAndTheRunnerUp() {
        StageRun run = run(33, "dense-attention", 0);
        assertThat(Diagnosis.of(run, with("softcap-after-mask", run, 0), Map.of()).text())
                .startsWith("matches bug softcap-after-mask: the cap is applied after the mask; apply it before (docs/bugs.md#softcap-after-mask); residual 0 where the healthy result is ")
                .contains(", runner-up ");
    }

    @Test
    void aRightResultIsHealthyAndNothingIsLookedFor() {
        for (StageRun run : BugFixtures.all(34)) {
            Diagnosis diagnosis = Diagnosis.of(run, noisy(run.on(REFERENCE)), Map.of());
            assertThat(diagnosis.verdict()).as(run.slug() + ": " + diagnosis.text()).isEqualTo(Verdict.HEALTHY);
            assertThat(diagnosis.bugs()).isEmpty();
        }
    }

    @Test
    void whatIsNoKnownBugIsUnknown() {
        Random random = new Random(35);
        for (StageRun run : BugFixtures.all(35)) {
            Map<String, Tensor> actual = new LinkedHashMap<>();
            run.on(REFERENCE).forEach((name, tensor) -> actual.put(name, Distance.isList(name) ? Numeric.map(tensor, v -> v < 0 ? v : v + random.nextInt(3))
                    : Numeric.map(tensor, v -> v + 0.05 * random.nextGaussian())));
            Diagnosis diagnosis = Diagnosis.of(run, actual, Map.of());
            assertThat(diagnosis.verdict()).as(run.slug() + ": " + diagnosis.text()).isEqualTo(Verdict.UNKNOWN);
            assertThat(diagnosis.text()).startsWith("unknown: no known bug gives this");
        }
    }

    @Test
    void aBugMixedWithAnotherErrorIsNotClaimed() {
        StageRun run = run(36, "dense-attention", 0);
        Map<String, Tensor> actual = new HashMap<>(with("softcap-dropped", run, 0));
        DoubleTensor context = actual.get("context").toDouble();
        actual.put("context", Numeric.map(context, v -> v * 1.02));
        Diagnosis diagnosis = Diagnosis.of(run, actual, Map.of());
        assertThat(diagnosis.verdict()).as(diagnosis.text()).isEqualTo(Verdict.UNKNOWN);
        assertThat(diagnosis.runnerUp().orElseThrow().bug().id()).isEqualTo("softcap-dropped");
    }

    @Test
    void someOfTheOutputsAreEnough() {
        StageRun run = run(37, "qkv-projection", 0);
        Map<String, Tensor> actual = Map.of("key", with("kv-swapped", run, 0).get("key"));
        assertThat(Diagnosis.of(run, actual, Map.of()).text()).startsWith("matches bug kv-swapped");
        assertThatThrownBy(() -> Diagnosis.of(run, Map.of("contxt", actual.get("key")), Map.of()))
                .hasMessageContaining("nothing to compare").hasMessageContaining("qkv-projection").hasMessageContaining("contxt");
    }

    @Test
    void keysOfEqualScoreThatWereExchangedAreNotJudgedAsOtherKeys() {
        StageRun run = run(38, "top-k-selection", 0);
        Map<String, Tensor> healthy = run.on(REFERENCE);
        DoubleTensor scores = run.inputs().get("tokenScores").toDouble();
        Map<String, Tensor> ties = with("tie-order", run, 0);
        assertThat(KnownBugsTest.same(healthy, ties)).isFalse();
        double tied = Distance.between("selectedKeys", ties.get("selectedKeys"), healthy.get("selectedKeys"), 1, scores);
        double blind = Distance.between("selectedKeys", ties.get("selectedKeys"), healthy.get("selectedKeys"), 1, null);
        assertThat(tied).isPositive().isLessThan(blind / 10);
        assertThat(Diagnosis.of(run, ties, Map.of()).text()).startsWith("matches bug tie-order");
    }

    /// Queries, keys and values through selection and sparse attention, all stages walked.
    private static StageRun chain(long seed) {
        StageRun predictor = run(seed, "boundary-prediction", 0);
        Map<String, Tensor> inputs = new HashMap<>(predictor.inputs());
        inputs.put("query", BugFixtures.random(seed, 2, "heads", 4, "queryLen", 24, "headDim", 8));
        inputs.put("key", BugFixtures.random(seed + 1, 2, "kvHeads", 2, "keyLen", 24, "headDim", 8));
        inputs.put("value", BugFixtures.random(seed + 2, 1, "kvHeads", 2, "keyLen", 24, "headDim", 8));
        return new StageRun("sparse-chain", BugFixtures.config("predictor: attention, boundaryWindowSize: 3, predictorHeads: 4, blockSize: 4, budget: 9, localTokens: 1, globalTokens: 1, "
                + "instructionTokens: 3, theta: null, nmsWindow: 2, chunkBeta: 1, smoothEnds: false, aggregation: avgpool_norm, queryChunking: fixed-blocks, quirks: [], slidingWindow: null, "
                + "queryPreAttnScalar: 24, attnLogitSoftcapping: 5"), inputs);
    }

    @Test
    void aCompositeTellsWhatAStageCannot() {
        StageRun run = chain(39);
        assertThat(Diagnosis.of(run, with("sqrt-of-query-only", run, 0), Map.of()).text()).startsWith("matches bug sqrt-of-query-only");
        assertThat(Diagnosis.of(run, with("mean-not-sqrt", run, 0), Map.of()).text()).startsWith("matches bug mean-not-sqrt");
    }

    @Test
    void twoBugsAtOnceAreFoundWhereTheyShowAtDifferentStages() {
        StageRun run = chain(40);
        KnownBug first = KnownBugs.byId("mean-not-sqrt").orElseThrow();
        KnownBug second = KnownBugs.byId("softcap-after-mask").orElseThrow();
        Map<String, Tensor> actual = noisy(run.on(second.inject(first.inject(REFERENCE), 0, run.context())));
        Diagnosis diagnosis = Diagnosis.of(run, actual, Map.of());
        assertThat(diagnosis.text()).startsWith("matches bug mean-not-sqrt").contains("then, from context on: matches bug softcap-after-mask");
        assertThat(diagnosis.explainsAll()).isFalse();
        assertThat(diagnosis.second().orElseThrow().explainsAll()).isTrue();
    }
}
