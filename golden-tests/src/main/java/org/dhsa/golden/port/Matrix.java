package org.dhsa.golden.port;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.Verdict;

/// Results of several implementations side by side: levels and stages down, implementations across.
///
/// What there is to cover is asked of the vectors, not of the results: a case that a result does not mention is not
/// covered, and counts as nothing else.
public final class Matrix {

    public static final String SCHEMA = "dhsa-golden-matrix/1";
    static final String RESULT_SCHEMA = "dhsa-golden-result/1";
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /// One implementation's verdicts on the cases of a row.
    public record Cell(Map<Verdict, Integer> counts) {
        public int count(Verdict verdict) {
            return counts.getOrDefault(verdict, 0);
        }

        public int wrong() {
            return count(Verdict.FAIL) + count(Verdict.ERROR);
        }

        public int right() {
            return count(Verdict.PASS) + count(Verdict.NEAR_TIE);
        }

        public int covered() {
            return wrong() + right();
        }
    }

    /// @param label of the implementation
    /// @param foreign results for cases that the vectors do not have; they are not counted
    public record Column(String label, String version, String device, Map<String, Verdict> verdicts, int foreign) {}

    /// A level or a stage, and its cases.
    public record Row(String name, List<String> ids) {}

    private final String version;
    private final List<Row> levels;
    private final List<Row> stages;
    private final List<Column> columns;

    private Matrix(String version, List<Row> levels, List<Row> stages, List<Column> columns) {
        this.version = version;
        this.levels = levels;
        this.stages = stages;
        this.columns = List.copyOf(columns);
    }

    /// @throws GoldenFormatException if the vectors hold no case, or a result is not of schema `dhsa-golden-result/1`
    public static Matrix of(Path vectors, List<Path> results) throws GoldenFormatException, IOException {
        Map<String, List<String>> levels = new TreeMap<>();
        Map<String, List<String>> stages = new TreeMap<>();
        Map<String, String> known = new TreeMap<>();
        if (!Files.isDirectory(vectors)) {
            throw new GoldenFormatException(vectors, "is not a folder", "name the folder of the vectors, such as golden-tests/golden/v1");
        }
        try (Stream<Path> walk = Files.walk(vectors)) {
            for (Path file : walk.filter(f -> f.endsWith("case.json")).sorted().toList()) {
                JsonNode golden = read(file);
                String id = golden.path("id").asText();
                String[] parts = id.split("/");
                if (parts.length == 3 && known.put(id, golden.path("level").asText()) == null) {
                    levels.computeIfAbsent(golden.path("level").asText(), l -> new ArrayList<>()).add(id);
                    stages.computeIfAbsent(golden.path("level").asText() + " " + parts[1], s -> new ArrayList<>()).add(id);
                }
            }
        }
        if (known.isEmpty()) {
            throw new GoldenFormatException(vectors, "holds no case of the vectors", "name the folder of the vectors, such as golden-tests/golden/v1");
        }
        Path manifest = vectors.resolve("manifest.json");
        List<Column> columns = new ArrayList<>();
        for (Path result : results) {
            columns.add(column(result, known));
        }
        return new Matrix(Files.isRegularFile(manifest) ? read(manifest).path("version").asText("unversioned") : "unversioned", rows(levels), rows(stages), columns);
    }

    private static List<Row> rows(Map<String, List<String>> ids) {
        return ids.entrySet().stream().map(e -> new Row(e.getKey(), List.copyOf(e.getValue()))).toList();
    }

    private static Column column(Path file, Map<String, String> known) throws GoldenFormatException, IOException {
        JsonNode json = read(file);
        if (!json.path("schema").asText().equals(RESULT_SCHEMA)) {
            throw new GoldenFormatException(file, "has the schema \"" + json.path("schema").asText() + "\"", "a result file says " + RESULT_SCHEMA);
        }
        JsonNode who = json.path("implementation");
        if (who.path("name").asText().isBlank() || !json.path("cases").isArray()) {
            throw new GoldenFormatException(file, "names no implementation or lists no cases", "write implementation.name and cases, as golden check --json does");
        }
        Map<String, Verdict> verdicts = new LinkedHashMap<>();
        int foreign = 0;
        for (JsonNode entry : json.path("cases")) {
            String id = entry.path("id").asText();
            Verdict verdict = verdict(file, id, entry.path("verdict").asText());
            if (!known.containsKey(id)) {
                foreign++;
            } else if (verdicts.put(id, verdict) != null) {
                throw new GoldenFormatException(file, "lists the case " + id + " twice", "one verdict a case");
            }
        }
        String backend = who.path("backend").asText();
        String name = who.path("name").asText();
        return new Column(backend.isBlank() || name.contains(backend) ? name : name + " (" + backend + ")", who.path("version").asText(), who.path("device").asText(), verdicts, foreign);
    }

