package org.dhsa.golden.port;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.Verdict;
import org.dhsa.golden.vector.CaseDiagnosis;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.golden.vector.VectorCheck;
import org.dhsa.golden.vector.VectorTensor;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.SafetensorsWriter;
import org.dhsa.weights.WeightsFormatException;

/// A program in any language, run on one case at a time.
///
///     COMMAND IN_DIR OUT_FILE
///
/// `IN_DIR/case.json` has `id`, `level`, `profile`, `config`, `inputs` and, without any value, `outputs`;
/// `IN_DIR/inputs.safetensors` has every input, those of a generator too. The program writes its outputs to `OUT_FILE`, a
/// safetensors file with tensors of type F64, F32, BF16 or I64 under the names of the case. Exit code 0: written; 3: it does
/// not compute this stage or this setting; anything else: it failed, and what it said on standard error is told.
///
/// The command is handed to the shell, so it may have arguments and quotation marks. It is ended when it takes too long.
public final class ForeignProgram {

    /// The exit code that says "not covered".
    public static final int NOT_COVERED = 3;
    /// What `sh` gives for a program that is not there, or may not be run.
    private static final Set<Integer> SHELL_FAILED = Set.of(126, 127);
    private static final Set<DType> READABLE = Set.of(DType.F64, DType.F32, DType.BF16, DType.I64);
    private static final int TAIL = 600;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final String command;
    private final Duration timeout;
    private final Optional<Path> keep;
    private final CaseDiagnosis diagnosis = new CaseDiagnosis();
    /// Whether it has ever ended in another way than "not found".
    private boolean found;

    public ForeignProgram(String command, Duration timeout) {
        this(command, timeout, Optional.empty());
    }

    /// @param keep where to leave input, output and standard error of each case that is wrong, in a folder with the case's id
    public ForeignProgram(String command, Duration timeout, Optional<Path> keep) {
        if (command.isBlank()) {
            throw new IllegalArgumentException("the command is empty");
        }
        if (!timeout.isPositive()) {
            throw new IllegalArgumentException("the timeout must be positive, was " + timeout);
        }
        this.command = command;
        this.timeout = timeout;
        this.keep = keep;
    }

    /// Runs the program on one case and compares.
    ///
    /// @throws IOException if the folders for it cannot be written, or the shell cannot be started
    /// @throws CannotStart if the shell finds no such program, the first time already
    public CaseResult check(VectorCase golden) throws IOException, InterruptedException, CannotStart {
        Path folder = Files.createTempDirectory("dhsa-exec");
        try {
            Path in = Files.createDirectory(folder.resolve("in"));
            Path out = folder.resolve("out.safetensors");
            writeInputs(golden, in);
            Path said = folder.resolve("stderr.txt");
            CaseResult result = run(golden, in, out, said);
            if (keep.isPresent() && (result.verdict() == Verdict.FAIL || result.verdict() == Verdict.ERROR)) {
                keep(folder, Files.createDirectories(keep.get().resolve(golden.id())));
            }
            return result;
        } finally {
            delete(folder);
        }
    }

