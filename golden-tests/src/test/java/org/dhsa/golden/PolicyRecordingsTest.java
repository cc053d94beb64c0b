package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.dhsa.backend.Backend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.SparseAttention;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// What the official code of other selection methods gave, family by family.
class PolicyRecordingsTest {

    private static final Path DIR = Recordings.ROOT.resolve("golden-tests/recordings-policies");

    /// How many cases each family has. A family that is missing here is not checked.
    private static final Map<String, Integer> FAMILIES = new TreeMap<>(Map.ofEntries(
            Map.entry("minference_vertical_slash", 4),
            Map.entry("minference_block_sparse", 3),
            Map.entry("xattention", 7),
            Map.entry("flexprefill", 4),
            Map.entry("quest", 3),
            Map.entry("snapkv", 3),
            Map.entry("hub_maskers", 7),
            Map.entry("icml_masks", 29),
            Map.entry("seerattention_prefill", 4),
            Map.entry("seerattention_decode", 2)));

    private static List<GoldenCase> all;

    /// Read once.
    static synchronized List<GoldenCase> cases() throws GoldenFormatException, IOException {
        if (all == null) {
            all = GoldenRun.find(DIR);
        }
        return all;
    }

    /// One case of every kind: of those whose names begin alike the first.
    static List<GoldenCase> kinds() throws GoldenFormatException, IOException {
        Map<String, GoldenCase> first = new TreeMap<>();
        cases().forEach(c -> first.putIfAbsent(c.id().replaceFirst("(/[^_]*)_.*", "$1"), c));
        return List.copyOf(first.values());
    }

    @TestFactory
    List<DynamicTest> everyCasePasses() throws GoldenFormatException, IOException {
        return cases().stream().filter(c -> FAMILIES.containsKey(c.family())).map(c -> DynamicTest.dynamicTest(c.id(), () -> {
            CaseResult result = Recordings.check(c, new ReferenceBackend()).result();
            assertThat(result.verdict()).as("%s", result).isEqualTo(Verdict.PASS);
        })).toList();
    }

    @Test
    void everyFamilyIsChecked() throws GoldenFormatException, IOException {
        Map<String, Integer> found = new TreeMap<>();
        cases().forEach(c -> found.merge(c.family(), 1, Integer::sum));
        found.keySet().retainAll(FAMILIES.keySet());
        assertThat(found).isEqualTo(FAMILIES);
    }

    /// The first case of each family: a wrong value in any recorded tensor that is compared turns it red.
    @Test
    void everyComparisonCanFail() throws GoldenFormatException, IOException {
        Map<String, GoldenCase> first = new TreeMap<>();
        cases().stream().filter(c -> FAMILIES.containsKey(c.family())).forEach(c -> first.putIfAbsent(c.family(), c));
        for (GoldenCase golden : first.values()) {
            CaseCheck good = Recordings.check(golden, new ReferenceBackend());
            for (GoldenTensor tensor : golden.tensors().values()) {
                if (good.compared().contains(tensor.name()) && !good.inputs().contains(tensor.name()) && tensor.values().length > 0) {
                    assertThat(CoverageTest.failedTensors(CoverageTest.changing(golden, tensor))).as(golden.id() + ": a wrong value in " + tensor.name() + " is not noticed")
                            .containsEntry(tensor.name(), true);
                }
            }
        }
    }

    /// A backend that reads one key too few of every list with more than one is wrong in every case that holds lists.
    @Test
    void aListThatIsNotReadToItsEndIsNoticed() throws GoldenFormatException, IOException {
        Backend hasty = new DelegatingBackend() {
            @Override
            public SparseAttention sparseAttention() {
                return in -> super.sparseAttention().apply(new SparseAttention.Input(in.query(), in.key(), in.value(), new KeySelection(in.selection().queryBlocks(),
                        in.selection().blocks().stream().map(PolicyRecordingsTest::withoutLast).toList()), in.rule()));
            }
        };
        List<CaseResult> results = kinds().stream().map(c -> Recordings.check(c, hasty).result()).toList();
        assertThat(results).filteredOn(r -> r.verdict() != Verdict.NOT_COVERED).hasSizeGreaterThan(30).allSatisfy(r -> assertThat(r.verdict()).as("%s", r).isEqualTo(Verdict.FAIL));
    }

    private static BlockSelection withoutLast(BlockSelection list) {
        int[] keys = Arrays.copyOf(list.keys(), Math.max(Math.min(1, list.keys().length), list.keys().length - 1));
        return new BlockSelection(keys, keys.length, 0, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0]);
    }
}
