package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.dhsa.eval.ResultLog;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.SweepEngine;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Model.CommandSpec;

/// A sweep from the command line's point of view: opens it, goes on with an earlier file, shows progress.
///
/// @param now cells computed now
record SweepRun(Path file, int now, double seconds) {

    /// @param unit what a cell is called: `prompt`
    static SweepRun of(SweepCommand command, CommandSpec spec, EvalOptions options, String unit) throws IOException, WeightsFormatException {
        PrintWriter err = spec.commandLine().getErr();
        try (Sweep sweep = command.sweep(err)) {
            if (sweep.timed() && !options.engine.equals(EvalOptions.LOCAL)) {
                throw new BadInput("eval " + spec.name() + " measures times, and cells that run side by side disturb each other. Leave --engine " + options.engine + " away.");
            }
            Path file = options.file(spec.name());
            long begun = System.nanoTime();
            try (SweepEngine engine = options.engine(spec); Progress progress = Progress.on(err, options.json); ResultLog log = ResultLog.open(file, sweep.config())) {
                int there = log.results().size();
                if (there > 0 && !options.json) {
                    err.println("Going on with " + file + ": " + there + " " + unit + "s are there.");
                    err.flush();
                }
                Progress.Task line = progress.task(spec.name());
                int now = engine.run(sweep, log, (done, of) -> line.at(unit, done, of));
                progress.clear();
                return new SweepRun(file, now, (System.nanoTime() - begun) / 1e9);
            }
        }
    }
}
