package org.dhsa.cli;

import java.util.List;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Setting;
import picocli.CommandLine.Option;

/// What answers the prompts of a published task: policies, budgets, settings.
final class AnswerOptions {

    @Option(names = "--policies", paramLabel = "NAME,NAME", split = ",", description = "As in eval niah. Default: the six of eval quick.")
    List<String> policies = EvalQuickCommand.POLICIES;

    @Option(names = "--budgets", paramLabel = "N,N", split = ",", description = "Keys that a query may read. Default: 64,128; where every model has a window of 1024 or more, 1024,2048.")
    List<Integer> budgets;

    @Option(names = "--settings", paramLabel = "NAME,NAME", split = ",", description = "As in eval niah. What follows the context counts as the question. Default: authors,strict.")
    List<Setting> settings = Setting.USUAL;

    @Option(names = "--layers", paramLabel = "WHICH", defaultValue = "all", description = "all (default), or global, as in eval niah.")
    String layers;

    @Option(names = "--chat", description = "Ask in a turn of a Gemma chat, for models tuned to instructions.")
    boolean chat;

    /// With the sizes of small models where none were given.
    ///
    /// @param lengths null if not given
    NeedlePlan plan(String task, List<Integer> lengths, int samples, long seed) {
        Sizes sizes = sizes(lengths);
        return new NeedlePlan(task, sizes.lengthsOr(EvalQuickCommand.LENGTHS), List.of(0), List.of(1), samples, Contenders.split(policies), sizes.budgetsOr(EvalQuickCommand.BUDGETS), settings, layers, seed);
    }

    Sizes sizes(List<Integer> lengths) {
        return new Sizes(lengths, budgets);
    }
}
