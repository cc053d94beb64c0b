package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.dhsa.backend.Backend;
import org.dhsa.demo.AttentionRun;
import org.dhsa.demo.BackendTwin;
import org.dhsa.demo.Demo;
import org.dhsa.demo.DemoJson;
import org.dhsa.demo.DemoPage;
import org.dhsa.demo.DemoPrompt;
import org.dhsa.demo.DemoResult;
import org.dhsa.demo.GoldenVerdicts;
import org.dhsa.demo.NeedleSamples;
import org.dhsa.demo.Provenance;
import org.dhsa.demo.StageVerdict;
import org.dhsa.demo.TextReport;
import org.dhsa.forward.AttentionMode;
import org.dhsa.model.DhsaConfig;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.Tokenizer;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// The main job: one long prompt, answered with dense attention and with DHSA, and everything that can be said about it.
@Command(name = "demo", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Answers one long prompt with dense and with sparse attention and shows what each read.",
        description = {"",
            "Shows the chunks that were found, the share of query-key pairs that was read, where the searched sentence ranks, how far the "
                    + "logits differ, and whether every stage still agrees with the recordings of the original code. Writes one page "
                    + "with pictures, which opens by double click.",
            "",
            "Without options it takes the small model of this project and one of its needle-in-a-haystack prompts of about 1,000 tokens. "
                    + "With your own Gemma 2 (slow: this is the exact reference, not the fast path):",
            "",
            "  ./dhsa demo --model DIR --prompt-file FILE", ""})
final class DemoCommand implements Callable<Integer> {

    static final String PAGE = "demo.html";

    private static final int DEFAULT_SAMPLE = 13;
    private static final int UNIFORM_CHUNK = 16;

    @Option(names = "--prompt-file", paramLabel = "FILE", description = "Your own prompt (- for standard input); its last line is taken as the question.")
    Path promptFile;

    @Option(names = "--needle", paramLabel = "TEXT", description = "With --prompt-file: the sentence of the prompt that holds the answer.")
    String needle;

    @Option(names = "--expect", paramLabel = "TEXT", description = "With --prompt-file: what the right answer begins with.")
    String expected;

    @Option(names = "--sample", paramLabel = "N", description = "Which of the prompts in the model's " + NeedleSamples.FILE + ". Default: " + DEFAULT_SAMPLE + ".")
    Integer sample;

    @Option(names = "--max-new-tokens", paramLabel = "N", defaultValue = "16", description = "Longest answer. Default: ${DEFAULT-VALUE}.")
    int maxNewTokens;

    @Option(names = "--layer", paramLabel = "N", description = "Layer that the page shows first, from 0. Default: 1, the first global one.")
    Integer layer;

    @Option(names = "--out", paramLabel = "DIR", description = "Folder for the page. Default: out, in the root of the checkout.")
    Path out;

    @Option(names = "--strict", negatable = true, arity = "0", fallbackValue = "true",
            description = "Also run without any dense tokens. Default: with the small model only.")
    Boolean strict;

    @Option(names = "--goldens", negatable = true, defaultValue = "true", fallbackValue = "true",
            description = "Check the stages against the recordings, too (default).")
    boolean goldens;

    @Option(names = "--json", description = "Print one JSON object instead of text.")
    boolean json;

    @ArgGroup(validate = false, order = 1, heading = "%nModel:%n")
    ModelOptions model = new ModelOptions();

    @ArgGroup(validate = false, order = 2, heading = "%nSparse attention (defaults suit the model's size):%n")
    DhsaOptions dhsa = new DhsaOptions();

