package org.dhsa.bug;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;
import static org.dhsa.bug.BugFixtures.config;
import static org.dhsa.bug.BugFixtures.inputs;
import static org.dhsa.bug.BugFixtures.ints;
import static org.dhsa.bug.BugFixtures.random;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// Every bug of the catalogue does what it says where it should, and nothing where it must not.
class KnownBugsTest {

    /// Rows of the list of pitfalls, two identifiers in a row being two bugs.
    private static final Set<String> PITFALLS = new LinkedHashSet<>(List.of(
            "softcap-dropped", "softcap-after-mask", "softcap-before-scale", "final-cap-missing", "layers-swapped", "window-plus-one", "window-minus-one",
            "window-ignored", "embed-scale-missing", "embed-scale-exact-in-bf16", "norm-plus-one-missing", "norm-plus-one-twice", "norm-eps-outside",
            "norm-low-precision", "post-norms-missing", "gelu-erf", "gelu-on-up", "scale-from-head-dim", "rope-interleaved", "rope-low-precision",
            "rope-position-off-by-one", "gqa-interleaved", "untied-head", "missing-bos", "double-bos", "cache-rolled-wrong", "masked-row-nan",
            "mean-not-sqrt", "sum-not-sqrt", "sqrt-of-query-only", "boundary-off-by-one", "bisect-left", "nms-inclusive", "nms-by-position",
            "theta-on-probability", "pad-not-attended", "predictor-residual", "predictor-heads", "keys-before-rope", "keys-per-query-head",
            "block-causality", "future-tokens-used", "forced-inside-budget", "duplicate-keys", "tie-order", "instruction-sparse", "boundaries-per-layer",
            "window-in-selection", "decode-chunks-stale"));

    private static final ReferenceBackend REFERENCE = new ReferenceBackend();
    private static final List<StageRun> FIXTURES = BugFixtures.all(1);

    static boolean same(Map<String, Tensor> a, Map<String, Tensor> b) {
        return a.keySet().equals(b.keySet()) && a.keySet().stream().allMatch(name -> a.get(name).shape().equals(b.get(name).shape())
                && Arrays.equals(a.get(name).toDouble().data(), b.get(name).toDouble().data()));
    }

    private static boolean shows(String id, StageRun run) {
        KnownBug bug = KnownBugs.byId(id).orElseThrow();
        for (int v = 0; v < bug.variants().size(); v++) {
            if (!same(run.on(REFERENCE), bug.run(run, REFERENCE, v))) {
                return true;
            }
        }
        return false;
    }

    @Test
    void everyPitfallIsThere() {
        assertThat(KnownBugs.all()).extracting(KnownBug::id).containsAll(PITFALLS).doesNotHaveDuplicates();
        assertThat(KnownBugs.all().size()).isGreaterThanOrEqualTo(PITFALLS.size() + 12);
    }

    @Test
    void everyFormOfEveryBugChangesEachStageThatItNames() {
        List<String> silent = new ArrayList<>();
        for (KnownBug bug : KnownBugs.all()) {
            for (int v = 0; v < bug.variants().size(); v++) {
                for (Stage stage : bug.variants().get(v).changes().stages()) {
                    int variant = v;
                    boolean shown = FIXTURES.stream().filter(run -> run.slug().equals(stage.slug()))
                            .anyMatch(run -> !same(run.on(REFERENCE), bug.run(run, REFERENCE, variant)));
                    if (!shown) {
                        silent.add(bug.id() + " (" + bug.variants().get(v).name() + ") at " + stage);
                    }
                }
            }
        }
        assertThat(silent).isEmpty();
    }

    @Test
    void aBugLeavesTheOtherStagesAlone() {
        for (KnownBug bug : KnownBugs.all()) {
            for (StageRun run : FIXTURES) {
                if (bug.stages().stream().noneMatch(stage -> stage.slug().equals(run.slug())) && !bug.wiringOnly()) {
                    assertThat(same(run.on(REFERENCE), bug.run(run, REFERENCE, 0))).as(bug.id() + " at " + run.slug()).isTrue();
                }
            }
        }
    }

    @Test
    void capsThatAreNotConfiguredCannotBeWrong() {
        StageRun dense = BugFixtures.dense(3, 4, 2, 9, 9, "queryPreAttnScalar: 24, attnLogitSoftcapping: null, slidingWindow: 3, queryStart: 0, keyStart: 0");
        for (String id : List.of("softcap-dropped", "softcap-after-mask", "softcap-before-scale")) {
            KnownBug bug = KnownBugs.byId(id).orElseThrow();
            assertClose(bug.run(dense, REFERENCE, 0), dense.on(REFERENCE), id);
        }
        StageRun head = new StageRun("lm-head", config("finalLogitSoftcapping: null"), inputs("x", random(1, 1, "queryLen", 2, "modelDim", 4), "table", random(2, 1, "vocab", 5, "modelDim", 4)));
        assertThat(shows("final-cap-missing", head)).isFalse();
    }

    private static void assertClose(Map<String, Tensor> actual, Map<String, Tensor> expected, String what) {
        expected.forEach((name, tensor) -> assertThat(actual.get(name).toDouble().data()).as(what).containsExactly(tensor.toDouble().data(), offset(1e-12)));
    }

