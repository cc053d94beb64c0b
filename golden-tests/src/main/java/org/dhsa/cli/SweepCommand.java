package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import org.dhsa.eval.Sweep;
import org.dhsa.weights.WeightsFormatException;

/// A command that measures a sweep. A process that helps with it makes the same sweep from the same options.
interface SweepCommand {

    /// Opens what the options name. Touches no result file.
    ///
    /// @param err warnings go there
    Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException;
}
