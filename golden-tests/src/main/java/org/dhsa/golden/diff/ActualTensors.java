package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;

/// What of a dump is an expected tensor, and how its arrays are to be read.
final class ActualTensors {

    private static final int MOST_MESSAGES = 10;

    private record Match(DumpTensor dumped, Layout layout, KnownTensor known) {}

    /// What one call of a stage reads.
    private record Input(TraceNode node, String tensor) {}

    private final Expected expected;
    private final Map<String, Match> matches = new LinkedHashMap<>();
    private final Map<Input, Match> inputs = new LinkedHashMap<>();
    private final Map<String, Input> names = new LinkedHashMap<>();
    private final List<String> unused = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();

    private ActualTensors(Expected expected) {
        this.expected = expected;
    }

    /// Looks at names, shapes and types; reads no value.
    ///
    /// @throws GoldenFormatException naming every array that cannot be the tensor that its name says, or if nothing can be compared
    static ActualTensors match(Expected expected, Dump dump, NameMap names) throws GoldenFormatException {
        ActualTensors actual = new ActualTensors(expected);
        List<String> misfits = new ArrayList<>();
        for (DumpTensor dumped : dump.tensors().values()) {
            List<NameMap.Target> targets = names.targets(dumped.name());
            if (targets.isEmpty()) {
                targets = List.of(new NameMap.Target(dumped.name(), List.of(), List.of(), false));
            }
            boolean used = false;
            for (NameMap.Target target : targets) {
                used |= actual.match(dumped, target, misfits);
            }
            if (!used) {
                actual.unused.add(dumped.name());
            }
        }
        if (!misfits.isEmpty()) {
            throw new GoldenFormatException(dump.path(), misfits.size() == 1 ? misfits.getFirst()
                    : misfits.size() + " tensors cannot be what their names say:" + misfits.stream().limit(MOST_MESSAGES).map(m -> "\n  " + m).reduce("", String::concat)
                            + (misfits.size() > MOST_MESSAGES ? "\n  and " + (misfits.size() - MOST_MESSAGES) + " more" : ""),
                    "dump it with the expected axes, or say how it is laid out with --names");
        }
        if (actual.matches.keySet().stream().noneMatch(name -> expected.recipe().producer(name).isPresent())) {
            throw new GoldenFormatException(dump.path(), "holds no tensor that is expected; it has " + some(dump.tensors().keySet()) + ", expected are "
                    + some(expected.tensors().keySet()), "use these names, or map yours with --names " + String.join("|", NameMap.BUILT_IN) + "|FILE");
        }
        return actual;
    }

    private static String some(Iterable<String> names) {
        List<String> list = new ArrayList<>();
        names.forEach(list::add);
        return list.size() <= 4 ? String.join(", ", list) : String.join(", ", list.subList(0, 4)) + ", ... (" + list.size() + ")";
    }

    private boolean match(DumpTensor dumped, NameMap.Target target, List<String> misfits) {
        String name = canonical(target.name());
        KnownTensor known = expected.tensors().get(name);
        if (known == null) {
            Input input = stageInputs().get(target.name());
            return input != null && !inputs.containsKey(input) && match(dumped, target, expected.tensors().get(input.tensor()), inputs, input, misfits);
        }
        if (matches.containsKey(name)) {
            notes.add(dumped.name() + " is " + name + " once more, after " + matches.get(name).dumped().name() + ", and is left out");
            return true;
        }
        return match(dumped, target, known, matches, name, misfits);
    }

    /// What a port may dump at the entrance of a stage: `layers.0.dense-attention.query`; where a layer has several calls of the
    /// stage, `layers.0.rms-norm.finalNorm.x`.
    private Map<String, Input> stageInputs() {
        if (names.isEmpty()) {
            for (TraceNode node : expected.recipe().nodes()) {
                long calls = expected.recipe().nodes().stream().filter(n -> n.stage() == node.stage() && n.layer() == node.layer()).count();
                node.inputs().forEach((component, tensor) -> {
                    if (expected.tensors().containsKey(tensor)) {
                        names.put(ForwardTrace.name(node.layer(), node.stage(), node.role() + "." + component), new Input(node, tensor));
                        if (calls == 1) {
                            names.put(ForwardTrace.name(node.layer(), node.stage(), component), new Input(node, tensor));
                        }
                    }
                });
            }
        }
        return names;
    }

