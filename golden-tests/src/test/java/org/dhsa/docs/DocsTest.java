package org.dhsa.docs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.cli.Main;
import org.dhsa.docs.Documents.Code;
import org.dhsa.docs.Documents.Document;
import org.dhsa.docs.Documents.Heading;
import org.dhsa.docs.Documents.Link;
import org.dhsa.model.Quirk;
import org.dhsa.stage.Stage;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/// What the documentation says is there: links, snippets, commands, cases, stages, quirks.
///
/// Each check is a function from a document to a list of complaints, so that [ThisTest] can show that it complains.
class DocsTest {

    private static final List<String> STAGE_HEADINGS = List.of("Equation", "Shapes", "Code", "Toy example", "Golden case", "Pitfall");
    private static final ObjectMapper JSON = new ObjectMapper();

    // ---- the checks

    /// Relative links lead to files and anchors that exist.
    private static List<String> brokenLinks(Document doc) {
        List<String> complaints = new ArrayList<>();
        for (Link link : doc.links()) {
            if (URI.create(link.target()).isAbsolute()) {
                continue;
            }
            String[] parts = link.target().split("#", 2);
            Path target = parts[0].isEmpty() ? doc.path() : doc.path().resolveSibling(parts[0]).normalize();
            if (!parts[0].isEmpty() && !Files.exists(target)) {
                complaints.add(at(doc, link.line()) + "no such file: " + link.target());
            } else if (parts.length == 2) {
                Set<String> anchors = (parts[0].isEmpty() ? doc : Documents.read(target)).anchors();
                if (!anchors.contains(parts[1])) {
                    complaints.add(at(doc, link.line()) + "no such anchor: " + link.target() + ", there are " + anchors);
                }
            }
        }
        return complaints;
    }

    /// Java snippets stand in a source file, up to white space.
    private static List<String> foreignSnippets(Document doc, List<String> sources) {
        return doc.codes("java").stream()
                .filter(code -> sources.stream().noneMatch(source -> source.contains(squeezed(code.text()))))
                .map(code -> at(doc, code.line()) + "this snippet is in no source file:\n" + code.text()).toList();
    }

    private static final Pattern INLINE_COMMAND = Pattern.compile("`\\./dhsa([^`]*)`");

    /// `./dhsa` commands in code exist, with their options.
    private static List<String> wrongCommands(Document doc, CommandLine program) {
        List<String> complaints = new ArrayList<>();
        for (Code code : doc.codes()) {
            String joined = code.text().replace("\\\n", " ");
            for (String line : joined.split("\n")) {
                Matcher command = Pattern.compile("^\\s*(?:\\$ )?\\./dhsa(?=\\s|$)(.*)$").matcher(line);
                if (command.matches()) {
                    wrongCommand(command.group(1), program).ifPresent(why -> complaints.add(at(doc, code.line()) + "./dhsa" + command.group(1) + ": " + why));
                }
            }
        }
        for (String line : doc.prose()) {
            Matcher command = INLINE_COMMAND.matcher(line);
            while (command.find()) {
                String words = command.group(1);
                wrongCommand(words, program).ifPresent(why -> complaints.add(doc.name() + ": ./dhsa" + words + ": " + why));
            }
        }
        return complaints;
    }

    private static java.util.Optional<String> wrongCommand(String text, CommandLine program) {
        List<String> words = new ArrayList<>();
        Matcher word = Pattern.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)").matcher(text.replaceAll("\\s+[|>#].*$", ""));
        while (word.find()) {
            words.add(Stream.of(word.group(1), word.group(2), word.group(3)).filter(g -> g != null).findFirst().orElseThrow());
        }
        if (words.isEmpty() || words.getFirst().equals("COMMAND")) {
            return java.util.Optional.empty();
        }
        try {
            CommandLine.ParseResult parsed = program.parseArgs(words.toArray(String[]::new));
            return parsed.hasSubcommand() || parsed.isUsageHelpRequested() || parsed.isVersionHelpRequested()
                    ? java.util.Optional.empty() : java.util.Optional.of("no such command");
        } catch (ParameterException e) {
            return java.util.Optional.of(e.getMessage());
        }
    }

