package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.eval.task.PromptFrame;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Generator;
import org.dhsa.generate.NotANumberException;
import org.dhsa.generate.Probes;
import org.dhsa.generate.Sampler;
import org.dhsa.model.DhsaConfig;
import org.dhsa.stage.Boundaries;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.StreamDecoder;
import org.dhsa.weights.Tokenizer;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// Prompt in, text out.
@Command(name = "generate", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Continues a prompt with a Gemma 2 model; the text appears as it is made.",
        description = {"",
            "Without --model the small model of this project answers; it only knows its own toy language. Try:",
            "",
            "  ./dhsa generate \"The special magic number for copper is 44135. What is the special magic number for",
            "  copper? The special magic number for copper is\"",
            "",
            "With weights of your own, dense and sparse (docs/your-weights.md has the whole way):",
            "",
            "  ./dhsa generate --model gemma-2-2b-it --chat --prompt-file question.txt --max-new-tokens 200",
            "  ./dhsa generate --model gemma-2-2b-it --chat --prompt-file question.txt --max-new-tokens 200 \\",
            "      --attention dhsa --boundaries uniform:16", ""})
final class GenerateCommand implements Callable<Integer> {

    enum Attention { DENSE, DHSA }

    /// Parameters times tokens: a second or more of work.
    private static final long WORTH_WARMING = 100_000_000_000L;

