package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Stage;
import org.junit.jupiter.api.Test;

/// Nothing is skipped in silence.
class CoverageTest {

    /// What a case gives to the implementation. Whatever else is recorded must be compared.
    private static final Map<String, Set<String>> INPUTS = Map.ofEntries(
            Map.entry("gemma2", Set.of("input_ids")),
            Map.entry("predictor", Set.of("features")),
            Map.entry("predict_boundaries", Set.of("key_states")),
            Map.entry("select", Set.of("N.ratios")),
            Map.entry("dhsa_mask", Set.of("query", "key", "boundaries")),
            Map.entry("dhsa_sdpa", Set.of("query", "key", "value", "boundaries")),
            Map.entry("dhsa_quirk", Set.of("query", "key", "value", "boundaries")),
            Map.entry("labels", Set.of("query", "key", "ratios", "logits", "mask")),
            Map.entry("block_sparse", Set.of("query", "key", "value")),
            Map.entry("topk_attention", Set.of("attention")),
            Map.entry("merge_regions", Set.of("attention", "boundaries")),
            Map.entry("kv", Set.of("query", "key", "value")),
            // boundaries: given in the uniform cases
            Map.entry("e2e", Set.of("input_ids", "boundaries")));

    /// The only tensors that are left out, with the reason that the report shows.
    private static final Map<String, String> EXCEPTIONS = Map.of(
            "logits_float32", "the official code's own float32 run, recorded to calibrate tolerances");

    @Test
    void everyStageHasAComparisonFromRecordedInputsThatRan() {
        Set<String> seen = Recordings.cases().stream().flatMap(c -> Recordings.reference(c).comparisons().stream())
                .filter(c -> c.verdict() == Verdict.PASS && !c.note().contains("end to end")).map(Comparison::stage).collect(Collectors.toSet());
        assertThat(seen).containsAll(Arrays.stream(Stage.values()).map(Stage::slug).toList());
    }

    @Test
    void everyStageHasAComparisonEndToEnd() {
        Set<String> seen = Recordings.cases().stream().flatMap(c -> Recordings.reference(c).comparisons().stream())
                .filter(c -> c.note().contains("end to end")).map(Comparison::stage).collect(Collectors.toSet());
        Set<String> expected = new TreeSet<>(Arrays.stream(Stage.values()).map(Stage::slug).toList());
        // the end-to-end recordings do not hold these; what they make is compared a stage later
        // (the boundary logits are recorded with their ends filled, which is the next stage's work)
        expected.removeAll(Set.of("boundary-prediction", "chunk-representation", "chunk-similarity", "upsampling"));
        assertThat(seen).containsAll(expected);
    }

    @Test
    void everyTensorOfEveryCaseIsComparedOrAnInputOrAListedException() {
        for (GoldenCase golden : Recordings.cases()) {
            CaseCheck check = Recordings.reference(golden);
            assertThat(check.forgotten()).as(golden.id()).isEmpty();
            assertThat(EXCEPTIONS).as(golden.id()).containsAllEntriesOf(check.excused());
            Set<String> onlyInputs = check.inputs().stream().filter(golden::has).filter(t -> !check.compared().contains(t))
                    .filter(t -> !isParameter(golden, t)).map(t -> t.replaceAll("^\\d+", "N")).collect(Collectors.toSet());
            assertThat(INPUTS.get(golden.family())).as(golden.id()).containsAll(onlyInputs);
        }
    }

    private static boolean isParameter(GoldenCase golden, String tensor) {
        return golden.find(tensor).orElseThrow().meaning().contains("parameter");
    }

    @Test
    void everyRecordingIsACaseOrSharedWeights() {
        assertThat(Recordings.all()).hasSize(84);
        assertThat(Recordings.all().stream().filter(GoldenCase::isMaterial).map(GoldenCase::id)).containsExactly("e2e/model");
        assertThat(FamilyCheck.ALL.keySet()).containsAll(Recordings.all().stream().map(GoldenCase::family).toList());
    }

    @Test
    void everyComparisonOfFloatsCanFail() {
        for (GoldenCase golden : Recordings.cases()) {
            CaseCheck good = Recordings.reference(golden);
            List<GoldenTensor> changed = golden.tensors().values().stream()
                    .filter(t -> good.compared().contains(t.name()) && isFloat(t) && t.values().length > 0).toList();
            GoldenCase broken = golden;
            for (GoldenTensor tensor : changed) {
                broken = changing(broken, tensor);
            }
            Map<String, Boolean> failed = failedTensors(broken);
            for (GoldenTensor tensor : changed) {
                assertThat(failed).as(golden.id() + ": a wrong value in " + tensor.name() + " is not noticed").containsEntry(tensor.name(), true);
            }
        }
    }

    @Test
    void everyComparisonOfIndicesAndMasksCanFail() {
        for (GoldenCase golden : Recordings.cases()) {
            CaseCheck good = Recordings.reference(golden);
            for (GoldenTensor tensor : golden.tensors().values()) {
                boolean onlyInput = good.inputs().contains(tensor.name());
                if (good.compared().contains(tensor.name()) && !isFloat(tensor) && !onlyInput && tensor.values().length > 0) {
                    assertThat(failedTensors(changing(golden, tensor))).as(golden.id() + ": a wrong value in " + tensor.name() + " is not noticed")
                            .containsEntry(tensor.name(), true);
                }
            }
        }
    }

    private static boolean isFloat(GoldenTensor tensor) {
        return switch (tensor.dtype()) {
            case F64, F32, F16, BF16 -> true;
            default -> false;
        };
    }

    /// The last value a little off, by another amount in every tensor, so that two wrong ones do not agree; a boolean turned; an
    /// index moved by one.
    static GoldenCase changing(GoldenCase golden, GoldenTensor tensor) {
        double[] values = tensor.values();
        int last = values.length - 1;
        values[last] = switch (tensor.dtype()) {
            case BOOL -> 1 - values[last];
            case I64 -> values[last] + (values[last] > 0 ? -1 : 1);
            default -> Double.isNaN(values[last]) ? 0 : values[last] + 1e-6 * (1 + Math.floorMod(tensor.name().hashCode(), 97)) * (1 + Math.abs(values[last]));
        };
        try {
            return golden.replacing(tensor.name(), values);
        } catch (GoldenFormatException e) {
            throw new AssertionError(e);
        }
    }

    static Map<String, Boolean> failedTensors(GoldenCase broken) {
        Map<String, Boolean> failed = new LinkedHashMap<>();
        for (Comparison c : Recordings.check(broken, new ReferenceBackend()).comparisons()) {
            failed.merge(c.tensor(), c.verdict() == Verdict.FAIL || c.verdict() == Verdict.ERROR || c.verdict() == Verdict.NEAR_TIE, Boolean::logicalOr);
        }
        return failed;
    }
}