    private static final Pattern CASE = Pattern.compile("`([a-z0-9_]+)/([A-Za-z0-9_*]+)`");

    /// Golden cases that are named in text are recorded; `*` stands for anything.
    private static List<String> unknownCases(Document doc) {
        List<String> complaints = new ArrayList<>();
        Set<String> families = names(Documents.RECORDINGS);
        List<String> lines = doc.prose();
        for (int n = 0; n < lines.size(); n++) {
            Matcher m = CASE.matcher(lines.get(n));
            while (m.find()) {
                Pattern wanted = Pattern.compile(m.group(2).replace("*", ".*"));
                if (families.contains(m.group(1)) && names(Documents.RECORDINGS.resolve(m.group(1))).stream().noneMatch(c -> wanted.matcher(c).matches())) {
                    complaints.add(at(doc, n + 1) + "no such golden case: " + m.group());
                }
            }
        }
        return complaints;
    }

    private static final Pattern CASE_LINK = Pattern.compile("\\[`([^`]+)`]\\(([^)]*recordings/([^)]+))/case\\.json\\)");
    private static final Pattern TENSORS = Pattern.compile("\\btensors?\\s+((?:`[^`]+`(?:\\s*\\([^)]*\\))?[,\\s]*(?:and )?)+)");

    /// A bullet that links a case and names tensors names only tensors of that case, and the link's text is the case.
    private static List<String> unknownTensors(Document doc) {
        List<String> complaints = new ArrayList<>();
        for (String bullet : doc.text().split("\n(?=[*|#]|$)")) {
            Matcher link = CASE_LINK.matcher(bullet);
            boolean first = true;
            while (link.find()) {
                if (!link.group(1).equals(link.group(3))) {
                    complaints.add(doc.name() + ": the link " + link.group(1) + " leads to " + link.group(3));
                }
                if (first && Files.isRegularFile(Documents.RECORDINGS.resolve(link.group(3)).resolve("case.json"))) {
                    Set<String> known = tensors(link.group(3));
                    Matcher named = TENSORS.matcher(bullet);
                    while (named.find()) {
                        Matcher name = Pattern.compile("`([^`]+)`").matcher(named.group(1).replaceAll("\\([^)]*\\)", ""));
                        while (name.find()) {
                            if (!known.contains(name.group(1))) {
                                complaints.add(doc.name() + ": " + link.group(3) + " has no tensor " + name.group(1) + ", but " + known);
                            }
                        }
                    }
                }
                first = false;
            }
        }
        return complaints;
    }

    /// Machine paths and addresses have no place in the documentation.
    private static List<String> foreignPlaces(Document doc) {
        Matcher m = Pattern.compile("https?://\\S+|(?<![\\w.])/(?:home|root|work|tmp|Users|usr)/\\S*|localhost\\S*").matcher(doc.text());
        List<String> complaints = new ArrayList<>();
        while (m.find()) {
            complaints.add(doc.name() + ": " + m.group());
        }
        return complaints;
    }

    private static List<String> wrongHeadings(Document page) {
        List<String> actual = page.headings().stream().filter(h -> h.level() == 2).map(Heading::text).toList();
        return actual.equals(STAGE_HEADINGS) ? List.of() : List.of(page.name() + " has the headings " + actual + ", not " + STAGE_HEADINGS);
    }

    // ---- on the documentation

    @Test
    void everyRelativeLinkResolves() {
        assertThat(complaints(DocsTest::brokenLinks)).isEmpty();
    }

    @Test
    void everyJavaSnippetStandsInASourceFile() {
        List<String> sources = sources();
        assertThat(docs().flatMap(d -> foreignSnippets(d, sources).stream()).toList()).isEmpty();
    }

    @Test
    void everyCommandExistsWithItsOptions() {
        CommandLine program = Main.commandLine();
        assertThat(complaints(d -> wrongCommands(d, program))).isEmpty();
    }

    @Test
    void everyGoldenCaseAndTensorThatIsNamedIsRecorded() {
        assertThat(complaints(DocsTest::unknownCases)).isEmpty();
        assertThat(complaints(DocsTest::unknownTensors)).isEmpty();
    }

