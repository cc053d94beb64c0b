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
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenRun;
import org.dhsa.golden.JUnitReport;
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

        @Option(names = "--keep", paramLabel = "FOLDER", description = "of each case that --exec got wrong keep IN_DIR, OUT_FILE and what the program said, in FOLDER/<id of the case>")
        private Path keep;

        @Option(names = "--filter", paramLabel = "GLOB", description = "only cases whose id, such as dhsa_mask/random_0, matches; a plain family name selects the family")
        private String filter;

        @Option(names = "--json", paramLabel = "FILE", description = "write the results to FILE too, schema dhsa-golden-result/1")
        private Path json;

        @Option(names = "--junit", paramLabel = "FILE", description = "write the results to FILE too, as JUnit XML: a test for each case, skipped if it is not covered")
        private Path junit;

        @Option(names = {"-v", "--verbose"}, description = "show every comparison, not only the worst of each case, every failure and the cases that are not covered")
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
                requireWritable(junit);
                if (exec != null) {
                    return runForeign(selected);
                }
                if (keep != null) {
                    throw new Unusable("--keep goes with --exec: only a program of yours is given files");
                }
                BackendProvider provider = provider();
                try (Backend backend = provider.open()) {
                    return run(backend, provider, selected);
                }
            } catch (GoldenFormatException | Unusable | ForeignProgram.CannotStart e) {
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
            if (whole(run)) {
                writeJson(run, backend, provider);
                writeJUnit(run, "dhsa-java, backend " + backend.name());
            }
            return run.exitCode();
        }

        private int runForeign(Predicate<String> selected) throws GoldenFormatException, IOException, Unusable, InterruptedException, ForeignProgram.CannotStart {
            if (spec.commandLine().getParseResult().hasMatchedOption("--backend")) {
                throw new Unusable("--exec checks a program of yours and --backend one of ours; name one of them");
            }
            if (exec.isBlank() || timeout < 1) {
                throw new Unusable("--exec needs a command and --timeout at least 1 second, they are \"" + exec + "\" and " + timeout);
            }
            GoldenRun run = ForeignRun.of(dir, new ForeignProgram(exec, Duration.ofSeconds(timeout), Optional.ofNullable(keep)), selected, this::show);
            report(run);
            if (whole(run)) {
                writeJson(run, new GoldenRun.Implementation(name == null ? exec : name, "", "exec", ""));
                writeJUnit(run, name == null ? exec : name);
            }
            return run.exitCode();
        }

        /// A result file without the cases that could not be read would say too much.
        private boolean whole(GoldenRun run) {
            if (!run.unusable().isEmpty()) {
                Stream.of(json, junit).filter(Objects::nonNull).forEach(file -> spec.commandLine().getErr().println("dhsa: " + file + " is not written, because it would be incomplete"));
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
            if (verbose || result.verdict() != Verdict.NOT_COVERED) {
                out.println(line(result));
            }
            if (verbose) {
                result.comparisons().forEach(c -> out.println("    " + String.format(Locale.ROOT, "%-11s %s", c.verdict().slug(), CheckReport.detail(c))));
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
            new CheckReport(run, out, verbose, filter == null && Files.isRegularFile(dir.resolve("manifest.json"))).print();
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
            if (json == null) {
                return;
            }
            try {
                run.writeJson(json, implementation);
            } catch (IOException e) {
                throw new Unusable("cannot write " + json + ": " + e);
            }
        }

        private void writeJUnit(GoldenRun run, String checked) throws Unusable {
            if (junit == null) {
                return;
            }
            try {
                FileOutput.write(junit.toAbsolutePath(), JUnitReport.of(run, checked));
            } catch (IOException e) {
                throw new Unusable("cannot write " + e.getMessage());
            }
        }

        private static String line(CaseResult result) {
            String worst = result.worst().filter(c -> c.budget() > 0 && Double.isFinite(c.maxAbs()))
                    .map(c -> String.format(Locale.ROOT, "   worst error %.1e of %.1e", c.maxAbs(), c.budget())).orElse("");
            String what = result.verdict() == Verdict.NOT_COVERED ? "   " + result.message() : worst + (result.selectionNotCovered() ? "   selection not covered" : "");
            return String.format(Locale.ROOT, "%-11s %-32s %4d comparisons%s", result.verdict().slug(), result.id(), result.comparisons().size(), what);
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
