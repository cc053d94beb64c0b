package org.dhsa.golden;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Stage;

/// All cases under a folder, checked on one backend.
public final class GoldenRun {

    /// Who was checked, for the result file.
    public record Implementation(String name, String version, String backend, String device) {}

    /// A stage over all cases.
    ///
    /// @param worstError largest share-of-budget error among those that passed or failed by value
    /// @param budget     what was allowed there
    /// @param worstWhere case and tensor
    public record StageSummary(String stage, int pass, int nearTie, int fail, double worstError, double budget, String worstWhere) {}

    private final List<CaseResult> cases;
    private final List<String> materials;
    private final Backend backend;

    private GoldenRun(List<CaseResult> cases, List<String> materials, Backend backend) {
        this.cases = List.copyOf(cases);
        this.materials = List.copyOf(materials);
        this.backend = backend;
    }

    /// Reads every case that passes the filter first, so that a broken one is found before anything is computed; then checks them in the order of
    /// their ids.
    ///
    /// @param dirOrCase  a folder tree with case folders in it, or one case folder
    /// @param caseFilter by id
    /// @param onCase     told each result as soon as it is there
    /// @throws GoldenFormatException if a case is broken, or there is none
    public static GoldenRun of(Path dirOrCase, Backend backend, Predicate<String> caseFilter, Consumer<CaseResult> onCase)
            throws GoldenFormatException, IOException {
        List<GoldenCase> found = find(dirOrCase, caseFilter);
        List<String> materials = new ArrayList<>();
        List<CaseResult> results = new ArrayList<>();
        for (GoldenCase golden : found) {
            if (golden.isMaterial()) {
                materials.add(golden.id());
                continue;
            }
            CaseResult result = check(golden, backend).result();
            results.add(result);
            onCase.accept(result);
        }
        if (results.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "holds only weights that other cases share (" + String.join(", ", materials)
                    + "), nothing to compare", "name the folder above it");
        }
        return new GoldenRun(results, materials, backend);
    }

    /// Every case under a folder that passes the filter, by id. A case that does not pass is not read beyond its id.
    static List<GoldenCase> find(Path dirOrCase, Predicate<String> caseFilter) throws GoldenFormatException, IOException {
        if (!Files.isDirectory(dirOrCase)) {
            throw new GoldenFormatException(dirOrCase, "is not a folder", "name a folder with case folders in it");
        }
        List<Path> folders;
        try (Stream<Path> tree = Files.walk(dirOrCase)) {
            folders = tree.filter(p -> p.getFileName().toString().equals(GoldenCase.FILE_NAME)).map(Path::getParent).toList();
        }
        if (folders.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "holds no case: there is no " + GoldenCase.FILE_NAME + " in it or below it",
                    "name a folder with case folders in it, such as golden-tests/recordings");
        }
        List<GoldenCase> found = new ArrayList<>();
        for (Path folder : folders) {
            if (caseFilter.test(GoldenCase.readId(folder))) {
                found.add(GoldenCase.read(folder));
            }
        }
        if (found.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "none of its " + folders.size() + " cases passes the filter",
                    "an id is the folder's place in the tree, such as dhsa_mask/random_0");
        }
        found.sort(Comparator.comparing(GoldenCase::id).thenComparing(GoldenCase::folder));
        return found;
    }

    /// One case on one backend.
    static CaseCheck check(GoldenCase golden, Backend backend) throws GoldenFormatException, IOException {
        FamilyCheck family = FamilyCheck.ALL.get(golden.family());
        CaseCheck check = new CaseCheck(golden, backend);
        if (family == null) {
            check.notCovered("the family " + golden.family() + " is unknown here");
            return check;
        }
        Optional<String> reason = family.notCovered(backend);
        if (reason.isPresent()) {
            check.notCovered(reason.get());
            return check;
        }
        try {
            family.check(check);
        } catch (CaseCheck.Broken e) {
            check.broken(e.getMessage());
        }
        return check;
    }

    public List<CaseResult> cases() {
        return cases;
    }

    /// Ids of folders that hold weights for other cases and nothing to compare.
    public List<String> materials() {
        return materials;
    }

    public long count(Verdict verdict) {
        return cases.stream().filter(c -> c.verdict() == verdict).count();
    }

    public long comparisons() {
        return cases.stream().mapToLong(c -> c.comparisons().size()).sum();
    }

    /// By stage slug, or name of a function that is no stage: the stages in the order of the computation, then the others.
    public LinkedHashMap<String, StageSummary> byStage() {
        LinkedHashMap<String, List<String[]>> order = new LinkedHashMap<>();
        for (Stage stage : Stage.values()) {
            order.put(stage.slug(), List.of());
        }
        cases.stream().flatMap(c -> c.comparisons().stream()).map(Comparison::stage).sorted().forEach(s -> order.putIfAbsent(s, List.of()));
        LinkedHashMap<String, StageSummary> summaries = new LinkedHashMap<>();
        for (String stage : order.keySet()) {
            summary(stage).ifPresent(s -> summaries.put(stage, s));
        }
        return summaries;
    }

    private Optional<StageSummary> summary(String stage) {
        int pass = 0;
        int nearTie = 0;
        int fail = 0;
        Comparison worst = null;
        String where = "";
        for (CaseResult result : cases) {
            for (Comparison c : result.comparisons()) {
                if (!c.stage().equals(stage) || c.verdict() == Verdict.NOT_COVERED) {
                    continue;
                }
                switch (c.verdict()) {
                    case PASS -> pass++;
                    case NEAR_TIE -> nearTie++;
                    case FAIL, ERROR -> fail++;
                    case NOT_COVERED -> throw new AssertionError("left out above");
                }
                if (worst == null || c.strain() > worst.strain()) {
                    worst = c;
                    where = result.id() + " " + c.tensor();
                }
            }
        }
        return worst == null ? Optional.empty() : Optional.of(new StageSummary(stage, pass, nearTie, fail, worst.maxAbs(), worst.budget(), where));
    }

    /// 0 when everything that was compared agrees, 1 when something does not or nothing could be compared.
    public int exitCode() {
        boolean wrong = count(Verdict.FAIL) + count(Verdict.ERROR) > 0;
        return wrong || comparisons() == 0 ? 1 : 0;
    }

    /// Writes the result file, schema `dhsa-golden-result/1`: beside the target first, then moved over it in one step.
    public void writeJson(Path out, Implementation implementation) throws IOException {
        ObjectMapper mapper = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        ObjectNode root = mapper.createObjectNode();
        root.put("schema", "dhsa-golden-result/1");
        root.put("vectors", "recordings");
        root.putObject("implementation").put("name", implementation.name()).put("version", implementation.version())
                .put("backend", implementation.backend()).put("device", implementation.device());
        root.putObject("environment").put("java", System.getProperty("java.version")).put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        ObjectNode totals = root.putObject("totals");
        for (Verdict verdict : Verdict.values()) {
            totals.put(verdict.slug(), count(verdict));
        }
        totals.put("comparisons", comparisons());
        ArrayNode list = root.putArray("cases");
        for (CaseResult result : cases) {
            write(list.addObject(), result);
        }
        Path target = out.toAbsolutePath();
        Path unfinished = Files.createTempFile(target.getParent(), target.getFileName().toString(), ".part");
        try {
            mapper.writeValue(unfinished.toFile(), root);
            Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }

    private static void write(ObjectNode node, CaseResult result) {
        node.put("id", result.id());
        node.put("verdict", result.verdict().slug());
        node.put("comparisons", result.comparisons().size());
        if (!result.message().isEmpty()) {
            node.put("message", result.message());
        }
        Optional<Comparison> first = result.firstDivergence();
        if (first.isPresent()) {
            Comparison c = first.get();
            ObjectNode divergence = node.putObject("firstDivergence").put("stage", c.stage()).put("layer", c.layer()).put("tensor", c.tensor())
                    .put("index", c.worstIndex());
            number(divergence, "expected", c.expected());
            number(divergence, "actual", c.actual());
            number(divergence, "error", c.maxAbs());
            number(divergence, "budget", c.budget());
            divergence.put("note", c.note());
        } else {
            node.putNull("firstDivergence");
        }
        node.putArray("diagnosis");
        ObjectNode metrics = node.putObject("metrics");
        number(metrics, "maxAbs", result.comparisons().stream().mapToDouble(Comparison::maxAbs).max().orElse(Double.NaN));
        number(metrics, "maxRel", result.comparisons().stream().mapToDouble(Comparison::maxRel).max().orElse(Double.NaN));
        number(metrics, "cosine", result.comparisons().stream().mapToDouble(Comparison::cosine).filter(c -> !Double.isNaN(c)).min().orElse(Double.NaN));
    }

    /// JSON has no NaN and no infinity; they become texts.
    private static void number(ObjectNode node, String field, double value) {
        if (Double.isFinite(value)) {
            node.put(field, value);
        } else {
            node.put(field, Double.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }
    }

    public Backend backend() {
        return backend;
    }
}
