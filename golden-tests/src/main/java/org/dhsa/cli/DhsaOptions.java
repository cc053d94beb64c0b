package org.dhsa.cli;

import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Function;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Profile;
import org.dhsa.model.Quirk;
import picocli.CommandLine.Option;

/// Every field of [DhsaConfig] as an option. What is not given stays as the set-up has it.
final class DhsaOptions {

    @Option(names = "--profile", paramLabel = "NAME", description = {"corrected: the paper's method on real Gemma 2 (default). "
            + "upstream: parity with the authors' code, all its quirks on."})
    Profile profile;

    @Option(names = "--budget", paramLabel = "N", description = "Keys that a block of prompt queries may read.")
    Integer budget;

    @Option(names = "--decode-budget", paramLabel = "N", description = "Keys that a new token may read. Default: as --budget.")
    Integer decodeBudget;

    @Option(names = "--block-size", paramLabel = "N", description = "Queries that share one list of keys.")
    Integer blockSize;

    @Option(names = "--local-tokens", paramLabel = "N", description = "Most recent keys that are always read.")
    Integer localTokens;

    @Option(names = "--global-tokens", paramLabel = "N", description = "First keys that are always read.")
    Integer globalTokens;

    @Option(names = "--instruction-tokens", paramLabel = "N|none", description = "Tokens at the prompt's end that read every key.")
    String instructionTokens;

    @Option(names = "--theta", paramLabel = "X|none", description = "A chunk may end where the predictor's logit is above this.")
    String theta;

    @Option(names = "--nms-window", paramLabel = "N", description = "Chunk ends are further apart than this; 0: no such rule.")
    Integer nmsWindow;

    @Option(names = "--chunk-beta", paramLabel = "N", description = "At most floor(prompt / block size) times this many chunk ends.")
    Integer chunkBeta;

    @Option(names = "--aggregation", paramLabel = "HOW", description = {"How the vectors of a chunk become one: mean, mean-sqrt-length "
            + "(default), max-on-queries."})
    DhsaConfig.Aggregation aggregation;

    @Option(names = "--query-chunking", paramLabel = "HOW", description = {"What shares a list of keys: fixed-blocks (default, as the "
            + "authors' code) or dynamic-chunks (as the paper's picture)."})
    DhsaConfig.QueryChunking queryChunking;

    @Option(names = "--share-boundaries", negatable = true, arity = "0", fallbackValue = "true",
            description = "One set of chunks, found in layer 0, serves all layers (default), or each layer finds its own.")
    Boolean shareBoundaries;

    @Option(names = "--share-masks", negatable = true, arity = "0", fallbackValue = "true",
            description = "The lists of the first local and the first global layer serve all layers of their kind. Default: no.")
    Boolean shareMasks;

    @Option(names = "--decode", paramLabel = "HOW", description = "How new tokens read: dhsa (default, as the paper) or dense (as the code).")
    DhsaConfig.DecodeMode decode;

    @Option(names = "--quirk", paramLabel = "NAME=on|off", description = {"Switch one quirk of the authors' code, for example "
            + "window-plus-one=on. May be repeated; comes after --profile."})
    Map<Quirk, String> quirks = Map.of();

    /// The set-up with what was given changed.
    DhsaConfig resolve(DhsaConfig start) {
        try {
            return start.with(this::change);
        } catch (IllegalArgumentException e) {
            throw new BadInput(withOptionNames(e.getMessage()) + ".", e);
        }
    }

    private void change(DhsaConfig.Builder b) {
        b.blockSize = or(blockSize, b.blockSize);
        b.budget = or(budget, b.budget);
        b.decodeBudget = or(decodeBudget, or(budget, b.decodeBudget));
        b.localTokens = or(localTokens, b.localTokens);
        b.globalTokens = or(globalTokens, b.globalTokens);
        b.instructionTokens = instructionTokens == null ? b.instructionTokens
                : isNone(instructionTokens) ? OptionalInt.empty()
                : OptionalInt.of(number("--instruction-tokens", instructionTokens, Integer::valueOf));
        b.theta = theta == null ? b.theta
                : isNone(theta) ? OptionalDouble.empty()
                : OptionalDouble.of(number("--theta", theta, Double::valueOf));
        b.nmsWindow = or(nmsWindow, b.nmsWindow);
        b.chunkBeta = or(chunkBeta, b.chunkBeta);
        b.aggregation = or(aggregation, b.aggregation);
        b.queryChunking = or(queryChunking, b.queryChunking);
        b.shareBoundaries = or(shareBoundaries, b.shareBoundaries);
        b.shareMasks = or(shareMasks, b.shareMasks);
        b.decode = or(decode, b.decode);
        b.quirks = profile == null ? b.quirks : profile.quirks();
        quirks.forEach((quirk, state) -> b.quirk(quirk, isOn(quirk, state)));
    }

    private static <T> T or(T given, T otherwise) {
        return given == null ? otherwise : given;
    }

    private static boolean isNone(String value) {
        return value.equalsIgnoreCase("none");
    }

    private static <N> N number(String option, String value, Function<String, N> parse) {
        try {
            return parse.apply(value);
        } catch (NumberFormatException e) {
            throw new BadInput(option + " takes a number or none, was \"" + value + "\".", e);
        }
    }

    private static boolean isOn(Quirk quirk, String state) {
        return switch (state.toLowerCase(Locale.ROOT)) {
            case "on", "true" -> true;
            case "off", "false" -> false;
            default -> throw new BadInput("--quirk " + Choice.name(quirk.name()) + " is on or off, was \"" + state + "\".");
        };
    }

    /// `blockSize must be positive` said with the name that the user typed: `--block-size must be positive`.
    private static String withOptionNames(String message) {
        String said = message;
        for (String field : new String[] {"decodeBudget", "budget", "blockSize", "localTokens", "globalTokens", "instructionTokens",
            "theta", "nmsWindow", "chunkBeta"}) {
            String option = "--" + field.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
            said = said.replaceAll("(?<![-\\w]|the )" + field + "\\b", option);
        }
        return said;
    }
}
