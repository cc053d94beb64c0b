package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.bug.Equivalent;
import org.dhsa.bug.MutationReport;
import org.dhsa.bug.MutationRun;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.VectorCase;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `dhsa golden mutate`: would the vectors notice?
@Command(name = "mutate", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Runs the vectors against implementations that are wrong on purpose.",
        description = {
            "Every known bug of docs/bugs.md, in each of its forms, and systematic mistakes (an index shifted, axes exchanged, a term dropped, a comparison "
                    + "flipped, a type too small) are put into the reference, one at a time. A mutant is killed when a case fails. For a known bug the diagnosis must "
                    + "give its name, alone or among those that the case cannot tell apart, and never another name.",
            "", "It takes a minute or two."},
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:every mutant is killed or proven equivalent, and every known bug is named",
            "1:a mutant survives, or a known bug is not named",
            "2:the vectors or an option cannot be used"},
        footerHeading = "%nExamples:%n",
        footer = {"  dhsa golden mutate", "  dhsa golden mutate --vectors golden-tests/golden/v1 --json mutation.json"})
final class MutateCommand implements Callable<Integer> {

    @Option(names = "--vectors", paramLabel = "DIR", description = "the vectors (default: golden-tests/golden/v1 of this checkout)")
    private Path vectors;

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = "reference", description = "what the mistakes are put into (default: ${DEFAULT-VALUE}); a float32 one shows whether its rounding hides them")
    private String backendName;

    @Option(names = "--out", paramLabel = "DIR", description = "write mutation.json and the table mutation.md into DIR")
    private Path out;

    @Option(names = "--json", paramLabel = "FILE", description = "write the matrix to FILE")
    private Path json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        try {
            if (out != null) {
                FileOutput.requireWritable(out, "--out");
            }
            if (json != null) {
                FileOutput.requireWritable(json.toAbsolutePath().getParent(), "--json");
            }
            List<VectorCase> cases = read(vectors == null ? Home.find().root().resolve("golden-tests/golden/v1") : vectors);
            List<MutationRun.Outcome> outcomes;
            try (Progress progress = Progress.on(err, json != null); Backend backend = Backends.open(backendName, BackendOptions.DEFAULT)) {
                Progress.Task task = progress.task("mutate");
                outcomes = MutationRun.of(cases, backend, (done, all) -> task.at("case", done, all));
            }
            MutationReport report = new MutationReport(cases.size(), outcomes);
            spec.commandLine().getOut().print(report.text());
            spec.commandLine().getOut().flush();
            String matrix = Json.pretty(json(report)) + "\n";
            if (json != null) {
                FileOutput.write(json, matrix);
            }
            if (out != null) {
                FileOutput.write(out.resolve("mutation.json"), matrix);
                FileOutput.write(out.resolve("mutation.md"), report.markdown());
            }
            return report.good() ? GoldenCommand.GOOD : GoldenCommand.DIFFERENT;
        } catch (GoldenFormatException | BadInput e) {
            err.println("dhsa: " + e.getMessage());
        } catch (IOException e) {
            err.println("dhsa: " + FileOutput.reason(e));
        }
        err.flush();
        return GoldenCommand.BAD_INPUT;
    }

    private static List<VectorCase> read(Path root) throws GoldenFormatException, IOException {
        if (!Files.isDirectory(root)) {
            throw new BadInput(root + " is not a folder of vectors. Name one with --vectors, or run from a complete checkout.");
        }
        List<Path> folders;
        try (Stream<Path> walk = Files.walk(root)) {
            folders = walk.filter(f -> f.getFileName().toString().equals(VectorCase.FILE_NAME)).map(Path::getParent).filter(VectorCase::isOne).sorted().toList();
        }
        if (folders.isEmpty()) {
            throw new BadInput("There is no case under " + root + ". Name the folder of the vectors with --vectors.");
        }
        List<VectorCase> cases = new ArrayList<>();
        for (Path folder : folders) {
            cases.add(VectorCase.read(folder));
        }
        return cases;
    }

    private ObjectNode json(MutationReport report) {
        ObjectNode root = Json.object().put("schema", "dhsa-mutation/1").put("backend", backendName).put("cases", report.cases()).put("mutants", report.outcomes().size())
                .put("killed", report.killed()).put("equivalent", report.equivalent()).put("survived", report.survivors().size());
        ArrayNode all = root.putArray("matrix");
        for (MutationRun.Outcome o : report.outcomes()) {
            ObjectNode one = all.addObject().put("mutant", o.mutant().id()).put("what", o.mutant().what())
                    .put("bug", o.mutant().bug().map(b -> b.id()).orElse(null)).put("killed", o.killed());
            Equivalent.proof(o.mutant().id()).ifPresent(proof -> one.put("equivalent", proof));
            o.killedBy().forEach(one.putArray("killedBy")::add);
            o.named().forEach(one.putArray("named")::add);
            o.amongSome().forEach(one.putArray("amongSome")::add);
            o.unknown().forEach(one.putArray("unknown")::add);
            o.misnamed().forEach(one.putArray("calledInstead")::add);
        }
        return root;
    }
}