    @ArgGroup(validate = false, order = 3, heading = "%nChunks:%n")
    PredictorOptions predictor = new PredictorOptions();

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        PrintWriter output = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        long begun = System.nanoTime();
        Path folder = out == null ? Home.find().root().resolve("out") : out;
        if (maxNewTokens <= 0) {
            throw new BadInput("--max-new-tokens must be positive, was " + maxNewTokens + ".");
        }
        model.requireNoMemoryLimit("demo");
        dhsa.resolve(SetUp.SMALL.config().with(b -> b.budget = Integer.MAX_VALUE));
        String own = promptFile == null ? null : PromptText.requireSome(PromptText.read(promptFile));
        FileOutput.requireWritable(folder, "--out");
        Path page = folder.resolve(PAGE);
        DemoResult result;
        try (Progress progress = Progress.on(err, json); Gemma2Model opened = model.open(err, progress)) {
            result = run(opened, own, progress, err, begun);
        }
        FileOutput.write(page, new DemoPage(result, layer == null ? Math.min(1, result.config().numHiddenLayers() - 1) : layer).html());
        if (json) {
            output.println(Json.pretty(DemoJson.of(result).put("page", page.toString())));
        } else {
            new TextReport(result, Terminal.detect(), output).print();
            output.println();
            output.println("The page with the pictures: " + page.toAbsolutePath().normalize());
        }
        output.flush();
        return result.goldensHold() ? 0 : 1;
    }

    private DemoResult run(Gemma2Model opened, String own, Progress progress, PrintWriter err, long begun) throws IOException, WeightsFormatException {
        if (layer != null && (layer < 0 || layer >= opened.config().numHiddenLayers())) {
            throw new BadInput("--layer must be from 0 to " + (opened.config().numHiddenLayers() - 1) + " for this model, was " + layer + ".");
        }
        List<String> notes = new ArrayList<>();
        Tokenizer tokenizer = opened.tokenizer();
        DemoPrompt prompt = prompt(opened, tokenizer, own);
        warnIfTooLong(prompt, opened, err, notes);
        SetUp setUp = SetUp.of(opened.config());
        DhsaConfig config = dhsa.resolve(setUp.config());
        PredictorOptions.Source source = predictor.orUniform(opened, UNIFORM_CHUNK);
        if (source.missing()) {
            notes.add("there is no boundary predictor for this model: chunks are " + UNIFORM_CHUNK + " tokens each; name one with --predictor");
        }
        progress.clear();
        if (!json) {
            err.println("DHSA set-up: " + setUp.name() + ", chunks by " + source.description());
            err.flush();
        }
        AttentionMode.Dhsa mode = source.mode(config, prompt.ids().length);
        Map<String, Double> seconds = new LinkedHashMap<>();
        seconds.put("loading", since(begun));

        String backend = model.backendOr(Backends.DEFAULT);
        Demo demo = new Demo(opened, tokenizer, model.embeddingScale, () -> model.openBackend(backend), prompt, maxNewTokens);
        boolean alsoStrict = strict == null ? setUp == SetUp.SMALL : strict;
        // Two at a time: the two attentions side by side, then the strict run beside the goldens.
        try (ExecutorService two = Executors.newFixedThreadPool(2)) {
            Future<AttentionRun> dense = two.submit(demo.dense(watcher(progress, "dense")));
            Future<AttentionRun> sparse = two.submit(demo.dhsa(mode, watcher(progress, "DHSA")));
            Optional<Future<AttentionRun>> strictly = alsoStrict ? Optional.of(two.submit(demo.strict(mode, watcher(progress, "strict")))) : Optional.empty();
            Future<Timed<List<StageVerdict>>> verdicts = two.submit(() -> goldens(progress));
            try {
                AttentionRun d = dense.get();
                AttentionRun s = sparse.get();
                Optional<AttentionRun> t = strictly.isPresent() ? Optional.of(strictly.get().get()) : Optional.empty();
                seconds.put(d.title(), d.seconds());
                seconds.put(s.title(), s.seconds());
                t.ifPresent(run -> seconds.put(run.title(), run.seconds()));
                seconds.put("goldens", verdicts.get().seconds());
                List<BackendTwin> twins = twins(demo, mode, backend, d, s);
                seconds.put("all, two threads", since(begun));
                return new DemoResult(name(opened), opened.config(), backend, twins, setUp.name(), prompt, source.description(), d, s, t,
                        verdicts.get().value(), seconds, Provenance.of(opened.folder(), Home.find().tinyModel()), notes);
            } catch (ExecutionException e) {
                two.shutdownNow();
                throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
            } catch (InterruptedException e) {
                two.shutdownNow();
                Thread.currentThread().interrupt();
                throw new BadInput("Interrupted.", e);
            }
        }
    }

    /// The same two runs on the fast backend, to set beside the reference; none when the report is about that one itself.
    private List<BackendTwin> twins(Demo demo, AttentionMode.Dhsa mode, String backend, AttentionRun dense, AttentionRun dhsa) throws IOException {
        if (backend.equals(Backends.FAST) || !Backends.available(Backends.FAST)) {
            return List.of();
        }
        Demo fast = demo.on(() -> model.openBackend(Backends.FAST));
        try {
            return List.of(BackendTwin.of(dense, fast.dense(Demo.Watcher.NONE).call(), Backends.FAST),
                    BackendTwin.of(dhsa, fast.dhsa(mode, Demo.Watcher.NONE).call(), Backends.FAST));
        } catch (RuntimeException | IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private record Timed<T>(T value, double seconds) {}

    private Timed<List<StageVerdict>> goldens(Progress progress) throws IOException {
        if (!goldens) {
            return new Timed<>(List.of(), 0);
        }
        long begun = System.nanoTime();
        Progress.Task task = progress.task("goldens");
        try (Backend backend = model.openBackend(model.backendOr(Backends.DEFAULT))) {
            List<StageVerdict> verdicts = GoldenVerdicts.check(Home.find().recordings(), backend, task::at);
            task.done();
            return new Timed<>(verdicts, since(begun));
        }
    }

    private DemoPrompt prompt(Gemma2Model opened, Tokenizer tokenizer, String own) throws IOException {
        if (own != null) {
            if (sample != null) {
                throw new BadInput("There are two prompts, --prompt-file and --sample. Give one of them.");
            }
            if (needle != null && !own.contains(needle)) {
                throw new BadInput("--needle: the prompt does not hold this text word for word: \"" + needle + "\".");
            }
            return DemoPrompt.of(own, tokenizer, Optional.ofNullable(needle), Optional.ofNullable(expected),
                    promptFile.toString().equals("-") ? "standard input" : promptFile.getFileName().toString());
        }
        if (!NeedleSamples.existIn(opened.folder())) {
            throw new BadInput("The model folder " + opened.folder() + " brings no sample prompts (" + NeedleSamples.FILE
                    + "). Give your own: --prompt-file FILE.");
        }
        List<NeedleSamples.Sample> samples = NeedleSamples.read(opened.folder());
        int wanted = sample == null ? DEFAULT_SAMPLE : sample;
        return samples.stream().filter(s -> s.id() == wanted).findFirst()
                .orElseThrow(() -> new BadInput("--sample: there is no sample " + wanted + " in " + opened.folder().resolve(NeedleSamples.FILE)
                        + "; there are " + samples.getFirst().id() + " to " + samples.getLast().id() + "."))
                .prompt(tokenizer);
    }

    private void warnIfTooLong(DemoPrompt prompt, Gemma2Model opened, PrintWriter err, List<String> notes) {
        int limit = opened.config().maxPositionEmbeddings();
        if (prompt.ids().length + maxNewTokens > limit) {
            String note = "the prompt has " + prompt.ids().length + " tokens, with the new ones up to " + (prompt.ids().length + maxNewTokens)
                    + "; the model was made for " + limit + " (max_position_embeddings)";
            notes.add(note);
            err.println("warning: " + note + ". Going on, but what it says may be worth little.");
            err.flush();
        }
    }

    private String name(Gemma2Model opened) {
        Path folder = opened.folder().toAbsolutePath().normalize().getFileName();
        return folder == null ? opened.folder().toString() : folder.toString();
    }

    private static Demo.Watcher watcher(Progress progress, String name) {
        Progress.Task task = progress.task(name);
        return new Demo.Watcher() {
            @Override
            public void layerDone(int layer, int layers) {
                task.at("layer", layer + 1, layers);
            }

            @Override
            public void newToken(int count) {
                task.at("new token " + count);
            }

            @Override
            public void done() {
                task.done();
            }
        };
    }

    private static double since(long nanos) {
        return Math.round((System.nanoTime() - nanos) / 1e8) / 10.0;
    }
}
