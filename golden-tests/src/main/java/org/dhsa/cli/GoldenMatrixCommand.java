package org.dhsa.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.port.Matrix;
import org.dhsa.golden.port.MatrixPage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `dhsa golden matrix RESULT...`: who computes what, and rightly.
@Command(name = "matrix", mixinStandardHelpOptions = true, sortOptions = false, header = "Makes a table of the results of several implementations.",
        description = {"Every RESULT is a file of schema dhsa-golden-result/1, as golden check --json and the readers in golden-tests/ports write it. The table has a row for each "
                + "level and stage of the vectors and a column for each implementation. What a result does not mention is shown as not covered.", "",
            "Without --out, --markdown and --json the table is printed."},
        exitCodeListHeading = "%nExit codes:%n", exitCodeList = {"0:the table was made, whatever it shows", "2:a file cannot be used"})
final class GoldenMatrixCommand implements Callable<Integer> {

    @Parameters(arity = "1..*", paramLabel = "RESULT", description = "result files")
    private List<Path> results;

    @Option(names = "--out", paramLabel = "FILE", description = "write one HTML page")
    private Path page;

    @Option(names = "--markdown", paramLabel = "FILE", description = "write the two tables as Markdown")
    private Path markdown;

    @Option(names = "--json", paramLabel = "FILE", description = "write the counts, schema dhsa-golden-matrix/1")
    private Path json;

    @Option(names = "--vectors", paramLabel = "DIR", description = "the vectors that say what there is to cover (default: golden-tests/golden/v1 of this checkout)")
    private Path vectors;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Matrix matrix;
        try {
            matrix = Matrix.of(vectors == null ? Home.find().root().resolve("golden-tests/golden/v1") : vectors, results);
        } catch (GoldenFormatException e) {
            throw new BadInput(e.getMessage(), e);
        }
        if (page != null) {
            FileOutput.write(page, MatrixPage.of(matrix));
        }
        if (markdown != null) {
            FileOutput.write(markdown, matrix.markdown());
        }
        if (json != null) {
            FileOutput.write(json, Json.pretty(matrix.json()) + "\n");
        }
        if (page == null && markdown == null && json == null) {
            spec.commandLine().getOut().print(matrix.markdown());
            spec.commandLine().getOut().flush();
        }
        return GoldenCommand.GOOD;
    }
}