    @Test
    void noMachinePathsAndNoAddresses() {
        assertThat(docs().flatMap(d -> foreignPlaces(d).stream()).toList()).isEmpty();
    }

    @Test
    void everyStageHasItsPageWithTheSixHeadings() {
        List<String> expected = new ArrayList<>();
        for (Stage stage : Stage.values()) {
            expected.add(page(stage));
        }
        assertThat(Documents.files(Documents.ROOT.resolve("docs/stages"), ".md").map(p -> p.getFileName().toString()))
                .containsExactlyElementsOf(expected);
        for (Stage stage : Stage.values()) {
            Document page = Documents.doc("docs/stages/" + page(stage));
            assertThat(wrongHeadings(page)).isEmpty();
            assertThat(page.section("Code")).as(page.name()).contains("```java")
                    .contains("stage/" + className(stage) + ".java)").contains("/" + className(stage) + "Reference.java)");
            assertThat(page.section("Toy example")).as(page.name()).contains("```toy");
            assertThat(page.section("Golden case")).as(page.name()).contains("golden-tests/recordings/");
            assertThat(page.text()).as(page.name()).contains("Stage " + (stage.ordinal() + 1) + " of " + Stage.values().length);
        }
    }

    @Test
    void theGlossaryHasEveryStageInOrder() {
        List<String> rows = Documents.doc("docs/glossary.md").section("Stages").lines().filter(l -> l.contains("](stages/")).toList();
        assertThat(rows).hasSameSizeAs(Stage.values());
        for (Stage stage : Stage.values()) {
            assertThat(rows.get(stage.ordinal())).contains("| `" + stage.slug() + "` |", "[" + className(stage) + "Reference]", "](stages/" + page(stage) + ")");
        }
    }

    @Test
    void theGlossaryNamesRecordedTensorsOnly() {
        for (String row : Documents.doc("docs/glossary.md").section("Stages").lines().filter(l -> l.contains("](stages/")).toList()) {
            for (String part : row.split("\\|")[4].split(";")) {
                Matcher family = Pattern.compile("`(\\w+)/\\*`").matcher(part);
                assertThat(family.find()).as(row).isTrue();
                Set<String> known = new TreeSet<>();
                names(Documents.RECORDINGS.resolve(family.group(1))).forEach(c -> known.addAll(tensors(family.group(1) + "/" + c)));
                Matcher name = Pattern.compile("`([\\w.]+)`").matcher(part.substring(family.end()));
                while (name.find()) {
                    assertThat(known).as(row).contains(name.group(1).replace(".N.", ".0."));
                }
            }
        }
    }

    @Test
    void everyQuirkHasItsRowWithTheLettersOfTheManifest() {
        Document quirks = Documents.doc("docs/quirks.md");
        List<String> rows = quirks.section("Every switch").lines().filter(l -> l.startsWith("| `")).toList();
        assertThat(rows.stream().map(r -> r.split("`")[1])).containsExactlyElementsOf(Arrays.stream(Quirk.values()).map(Quirk::name).toList());
        String source = Documents.text(Documents.ROOT.resolve("reference/src/main/java/org/dhsa/model/Quirk.java"));
        String tests = Documents.text(Documents.ROOT.resolve("reference/src/test/java/org/dhsa/forward/QuirkTest.java"));
        for (String row : rows) {
            assertThat(row).contains("/recordings/");
            assertThat(tests).as("QuirkTest").contains("Quirk." + row.split("`")[1]);
            String comment = source.substring(0, source.indexOf("\n    " + row.split("`")[1]));
            comment = comment.substring(Math.max(comment.lastIndexOf(",\n\n"), comment.lastIndexOf(",\n    ///")) + 1);
            Matcher letters = Pattern.compile("\\(([A-Z]\\d+(?:, [A-Z]\\d+)*)\\)").matcher(comment);
            if (letters.find()) {
                assertThat(row.split("\\|")[2].strip()).as(row).startsWith(letters.group(1));
            }
        }
    }

