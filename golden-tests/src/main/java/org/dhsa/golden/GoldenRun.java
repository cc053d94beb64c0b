package org.dhsa.golden;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.dhsa.backend.Backend;
import org.dhsa.golden.vector.CaseDiagnosis;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.golden.vector.VectorCheck;
import org.dhsa.golden.vector.VectorTree;
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
    private final List<String> unusable;
    private final Backend backend;
    /// Version of the vectors, "recordings" for recordings.
    private final String vectors;
    /// Level and profile of each case that has them, by id.
    private final Map<String, Place> places;

    /// Where a published case stands.
    public record Place(String level, String profile) {}

    /// Cases of one conformance level.
    public record LevelSummary(String level, int pass, int nearTie, int fail, int notCovered) {}

    private GoldenRun(List<CaseResult> cases, List<String> materials, List<GoldenFormatException> unusable, Backend backend,
                      String vectors, Map<String, Place> places) {
        this.vectors = vectors;
        this.places = Map.copyOf(places);
        this.cases = List.copyOf(cases);
        this.materials = List.copyOf(materials);
        this.unusable = unusable.stream().map(Throwable::getMessage).toList();
        this.backend = backend;
    }

    /// Reads every case that passes the filter, then checks them in the order of their ids. A broken case does not keep the
    /// others from being checked; it is among [#unusable()].
    ///
    /// @param dirOrCase  a folder tree with case folders in it, or one case folder; links are followed
    /// @param caseFilter by id
    /// @param onCase     told each result as soon as it is there
    /// @throws GoldenFormatException if there is no case, or every one is broken
    public static GoldenRun of(Path dirOrCase, Backend backend, Predicate<String> caseFilter, Consumer<CaseResult> onCase)
            throws GoldenFormatException, IOException {
        List<GoldenFormatException> unusable = new ArrayList<>();
        if (Files.isDirectory(dirOrCase) && caseFolders(dirOrCase).stream().anyMatch(VectorCase::isOne)) {
            return vectors(dirOrCase, backend, caseFilter, onCase, unusable);
        }
        List<GoldenCase> found = find(dirOrCase, caseFilter, unusable);
        List<String> materials = new ArrayList<>();
        List<CaseResult> results = new ArrayList<>();
        for (GoldenCase golden : found) {
            if (golden.isMaterial()) {
                materials.add(golden.id());
                continue;
            }
            try {
                CaseResult result = check(golden, backend).result();
                results.add(result);
                onCase.accept(result);
            } catch (GoldenFormatException e) {
                unusable.add(e);
            }
        }
        if (results.isEmpty() && !unusable.isEmpty()) {
            throw unusable.getFirst();
        }
        if (results.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "holds only weights that other cases share (" + String.join(", ", materials)
                    + "), nothing to compare", "name the folder above it");
        }
        return new GoldenRun(results, materials, unusable, backend, "recordings", Map.of());
    }

    /// Results that somebody else found: those of a program outside this JVM.
    ///
    /// @param vectors version of the vectors, for the result file
    /// @param places  level and profile of each case, by id
    public static GoldenRun ofResults(List<CaseResult> results, List<GoldenFormatException> unusable, String vectors, Map<String, Place> places) {
        return new GoldenRun(results, List.of(), unusable, null, vectors, places);
    }

    /// A tree of published vectors. Its manifest, if it has one, must be right.
    private static GoldenRun vectors(Path tree, Backend backend, Predicate<String> caseFilter, Consumer<CaseResult> onCase,
                                     List<GoldenFormatException> unusable) throws GoldenFormatException, IOException {
        unusable.addAll(VectorTree.verify(tree));
        List<CaseResult> results = new ArrayList<>();
        Map<String, Place> places = new HashMap<>();
        CaseDiagnosis diagnosis = new CaseDiagnosis();
        List<Path> folders = caseFolders(tree);
        for (Path folder : folders) {
            try {
                if (!VectorCase.isOne(folder)) {
                    throw new GoldenFormatException(folder, "is a recording among vectors", "check recordings and vectors apart");
                }
                if (caseFilter.test(VectorCase.readId(folder))) {
                    VectorCase golden = VectorCase.read(folder);
                    CaseResult result = VectorCheck.check(golden, backend, diagnosis);
                    results.add(result);
                    places.put(golden.id(), new Place(golden.level(), golden.profile()));
                    onCase.accept(result);
                }
            } catch (GoldenFormatException e) {
                unusable.add(e);
            }
        }
        if (results.isEmpty()) {
            throw unusable.isEmpty() ? new GoldenFormatException(tree, "none of its " + folders.size() + " cases passes the filter",
                    "an id is family/stage/case, such as gemma2/rms-norm/toy") : unusable.getFirst();
        }
        return new GoldenRun(results, List.of(), unusable, backend, VectorTree.version(tree), places);
    }

    /// Every case under a folder, by id.
    ///
    /// @throws GoldenFormatException if one of them is broken
    static List<GoldenCase> find(Path dirOrCase) throws GoldenFormatException, IOException {
        List<GoldenFormatException> unusable = new ArrayList<>();
        List<GoldenCase> found = find(dirOrCase, id -> true, unusable);
        if (!unusable.isEmpty()) {
            throw unusable.getFirst();
        }
        return found;
    }

    /// Every case under a folder that passes the filter, by id. A case that does not pass is not read beyond its id.
    private static List<GoldenCase> find(Path dirOrCase, Predicate<String> caseFilter, List<GoldenFormatException> unusable)
            throws GoldenFormatException, IOException {
        if (!Files.isDirectory(dirOrCase)) {
            throw new GoldenFormatException(dirOrCase, "is not a folder", "name a folder with case folders in it");
        }
        List<Path> folders = caseFolders(dirOrCase);
        if (folders.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "holds no case: there is no " + GoldenCase.FILE_NAME + " in it or below it",
                    "name a folder with case folders in it, such as golden-tests/recordings");
        }
        List<GoldenCase> found = new ArrayList<>();
        for (Path folder : folders) {
            try {
                if (caseFilter.test(GoldenCase.readId(folder))) {
                    found.add(GoldenCase.read(folder));
                }
            } catch (GoldenFormatException e) {
                unusable.add(e);
            }
        }
        if (found.isEmpty() && unusable.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "none of its " + folders.size() + " cases passes the filter",
                    "an id is the folder's place in the tree, such as dhsa_mask/random_0");
        }
        found.sort(Comparator.comparing(GoldenCase::id).thenComparing(GoldenCase::folder));
        return found;
    }

    /// Folders with a `case.json`. Links are followed, but not in a circle.
    private static List<Path> caseFolders(Path tree) throws IOException {
        List<Path> folders = new ArrayList<>();
        Files.walkFileTree(tree, Set.of(FileVisitOption.FOLLOW_LINKS), Integer.MAX_VALUE, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (file.endsWith(GoldenCase.FILE_NAME)) {
                    folders.add(file.getParent());
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                if (e instanceof FileSystemLoopException) {
                    return FileVisitResult.CONTINUE;
                }
                throw e;
            }
        });
        folders.sort(Comparator.naturalOrder());
        return folders;
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

    /// What is wrong with the cases that could not be checked, one message each.
    public List<String> unusable() {
        return unusable;
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

    /// Both empty for a recording.
    public Place place(CaseResult result) {
        return places.getOrDefault(result.id(), new Place("", ""));
    }

    /// By conformance level, L0 first; empty for recordings, which have none.
    public List<LevelSummary> byLevel() {
        List<LevelSummary> summaries = new ArrayList<>();
        for (String level : new TreeSet<>(places.values().stream().map(Place::level).toList())) {
            Map<Verdict, Integer> counts = new EnumMap<>(Verdict.class);
            cases.stream().filter(c -> level.equals(place(c).level())).forEach(c -> counts.merge(c.verdict(), 1, Integer::sum));
            summaries.add(new LevelSummary(level, counts.getOrDefault(Verdict.PASS, 0), counts.getOrDefault(Verdict.NEAR_TIE, 0),
                    counts.getOrDefault(Verdict.FAIL, 0) + counts.getOrDefault(Verdict.ERROR, 0), counts.getOrDefault(Verdict.NOT_COVERED, 0)));
        }
        return summaries;
    }

    /// 0 when everything that was compared agrees, 1 when something does not or nothing could be compared, 2 when a case is broken.
    public int exitCode() {
        if (!unusable.isEmpty()) {
            return 2;
        }
        boolean wrong = count(Verdict.FAIL) + count(Verdict.ERROR) > 0;
        return wrong || comparisons() == 0 ? 1 : 0;
    }

    /// Writes the result file, schema `dhsa-golden-result/1`: beside the target first, then moved over it in one step.
    public void writeJson(Path out, Implementation implementation) throws IOException {
        ObjectMapper mapper = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        ObjectNode root = mapper.createObjectNode();
        root.put("schema", "dhsa-golden-result/1");
        root.put("vectors", vectors);
        root.putObject("implementation").put("name", implementation.name()).put("version", implementation.version())
                .put("backend", implementation.backend()).put("device", implementation.device());
        root.putObject("environment").put("java", System.getProperty("java.version")).put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        ObjectNode totals = root.putObject("totals");
        for (Verdict verdict : Verdict.values()) {
            totals.put(verdict.slug(), count(verdict));
        }
        totals.put("comparisons", comparisons()).put("unusable", unusable.size());
        ObjectNode byLevel = root.putObject("levels");
        byLevel().forEach(l -> byLevel.putObject(l.level()).put("pass", l.pass()).put("nearTie", l.nearTie()).put("fail", l.fail()).put("notCovered", l.notCovered()));
        ArrayNode list = root.putArray("cases");
        for (CaseResult result : cases) {
            write(list.addObject(), result);
        }
        if (!unusable.isEmpty()) {
            unusable.forEach(root.putArray("unusable")::add);
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
        ArrayNode diagnosis = node.putArray("diagnosis");
        result.diagnosis().ifPresent(d -> d.ids().forEach(diagnosis::add));
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

    /// Null where no backend was checked.
    public Backend backend() {
        return backend;
    }
}
