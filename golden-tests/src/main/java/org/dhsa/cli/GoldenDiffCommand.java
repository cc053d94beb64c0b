package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.diff.GoldenDiff;
import org.dhsa.tensor.DType;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `dhsa golden diff`: where does a port first differ, what follows from it, and which known mistake does it look like?
@Command(name = "diff", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Compares tensors that a port dumped with an export, a vector or a recording, and says where the first mistake is.",
        description = {"",
            "The stages are walked in order. After the first that differs, each stage is judged by itself: the reference is given ACTUAL's own inputs "
                    + "of the stage, so that what follows from a mistake is told from a second one. Tensors that ACTUAL does not have are counted as not covered.", ""},
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:everything that was compared is within its budget", "1:a real difference",
            "2:EXPECTED or ACTUAL is not usable: a missing file, a wrong hash, an unknown schema version, a tensor of another shape, type or name"},
        footerHeading = "%nExamples:%n",
        footer = {"  dhsa golden diff my-export dump.safetensors",
            "  dhsa golden diff my-export dump.npz --names hf --dtype bf16 --html diff.html"})
final class GoldenDiffCommand implements Callable<Integer> {

    /// Arithmetic of a port.
    enum Arithmetic { F64, F32, F16, BF16 }

    @Parameters(index = "0", paramLabel = "EXPECTED", description = "a folder: an export, one vector or one recording")
    Path expected;

    @Parameters(index = "1", paramLabel = "ACTUAL", description = "what the port dumped: a .safetensors, .npz or .npy file, or a folder of them")
    Path actual;

    @Option(names = "--names", paramLabel = "NAMES", description = "How ACTUAL names its tensors: hf, transformerlens, gemma_pytorch, or a JSON file. Default: as EXPECTED does.")
    String names;

    @Option(names = "--dtype", paramLabel = "TYPE", description = "Arithmetic of the port: f64, f32, f16 or bf16, for the budget. Default: the type of each dumped tensor.")
    Arithmetic dtype;

    @Option(names = "--model", paramLabel = "DIR", description = "The model that was exported, if the export does not hold its weights.")
    Path model;

    @Option(names = "--every-stage", description = "Judge every stage by itself, not only those after the first divergence.")
    boolean everyStage;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the result to FILE too, schema dhsa-golden-result/1.")
    Path json;

    @Option(names = "--html", paramLabel = "FILE", description = "Write one page with a picture of the error to FILE too.")
    Path html;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        requireWritable(json, "--json");
        requireWritable(html, "--html");
        GoldenDiff diff;
        try (Progress progress = Progress.on(spec.commandLine().getErr(), json != null)) {
            Progress.Task task = progress.task("comparing");
            diff = GoldenDiff.of(expected, actual, new GoldenDiff.Options(Optional.ofNullable(model), Optional.ofNullable(names),
                    Optional.ofNullable(dtype).map(d -> DType.valueOf(d.name())), everyStage), task::at);
        } catch (GoldenFormatException e) {
            throw new BadInput(e.getMessage(), e);
        }
        PrintWriter out = spec.commandLine().getOut();
        out.print(diff.text());
        out.flush();
        if (json != null) {
            FileOutput.write(json.toAbsolutePath(), Json.pretty(diff.json()) + "\n");
        }
        if (html != null) {
            FileOutput.write(html.toAbsolutePath(), diff.html());
        }
        return diff.exitCode();
    }

    private static void requireWritable(Path file, String option) {
        if (file == null) {
            return;
        }
        if (Files.isDirectory(file)) {
            throw new BadInput(option + ": " + file + " is a folder; name a file.");
        }
        FileOutput.requireWritable(file.toAbsolutePath().getParent(), option);
    }
}