    @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "The text to continue; - for standard input.")
    String prompt;

    @Option(names = "--prompt-file", paramLabel = "FILE", description = "Take the prompt from a file of UTF-8 text (- for standard input), without its last line break.")
    Path promptFile;

    @Option(names = "--max-new-tokens", paramLabel = "N", defaultValue = "32", description = "Stop after this many tokens. Default: ${DEFAULT-VALUE}.")
    int maxNewTokens;

    @Option(names = "--attention", paramLabel = "KIND", defaultValue = "dense",
            description = "dense: every token reads all before it (default). dhsa: only the chunks that matter.")
    Attention attention;

    @Option(names = "--chat", description = {"Put the prompt into a turn of a Gemma chat, for models that were tuned to answer (gemma-2-2b-it). Such a model also stops at "
            + "<end_of_turn>."})
    boolean chat;

    @Option(names = "--no-bos", description = "Do not begin with the <bos> token. Gemma expects one.")
    boolean noBos;

    @Option(names = "--json", description = "Print one JSON object: token ids, text, times, pairs read.")
    boolean json;

    @ArgGroup(validate = false, order = 1, heading = "%nModel:%n")
    ModelOptions model = new ModelOptions();

    @ArgGroup(validate = false, order = 2, heading = "%nChoice of tokens (greedy unless a temperature is given):%n")
    SamplingOptions sampling = new SamplingOptions();

    @ArgGroup(validate = false, order = 3, heading = "%nSparse attention (with --attention dhsa; defaults suit the model's size):%n")
    DhsaOptions dhsa = new DhsaOptions();

    @ArgGroup(validate = false, order = 4, heading = "%nChunks:%n")
    PredictorOptions predictor = new PredictorOptions();

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    /// Remembers the boundaries of the first layer as they stand at the end.
    private static final class ChunkCount implements Probe {
        private int chunks;

        @Override
        public void boundaries(int layer, Boundaries boundaries) {
            chunks = layer == 0 ? boundaries.chunks() : chunks;
        }
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        String text = text();
        Sampler sampler = sampling.sampler();
        if (maxNewTokens <= 0) {
            throw new BadInput("--max-new-tokens must be positive, was " + maxNewTokens + ".");
        }
        if (chat && noBos) {
            throw new BadInput("--chat and --no-bos contradict each other: a turn of a Gemma chat begins with <bos>. Leave one of them away.");
        }
        dhsa.resolve(SetUp.SMALL.config().with(b -> b.budget = Integer.MAX_VALUE));
        String backendName = model.backendOr(Backends.available(Backends.FAST) ? Backends.FAST : Backends.DEFAULT);
        try (Progress progress = Progress.on(err, json); Backend backend = model.openBackend(backendName); Gemma2Model opened = model.open(err)) {
            PromptFrame frame = chat ? PromptFrame.chat(opened.tokenizer()) : PromptFrame.plain(opened.tokenizer());
            int[] ids = noBos ? opened.tokenizer().encode(text) : frame.ids(text);
            List<Integer> stopIds = Stream.concat(opened.config().eosTokenIds().stream(), frame.stopIds().stream()).distinct().toList();
            progress.clear();
            hintAtChat(opened, text, err);
            warnIfTooLong(ids.length, opened, err);
            AttentionMode mode = mode(opened, ids.length, err);
            AttentionCount count = new AttentionCount();
            ChunkCount chunks = new ChunkCount();
            Progress.Task reading = progress.task("reading " + ids.length + " tokens");
            StringBuilder answer = new StringBuilder();
            Probe layers = new Probe() {
                @Override
                public void layerDone(int layer, int total) {
                    reading.at("layer", layer + 1, total);
                }
            };
            warmUp(backend, opened, ids.length, progress);
            Gemma2Forward forward = new Gemma2Forward(opened.config(), opened.weights(), backend, model.embeddingScale);
            boolean inParts = mode instanceof AttentionMode.Dense;
            int capacity = ids.length + maxNewTokens;
            int tile = inParts ? backend.promptTile(opened.config(), weightBytes(opened), ids.length, capacity) : ids.length;
            int rowTile = inParts ? tile : backend.rowTile(opened.config(), weightBytes(opened), ids.length, capacity);
            if (rowTile < ids.length && !json) {
                progress.clear();
                err.println("device memory: the prompt of " + ids.length + " tokens is worked on " + rowTile + " at a time");
                err.flush();
            }
            StreamDecoder decoder = opened.tokenizer().streamDecoder();
            Generator.Result result = run(opened, capacity, progress, () -> Generator.run(forward.open(mode, Probes.all(count, chunks, layers), rowTile), ids, tile, maxNewTokens,
                    stopIds, sampler, id -> {
                        // From here on the line of progress would be written over the answer.
                        reading.done();
                        progress.clear();
                        // What ends the text is no part of it; <end_of_turn> would be printed otherwise.
                        String piece = stopIds.contains(id) ? "" : decoder.accept(id);
                        answer.append(piece);
                        show(out, piece);
                    }));
            String rest = decoder.finish();
            answer.append(rest);
            show(out, rest);
            out.println(json ? Json.pretty(report(opened, backendName, mode, ids, result, answer.toString(), count, chunks)
                    .setAll(memory(backend, rowTile))) : "");
            out.flush();
            if (progress.isShown()) {
                err.println(GenerationSummary.of(ids.length, result, count));
                err.flush();
            }
            return 0;
        }
    }

    /// A model that stops at the end of a turn was tuned to answer turns, and continues plain text badly.
    private void hintAtChat(Gemma2Model opened, String text, PrintWriter err) throws IOException, WeightsFormatException {
        Tokenizer tokenizer = opened.tokenizer();
        boolean tuned = opened.config().eosTokenIds().stream().anyMatch(id -> id < tokenizer.vocabSize() && tokenizer.piece(id).equals(PromptFrame.END_OF_TURN));
        boolean framed = text.contains(PromptFrame.START_OF_TURN);
        if (!json && (tuned && !chat && !framed || chat && framed)) {
            err.println(chat ? "warning: the prompt holds " + PromptFrame.START_OF_TURN + " already, and --chat puts another turn around it. Leave one of them away."
                    : "hint: this model was tuned to answer in a chat (it stops at " + PromptFrame.END_OF_TURN + "); ask it with --chat.");
            err.flush();
        }
    }

    /// Worth its time only when the prompt is work for seconds.
    private static void warmUp(Backend backend, Gemma2Model opened, int tokens, Progress progress) {
        if (weightBytes(opened) / 2 * tokens > WORTH_WARMING) {
            Progress.Task task = progress.task("warming up");
            task.at("kernels");
            backend.warmUp();
            task.done();
        }
    }

    private static long weightBytes(Gemma2Model opened) {
        return opened.checkpoint().files().stream().mapToLong(f -> f.toFile().length()).sum();
    }

    /// A weight that is no number shows in the logits. Only then are all weights looked at, to name it: a large model is
    /// ready to speak without having been read through.
    private Generator.Result run(Gemma2Model opened, int capacity, Progress progress, Supplier<Generator.Result> generator) throws IOException, WeightsFormatException {
        try {
            return generator.get();
        } catch (OutOfMemoryError e) {
            throw new BadInput(HeapLimit.exceeded(opened.config(), capacity, model.kv), e);
        } catch (NotANumberException e) {
            ModelOptions.requireFinite(opened, progress);
            throw new BadInput("The model in " + opened.folder() + " computed a value that is no number, although all its weights are finite: " + e.getMessage()
                    + ". Its weights may be damaged, or too large for 32-bit arithmetic; try --backend reference.", e);
        }
    }

    private void show(PrintWriter out, String piece) {
        if (!json) {
            out.print(piece);
            out.flush();
        }
    }

    private String text() throws IOException {
        if (prompt != null && promptFile != null) {
            throw new BadInput("There are two prompts, one as an argument and one by --prompt-file. Give one of them.");
        }
        if (prompt == null && promptFile == null) {
            throw new BadInput("There is no prompt. Give one: ./dhsa generate \"Once upon a time\", or --prompt-file FILE, or - to read standard input.");
        }
        return PromptText.requireSome(promptFile != null ? PromptText.read(promptFile) : prompt.equals("-") ? PromptText.read(Path.of("-")) : prompt);
    }

    private void warnIfTooLong(int tokens, Gemma2Model opened, PrintWriter err) {
        int limit = opened.config().maxPositionEmbeddings();
        if ((long) tokens + maxNewTokens > limit) {
            err.println("warning: the prompt has " + tokens + " tokens, with the new ones up to " + ((long) tokens + maxNewTokens)
                    + "; the model was made for " + limit + " (max_position_embeddings). Going on, but what it says may be worth little.");
            err.flush();
        }
    }

    private AttentionMode mode(Gemma2Model opened, int tokens, PrintWriter err) throws IOException, WeightsFormatException {
        return switch (attention) {
            case DENSE -> {
                if (sparseOptionGiven()) {
                    err.println("warning: options of sparse attention change nothing without --attention dhsa.");
                    err.flush();
                }
                yield new AttentionMode.Dense();
            }
            case DHSA -> {
                SetUp setUp = SetUp.of(opened.config());
                DhsaConfig config = dhsa.resolve(setUp.config());
                PredictorOptions.Source source = predictor.required(opened);
                if (!json) {
                    err.println(describe(config, source, tokens));
                    err.flush();
                }
                yield source.mode(config, tokens);
            }
        };
    }

    /// What DHSA will do with this prompt, in one line.
    private static String describe(DhsaConfig c, PredictorOptions.Source source, int tokens) {
        String question = c.instructionTokens().isPresent() ? "the last " + c.instructionTokens().getAsInt() + " tokens of the prompt read everything; " : "";
        String chunks = source.file().map(file -> "chunks by " + file.getFileName()).orElse(source.description() + ", no predictor");
        String note = tokens <= c.budget() ? "\nThe prompt's " + tokens + " tokens fit the budget of " + c.budget() + " keys: nothing is left out of it. A smaller --budget or a longer prompt makes it sparse."
                : "";
        return "DHSA: " + c.blockSize() + " queries share a list of " + c.budget() + " keys; " + question + "new tokens read "
                + (c.decode() == DhsaConfig.DecodeMode.DHSA ? c.decodeBudget() + " keys" : "everything") + "; " + chunks + "." + note;
    }

    private boolean sparseOptionGiven() {
        return spec.commandLine().getParseResult().matchedOptions().stream().map(o -> o.userObject())
                .anyMatch(o -> o instanceof Field field && (field.getDeclaringClass() == DhsaOptions.class || field.getDeclaringClass() == PredictorOptions.class));
    }

    private ObjectNode report(Gemma2Model opened, String backendName, AttentionMode mode, int[] ids, Generator.Result result, String text,
                              AttentionCount count, ChunkCount chunks) {
        ObjectNode report = Json.object();
        report.put("model", opened.folder().toString()).put("backend", backendName).put("attention", Choice.name(attention.name()));
        report.set("prompt_ids", Json.array(ids));
        report.set("ids", Json.array(result.ids()));
        report.put("text", text).put("stopped", result.stopped());
        report.put("prefill_seconds", result.prefill().toMillis() / 1e3).put("decode_seconds", result.decode().toMillis() / 1e3);
        ObjectNode pairs = report.putObject("pairs");
        put(pairs.putObject("prompt_local"), count.localPrompt());
        put(pairs.putObject("prompt_global"), count.globalPrompt());
        put(pairs.putObject("decode_local"), count.localDecoded());
        put(pairs.putObject("decode_global"), count.globalDecoded());
        if (mode instanceof AttentionMode.Dhsa d) {
            report.put("chunks", chunks.chunks);
            report.set("dhsa", describe(d.config()));
        }
        return report;
    }

    /// What a device held at most, and how many tokens of the prompt it worked on at once; nothing where there is no device.
    private static ObjectNode memory(Backend backend, int rowTile) {
        ObjectNode node = Json.object();
        backend.deviceMemory().ifPresent(device -> node.put("tokens_at_once", rowTile).put("device_peak_bytes", device.peakBytes()));
        return node;
    }

    private static void put(ObjectNode node, AttentionCount.Pairs pairs) {
        node.put("read", pairs.read()).put("visible", pairs.visible()).put("share", pairs.share());
    }

    /// The configuration under the names of its options.
    static ObjectNode describe(DhsaConfig c) {
        ObjectNode node = Json.object();
        node.put("block_size", c.blockSize()).put("budget", c.budget()).put("decode_budget", c.decodeBudget())
                .put("local_tokens", c.localTokens()).put("global_tokens", c.globalTokens());
        c.instructionTokens().ifPresentOrElse(n -> node.put("instruction_tokens", n), () -> node.putNull("instruction_tokens"));
        c.theta().ifPresentOrElse(t -> node.put("theta", t), () -> node.putNull("theta"));
        node.put("nms_window", c.nmsWindow()).put("chunk_beta", c.chunkBeta()).put("aggregation", Choice.name(c.aggregation().name()))
                .put("query_chunking", Choice.name(c.queryChunking().name())).put("share_boundaries", c.shareBoundaries())
                .put("share_masks", c.shareMasks()).put("decode", Choice.name(c.decode().name()));
        node.set("quirks", Json.MAPPER.valueToTree(Arrays.stream(org.dhsa.model.Quirk.values()).filter(c::has).map(q -> Choice.name(q.name())).toList()));
        return node;
    }
}
