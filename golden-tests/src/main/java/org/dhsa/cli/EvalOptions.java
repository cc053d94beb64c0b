package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.eval.EngineProvider;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.LocalEngine;
import org.dhsa.eval.Shard;
import org.dhsa.eval.SweepEngine;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/// What every measuring command takes.
final class EvalOptions {

    static final String LOCAL = "local";

    @Option(names = "--model", paramLabel = "DIR", split = ",", description = {"One or more folders of Gemma 2. Default: the two small models of this project, "
            + "with and without the chunk retrieval loss."})
    List<Path> models;

    @Option(names = "--predictor", paramLabel = "FILE", description = "Boundary predictor for all models. Default: boundary_predictor.safetensors in each model folder.")
    Path predictor;

    @Option(names = "--gate", paramLabel = "FILE", split = ",", description = {"Trained gates (.safetensors) of the policies seerattention, vsprefill and icml-learned, "
            + "one of a kind, for all models. Default: none."})
    List<Path> gates = List.of();

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = Backends.FAST, description = "What computes: a name that ./dhsa backends lists. Default: ${DEFAULT-VALUE}.")
    String backend;

    @Option(names = "--embedding-scale", paramLabel = "HOW", description = "The factor sqrt(hidden size) of the embedding: exact (default) or bf16.")
    EmbeddingScale embeddingScale = EmbeddingScale.EXACT;

    @Option(names = "--workers", paramLabel = "N", description = "Prompts that are answered at once, one thread each. Default: one for each processor.")
    Integer workers;

    @Option(names = "--shard", paramLabel = "I/N", defaultValue = "0/1", description = "Only part I of N of the work, I from 0; eval report puts the files together. Default: all.")
    String shard;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Of the prompts. Default: ${DEFAULT-VALUE}.")
    long seed;

    @Option(names = "--out", paramLabel = "FILE", description = {"Result file, JSON lines. If it is there, the run goes on where it was. "
            + "Default: out/eval/COMMAND.jsonl in the checkout; a shard's name is added."})
    Path out;

    @Option(names = "--json", description = "Print one JSON object instead of text.")
    boolean json;

    @Option(names = "--engine", paramLabel = "NAME", defaultValue = LOCAL, description = "Who runs the cells: local (threads of this process) or spark (docs/sweeps.md). Default: ${DEFAULT-VALUE}.")
    String engine;

    @Option(names = "--master", paramLabel = "URL", description = "For --engine spark: spark://HOST:PORT, or local[N]. Default: local[*], all processors of this machine.")
    String master;

    @Option(names = "--spark-conf", paramLabel = "KEY=VALUE", description = "For --engine spark: a setting of Spark, spark.executor.memory=8g for example. May be given several times.")
    Map<String, String> sparkConf = Map.of();

    Shard shard() {
        return Shard.parse(shard);
    }

    int workerCount() {
        if (workers != null && workers <= 0) {
            throw new BadInput("--workers must be positive, was " + workers + ".");
        }
        return workers == null ? Runtime.getRuntime().availableProcessors() : workers;
    }

    /// One thread per backend: whole prompts are shared out instead.
    Supplier<Backend> backends() {
        return () -> Backends.open(backend, new BackendOptions(OptionalInt.of(1), BackendOptions.KvType.F32));
    }

    /// Models, backend and share of the work, after everything that can be said without opening a model.
    EvalSetup setup(PrintWriter err) throws IOException, WeightsFormatException {
        int count = workerCount();
        Shard part = shard();
        backends().get().close();
        return new EvalSetup(open(err), backend, backends(), part, count);
    }

    /// Who computes. Ready to: what it needs has been reached.
    SweepEngine engine(CommandSpec spec) {
        if (engine.equals(LOCAL)) {
            if (master != null || !sparkConf.isEmpty()) {
                throw new BadInput((master != null ? "--master" : "--spark-conf") + " goes with --engine spark; threads of this process have none.");
            }
            return new LocalEngine();
        }
        PrintWriter err = spec.commandLine().getErr();
        List<EngineProvider> providers = ServiceLoader.load(EngineProvider.class).stream().map(ServiceLoader.Provider::get).toList();
        EngineProvider provider = providers.stream().filter(p -> p.name().equals(engine)).findFirst().orElseThrow(() -> new BadInput(engine.equals("spark")
                ? "--engine spark: Spark is not on the class path. Start with ./dhsa in a checkout: it fetches Spark when it is asked for."
                : "--engine: " + Choice.unknown(engine, List.of(LOCAL, "spark")) + "."));
        return provider.open(new EngineProvider.Request(SweepRecipe.of(spec), Optional.ofNullable(master), sparkConf, line -> {
            err.println(line);
            err.flush();
        }));
    }

    Path file(String command) {
        Shard part = shard();
        String name = part.count() == 1 ? command : command + "-" + part.index() + "-of-" + part.count();
        Path file = out == null ? Home.find().root().resolve("out/eval").resolve(name + ".jsonl") : out;
        FileOutput.requireWritable(file.toAbsolutePath().getParent(), "--out");
        return file;
    }

    List<EvalModel> open(PrintWriter err) throws IOException, WeightsFormatException {
        // Elsewhere than in a checkout there is no model of this project, and none is needed when one is named.
        Path tiny = models == null ? Home.find().tinyModel() : Home.find().root().resolve(Home.TINY);
        List<Path> folders = models == null ? List.of(tiny, tiny.resolve("without-chunk-loss")) : models;
        List<EvalModel> opened = new ArrayList<>();
        try {
            for (Path folder : folders) {
                EvalModel model = EvalModel.open(folder, tiny, Optional.ofNullable(predictor), gates, embeddingScale);
                model.model().warnings().forEach(warning -> err.println("warning: " + warning));
                opened.add(model);
            }
            return opened;
        } catch (Throwable e) {
            opened.forEach(EvalModel::close);
            throw e;
        }
    }
}
