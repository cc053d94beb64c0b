package org.dhsa.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// Does DHSA keep its promise? Needle tests, published tasks, recall, costs, ablations, all methods at equal pairs, and the page that shows them.
@Command(name = "eval", mixinStandardHelpOptions = true, sortOptions = false, synopsisSubcommandLabel = "COMMAND",
        header = "Compares DHSA with other ways of choosing keys: needle tests, RULER, LongBench, recall, costs, ablations.",
        description = {"", "Start with   ./dhsa eval quick   (minutes), then look at   out/eval/quick.html.",
            "Every run can be stopped and goes on where it was when the same command is given again.", ""},
        subcommands = {EvalQuickCommand.class, EvalNiahCommand.class, EvalAblateCommand.class, EvalFieldCommand.class, EvalRecallCommand.class, EvalLatencyCommand.class,
            EvalKindsCommand.class, EvalRulerCommand.class, EvalLongbenchCommand.class, EvalReportCommand.class, HelpCommand.class})
final class EvalCommand implements Runnable {

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "eval needs to be told what to measure: quick, niah, ablate, field, recall, latency, kinds, ruler, longbench or report.");
    }
}