    @Test
    void everyEntryOfTheManifestIsASwitchOrExplained() {
        String page = Documents.doc("docs/quirks.md").text();
        Set<String> said = new TreeSet<>();
        Matcher m = Pattern.compile("\\b([A-Z])(\\d+)(?:–([A-Z])(\\d+))?").matcher(page);
        while (m.find()) {
            int last = Integer.parseInt(m.group(4) == null ? m.group(2) : m.group(4));
            for (int n = Integer.parseInt(m.group(2)); n <= last; n++) {
                said.add(m.group(1) + n);
            }
        }
        Matcher entry = Pattern.compile("(?m)^\\| ([A-Z]\\d+) \\|").matcher(Documents.text(Documents.RECORDINGS.resolve("MANIFEST.md")));
        Set<String> entries = new TreeSet<>();
        while (entry.find()) {
            entries.add(entry.group(1));
        }
        assertThat(entries).hasSize(46);
        assertThat(said).containsAll(entries);
    }

    @Test
    void theFamilyTableCountsTheRecordings() {
        Set<String> said = new TreeSet<>();
        Matcher row = Pattern.compile("(?m)^\\| `(\\w+)` \\| (\\d+) \\|").matcher(Documents.doc("docs/check-your-port.md").text());
        while (row.find()) {
            said.add(row.group(1) + " " + row.group(2));
        }
        Set<String> counted = new TreeSet<>();
        names(Documents.RECORDINGS).forEach(family -> counted.add(family + " " + names(Documents.RECORDINGS.resolve(family)).size()));
        assertThat(said).isEqualTo(counted);
    }

    @Test
    void theFloatDistancesAreThoseOfTheRecordings() {
        Matcher row = Pattern.compile("(?m)^\\| \\[`([^`]+)`].*\\| `([\\d.]+e-\\d+)` \\|$").matcher(Documents.doc("docs/numerics.md").text());
        int rows = 0;
        while (row.find()) {
            JsonNode results = caseJson(row.group(1)).get("results");
            String name = results.propertyStream().map(java.util.Map.Entry::getKey).filter(k -> k.endsWith("of_official_float32_run")).findFirst().orElseThrow();
            assertThat(String.format(Locale.ROOT, "%.2e", results.get(name).doubleValue())).as(row.group(1)).isEqualTo(row.group(2));
            rows++;
        }
        assertThat(rows).isEqualTo(8);
    }

    @Test
    void everyPageCanBeReachedFromTheMap() {
        Set<Path> seen = new LinkedHashSet<>();
        Deque<Path> open = new ArrayDeque<>(List.of(Documents.ROOT.resolve("docs/README.md")));
        while (!open.isEmpty()) {
            Path at = open.pop();
            if (seen.add(at)) {
                Documents.read(at).links().stream().map(l -> l.target().split("#")[0]).filter(t -> t.endsWith(".md") && !t.contains(":"))
                        .map(t -> at.resolveSibling(t).normalize()).filter(p -> p.startsWith(Documents.ROOT.resolve("docs"))).forEach(open::push);
            }
        }
        assertThat(docs().map(Document::path)).allMatch(seen::contains);
    }

    @Test
    void thePythonExampleRunsAndCanFail(@TempDir Path folder) throws Exception {
        assumeThat(python()).as("python3 is on the path").isTrue();
        String program = Documents.doc("docs/check-your-port.md").codes("python").getFirst().text();
        assertThat(runPython(folder.resolve("check.py"), program)).as("exit code of the example").isZero();
        String wrong = program.replace("math.sqrt(end - start)", "(end - start)");
        assertThat(wrong).isNotEqualTo(program);
        assertThat(runPython(folder.resolve("wrong.py"), wrong)).as("exit code with plain means").isEqualTo(1);
    }

    // ---- the checks can fail

    @Nested
    class ThisTest {

