package org.dhsa.opencl;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// Measures a few values of the tunables on a device and keeps the fastest.
///
/// Every candidate must give the bits of the first: a tuning that changes a result is a defect of a kernel, and is refused.
public final class OpenClTuner {

    /// Least rounds of a trial.
    private static final int ROUNDS = 7;
    /// Nanoseconds for the rounds of a trial, per unit of its size: short work is repeated more often, until a quiet moment has met
    /// every candidate.
    private static final long PATIENCE = 2_000_000;
    /// A candidate must beat the one before it by more than such a measurement wobbles.
    private static final double WORTH = 0.95;

    private final OpenClDevice device;
    private final TuningFile file;
    private final int size;
    private final long patience;
    private final Consumer<String> progress;

    private OpenClTuner(OpenClDevice device, TuningFile file, int size, Consumer<String> progress) {
        this.size = size;
        this.patience = PATIENCE * size;
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
        return new OpenClTuner(device, file, size, progress).run();
    }

    private Result run() throws IOException {
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

    /// The candidates take turns, so that a slow moment of the machine meets them all.
    private Choice best(Trial trial, Tuning start) {
        List<Candidate> candidates = new ArrayList<>();
        try {
            for (Map<String, Integer> tunables : trial.candidates()) {
                progress.accept(trial.program() + " " + tunables);
                open(trial, tunables, start).ifPresent(candidates::add);
            }
            for (Candidate candidate : candidates) {
                if (!Arrays.equals(candidates.getFirst().values, candidate.values)) {
                    throw new OpenClException(trial.program() + ".cl with " + candidate.tunables + " gives other bits than with " + candidates.getFirst().tunables
                            + " on " + device.name() + ": please report this");
                }
            }
            long begun = System.nanoTime();
            for (int round = 0; round < ROUNDS || System.nanoTime() - begun < patience; round++) {
                candidates.forEach(Candidate::round);
            }
        } finally {
            candidates.forEach(candidate -> candidate.context.close());
        }
        if (candidates.isEmpty()) {
            throw new OpenClException("no tuning of " + trial.program() + ".cl runs on " + device.name());
        }
        Candidate best = candidates.getFirst();
        for (Candidate candidate : candidates) {
            best = candidate.seconds < WORTH * best.seconds ? candidate : best;
        }
        return new Choice(trial.program(), best.tunables, best.seconds, candidates.getFirst().seconds);
    }

    /// Compiles and runs once; empty if that is too much for this device.
    private Optional<Candidate> open(Trial trial, Map<String, Integer> tunables, Tuning start) {
        OpenClContext context = new OpenClContext(device, start.with(trial.program(), tunables), OptionalLong.empty());
        try {
            Supplier<Outcome> work = trial.work().on(context);
            return Optional.of(new Candidate(tunables, context, work, work.get().values()));
        } catch (OpenClException tooMuchForThisDevice) {
            context.close();
            return Optional.empty();
        }
    }

    /// Tunables that run, and their best round so far.
    private static final class Candidate {
        private final Map<String, Integer> tunables;
        private final OpenClContext context;
        private final Supplier<Outcome> work;
        private final double[] values;
        private double seconds = Double.POSITIVE_INFINITY;

        Candidate(Map<String, Integer> tunables, OpenClContext context, Supplier<Outcome> work, double[] values) {
            this.tunables = tunables;
            this.context = context;
            this.work = work;
            this.values = values;
        }

        void round() {
            long begun = System.nanoTime();
            work.get();
            context.finish();
            seconds = Math.min(seconds, (System.nanoTime() - begun) / 1e9);
        }
    }
}
