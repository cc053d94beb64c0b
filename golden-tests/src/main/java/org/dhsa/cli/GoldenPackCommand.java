package org.dhsa.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.port.VectorArchive;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `dhsa golden pack --out FILE`: the vectors as one file.
@Command(name = "pack", mixinStandardHelpOptions = true, sortOptions = false, header = "Packs the published vectors into one archive with checksums.",
        description = {"The archive holds the vectors, the negative corpus, the contract, the schemas and SHA256SUMS, in one folder whose name has the version. "
                + "A tree that its manifest does not confirm is not packed.", "",
            "To check an unpacked one:  sha256sum -c SHA256SUMS,  or with the Python reader:  python3 check.py FOLDER --verify"})
final class GoldenPackCommand implements Callable<Integer> {

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "the archive: .tar.gz, .tgz or .zip")
    private Path out;

    @Option(names = "--vectors", paramLabel = "DIR", description = "the vectors (default: golden-tests/golden/v1 of this checkout)")
    private Path vectors;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        try {
            VectorArchive archive = VectorArchive.of(vectors == null ? Home.find().root().resolve("golden-tests/golden/v1") : vectors);
            archive.write(out);
            spec.commandLine().getOut().println(out + ": " + archive.name() + ", " + archive.paths().size() + " files, " + Files.size(out) + " bytes");
            spec.commandLine().getOut().flush();
            return GoldenCommand.GOOD;
        } catch (GoldenFormatException | IllegalArgumentException e) {
            throw new BadInput(e.getMessage(), e);
        }
    }
}
