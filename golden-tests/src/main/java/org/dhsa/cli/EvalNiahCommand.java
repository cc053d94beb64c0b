package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Setting;
import org.dhsa.eval.Sweep;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Needle in a haystack: every length with every depth and number of needles.
@Command(name = "niah", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Needle in a haystack: lengths x depths x needles, every policy, budget and setting.",
        description = {"", "Without --haystack the prompts are in the toy language of this project's small models; an answer is right when all its tokens are.",
            "With --haystack DIR the published protocol is followed: prose as haystack, its needle and prompt template, 30 new tokens,",
            "score = share of the answer's words that the response holds. Use it with a real Gemma 2:",
            "", "  ./dhsa eval niah --model DIR --haystack DIR --lengths 1000,2000,4000 --budgets 1024 --settings authors", ""})
final class EvalNiahCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--haystack", paramLabel = "DIR", description = "Folder of .txt files (UTF-8). Default: the toy language.")
    Path haystack;

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of prompt and answer together. Default: 256,512,1024,2048; where every model has a window of 1024 or more, 4096,8192.")
    List<Integer> lengths;

    @Option(names = "--depths", paramLabel = "N,N", split = ",", description = "Percent of the haystack before the needle. Default: 0,25,50,75,100.")
    List<Integer> depths = EvalQuickCommand.DEPTHS;

    @Option(names = "--needles", paramLabel = "N,N", split = ",", description = "Needles in the haystack, one of which is asked for. Default: 1.")
    List<Integer> needles = List.of(1);

    @Option(names = "--samples", paramLabel = "N", defaultValue = "3", description = "Prompts per cell. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--policies", paramLabel = "NAME,NAME", split = ",", description = {"dense, dhsa, block-sparse, sliding, streaming, oracle, and the variants of eval ablate. "
            + "Default: these six."})
    List<String> policies = EvalQuickCommand.POLICIES;

    @Option(names = "--budgets", paramLabel = "N,N", split = ",", description = "Keys that a query may read. Default: 64,128; where every model has a window of 1024 or more, 1024,2048.")
    List<Integer> budgets;

    @Option(names = "--settings", paramLabel = "NAME,NAME", split = ",", description = {"authors: question and new tokens dense, as in the authors' code. "
            + "strict: every position sparse. question-dense, decode-dense: only the one of them. Default: authors,strict."})
    List<Setting> settings = Setting.USUAL;

    @Option(names = "--layers", paramLabel = "WHICH", defaultValue = "all", description = {"all (default), or global: local layers stay dense in their window, "
            + "which flatters every policy."})
    String layers;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        Sizes sizes = new Sizes(lengths, budgets);
        NeedlePlan plan = new NeedlePlan("niah", sizes.lengthsOr(EvalQuickCommand.LENGTHS), depths, needles, samples, Contenders.split(policies),
                sizes.budgetsOr(EvalQuickCommand.BUDGETS), settings, layers, options.seed);
        return EvalNeedles.sweep(plan, sizes, options, haystack, err);
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options);
    }
}
