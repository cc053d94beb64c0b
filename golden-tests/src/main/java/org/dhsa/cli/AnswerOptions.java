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

    @Option(names = "--budgets", paramLabel = "N,N", split = ",", description = "Keys that a query may read. Default: 64,128.")
    List<Integer> budgets = EvalQuickCommand.BUDGETS;

    @Option(names = "--settings", paramLabel = "NAME,NAME", split = ",", description = "As in eval niah. What follows the context counts as the question. Default: authors,strict.")
    List<Setting> settings = Setting.USUAL;

    @Option(names = "--layers", paramLabel = "WHICH", defaultValue = "all", description = "all (default), or global, as in eval niah.")
    String layers;

    @Option(names = "--chat", description = "Ask in a turn of a Gemma chat, for models tuned to instructions.")
    boolean chat;

    NeedlePlan plan(String task, List<Integer> lengths, int samples, long seed) {
        return new NeedlePlan(task, lengths, List.of(0), List.of(1), samples, Contenders.split(policies), budgets, settings, layers, seed);
    }
}