    private <K> boolean match(DumpTensor dumped, NameMap.Target target, KnownTensor known, Map<K, Match> into, K key, List<String> misfits) {
        String name = known.name();
        if (!dumped.isFloat() && known.kind() == KnownTensor.Kind.CONTINUOUS) {
            misfits.add("tensor " + dumped.name() + " is " + dumped.dtype() + " where " + name + " needs floating-point numbers");
            return true;
        }
        try {
            Layout layout = target.axes().isEmpty() ? Layout.plain(known.shape(), dumped.dims())
                    : Layout.declared(known.shape(), dumped.dims(), target.axes(), target.after(), target.joined(), expected.extents());
            into.put(key, new Match(dumped, layout, known));
            if (!layout.note().isEmpty()) {
                notes.add(dumped.name() + " is read " + layout.note());
            }
        } catch (Layout.Misfit e) {
            misfits.add("tensor " + dumped.name() + " " + e.getMessage());
        }
        return true;
    }

    /// `@context` is the attention's result, whichever attention it was.
    private String canonical(String name) {
        if (name.endsWith(".@context")) {
            String sparse = name.replace("@context", "sparse-attention.context");
            return expected.tensors().containsKey(sparse) ? sparse : name.replace("@context", "dense-attention.context");
        }
        return expected.tensors().containsKey(name) ? name : expected.aliases().getOrDefault(name, name);
    }

    boolean has(String name) {
        return matches.containsKey(name);
    }

    DType dtype(String name) {
        return matches.get(name).dumped().dtype();
    }

    /// The narrowest type that holds every value of these tensors though all are stored in a wider one; empty if there is none, or no tensor.
    Optional<DType> narrowest(List<String> names) throws GoldenFormatException {
        List<DType> candidates = new ArrayList<>(List.of(DType.BF16, DType.F16, DType.F32));
        for (String name : names) {
            int stored = dtype(name).bytes();
            candidates.removeIf(type -> type.bytes() >= stored);
            for (double value : matches.get(name).dumped().values()) {
                candidates.removeIf(type -> !fits(value, type));
            }
        }
        return names.isEmpty() ? Optional.empty() : candidates.stream().findFirst();
    }

    private static boolean fits(double value, DType type) {
        float narrow = (float) value;
        boolean single = Double.isNaN(value) || narrow == value;
        return switch (type) {
            case BF16 -> single && (Float.floatToRawIntBits(narrow) & 0xFFFF) == 0;
            case F16 -> single && (Float.isNaN(narrow) || Float.float16ToFloat(Float.floatToFloat16(narrow)) == narrow);
            default -> single;
        };
    }

    /// Whether the port dumped what this call was given.
    boolean hasInput(TraceNode node, String tensor) {
        return inputs.containsKey(new Input(node, tensor));
    }

    DoubleTensor input(TraceNode node, String tensor) throws GoldenFormatException {
        return read(inputs.get(new Input(node, tensor)));
    }

    DoubleTensor read(String name) throws GoldenFormatException {
        return read(matches.get(name));
    }

    private static DoubleTensor read(Match match) throws GoldenFormatException {
        double[] values = match.dumped().values();
        String name = match.known().name();
        if (match.known().isWhole()) {
            for (double v : values) {
                if (v != Math.rint(v)) {
                    throw new GoldenFormatException(match.dumped().file(), "tensor " + match.dumped().name() + " holds " + v + " where " + name + " needs whole numbers",
                            "dump it as integers");
                }
            }
        }
        return match.layout().apply(match.known().shape(), values);
    }

    /// Arrays that are no expected tensor.
    List<String> unused() {
        return unused;
    }

    /// What was tolerated.
    List<String> notes() {
        return notes;
    }
}