    private static Verdict verdict(Path file, String id, String slug) throws GoldenFormatException {
        for (Verdict verdict : Verdict.values()) {
            if (verdict.slug().equals(slug)) {
                return verdict;
            }
        }
        throw new GoldenFormatException(file, "says \"" + slug + "\" of " + id, "a verdict is one of pass, near-tie, fail, not-covered, error");
    }

    private static JsonNode read(Path file) throws GoldenFormatException, IOException {
        if (!Files.isRegularFile(file)) {
            throw new GoldenFormatException(file, "is not there", "name a result file that golden check --json or a port wrote");
        }
        try {
            return MAPPER.readTree(file.toFile());
        } catch (JsonProcessingException e) {
            throw new GoldenFormatException(file, "is no JSON: " + e.getOriginalMessage(), "write it again");
        }
    }

    public String version() {
        return version;
    }

    public List<Row> levels() {
        return levels;
    }

    /// Named `level slug`.
    public List<Row> stages() {
        return stages;
    }

    public List<Column> columns() {
        return columns;
    }

    /// A case without a verdict is not covered.
    public static Cell cell(Row row, Column column) {
        Map<Verdict, Integer> counts = new EnumMap<>(Verdict.class);
        row.ids().forEach(id -> counts.merge(column.verdicts().getOrDefault(id, Verdict.NOT_COVERED), 1, Integer::sum));
        return new Cell(counts);
    }

    /// `34 of 40`, `2 WRONG, 32 of 40`, `not covered`; right ones of all there are.
    public static String text(Cell cell, int all) {
        if (cell.covered() == 0) {
            return "not covered";
        }
        String wrong = cell.wrong() == 0 ? "" : cell.wrong() + " WRONG, ";
        String ties = cell.count(Verdict.NEAR_TIE) == 0 ? "" : String.format(Locale.ROOT, " (%d near-tie)", cell.count(Verdict.NEAR_TIE));
        return wrong + cell.right() + " of " + all + ties;
    }

    /// A table for a page of this project or a release note.
    public String markdown() {
        StringBuilder out = new StringBuilder("Vectors " + version + ": right of all; a case without a result is not covered.\n\n");
        table(out, "level", levels);
        out.append('\n');
        table(out, "stage", stages);
        return out.toString();
    }

    private void table(StringBuilder out, String head, List<Row> rows) {
        out.append("| ").append(head).append(" |");
        columns.forEach(c -> out.append(' ').append(c.label().replace("|", "\\|")).append(" |"));
        out.append("\n|---|").append("---|".repeat(columns.size())).append('\n');
        for (Row row : rows) {
            out.append("| ").append(row.name()).append(" |");
            columns.forEach(c -> out.append(' ').append(text(cell(row, c), row.ids().size())).append(" |"));
            out.append('\n');
        }
    }

    public ObjectNode json() {
        ObjectNode root = MAPPER.createObjectNode().put("schema", SCHEMA).put("vectors", version);
        for (Column column : columns) {
            ObjectNode node = root.withArray("implementations").addObject().put("name", column.label()).put("version", column.version())
                    .put("device", column.device()).put("resultsForOtherCases", column.foreign());
            rows(node.putObject("levels"), levels, column);
            rows(node.putObject("stages"), stages, column);
        }
        return root;
    }

    private static void rows(ObjectNode node, List<Row> rows, Column column) {
        for (Row row : rows) {
            ObjectNode counts = node.putObject(row.name()).put("cases", row.ids().size());
            for (Verdict verdict : Verdict.values()) {
                counts.put(verdict.slug(), cell(row, column).count(verdict));
            }
        }
    }

    /// Whether any implementation is wrong anywhere.
    public boolean wrong() {
        return columns.stream().anyMatch(c -> levels.stream().anyMatch(row -> cell(row, c).wrong() > 0));
    }
}
