package org.dhsa.opencl;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// Measures a few values of the tunables on a device and keeps the fastest.
///
/// Every candidate must give the bits of the first: a tuning that changes a result is a defect of a kernel, and is refused.
public final class OpenClTuner {

    private static final int ROUNDS = 7;
    /// A candidate must beat the one before it by more than such a measurement wobbles.
    private static final double WORTH = 0.95;

    private final OpenClDevice device;
    private final TuningFile file;
    private final Consumer<String> progress;

    private OpenClTuner(OpenClDevice device, TuningFile file, Consumer<String> progress) {
        this.device = device;
        this.file = file;
        this.progress = progress;
    }

    /// One program's choice.
    ///
    /// @param chosen  tunables that are kept
    /// @param seconds time of one run with them
    /// @param before  time of one run with the first candidate, the default of the device's kind
    public record Choice(String program, Map<String, Integer> chosen, double seconds, double before) {}

    /// @param choices one per trial
    /// @param file    where they are kept
    public record Result(String device, List<Choice> choices, Path file) {}

    /// Something to time.
    ///
    /// @param program    slug of the program whose tunables are tried
    /// @param candidates tunables laid over the defaults, the defaults themselves first
    /// @param work       made ready on a context; each call enqueues it once and returns what must not change
    record Trial(String program, List<Map<String, Integer>> candidates, Work work) {}

    /// What one run gave.
    interface Outcome {
        double[] values();
    }

    interface Work {
        Supplier<Outcome> on(OpenClContext context);
    }

    /// Tunes the device that would be used, and writes the result.
    ///
    /// @throws OpenClException if there is no device
    public static Result tune(Consumer<String> progress) throws IOException {
        OpenClLibrary.Found found = OpenClLibrary.look();
        found.missing().ifPresent(missing -> {
            throw new OpenClException(missing.why() + ". What to do: " + missing.remedy());
        });
        OpenClDevice device = OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY));
        return tune(device, TuningFile.of(device), 1024, progress);
    }

    /// @param size extent of the matrices that are timed
    static Result tune(OpenClDevice device, TuningFile file, int size, Consumer<String> progress) throws IOException {
        return new OpenClTuner(device, file, progress).run(size);
    }

    private Result run(int size) throws IOException {
        Tuning best = TuningDefaults.of(device);
        Tuning found = new Tuning(Map.of());
        List<Choice> choices = new ArrayList<>();
        for (Trial trial : trials(device.kind(), size)) {
            Choice choice = best(trial, best);
            best = best.with(trial.program(), choice.chosen());
            found = found.with(trial.program(), choice.chosen());
            choices.add(choice);
        }
        file.write(found);
        return new Result(device.name(), choices, file.path());
    }

    static List<Trial> trials(OpenClDevice.Kind kind, int size) {
        return kind == OpenClDevice.Kind.GPU ? TunerTrials.gpu(size) : TunerTrials.cpu(size);
    }

    private Choice best(Trial trial, Tuning start) {
        Map<String, Integer> chosen = null;
        double seconds = Double.POSITIVE_INFINITY;
        double[] expected = null;
        double before = Double.NaN;
        for (Map<String, Integer> candidate : trial.candidates()) {
            progress.accept(trial.program() + " " + candidate);
            double[][] values = new double[1][];
            double taken;
            try {
                taken = time(trial, start.with(trial.program(), candidate), values);
            } catch (OpenClException tooMuchForThisDevice) {
                continue;
            }
            if (expected != null && !Arrays.equals(expected, values[0])) {
                throw new OpenClException(trial.program() + ".cl with " + candidate + " gives other bits than with " + trial.candidates().getFirst()
                        + " on " + device.name() + ": please report this");
            }
            expected = values[0];
            if (chosen == null) {
                before = taken;
            }
            if (taken < WORTH * seconds) {
                seconds = taken;
                chosen = candidate;
            }
        }
        if (chosen == null) {
            throw new OpenClException("no tuning of " + trial.program() + ".cl runs on " + device.name());
        }
        return new Choice(trial.program(), chosen, seconds, before);
    }

    /// Best of some rounds, after one that compiles.
    private double time(Trial trial, Tuning tuning, double[][] values) {
        try (OpenClContext context = new OpenClContext(device, tuning, OptionalLong.empty())) {
            Supplier<Outcome> work = trial.work().on(context);
            values[0] = work.get().values();
            double best = Double.POSITIVE_INFINITY;
            for (int round = 0; round < ROUNDS; round++) {
                long begun = System.nanoTime();
                work.get();
                context.finish();
                best = Math.min(best, (System.nanoTime() - begun) / 1e9);
            }
            return best;
        }
    }
}
