package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// What is in a model folder or a file of tensors.
@Command(name = "inspect", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Lists what is in a model folder or a file of weights.",
        description = {"", "Names, types, shapes, sizes and metadata; no value is read. Of a folder it also says what is missing or unexpected for "
                + "Gemma 2; then the exit code is 2.", ""})
final class InspectCommand implements Callable<Integer> {

    @Parameters(paramLabel = "PATH", description = "A model folder, *.safetensors, *.safetensors.index.json, or *.pt.")
    Path path;

    @Option(names = "--json", description = "Print one JSON object instead of text.")
    boolean json;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        if (!Files.exists(path)) {
            throw new BadInput("There is no file or folder " + path + ".");
        }
        PrintWriter out = spec.commandLine().getOut();
        Inspection found = Inspection.of(path);
        if (json) {
            out.println(Json.pretty(json(found)));
        } else {
            print(found, out);
        }
        out.flush();
        return found.problems().isEmpty() ? 0 : Main.BAD_INPUT;
    }

    private static void print(Inspection found, PrintWriter out) {
        found.files().forEach((file, bytes) -> out.println(file + "  " + size(bytes)));
        found.config().ifPresent(config -> out.println(config));
        found.metadata().forEach((key, value) -> out.println("metadata " + key + " = " + value));
        out.println();
        int width = found.tensors().stream().mapToInt(t -> t.name().length()).max().orElse(0);
        for (Inspection.Entry t : found.tensors()) {
            out.printf(Locale.ROOT, "%-" + Math.max(1, width) + "s  %-5s %-18s %12s%n", t.name(), t.dtype(), Arrays.toString(t.dims()), size(t.bytes()));
        }
        out.printf(Locale.ROOT, "%n%d tensors, %,d values, %s%n", found.tensors().size(), found.values(), size(found.bytes()));
        found.warnings().forEach(warning -> out.println("warning: " + warning));
        found.problems().forEach(problem -> out.println("PROBLEM: " + problem));
        if (found.config().isPresent() && found.problems().isEmpty()) {
            out.println("Nothing is missing and nothing unexpected: a complete Gemma 2.");
        }
    }

    private static ObjectNode json(Inspection found) {
        ObjectNode root = Json.object();
        for (Map.Entry<Path, Long> file : found.files().entrySet()) {
            root.withArray("files").addObject().put("path", file.getKey().toString()).put("bytes", file.getValue());
        }
        found.config().ifPresent(config -> root.put("config", config));
        root.set("metadata", Json.MAPPER.valueToTree(found.metadata()));
        root.withArray("tensors");
        for (Inspection.Entry t : found.tensors()) {
            root.withArray("tensors").addObject().put("name", t.name()).put("dtype", t.dtype().name()).put("bytes", t.bytes())
                    .set("shape", Json.array(t.dims()));
        }
        root.put("values", found.values()).put("bytes", found.bytes());
        root.set("warnings", Json.MAPPER.valueToTree(found.warnings()));
        root.set("problems", Json.MAPPER.valueToTree(found.problems()));
        return root;
    }

    private static String size(long bytes) {
        String[] units = {"B", "KB", "MB", "GB", "TB"};
        double value = bytes;
        int unit = 0;
        while (value >= 1000 && unit < units.length - 1) {
            value /= 1000;
            unit++;
        }
        return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", value, units[unit]);
    }
}
