package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.DType;

/// A port's dump against an export, a vector or a recording.
public final class GoldenDiff {

    /// @param model where weights come from that EXPECTED does not hold
    /// @param names `hf`, `transformerlens`, `gemma_pytorch` or a file
    /// @param dtype arithmetic of the port, empty for the type of each dumped tensor
    public record Options(Optional<Path> model, Optional<String> names, Optional<DType> dtype, boolean everyStage) {}

    /// Tensors that are looked at for the type in which they were computed.
    private static final int LOOKED_AT = 4;

    private final DiffResult result;

    private GoldenDiff(DiffResult result) {
        this.result = result;
    }

    /// @param progress is told the stage that is being compared
    /// @throws GoldenFormatException if EXPECTED or ACTUAL is not usable
    public static GoldenDiff of(Path expectedPath, Path actualPath, Options options, Consumer<String> progress) throws GoldenFormatException {
        try (Expected expected = Expected.open(expectedPath, options.model().orElse(null)); Dump dump = Dump.open(actualPath)) {
            NameMap names = options.names().isPresent() ? NameMap.of(options.names().get(), expected.layers()) : expected.names();
            ActualTensors actual = ActualTensors.match(expected, dump, names);
            try (DiffEngine engine = new DiffEngine(expected, actual, options.dtype(), options.everyStage())) {
                List<NodeResult> results = engine.run(node -> progress.accept(node.where()));
                Diagnosing diagnosing = new Diagnosing(engine, results);
                List<DiffResult.Finding> findings = new ArrayList<>();
                for (List<NodeResult> group : DiffResult.groups(results).values()) {
                    NodeResult first = group.getFirst();
                    TensorDiff worst = first.worst().orElseThrow();
                    progress.accept("diagnosis of " + first.node().where());
                    findings.add(new DiffResult.Finding(first, worst, group.subList(1, group.size()), List.of(), engine.heatMap(first, worst), diagnosing.of(group)));
                }
                List<String> notes = new ArrayList<>(actual.notes());
                if (options.dtype().isEmpty()) {
                    narrower(actual, results).ifPresent(note -> notes.addFirst(note));
                }
                return new GoldenDiff(new DiffResult(expectedPath.toString(), actualPath.toString(), expected.description(), results, DiffResult.merged(findings),
                        actual.unused(), notes, expected.blindSpots()));
            }
        }
    }

    /// A word on a program that computes in a narrower type than it dumps: it is held to the accuracy of the wide one.
    private static Optional<String> narrower(ActualTensors actual, List<NodeResult> results) throws GoldenFormatException {
        List<String> wrong = results.stream().flatMap(r -> r.compared().stream()).filter(d -> d.differs() && d.budget().error() > 0).map(TensorDiff::name).limit(LOOKED_AT).toList();
        Optional<DType> type = actual.narrowest(wrong);
        return type.map(t -> "ACTUAL is stored as " + actual.dtype(wrong.getFirst()) + ", but every value of what differs first fits " + t + ": if the program computes in " + t
                + ", compare with --dtype " + t.name().toLowerCase(Locale.ROOT));
    }

    /// 0 same, 1 different.
    public int exitCode() {
        return result.exitCode();
    }

    public String text() {
        return new DiffText(result).text();
    }

    public ObjectNode json() {
        return DiffJson.of(result);
    }

    public String html() {
        return new DiffPage(result).html();
    }

    DiffResult result() {
        return result;
    }
}
