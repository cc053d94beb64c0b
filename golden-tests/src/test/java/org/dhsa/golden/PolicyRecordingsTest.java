package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.dhsa.reference.ReferenceBackend;
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

    private static List<GoldenCase> cases() throws GoldenFormatException, IOException {
        return GoldenRun.find(DIR);
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
}