    @Test
    void bugsAreSilentWhereTheirInputHidesThem() {
        StageRun shortPrompt = BugFixtures.dense(4, 4, 2, 3, 3, "queryPreAttnScalar: 24, attnLogitSoftcapping: 5, slidingWindow: 8, queryStart: 0, keyStart: 0");
        for (String id : List.of("window-plus-one", "window-minus-one", "window-ignored", "layers-swapped", "cache-rolled-wrong", "masked-row-nan")) {
            assertThat(shows(id, shortPrompt)).as(id + ", prompt shorter than the window").isFalse();
        }
        StageRun oneKvHead = BugFixtures.dense(5, 4, 1, 5, 5, "queryPreAttnScalar: 6, attnLogitSoftcapping: 5, slidingWindow: null, queryStart: 0, keyStart: 0");
        for (String id : List.of("gqa-interleaved", "gqa-first-head-only", "scale-from-head-dim", "window-ignored")) {
            assertThat(shows(id, oneKvHead)).as(id + ", one kv head, scale of headDim, no window").isFalse();
        }
        StageRun chunksOfOne = new StageRun("chunk-representation", config("pooling: avgpool_norm, padTo: 0"),
                inputs("states", random(6, 1, "heads", 1, "tokens", 3, "headDim", 4), "segments", ints("boundaries", 0, 1, 2, 3)));
        for (String id : List.of("mean-not-sqrt", "sum-not-sqrt", "padded-query-block")) {
            assertThat(shows(id, chunksOfOne)).as(id + ", chunks of one").isFalse();
        }
        StageRun wholeRoot = new StageRun("embedding", config("hiddenSize: 16, embeddingScale: bf16-rounded"), inputs("ids", ints("queryLen", 1), "table", random(7, 1, "vocab", 4, "modelDim", 16)));
        assertThat(shows("embed-scale-exact-in-bf16", wholeRoot)).as("sqrt(16) is exact in bf16").isFalse();
        StageRun oneChunk = new StageRun("upsampling", config(""), inputs("chunkScores", random(8, 1, "queryBlocks", 2, "chunks", 1), "boundaries", ints("boundaries", 0, 5)));
        assertThat(shows("bisect-left", oneChunk)).as("one chunk").isFalse();
        StageRun firstPosition = new StageRun("rotary-embedding", config("ropeTheta: 10000, startPosition: 0"), inputs("x", random(9, 1, "heads", 1, "queryLen", 1, "headDim", 4)));
        for (String id : List.of("rope-interleaved", "rope-theta-wrong", "rope-backwards", "rope-missing", "rope-low-precision")) {
            assertThat(shows(id, firstPosition)).as(id + ", position 0").isFalse();
        }
    }

    @Test
    void aTokenTooFewOrTooManyIsAnotherPrompt() {
        StageRun embedding = FIXTURES.getFirst();
        Tensor healthy = embedding.on(REFERENCE).get("hidden");
        Tensor without = KnownBugs.byId("missing-bos").orElseThrow().run(embedding, REFERENCE, 0).get("hidden");
        Tensor twice = KnownBugs.byId("double-bos").orElseThrow().run(embedding, REFERENCE, 0).get("hidden");
        int row = healthy.shape().extent("modelDim");
        double[] right = healthy.toDouble().data();
        assertThat(without.toDouble().data()).containsExactly(Arrays.copyOfRange(right, row, right.length));
        assertThat(Arrays.copyOfRange(twice.toDouble().data(), row, right.length + row)).containsExactly(right);
        assertThat(Arrays.copyOf(twice.toDouble().data(), row)).containsExactly(Arrays.copyOf(right, row));
    }

    @Test
    void aCataloguedBugIsDescribedCompletely() {
        assertThat(KnownBugs.all()).allSatisfy(bug -> {
            assertThat(bug.title()).isNotBlank().doesNotEndWith(".");
            assertThat(bug.remedy()).isNotBlank().doesNotEndWith(".");
            assertThat(bug.docsLink()).isEqualTo("docs/bugs.md#" + bug.id());
            assertThat(bug.variants().size() == 1 || bug.variants().stream().noneMatch(v -> v.name().isEmpty())).as(bug.id()).isTrue();
        });
        assertThat(KnownBugs.byId("no-such-bug")).isEmpty();
        assertThatThrownBy(() -> KnownBug.of("Bad_Id", "L1", "a", "b").shows(Changes.NONE)).hasMessageContaining("Bad_Id");
    }

    @Test
    void errorFunctionAndBfloat16AreRight() {
        // Abramowitz and Stegun, table 7.1
        assertThat(Numeric.erf(0.5)).isCloseTo(0.5204998778, offset(1e-10));
        assertThat(Numeric.erf(-1)).isCloseTo(-0.8427007929, offset(1e-10));
        assertThat(Numeric.erf(2)).isCloseTo(0.9953222650, offset(1e-10));
        // both formulas meet where one takes over from the other
        assertThat(Numeric.erf(2.5 - 1e-12)).isCloseTo(Numeric.erf(2.5), offset(1e-14));
        assertThat(Numeric.bf16(59.866518)).isEqualTo(59.75);
        assertThat(Numeric.bf16(1 + 3.0 / 256)).as("a tie goes to the even neighbour").isEqualTo(1 + 4.0 / 256);
        assertThat(Numeric.bf16Truncated(1 + 3.0 / 256)).isEqualTo(1 + 2.0 / 256);
    }
}
