package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import org.dhsa.backend.BackendOptions;
import org.dhsa.eval.Setting;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Profile;
import org.dhsa.model.Quirk;
import org.dhsa.opencl.OpenClException;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/// `dhsa`: the commands, and what becomes of everything that goes wrong.
@Command(name = "dhsa", version = "dhsa-java 0.1.0-SNAPSHOT", mixinStandardHelpOptions = true, sortOptions = false,
        synopsisSubcommandLabel = "COMMAND",
        header = "Gemma 2 with Dynamic Hierarchical Sparse Attention, computed exactly, so that you can check your own.",
        description = {
            "",
            "New here? Start with   ./dhsa demo",
            "It answers one long prompt with dense and with sparse attention, shows what each of them read,",
            "and writes a page with pictures. It brings its own small model; nothing is downloaded for it.",
            "",
            "Every command explains itself:   ./dhsa COMMAND --help", ""
        },
        subcommands = {DemoCommand.class, GenerateCommand.class, InspectCommand.class, GoldenCommand.class, BackendsCommand.class,
            SynthCommand.class, BenchCommand.class, EvalCommand.class, TestCommand.class, HelpCommand.class},
        footer = {"", "Exit codes: 0 good, 1 a comparison failed, 2 the input cannot be used."})
public final class Main {

    static final int BAD_INPUT = CommandLine.ExitCode.USAGE;

    private Main() {}

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    /// The whole command line, for running it inside a test too.
    public static CommandLine commandLine() {
        return new CommandLine(new Main())
                .registerConverter(Profile.class, new Choice<>(Profile.class))
                .registerConverter(Quirk.class, new Choice<>(Quirk.class))
                .registerConverter(BackendOptions.KvType.class, new Choice<>(BackendOptions.KvType.class))
                .registerConverter(GoldenDiffCommand.Arithmetic.class, new Choice<>(GoldenDiffCommand.Arithmetic.class))
                .registerConverter(GoldenExportCommand.Choose.class, new Choice<>(GoldenExportCommand.Choose.class))
                .registerConverter(Setting.class, new Choice<>(Setting.class))
                .registerConverter(EmbeddingScale.class, new Choice<>(EmbeddingScale.class))
                .registerConverter(GenerateCommand.Attention.class, new Choice<>(GenerateCommand.Attention.class))
                .registerConverter(DhsaConfig.Aggregation.class, new Choice<>(DhsaConfig.Aggregation.class))
                .registerConverter(DhsaConfig.QueryChunking.class, new Choice<>(DhsaConfig.QueryChunking.class))
                .registerConverter(DhsaConfig.DecodeMode.class, new Choice<>(DhsaConfig.DecodeMode.class))
                .setUsageHelpWidth(110)
                .setAbbreviatedOptionsAllowed(false)
                .setParameterExceptionHandler(Main::wrongUsage)
                .setExecutionExceptionHandler(Main::failed)
                .setExecutionStrategy(Main::run);
    }

    /// Too little memory is an error of Java's, not an exception, and would end the program with a stack trace.
    private static int run(ParseResult parsed) {
        try {
            return new CommandLine.RunLast().execute(parsed);
        } catch (OutOfMemoryError e) {
            if (parsed.originalArgs().contains("--debug")) {
                e.printStackTrace(parsed.commandSpec().commandLine().getErr());
            }
            PrintWriter err = parsed.commandSpec().commandLine().getErr();
            err.println("dhsa: " + HeapLimit.EXCEEDED.formatted(""));
            err.flush();
            return BAD_INPUT;
        }
    }

    private static int wrongUsage(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("dhsa: " + e.getMessage());
        UnmatchedArgumentException.printSuggestions(e, err);
        err.println("What there is: ./" + command.getCommandSpec().qualifiedName() + " --help");
        err.flush();
        return BAD_INPUT;
    }

    private static boolean ranOutOfMemory(Throwable e) {
        return e instanceof OutOfMemoryError || e.getCause() != null && ranOutOfMemory(e.getCause());
    }

    private static int failed(Exception e, CommandLine command, ParseResult parsed) {
        PrintWriter err = command.getErr();
        if (e instanceof ParameterException wrong) {
            return wrongUsage(wrong, new String[0]);
        }
        if (parsed.originalArgs().contains("--debug")) {
            e.printStackTrace(err);
        }
        err.println("dhsa: " + switch (e) {
            case BadInput bad -> bad.getMessage();
            case WeightsFormatException wrong -> wrong.getMessage();
            case OpenClException device -> device.getMessage();
            case IOException io -> "A file cannot be read or written: " + FileOutput.reason(io);
            case Exception other when ranOutOfMemory(other) -> HeapLimit.EXCEEDED.formatted("");
            default -> "This should not have happened: " + e + ". Run it again with --debug and report what it says.";
        });
        err.flush();
        return BAD_INPUT;
    }
}
