package org.dhsa.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.report.EvalReport;
import org.dhsa.eval.report.TaskReport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// Result files of any commands of eval as one page and as text.
@Command(name = "report", mixinStandardHelpOptions = true, sortOptions = false, header = "Puts result files together: one page with heat maps, curves and tables.",
        description = {"", "Takes result files of any commands of eval, and puts them on one page, command by command.",
            "Several files of one command must be shards of one configuration.", ""})
final class EvalReportCommand implements Callable<Integer> {

    @Parameters(arity = "1..*", paramLabel = "FILE", description = "Result files (.jsonl).")
    List<Path> files;

    @Option(names = "--out", paramLabel = "FILE", description = "The page. Default: out/eval/report.html in the checkout.")
    Path out;

    @Option(names = "--svg", paramLabel = "DIR", description = "Write the accuracy curves there too, one SVG per model and setting.")
    Path svg;

    @Option(names = "--json", description = "Print one JSON object instead of text.")
    boolean json;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        for (Path file : files) {
            if (!Files.isRegularFile(file)) {
                throw new BadInput("There is no result file " + file + ". Measure first: ./dhsa eval quick.");
            }
        }
        EvalReport report = EvalReport.read(files);
        Path page = out == null ? Home.find().root().resolve("out/eval/report.html") : out;
        FileOutput.requireWritable(page.toAbsolutePath().getParent(), "--out");
        FileOutput.write(page, report.html());
        if (svg != null) {
            FileOutput.requireWritable(svg, "--svg");
            for (TaskReport task : report.tasks()) {
                for (var picture : task.pictures().entrySet()) {
                    FileOutput.write(svg.resolve(picture.getKey()), picture.getValue());
                }
            }
        }
        var output = spec.commandLine().getOut();
        if (json) {
            var object = Json.object().put("page", page.toString());
            report.tasks().forEach(t -> t.addTo(object));
            output.println(Json.pretty(object));
        } else {
            report.tasks().forEach(t -> output.print(t.text()));
            output.println();
            output.println("The page with the pictures: " + page.toAbsolutePath().normalize());
        }
        output.flush();
        return 0;
    }
}