    private CaseResult run(VectorCase golden, Path in, Path out, Path said) throws IOException, InterruptedException, CannotStart {
        ProcessBuilder builder = new ProcessBuilder(shell(in, out)).redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(said.toFile());
        Process process = builder.start();
        process.getOutputStream().close();
        if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            return error(golden, "took more than " + timeout.toSeconds() + " s and was ended" + tail(said));
        }
        if (!found && SHELL_FAILED.contains(process.exitValue())) {
            throw new CannotStart("--exec \"" + command + "\" cannot be started" + tail(said) + ". The command is run in the folder " + Path.of("").toAbsolutePath());
        }
        found = true;
        return switch (process.exitValue()) {
            case 0 -> compare(golden, out, said);
            case NOT_COVERED -> new CaseResult(golden.id(), golden.slug(), Verdict.NOT_COVERED, List.of(), "the program does not cover it (exit code 3)");
            default -> error(golden, "ended with exit code " + process.exitValue() + tail(said));
        };
    }

    /// Copies one case's files; an output of an earlier run does not stay.
    private static void keep(Path from, Path to) throws IOException {
        for (String name : List.of("in/case.json", "in/inputs.safetensors", "out.safetensors", "stderr.txt")) {
            Path target = to.resolve(name);
            Files.createDirectories(target.getParent());
            Files.deleteIfExists(target);
            if (Files.exists(from.resolve(name))) {
                Files.copy(from.resolve(name), target);
            }
        }
    }

    private List<String> shell(Path in, Path out) {
        if (System.getProperty("os.name").startsWith("Windows")) {
            return List.of("cmd", "/c", command + " \"" + in + "\" \"" + out + "\"");
        }
        return List.of("sh", "-c", command + " \"$1\" \"$2\"", "dhsa", in.toString(), out.toString());
    }

    private static void writeInputs(VectorCase golden, Path in) throws IOException {
        ObjectNode json = MAPPER.createObjectNode().put("schema", "dhsa-golden-input/1").put("id", golden.id()).put("level", golden.level()).put("profile", golden.profile());
        json.set("config", golden.config());
        ObjectNode inputs = json.putObject("inputs");
        SafetensorsWriter writer = new SafetensorsWriter();
        for (Map.Entry<String, Tensor> entry : golden.inputs().entrySet()) {
            VectorTensor tensor = (VectorTensor) entry.getValue();
            writer.add(entry.getKey(), tensor.dtype(), dims(tensor.shape()), tensor.bytes());
            ObjectNode node = inputs.putObject(entry.getKey()).put("dtype", tensor.dtype().name());
            tensor.shape().names().forEach(node.putArray("axes")::add);
            for (long d : dims(tensor.shape())) {
                node.withArray("shape").add(d);
            }
        }
        ObjectNode outputs = json.putObject("outputs");
        for (VectorCase.Expected expected : golden.expected().values()) {
            ObjectNode node = outputs.putObject(expected.name()).put("stage", expected.stage()).put("layer", expected.layer()).put("required", expected.required());
            expected.tensor().shape().names().forEach(node.putArray("axes")::add);
        }
        writer.write(in.resolve("inputs.safetensors"));
        Files.writeString(in.resolve("case.json"), MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString((JsonNode) json) + "\n");
    }

    private static long[] dims(Shape shape) {
        long[] dims = new long[shape.rank()];
        for (int a = 0; a < dims.length; a++) {
            dims[a] = shape.extent(a);
        }
        return dims;
    }

    private CaseResult compare(VectorCase golden, Path out, Path said) throws IOException {
        if (!Files.isRegularFile(out)) {
            return error(golden, "ended with exit code 0 and wrote no " + out.getFileName() + tail(said));
        }
        Map<String, Tensor> actual = new LinkedHashMap<>();
        try (SafetensorsFile file = SafetensorsFile.open(out)) {
            for (String name : file.names()) {
                // others are only told by name, when one that is expected is missing
                if (golden.expected().containsKey(name) || READABLE.contains(file.tensor(name).dtype())) {
                    actual.put(name, tensor(file.tensor(name)));
                }
            }
        } catch (WeightsFormatException | UnreadableOutput | IllegalArgumentException | ArithmeticException e) {
            return error(golden, "wrote a file that cannot be used: " + e.getMessage().replace(out.toString(), "OUT_FILE"));
        }
        return VectorCheck.judge(golden, actual, diagnosis);
    }

    /// Axes get numbers for names: a comparison looks at extents.
    private static VectorTensor tensor(WeightTensor from) throws UnreadableOutput {
        if (!READABLE.contains(from.dtype())) {
            throw new UnreadableOutput("tensor " + from.name() + " is of type " + from.dtype() + ", expected F64, F32, BF16 or I64");
        }
        List<Object> axes = new ArrayList<>();
        for (int a = 0; a < from.rank(); a++) {
            axes.add("axis" + a);
            axes.add(Math.toIntExact(from.dim(a)));
        }
        return VectorTensor.ofBytes(Shape.of(axes.toArray()), from.dtype(), from.bytes().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
    }

    private static CaseResult error(VectorCase golden, String problem) {
        Comparison failed = new Comparison(golden.slug(), -1, "", Verdict.ERROR, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0, "",
                Double.NaN, Double.NaN, "the program " + problem);
        return new CaseResult(golden.id(), golden.slug(), Verdict.ERROR, List.of(failed), "the program " + problem);
    }

    /// The end of what it said.
    private static String tail(Path said) throws IOException {
        String text = new String(Files.readAllBytes(said), StandardCharsets.UTF_8).strip();
        return text.isEmpty() ? "; it said nothing on standard error" : "; it said: " + (text.length() > TAIL ? "... " + text.substring(text.length() - TAIL) : text);
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> walk = Files.walk(folder)) {
            for (Path path : walk.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    /// The command is no program.
    public static final class CannotStart extends Exception {
        private static final long serialVersionUID = 1;

        CannotStart(String message) {
            super(message);
        }
    }

    private static final class UnreadableOutput extends Exception {
        private static final long serialVersionUID = 1;

        UnreadableOutput(String message) {
            super(message);
        }
    }
}