        private final Document wrong = new Document(Documents.ROOT.resolve("docs/stages/99-wrong.md"), """
                # Wrong
                ## Equation
                ## Toy example
                A [file](no-such-file.md), an [anchor](../numerics.md#no-such-anchor), a good one: [ties](../numerics.md#ties).
                `dhsa_mask/no_such_case`, `dhsa_mask/tiefree_*`, `./dhsa juggle`, /home/someone/x
                * [`dhsa_mask/tiefree_0`](../../golden-tests/recordings/dhsa_mask/tiefree_0/case.json), tensors `k_repr`, `no_such_tensor`.
                ```java
                double wrong = Math.sqrt(length) * sum;
                ```
                ```java
                case MEAN -> average;
                     case MEAN_SQRT_LENGTH -> Math.sqrt(length) * average;
                ```
                ```
                ./dhsa backends --json
                ./dhsa backends --jason
                ./dhsa demo --max-new-tokens 4   # good
                ./dhsa demo \\
                    --no-such-option
                ```
                """);

        @Test
        void aWrongLinkIsReported() {
            assertThat(brokenLinks(wrong)).hasSize(2).anyMatch(c -> c.contains("no-such-file.md")).anyMatch(c -> c.contains("no-such-anchor"));
        }

        @Test
        void aWrongSnippetIsReported() {
            assertThat(foreignSnippets(wrong, sources())).singleElement().asString().contains("double wrong");
        }

        @Test
        void aWrongCommandIsReported() {
            assertThat(wrongCommands(wrong, Main.commandLine())).hasSize(3)
                    .anyMatch(c -> c.contains("juggle")).anyMatch(c -> c.contains("--jason")).anyMatch(c -> c.contains("--no-such-option"));
        }

        @Test
        void aWrongCaseOrTensorIsReported() {
            assertThat(unknownCases(wrong)).singleElement().asString().contains("no_such_case");
            assertThat(unknownTensors(wrong)).singleElement().asString().contains("no_such_tensor");
        }

        @Test
        void aMissingHeadingAndAMachinePathAreReported() {
            assertThat(wrongHeadings(wrong)).hasSize(1);
            assertThat(foreignPlaces(wrong)).hasSize(1);
        }
    }

    // ---- small things

    private interface Check {
        List<String> complaints(Document doc);
    }

    private static List<String> complaints(Check check) {
        return Documents.all().stream().flatMap(d -> check.complaints(d).stream()).toList();
    }

    private static Stream<Document> docs() {
        return Documents.all().stream().filter(d -> d.name().startsWith("docs/"));
    }

    private static String at(Document doc, int line) {
        return doc.name() + ":" + line + ": ";
    }

    private static List<String> sources() {
        return Documents.files(Documents.ROOT, ".java").filter(p -> p.toString().replace('\\', '/').contains("/src/main/java/")).map(p -> squeezed(Documents.text(p))).toList();
    }

    private static String squeezed(String code) {
        return code.strip().replaceAll("\\s+", " ");
    }

    private static String page(Stage stage) {
        return String.format(Locale.ROOT, "%02d-%s.md", stage.ordinal() + 1, stage.slug());
    }

    /// `top-k-selection` to `TopKSelection`.
    private static String className(Stage stage) {
        return Arrays.stream(stage.slug().split("-")).map(w -> Character.toUpperCase(w.charAt(0)) + w.substring(1)).collect(Collectors.joining());
    }

    private static Set<String> names(Path folder) {
        try (Stream<Path> inside = Files.list(folder)) {
            return inside.filter(Files::isDirectory).map(p -> p.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode caseJson(String id) {
        try {
            return JSON.readTree(Documents.RECORDINGS.resolve(id).resolve("case.json").toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Set<String> tensors(String id) {
        Set<String> names = new TreeSet<>();
        caseJson(id).path("tensors").forEach(file -> file.fieldNames().forEachRemaining(names::add));
        return names;
    }

    private static boolean python() {
        try {
            return new ProcessBuilder("python3", "--version").redirectErrorStream(true).start().waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static int runPython(Path file, String program) throws IOException, InterruptedException {
        Files.writeString(file, program);
        Process process = new ProcessBuilder("python3", file.toString()).directory(Documents.ROOT.toFile()).inheritIO().start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("finished in time").isTrue();
        return process.exitValue();
    }
}
