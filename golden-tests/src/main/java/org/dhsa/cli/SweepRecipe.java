package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.dhsa.eval.Sweep;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/// The command that made a sweep, so that another process can make it again: its options, with paths made absolute.
///
/// @param args what stands behind `./dhsa`
/// @param root of the checkout, for what a command takes from there when an option is not given
public record SweepRecipe(List<String> args, String root) implements Serializable {

    public SweepRecipe {
        args = List.copyOf(args);
    }

    static SweepRecipe of(CommandSpec spec) {
        List<String> args = new ArrayList<>(Arrays.asList(spec.qualifiedName(" ").split(" ")));
        args.removeFirst();
        for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
            args.addAll(written(option));
        }
        return new SweepRecipe(args, Home.find().root().toString());
    }

    private static List<String> written(OptionSpec option) {
        if (option.arity().max() == 0) {
            return Boolean.TRUE.equals(option.getValue()) ? List.of(option.longestName()) : List.of();
        }
        if (option.auxiliaryTypes()[0] == Path.class) {
            Collection<?> paths = option.getValue() instanceof Collection<?> several ? several : List.of((Object) option.getValue());
            return List.of(option.longestName() + "=" + paths.stream().map(p -> ((Path) p).toAbsolutePath().normalize().toString()).collect(Collectors.joining(",")));
        }
        return option.originalStringValues().stream().map(value -> option.longestName() + "=" + value).toList();
    }

    /// Makes the sweep in this process.
    ///
    /// @throws BadInput if something that the options name is not here
    public Sweep open() throws IOException, WeightsFormatException {
        if (System.getProperty("dhsa.root") == null) {
            System.setProperty("dhsa.root", root);
        }
        CommandLine top = Main.commandLine();
        ParseResult parsed = top.parseArgs(args.toArray(String[]::new));
        while (parsed.hasSubcommand()) {
            parsed = parsed.subcommand();
        }
        if (parsed.commandSpec().userObject() instanceof SweepCommand command) {
            return command.sweep(new PrintWriter(System.err, true));
        }
        throw new IllegalArgumentException(args + " measures no sweep");
    }
}
