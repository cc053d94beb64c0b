package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.Verdict;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// The vectors of the selection policies: what they promise beyond agreeing with every backend, and what a wrong list is told.
class PolicyVectorsTest {

    private static List<VectorCase> cases() {
        return Published.cases().stream().filter(c -> c.slug().equals(PolicyRunner.SLUG)).toList();
    }

    private static String policy(VectorCase golden) {
        return golden.id().split("/")[1];
    }

    @Test
    void everyPolicyHasVectors() {
        Set<String> expected = PolicyRegistry.entries().stream().map(PolicyRegistry.Entry::name).collect(Collectors.toCollection(TreeSet::new));
        Set<String> there = cases().stream().map(PolicyVectorsTest::policy).collect(Collectors.toCollection(TreeSet::new));
        assertThat(there).as("add a line to PolicyCases and write the vectors again with `dhsa golden vectors`").isEqualTo(expected);
        // a reader that looks at the middle of an id only must not take a policy for a stage
        assertThat(there).doesNotContainAnyElementsOf(StageCatalog.INSTANCE.slugs());
    }

    @Test
    void theParametersAreThoseOfTheSpec() {
        ObjectMapper json = new ObjectMapper();
        for (VectorCase golden : cases()) {
            String spec = golden.config().get("policy").textValue();
            assertThat(spec.split(":")[0]).as(golden.id()).isEqualTo(policy(golden));
            assertThat(golden.config().get("parameters")).as(golden.id()).isEqualTo(json.valueToTree(PolicyCases.parameters(spec)));
            assertThat(PolicyRegistry.create(spec, new StageInputs(golden.slug(), golden.config(), golden.inputs()).policyResources()).name()).as(golden.id()).isEqualTo(spec);
            assertThat(golden.level()).isEqualTo("P");
        }
    }

    /// A cut is among equals or clear: no float32 program can take another key for its rounding.
    @Test
    void noListIsTooCloseToCall() {
        int clear = 0;
        int tied = 0;
        for (VectorCase golden : cases()) {
            VectorCase.Expected margins = golden.expected().get("margin");
            if (margins == null) {
                continue;
            }
            // scores on both sides of the cut may be off by what the case allows the margin to be
            double closest = 4 * VectorComparison.budget(margins, false);
            for (double margin : margins.tensor().toDouble().data()) {
                assertThat(margin == 0 || margin > closest).as("%s: margin %s, at least %s is clear", golden.id(), margin, closest).isTrue();
                clear += margin > 0 && Double.isFinite(margin) ? 1 : 0;
                tied += margin == 0 ? 1 : 0;
            }
        }
        assertThat(clear).isGreaterThan(200);
        assertThat(tied).isGreaterThan(50);
    }

    /// Policies of blocks and lines publish no margin: another rounding of the inputs, far coarser than float32's, must leave every list as it is.
    @Test
    void noRoundingChangesAListWithoutMargin() throws Exception {
        int checked = 0;
        Random random = new Random(7);
        try (Backend backend = new ReferenceBackend()) {
            for (VectorCase golden : cases()) {
                if (!golden.expected().containsKey("lists") || golden.expected().containsKey("margin") || golden.id().endsWith("/ties")) {
                    continue;
                }
                Map<String, Tensor> inputs = new LinkedHashMap<>(golden.inputs());
                for (String name : golden.inputs().keySet()) {
                    if (name.equals("ids")) {
                        continue;
                    }
                    DoubleTensor exact = inputs.get(name).toDouble();
                    inputs.put(name, DoubleTensor.of(exact.shape(), Arrays.stream(exact.data()).map(v -> v * (1 + 4e-6 * (2 * random.nextDouble() - 1))).toArray()));
                }
                assertThat(StageRunner.run(backend, golden.slug(), golden.config(), inputs).get("selectedKeys").toDouble().data()).as(golden.id())
                        .isEqualTo(golden.expected().get("selectedKeys").tensor().toDouble().data());
                checked++;
            }
        }
        assertThat(checked).isGreaterThan(40);
    }

    /// In the prompt and while decoding; the authors' rules alone list keys out of order and out of sight.
    @Test
    void listsHoldWhatTheirFirstRowSeesOnceAndInOrder() {
        int checked = 0;
        for (VectorCase golden : cases()) {
            if (!golden.expected().containsKey("lists") || golden.profile().equals("dhsa-upstream")) {
                continue;
            }
            double[] lists = golden.expected().get("lists").tensor().toDouble().data();
            VectorTensor matrix = golden.expected().get("selectedKeys").tensor();
            int width = matrix.shape().extent(1);
            double[] flat = matrix.toDouble().data();
            int window = golden.config().get("slidingWindow").asInt(Integer.MAX_VALUE);
            for (int r = 0; r < lists.length / 3; r++) {
                int first = Math.max(0, (int) lists[3 * r + 1] - window + 1);
                int end = (int) lists[3 * r + 2];
                int[] keys = Arrays.stream(flat, r * width, (r + 1) * width).mapToInt(v -> (int) v).filter(k -> k >= 0).toArray();
                assertThat(keys).as("%s, list %d", golden.id(), r).isEqualTo(Arrays.stream(keys).filter(j -> j >= first && j < end).sorted().distinct().toArray());
                checked++;
            }
        }
        assertThat(checked).isGreaterThan(1000);
    }

    @Test
    void casesOfTiesHaveTies() {
        for (VectorCase golden : cases()) {
            if (golden.id().endsWith("/ties") && golden.expected().containsKey("margin")) {
                assertThat(golden.expected()).as(golden.id()).containsKey("tiedKeys");
            }
        }
    }

