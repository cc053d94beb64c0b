package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.dhsa.backend.Backend;
import org.dhsa.bug.KnownBug;
import org.dhsa.bug.KnownBugs;
import org.dhsa.bug.StageRun;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.Tensor;

/// What implementations with known bugs give, for the cases that show them best.
///
/// A bug shows in a case when a tensor leaves its budget. For every bug the smallest cases are kept, first those in which no
/// other bug gives the same.
final class Diagnoses {

    private static final int CASES_PER_BUG = 5;
    private static final int CASES_PER_BUG_AND_STAGE = 2;

    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Backend reference;
    /// By bug, all cases that show it.
    private final Map<String, List<Shown>> shown = new LinkedHashMap<>();
    private final Set<String> shownAlone = new HashSet<>();

    /// @param tensors those that leave their budget
    private record Shown(String caseId, String slug, Map<String, VectorTensor> tensors, boolean alone) {
        long bytes() {
            return tensors.values().stream().mapToLong(t -> t.byteSize()).sum();
        }
    }

    Diagnoses(Backend reference) {
        this.reference = reference;
    }

    /// Tries bugs on a draft: on a stage those that touch it, on a composite, which comes after all stages, those that no
    /// stage has shown alone.
    ///
    /// @param golden the case as it was written, for its budgets
    void add(CaseDraft draft, VectorCase golden) {
        if (draft.slug().equals(PolicyRunner.SLUG)) {
            // the catalogue holds mistakes of Gemma 2 and DHSA, and their stages show them better
            return;
        }
        Map<String, Map<String, VectorTensor>> here = new LinkedHashMap<>();
        boolean composite = StageCatalog.INSTANCE.composite(draft.slug());
        for (KnownBug bug : KnownBugs.all()) {
            boolean candidate = composite ? !shownAlone.contains(bug.id()) : bug.stages().stream().anyMatch(s -> s.slug().equals(draft.slug()));
            for (int variant = 0; candidate && variant < bug.variants().size() && !here.containsKey(bug.id()); variant++) {
                Map<String, VectorTensor> wrong = wrong(draft, golden, bug, variant);
                if (!wrong.isEmpty()) {
                    here.put(bug.id(), wrong);
                }
            }
        }
        here.forEach((bug, tensors) -> {
            boolean alone = here.entrySet().stream().noneMatch(other -> !other.getKey().equals(bug) && same(other.getValue(), tensors));
            shown.computeIfAbsent(bug, b -> new ArrayList<>()).add(new Shown(draft.id(), draft.slug(), tensors, alone));
            if (alone && !composite) {
                shownAlone.add(bug);
            }
        });
    }

    /// The tensors that a bug drives out of their budget; none if it cannot run here.
    private Map<String, VectorTensor> wrong(CaseDraft draft, VectorCase golden, KnownBug bug, int variant) {
        Map<String, Tensor> computed;
        try {
            computed = bug.run(new StageRun(draft.slug(), draft.config(), draft.tensors()), reference, variant);
        } catch (RuntimeException e) {
            return Map.of();
        }
        Map<String, VectorTensor> wrong = new LinkedHashMap<>();
        VectorWriter.outputs(draft, computed).forEach((name, tensor) -> {
            VectorCase.Expected expected = golden.expected().get(name);
            if (expected != null && expected.required()
                    && VectorComparison.compare(golden, expected, tensor, false).verdict() == Verdict.FAIL) {
                wrong.put(name, tensor);
            }
        });
        return wrong;
    }

    private static boolean same(Map<String, VectorTensor> a, Map<String, VectorTensor> b) {
        return a.keySet().equals(b.keySet()) && a.keySet().stream().allMatch(n -> a.get(n).sha256().equals(b.get(n).sha256()));
    }

    /// By case, then by bug: the tensors to publish.
    Map<String, Map<String, Map<String, VectorTensor>>> chosen() {
        Map<String, Map<String, Map<String, VectorTensor>>> chosen = new HashMap<>();
        shown.forEach((bug, cases) -> {
            Map<String, Integer> perStage = new HashMap<>();
            int taken = 0;
            for (Shown s : cases.stream().sorted(Comparator.comparing((Shown c) -> !c.alone()).thenComparingLong(Shown::bytes).thenComparing(Shown::caseId)).toList()) {
                if (taken < CASES_PER_BUG && perStage.merge(s.slug(), 1, Integer::sum) <= CASES_PER_BUG_AND_STAGE) {
                    chosen.computeIfAbsent(s.caseId(), c -> new TreeMap<>()).put(bug, s.tensors());
                    taken++;
                }
            }
        });
        return chosen;
    }

    /// Writes them beside the cases: one file to a bug, and its entry in case.json.
    void write(Path root) throws IOException {
        for (Map.Entry<String, Map<String, Map<String, VectorTensor>>> golden : new TreeMap<>(chosen()).entrySet()) {
            Path folder = root.resolve(golden.getKey());
            Path file = folder.resolve(VectorCase.FILE_NAME);
            ObjectNode json = (ObjectNode) MAPPER.readTree(file.toFile());
            ObjectNode entries = json.putObject("diagnoses");
            for (Map.Entry<String, Map<String, VectorTensor>> bug : golden.getValue().entrySet()) {
                String name = "bug-" + bug.getKey() + ".safetensors";
                VectorWriter.writeTensors(folder.resolve(name), bug.getValue());
                ObjectNode tensors = entries.putObject(bug.getKey());
                bug.getValue().forEach((tensor, value) -> tensors.putObject(tensor).put("file", name).put("sha256", value.sha256()));
            }
            VectorWriter.writeJson(file, json);
        }
    }

    /// How many cases show each bug, and in how many nothing else looks the same.
    Map<String, int[]> counts() {
        Map<String, int[]> counts = new LinkedHashMap<>();
        KnownBugs.all().forEach(bug -> {
            List<Shown> cases = shown.getOrDefault(bug.id(), List.of());
            counts.put(bug.id(), new int[] {cases.size(), (int) cases.stream().filter(Shown::alone).count()});
        });
        return counts;
    }
}
