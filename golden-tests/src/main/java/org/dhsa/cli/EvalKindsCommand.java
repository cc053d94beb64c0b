package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.KindsTask;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.TextKinds;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Whether boundaries hold on other kinds of text than the predictor was trained on.
@Command(name = "kinds", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Chunks, recall and regret by kind of text: prose, code, JSON, tables, dialogue, CJK, repeated, random.",
        description = {"", "The same texts for every way of cutting them, strict setting, equal budgets. Made texts take their words from the toy language;",
            "with a real Gemma 2 give texts of your own:", "",
            "  ./dhsa eval kinds --model DIR --text prose=book.txt --text code=Main.java --length 4096 --budget 1024 --policy dhsa:block=128", ""})
final class EvalKindsCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--kinds", paramLabel = "NAME,NAME", split = ",", description = "Default: prose, code, json, tables, dialogue, cjk, repeated, random, or those of --text if it is given.")
    List<String> kinds;

    @Option(names = "--text", paramLabel = "KIND=FILE", description = {"A text of this kind (UTF-8); samples are its pieces, one after the other. May be given several times."})
    Map<String, Path> texts = Map.of();

    @Option(names = "--length", paramLabel = "N", defaultValue = "512", description = "Tokens of a text. Default: ${DEFAULT-VALUE}.")
    int length;

    @Option(names = "--samples", paramLabel = "N", defaultValue = "4", description = "Texts of each kind. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--chunkings", paramLabel = "NAME,NAME", split = ",", description = {"predicted, fixed-N, sentences, labels, random. The others are held against the first. "
            + "Default: predicted,fixed-16,fixed-32,sentences,labels,random."})
    List<String> chunkings = List.of("predicted", "fixed-16", "fixed-32", "sentences", "labels", "random");

    @Option(names = "--policy", paramLabel = "NAME", description = "DHSA with its other parameters. Default: dhsa:block=16,local=16,sinks=4, for windows of 64 tokens.")
    String policy = Contenders.DHSA_BASE;

    @Option(names = "--budget", paramLabel = "N", defaultValue = "64", description = "Keys that a query may read. Default: ${DEFAULT-VALUE}.")
    int budget;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "128", description = "Most rows per head and layer that recall is taken of. Default: ${DEFAULT-VALUE}.")
    int rows;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        List<String> wanted = kinds != null ? kinds : texts.isEmpty() ? TextKinds.MADE : List.copyOf(texts.keySet());
        KindsTask.Plan plan = new KindsTask.Plan(wanted, length, samples, chunkings, policy, budget, rows, options.seed);
        EvalSetup setup = options.setup(err);
        try {
            List<TextKinds> sources = new ArrayList<>();
            for (EvalModel model : setup.models()) {
                sources.add(new TextKinds(model.tokenizer(), plan.seed(), texts));
            }
            return new KindsTask(plan, setup, sources);
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options, "text", "measured_now");
    }
}
