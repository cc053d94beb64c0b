package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// What of a dump is an expected tensor, and how its arrays are to be read.
final class ActualTensors {

    private static final int MOST_MESSAGES = 10;

    private record Match(DumpTensor dumped, Layout layout, Shape shape) {}

    private final Expected expected;
    private final Map<String, Match> matches = new LinkedHashMap<>();
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
        if (known == null || matches.containsKey(name)) {
            return false;
        }
        if (!dumped.isFloat() && known.kind() == KnownTensor.Kind.CONTINUOUS) {
            misfits.add("tensor " + dumped.name() + " is " + dumped.dtype() + " where " + name + " needs floating-point numbers");
            return true;
        }
        try {
            Layout layout = target.axes().isEmpty() ? Layout.plain(known.shape(), dumped.dims())
                    : Layout.declared(known.shape(), dumped.dims(), target.axes(), target.after(), target.joined(), expected.extents());
            matches.put(name, new Match(dumped, layout, known.shape()));
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

    DoubleTensor read(String name) throws GoldenFormatException {
        Match match = matches.get(name);
        double[] values = match.dumped().values();
        if (expected.tensors().get(name).isWhole()) {
            for (double v : values) {
                if (v != Math.rint(v)) {
                    throw new GoldenFormatException(match.dumped().file(), "tensor " + match.dumped().name() + " holds " + v + " where " + name + " needs whole numbers",
                            "dump it as integers");
                }
            }
        }
        return match.layout().apply(match.shape(), values);
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
