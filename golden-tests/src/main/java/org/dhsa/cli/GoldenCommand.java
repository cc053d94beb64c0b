package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.bug.KnownBugs;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenRun;
import org.dhsa.golden.Verdict;
import org.dhsa.golden.port.ForeignProgram;
import org.dhsa.golden.port.ForeignRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `dhsa golden check DIR`: does an implementation compute what the official ones computed?
@Command(name = "golden", mixinStandardHelpOptions = true, subcommands = {GoldenCommand.Check.class, GoldenExportCommand.class, GoldenDiffCommand.class, VectorsCommand.class, MutateCommand.class, GoldenPackCommand.class, GoldenMatrixCommand.class},
        header = "Compares a backend with published vectors, or with recorded results of the official implementations.",
        description = "Vectors lie in golden-tests/golden/v1: every stage, with expected values from the reference. A recording is a folder tree; every folder with a case.json in it is one case: inputs, parameters and what Google's or the "
                + "DHSA authors' own program made of them. The recordings of this project lie in golden-tests/recordings.")
public final class GoldenCommand implements Callable<Integer> {

    static final int GOOD = 0;
    static final int DIFFERENT = 1;
    static final int BAD_INPUT = 2;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return BAD_INPUT;
    }

    /// Runs every case of a folder tree.
    @Command(name = "check", mixinStandardHelpOptions = true, sortOptions = false,
            header = "Checks every case under DIR, stage by stage and end to end.",
            description = {
                "Each stage is given the recorded inputs of that stage, so that the first table row that fails names the stage that is "
                        + "wrong, not one that suffers from it. Where whole runs are recorded they are repeated end to end too.",
                "",
                "A case passes when every number is within the tolerance that the recording states and every list of keys is "
                        + "the recorded one. \"near-tie\" means that only keys of exactly equal score were exchanged. \"not-covered\" means that "
                        + "nothing was compared, because the family is unknown or the backend does not compute it; it never counts as passed.",
                "",
                "Of recordings of other selection methods only the reference computes the selection. Other backends attend over the recorded lists; the table says so."},
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {"0:everything that was compared agrees",
                "1:a comparison failed, or nothing could be compared",
                "2:DIR, a case in it, the backend or an option is not usable; the other cases are checked all the same"},
            footerHeading = "%nExamples:%n",
            footer = {"  dhsa golden check golden-tests/golden/v1 --backend optimized",
                "  dhsa golden check golden-tests/recordings",
                "  dhsa golden check golden-tests/recordings --filter 'dhsa_*/**' -v",
                "  dhsa golden check my-recordings/e2e/long_prompt --json result.json"})
    static final class Check implements Callable<Integer> {

        @Parameters(paramLabel = "DIR", description = "a folder tree of cases, or one case folder")
        private Path dir;

        @Option(names = "--backend", paramLabel = "NAME", defaultValue = "reference", description = "what to check (default: ${DEFAULT-VALUE}); the command \"backends\" lists them")
        private String backendName;

        @Option(names = "--exec", paramLabel = "COMMAND", description = {"check a program of yours instead of a backend, on the vectors (golden-tests/golden/v1): for each case the shell runs",
            "COMMAND IN_DIR OUT_FILE. It reads IN_DIR/case.json (config, inputs, outputs) and IN_DIR/inputs.safetensors and writes OUT_FILE, a safetensors file with the outputs. "
                    + "Its exit code 3 means not covered"})
        private String exec;

        @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "60", description = "what --exec may take for one case (default: ${DEFAULT-VALUE})")
        private int timeout;

        @Option(names = "--name", paramLabel = "NAME", description = "what the program of --exec is called in the result file (default: the command)")
        private String name;

        @Option(names = "--filter", paramLabel = "GLOB", description = "only cases whose id, such as dhsa_mask/random_0, matches; a plain family name selects the family")
        private String filter;

        @Option(names = "--json", paramLabel = "FILE", description = "write the results to FILE too, schema dhsa-golden-result/1")
        private Path json;

        @Option(names = {"-v", "--verbose"}, description = "show every comparison, not only the worst of each case")
        private boolean verbose;

        @Spec
        private CommandSpec spec;

        private int done;

        @Override
        public Integer call() {
            PrintWriter err = spec.commandLine().getErr();
            try {
                Predicate<String> selected = filter();
                requireWritable(json);
                if (exec != null) {
                    return runForeign(selected);
                }
                BackendProvider provider = provider();
                try (Backend backend = provider.open()) {
                    return run(backend, provider, selected);
                }
            } catch (GoldenFormatException | Unusable e) {
                err.println("dhsa: " + e.getMessage());
            } catch (IOException | UncheckedIOException e) {
                err.println("dhsa: " + dir + " cannot be read: " + e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            err.flush();
            return BAD_INPUT;
        }

        private int run(Backend backend, BackendProvider provider, Predicate<String> selected) throws GoldenFormatException, IOException, Unusable {
            GoldenRun run = GoldenRun.of(dir, backend, selected, this::show);
            report(run);
            if (json != null && whole(run)) {
                writeJson(run, backend, provider);
            }
            return run.exitCode();
        }

        private int runForeign(Predicate<String> selected) throws GoldenFormatException, IOException, Unusable, InterruptedException {
            if (exec.isBlank() || timeout < 1) {
                throw new Unusable("--exec needs a command and --timeout at least 1 second, they are \"" + exec + "\" and " + timeout);
            }
            GoldenRun run = ForeignRun.of(dir, new ForeignProgram(exec, Duration.ofSeconds(timeout)), selected, this::show);
            report(run);
            if (json != null && whole(run)) {
                writeJson(run, new GoldenRun.Implementation(name == null ? exec : name, "", "exec", ""));
            }
            return run.exitCode();
        }

        /// A result file without the cases that could not be read would say too much.
        private boolean whole(GoldenRun run) {
            if (!run.unusable().isEmpty()) {
                spec.commandLine().getErr().println("dhsa: " + json + " is not written, because it would be incomplete");
                spec.commandLine().getErr().flush();
            }
            return run.unusable().isEmpty();
        }

        private boolean progress() {
            return json == null && System.console() != null && System.console().isTerminal();
        }

        private void show(CaseResult result) {
            PrintWriter out = spec.commandLine().getOut();
            clear(progress());
            out.println(line(result));
            if (verbose) {
                result.comparisons().forEach(c -> out.println("    " + String.format(Locale.ROOT, "%-11s %s", c.verdict().slug(), detail(c))));
            }
            out.flush();
            if (progress()) {
                System.err.print(++done + " cases checked, going on ...");
                System.err.flush();
            }
        }

        private void report(GoldenRun run) {
            PrintWriter out = spec.commandLine().getOut();
            clear(progress());
            stageTable(run, out);
            levelTable(run, out);
            divergences(run, out);
            totals(run, out);
            out.flush();
            run.unusable().forEach(message -> spec.commandLine().getErr().println("dhsa: " + message));
            spec.commandLine().getErr().flush();
        }

        /// Takes the progress line away.
        private static void clear(boolean progress) {
            if (progress) {
                System.err.print("\r\u001b[K");
                System.err.flush();
            }
        }

        private void writeJson(GoldenRun run, Backend backend, BackendProvider provider) throws Unusable {
            String device = provider.probe() instanceof Availability.Available available ? available.description() : "";
            String version = Optional.ofNullable(GoldenRun.class.getPackage().getImplementationVersion()).orElse("development");
            writeJson(run, new GoldenRun.Implementation("dhsa-java", version, backend.name(), device));
        }

        private void writeJson(GoldenRun run, GoldenRun.Implementation implementation) throws Unusable {
            try {
                run.writeJson(json, implementation);
            } catch (IOException e) {
                throw new Unusable("cannot write " + json + ": " + e);
            }
        }

        private static String line(CaseResult result) {
            String worst = result.worst().filter(c -> c.budget() > 0 && Double.isFinite(c.maxAbs()))
                    .map(c -> String.format(Locale.ROOT, "   worst error %.1e of %.1e", c.maxAbs(), c.budget())).orElse("");
            String what = result.verdict() == Verdict.NOT_COVERED ? "   " + result.message() : worst + (result.selectionNotCovered() ? "   selection not covered" : "");
            return String.format(Locale.ROOT, "%-11s %-32s %4d comparisons%s", result.verdict().slug(), result.id(), result.comparisons().size(), what);
        }

        private static void stageTable(GoldenRun run, PrintWriter out) {
            out.println();
            out.println(String.format(Locale.ROOT, "%-24s %6s %9s %6s %12s %9s  %s", "stage", "pass", "near-tie", "fail", "worst error", "allowed", "where"));
            for (GoldenRun.StageSummary s : run.byStage().values()) {
                out.println(String.format(Locale.ROOT, "%-24s %6d %9d %6d %12s %9s  %s", s.stage(), s.pass(), s.nearTie(), s.fail(),
                        number(s.worstError()), s.budget() == 0 ? "exact" : number(s.budget()), s.worstError() == 0 ? "" : s.worstWhere()));
            }
        }

        private static void levelTable(GoldenRun run, PrintWriter out) {
            if (run.byLevel().isEmpty()) {
                return;
            }
            out.println();
            out.println(String.format(Locale.ROOT, "%-24s %6s %9s %6s %12s", "level", "pass", "near-tie", "fail", "not-covered"));
            run.byLevel().forEach(l -> out.println(String.format(Locale.ROOT, "%-24s %6d %9d %6d %12d", l.level(), l.pass(), l.nearTie(), l.fail(), l.notCovered())));
        }

        private static void divergences(GoldenRun run, PrintWriter out) {
            for (CaseResult result : run.cases()) {
                if (result.verdict() == Verdict.FAIL || result.verdict() == Verdict.ERROR || result.verdict() == Verdict.NEAR_TIE) {
                    out.println();
                    out.println(result.id() + ": " + result.verdict().slug() + ", first divergence");
                    result.firstDivergence().ifPresent(c -> out.println("  " + detail(c)));
                    result.diagnosis().ifPresent(d -> out.println("  diagnosis: " + d.text().replace(System.lineSeparator(), System.lineSeparator() + "    ")));
                }
            }
            Map<String, Long> bugs = run.cases().stream().flatMap(c -> c.bugs().size() == 1 ? c.bugs().stream() : Stream.empty())
                    .collect(Collectors.groupingBy(b -> b, TreeMap::new, Collectors.counting()));
            bugs.forEach((id, cases) -> KnownBugs.byId(id).ifPresent(bug -> {
                out.println();
                out.println("matches bug " + id + " in " + cases + (cases == 1 ? " case: " : " cases: ") + bug.title() + "; " + bug.remedy() + " (" + bug.docsLink() + ")");
            }));
        }

        private static String detail(Comparison c) {
            String where = c.where();
            if (c.verdict() == Verdict.PASS) {
                return where + ", worst error " + number(c.maxAbs()) + " of " + number(c.budget());
            }
            if (c.verdict() == Verdict.ERROR || c.worstIndex().isEmpty()) {
                return where;
            }
            return where + System.lineSeparator() + "  at " + c.worstIndex() + ": expected " + c.expected() + ", actual " + c.actual() + ", error "
                    + number(c.maxAbs()) + ", allowed " + number(c.budget());
        }

        private static String number(double value) {
            if (value == Math.rint(value) && Math.abs(value) < 1e6) {
                return Long.toString((long) value);
            }
            return Double.isFinite(value) ? String.format(Locale.ROOT, "%.1e", value) : Double.toString(value);
        }

        private static void totals(GoldenRun run, PrintWriter out) {
            out.println();
            out.println(run.cases().size() + " cases: " + run.count(Verdict.PASS) + " pass, " + run.count(Verdict.NEAR_TIE) + " near-tie, "
                    + run.count(Verdict.FAIL) + " fail, " + run.count(Verdict.ERROR) + " error, " + run.count(Verdict.NOT_COVERED) + " not-covered; "
                    + run.comparisons() + " comparisons"
                    + (run.unusable().isEmpty() ? "" : "; " + run.unusable().size() + " more could not be checked")
                    + (run.materials().isEmpty() ? "" : "; weights shared by cases: "
                            + run.materials().stream().distinct().collect(Collectors.joining(", "))));
            long chosenElsewhere = run.cases().stream().filter(CaseResult::selectionNotCovered).count();
            if (chosenElsewhere > 0) {
                out.println("NOT COVERED in " + chosenElsewhere + " of those that pass: how keys are selected (lists, masks, counts). That is FP64 code which all backends share; --backend reference compares it.");
                out.println("What " + run.backend().name() + " computed there is in the table: sparse-attention is attention over the recorded lists, against FP64 attention over the same lists or the recorded output.");
            }
            if (run.comparisons() == 0) {
                out.println("Nothing was compared.");
            }
        }

        /// By id; a word without a slash is a family.
        private Predicate<String> filter() throws Unusable {
            if (filter == null) {
                return id -> true;
            }
            try {
                PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + (filter.contains("/") || filter.contains("*") ? filter : filter + "/**"));
                return id -> matcher.matches(Path.of(id));
            } catch (PatternSyntaxException e) {
                throw new Unusable("--filter " + filter + " is not a glob: " + e.getDescription());
            }
        }

        private static void requireWritable(Path file) throws Unusable {
            if (file == null) {
                return;
            }
            Path folder = file.toAbsolutePath().getParent();
            if (folder == null || !Files.isDirectory(folder) || !Files.isWritable(folder) || Files.isDirectory(file)) {
                throw new Unusable("cannot write " + file + ": " + (Files.isDirectory(file) ? "it is a folder" : folder + " is not a folder that can be written to"));
            }
        }

        private BackendProvider provider() throws Unusable {
            List<String> names = new ArrayList<>();
            for (BackendProvider provider : ServiceLoader.load(BackendProvider.class)) {
                names.add(provider.name());
                if (provider.name().equals(backendName)) {
                    return switch (provider.probe()) {
                        case Availability.Available available -> provider;
                        case Availability.Missing(String why, String remedy) -> throw new Unusable("the backend " + backendName + " cannot run here: " + why + " (" + remedy + ")");
                    };
                }
            }
            throw new Unusable("there is no backend " + backendName + "; there are: " + String.join(", ", names));
        }
    }

    /// An option that cannot be used, with the reason.
    private static final class Unusable extends Exception {
        private static final long serialVersionUID = 1;

        Unusable(String message) {
            super(message);
        }
    }
}