    private static CaseResult judged(VectorCase golden, UnaryRow change) {
        VectorTensor lists = golden.expected().get("selectedKeys").tensor();
        int width = lists.shape().extent(1);
        double[] flat = lists.toDouble().data().clone();
        int[][] rows = new int[lists.shape().extent(0)][];
        for (int r = 0; r < rows.length; r++) {
            rows[r] = change.of(r, Arrays.stream(flat, r * width, (r + 1) * width).mapToInt(v -> (int) v).filter(k -> k >= 0).toArray());
        }
        Map<String, Tensor> actual = new LinkedHashMap<>();
        golden.expected().forEach((name, expected) -> actual.put(name, expected.tensor()));
        actual.put("selectedKeys", Selections.matrix("lists", "budget", List.of(rows)));
        return VectorCheck.judge(golden, actual, new CaseDiagnosis());
    }

    private interface UnaryRow {
        int[] of(int row, int[] keys);
    }

    private static VectorCase read(String id) throws GoldenFormatException, IOException {
        return VectorCase.read(Published.V1.resolve(id));
    }

    @Test
    void aWrongListIsNamedWithBlockHeadAndKey() throws GoldenFormatException, IOException {
        CaseResult swapped = judged(read("policy/oracle-row/global"), (row, keys) -> row == 40 ? Arrays.stream(keys).map(k -> k == keys[2] ? k + 1 : k).sorted().toArray() : keys);
        assertThat(swapped.verdict()).isEqualTo(Verdict.FAIL);
        // 29 rows a head
        assertThat(swapped.firstDivergence()).hasValueSatisfying(c -> {
            assertThat(c.stage()).isEqualTo("selection-policy");
            assertThat(c.note()).startsWith("list 40, head 1, row 11, entry 2: key ").contains(" is expected; no tie: the last key taken scores ");
        });
        CaseResult longer = judged(read("policy/sliding/blocks-local"), (row, keys) -> row < 2 ? keys : IntStream.rangeClosed(keys[0] - 1, keys[keys.length - 1]).toArray());
        assertThat(longer.firstDivergence()).hasValueSatisfying(c -> assertThat(c.note())
                .isEqualTo("shape [6, 10] where [lists=6, budget=9] is expected; list 2, all heads, rows 8 to 11, entry 0: key 2 where key 3 is expected; "
                        + "keys [2, 3, 4, 5, 6, 7, 8, 9, 10, 11] where [3, 4, 5, 6, 7, 8, 9, 10, 11] are expected"));
    }

    @Test
    void anotherOrderOfEqualsIsANearTieAndNothingElseIs() throws GoldenFormatException, IOException {
        VectorCase golden = read("policy/oracle-row/ties");
        VectorTensor matrix = golden.expected().get("tiedKeys").tensor();
        int width = matrix.shape().extent(1);
        double[] tied = matrix.toDouble().data();
        int row = 0;
        while (tied[row * width] < 0) {
            row++;
        }
        int at = row;
        int[] equals = Arrays.stream(tied, at * width, (at + 1) * width).mapToInt(v -> (int) v).filter(k -> k >= 0).toArray();
        // the highest of the equals instead of the lowest
        CaseResult other = judged(golden, (r, keys) -> r == at ? Arrays.stream(keys).map(k -> k == equals[0] ? equals[equals.length - 1] : k).sorted().toArray() : keys);
        assertThat(other.verdict()).isEqualTo(Verdict.NEAR_TIE);
        assertThat(other.message()).contains("not compared: what follows");
        assertThat(other.firstDivergence()).hasValueSatisfying(c -> assertThat(c.note()).contains("a tie explains it"));
        // a key that does not tie
        CaseResult wrong = judged(golden, (r, keys) -> r == at ? Arrays.stream(keys).map(k -> k == equals[0] ? beside(keys, equals) : k).sorted().toArray() : keys);
        assertThat(wrong.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(wrong.firstDivergence()).hasValueSatisfying(c -> assertThat(c.note()).contains("equal scores stand at the cut, but other keys differ too"));
    }

    private static int beside(int[] keys, int[] equals) {
        for (int j = 0; ; j++) {
            if (Arrays.binarySearch(keys, j) < 0 && Arrays.binarySearch(equals, j) < 0) {
                return j;
            }
        }
    }

    @Test
    void aToyCanBeDoneByHand() throws GoldenFormatException, IOException {
        DoubleTensor sliding = read("policy/sliding/toy").expected().get("context").tensor().toDouble();
        assertThat(sliding.shape()).isEqualTo(Shape.of("heads", 1, "queryLen", 8, "headDim", 2));
        assertThat(sliding.at(0, 7, 0)).isEqualTo((5 + 6 + 7) / 3.0);
        assertThat(read("policy/streaming/toy").expected().get("context").tensor().toDouble().at(0, 7, 0)).isEqualTo((0 + 6 + 7) / 3.0);
        // one head; rows see 1, 2, 3, 3, ... keys
        assertThat(read("policy/sliding/toy").expected().get("pairs").tensor().toDouble().data()).containsExactly(1 + 2 + 6 * 3);
    }

    @Test
    void aLayerOfTheWrongKindIsRefused() throws GoldenFormatException, IOException {
        VectorCase golden = read("policy/sliding/toy");
        ObjectNode config = golden.config().deepCopy();
        config.put("layer", 2);
        try (Backend backend = new ReferenceBackend()) {
            assertThatThrownBy(() -> StageRunner.run(backend, golden.slug(), config, golden.inputs()))
                    .isInstanceOf(IllegalArgumentException.class).hasMessage("layer 2 of selection-policy is local and needs slidingWindow");
            config.put("layer", 1).put("promptLength", 9);
            assertThatThrownBy(() -> StageRunner.run(backend, golden.slug(), config, golden.inputs()))
                    .hasMessage("parameter promptLength of selection-policy must lie in [1, 8], was 9");
        }
    }
}
