package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Probe;
import org.dhsa.golden.diff.BlindSpots;
import org.dhsa.golden.diff.Export;
import org.dhsa.golden.diff.ForwardTrace;
import org.dhsa.golden.diff.TraceNode;
import org.dhsa.golden.diff.TraceSettings;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.stage.Stage;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `dhsa golden export`: what the reference computes on the way from a prompt to its logits, for any model.
@Command(name = "export", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Writes the reference's intermediates for a prompt, stage by stage, to compare a port with.",
        description = {"",
            "One safetensors file for each tensor, named layers.N.STAGE.TENSOR, and export.json: schema dhsa-golden-export/1, model, prompt, order "
                    + "of the stages, axes, type and SHA-256 of every tensor, and how far a plain float32 program strays at it. The files are "
                    + "written while the pass runs; no more than one tensor is held at a time. \"dhsa golden diff\" reads the folder.", ""},
        exitCodeListHeading = "%nExit codes:%n", exitCodeList = {"0:the folder is complete", "2:an option or the model is not usable; nothing is left behind"},
        footerHeading = "%nExamples:%n",
        footer = {"  dhsa golden export --prompt \"The special magic number\" --out my-export",
            "  dhsa golden export --model gemma-2-2b --prompt-file p.txt --mode dhsa --layers 0,3-5 --out my-export"})
final class GoldenExportCommand implements Callable<Integer> {

    private static final long STORED_BY_ITSELF = 64L << 20;
    private static final long ALL_LOGITS = 16L << 20;

    /// Whether something is done, left out, or decided by size.
    enum Choose { AUTO, YES, NO }

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The folder to write; it must not exist yet, or be empty.")
    Path out;

    @Option(names = "--prompt", paramLabel = "TEXT", description = "The prompt.")
    String prompt;

    @Option(names = "--prompt-file", paramLabel = "FILE", description = "Take the prompt from a file (- for standard input), without its last line break.")
    Path promptFile;

    @Option(names = "--tokens", paramLabel = "ID,...", split = ",", description = "Token ids instead of text, the <bos> included.")
    int[] tokens;

    @Option(names = "--no-bos", description = "Do not begin a text with the <bos> token.")
    boolean noBos;

    @Option(names = "--mode", paramLabel = "KIND", defaultValue = "dense", description = "dense (default) or dhsa.")
    GenerateCommand.Attention mode;

    @Option(names = "--stages", paramLabel = "STAGE,...", split = ",", description = "Only these stages, with their inputs: ${COMPLETION-CANDIDATES}. Default: all.",
            completionCandidates = StageNames.class)
    List<String> stages = List.of();

    @Option(names = "--layers", paramLabel = "N,N-N,...", description = "Only these decoder layers, for example 0,3-5, and what belongs to no layer. Default: all.")
    String layers;

    @Option(names = "--logits", paramLabel = "WHICH", description = "last: final norm and logits of the last position only. all: of every position. Default: all if that is less than 128 MB.")
    String logits;

    @Option(names = "--weights", paramLabel = "WHEN", defaultValue = "AUTO", description = "Store the weights that the stages read, so that a comparison can compute a stage again "
            + "without the model: yes, no, auto (up to 64 MB; default).")
    Choose weights;

    @Option(names = "--no-baseline", description = "Do not measure what float32 arithmetic does to each tensor; a comparison then uses a bound from the number format.")
    boolean noBaseline;

    @Option(names = "--json", description = "Print one JSON object: folder, tensors, bytes.")
    boolean json;

    @ArgGroup(validate = false, order = 1, heading = "%nModel:%n")
    ModelOptions model = new ModelOptions();

    @ArgGroup(validate = false, order = 3, heading = "%nSparse attention (with --mode dhsa; defaults suit the model's size):%n")
    DhsaOptions dhsa = new DhsaOptions();

    @ArgGroup(validate = false, order = 4, heading = "%nChunks:%n")
    PredictorOptions predictor = new PredictorOptions();

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    static final class StageNames extends java.util.ArrayList<String> {
        private static final long serialVersionUID = 1;

        StageNames() {
            super(Arrays.stream(Stage.values()).map(Stage::slug).toList());
        }
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        model.requireNoMemoryLimit("golden export");
        Set<Stage> chosenStages = chosenStages();
        Path target = out.toAbsolutePath().normalize();
        requireFree(target);
        try (Progress progress = Progress.on(spec.commandLine().getErr(), json);
                Gemma2Model opened = model.open(spec.commandLine().getErr(), progress)) {
            int[] ids = ids(opened);
            Predicate<TraceNode> chosen = chosen(chosenStages, opened.config());
            FileOutput.requireWritable(target.getParent(), "--out");
            Path unfinished = Files.createTempDirectory(target.getParent(), "." + target.getFileName() + ".part");
            try {
                write(unfinished, opened, ids, chosen, progress);
                unfinished.toFile().setReadable(true, false);
                unfinished.toFile().setExecutable(true, false);
                Files.deleteIfExists(target);
                Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                deleteTree(unfinished);
            }
        }
        return 0;
    }

    private void write(Path folder, Gemma2Model opened, int[] ids, Predicate<TraceNode> chosen, Progress progress) throws IOException, WeightsFormatException {
        ObjectNode head = Json.object();
        AttentionMode attention = attention(folder, opened, ids, head);
        boolean last = switch (logits == null ? "" : logits) {
            case "" -> (long) ids.length * opened.config().vocabSize() > ALL_LOGITS;
            case "last" -> true;
            case "all" -> false;
            default -> throw new BadInput("--logits is last or all, was \"" + logits + "\".");
        };
        head.put("lastLogitsOnly", last);
        ForwardTrace.Setting setting = TraceSettings.of(opened.config(), model.embeddingScale, attention, ids.length, last);
        Export export = new Export(folder, setting, chosen);
        if (export.tensors() == 0) {
            throw new BadInput("--stages and --layers leave nothing to write. Stages of " + Choice.name(mode.name()) + " attention are meant; leave one of the options out.");
        }
        String backendName = model.backendOr(Backends.DEFAULT);
        try (Backend backend = model.openBackend(backendName)) {
            head.put("backend", backendName).put("precision", backend.precision().name());
            export.run(ids, attention, opened.weights(), backend, watcher(progress.task("reference")));
        }
        if (!noBaseline) {
            try (Backend plain = OptimizedBackend.scalar(1)) {
                String parted = export.baseline(ids, attention, opened.weights(), plain, watcher(progress.task("float32 baseline")));
                head.put("baseline", "optimized backend, scalar kernels, float32, the same pass");
                if (!parted.isEmpty()) {
                    head.put("baselinePartsAt", parted);
                }
            }
        }
        Map<String, WeightTensor> byName = Export.byName(opened.weights());
        long bytes = export.weights().stream().mapToLong(name -> byName.get(name).bytes().byteSize()).sum();
        boolean store = weights == Choose.YES || weights == Choose.AUTO && bytes <= STORED_BY_ITSELF;
        head.put("weightsStored", store);
        if (store) {
            export.storeWeights(byName);
        }
        export.finish(head, byName);
        report(folder, export, store, BlindSpots.of(setting, OptionalInt.empty()));
    }

    private void report(Path folder, Export export, boolean store, List<String> blind) throws IOException {
        long size;
        try (Stream<Path> files = Files.list(folder)) {
            size = files.mapToLong(f -> f.toFile().length()).sum();
        }
        PrintWriter print = spec.commandLine().getOut();
        if (json) {
            ObjectNode result = Json.object().put("folder", out.toString()).put("tensors", export.tensors()).put("bytes", size).put("weightsStored", store);
            blind.forEach(result.putArray("cannotShow")::add);
            print.println(Json.pretty(result));
        } else {
            print.println(out + ": " + export.tensors() + " tensors, " + String.format(java.util.Locale.ROOT, "%.1f MB", size / 1e6)
                    + (store ? ", weights included" : ", without weights: give --model to golden diff too"));
            blind.forEach(spot -> print.println("It cannot show " + spot + "."));
        }
        print.flush();
    }

    private AttentionMode attention(Path folder, Gemma2Model opened, int[] ids, ObjectNode head) throws IOException, WeightsFormatException {
        head.put("mode", Choice.name(mode.name()));
        head.set("tokens", Json.array(ids));
        if (prompt != null) {
            head.put("prompt", prompt);
        }
        ObjectNode config = head.putObject("config");
        TraceSettings.write(config, opened.config(), model.embeddingScale);
        if (mode == GenerateCommand.Attention.DENSE) {
            return new AttentionMode.Dense();
        }
        DhsaConfig resolved = dhsa.resolve(SetUp.of(opened.config()).config());
        TraceSettings.write(head.putObject("dhsa"), resolved);
        PredictorOptions.Source source = predictor.required(opened);
        AttentionMode.Dhsa sparse = source.mode(resolved, ids.length);
        if (source.file().isPresent()) {
            Files.copy(source.file().get(), folder.resolve(TraceSettings.predictorFile(source.file().get())));
            TraceSettings.write(head.putObject("predictor"), source.file().get(), source.predictor().orElseThrow());
        }
        return sparse;
    }

    private int[] ids(Gemma2Model opened) throws IOException, WeightsFormatException {
        long given = Stream.of(Optional.ofNullable(prompt), Optional.ofNullable(promptFile), Optional.ofNullable(tokens)).filter(Optional::isPresent).count();
        if (given != 1) {
            throw new BadInput((given == 0 ? "There is no prompt." : "There are several prompts.") + " Give one of --prompt TEXT, --prompt-file FILE, --tokens 2,17,5.");
        }
        if (tokens != null) {
            for (int id : tokens) {
                if (id < 0 || id >= opened.config().vocabSize()) {
                    throw new BadInput("--tokens: " + id + " is outside the vocabulary of " + opened.config().vocabSize() + ".");
                }
            }
            return tokens;
        }
        String text = PromptText.requireSome(prompt == null ? PromptText.read(promptFile) : prompt);
        return noBos ? opened.tokenizer().encode(text) : opened.tokenizer().encodeWithBos(text);
    }

    private Set<Stage> chosenStages() {
        Set<Stage> chosen = new LinkedHashSet<>();
        for (String name : stages) {
            chosen.add(Arrays.stream(Stage.values()).filter(s -> s.slug().equals(name)).findFirst()
                    .orElseThrow(() -> new BadInput("--stages: " + Choice.unknown(name, Arrays.stream(Stage.values()).map(Stage::slug).toList()) + ".")));
        }
        return chosen;
    }

    private Predicate<TraceNode> chosen(Set<Stage> chosenStages, Gemma2Config config) {
        Set<Integer> chosenLayers = new TreeSet<>();
        if (layers != null) {
            for (String part : layers.split(",")) {
                String[] ends = part.strip().split("-", -1);
                try {
                    int first = Integer.parseInt(ends[0]);
                    int last = ends.length == 1 ? first : Integer.parseInt(ends[1]);
                    if (ends.length > 2 || first > last || last >= config.numHiddenLayers()) {
                        throw new NumberFormatException();
                    }
                    for (int l = first; l <= last; l++) {
                        chosenLayers.add(l);
                    }
                } catch (NumberFormatException e) {
                    throw new BadInput("--layers takes numbers and ranges such as 0,3-5, each below " + config.numHiddenLayers() + ", was \"" + layers + "\".", e);
                }
            }
        }
        return node -> (chosenStages.isEmpty() || chosenStages.contains(node.stage())) && (layers == null || node.layer() < 0 || chosenLayers.contains(node.layer()));
    }

    private static Probe watcher(Progress.Task task) {
        return new Probe() {
            @Override
            public void layerDone(int layer, int total) {
                task.at("layer", layer + 1, total);
            }
        };
    }

    private static void requireFree(Path target) throws IOException {
        if (Files.isDirectory(target)) {
            try (Stream<Path> inside = Files.list(target)) {
                if (inside.findAny().isEmpty()) {
                    return;
                }
            }
        }
        if (Files.exists(target)) {
            throw new BadInput("--out: " + target + " is there already and is not an empty folder. Name another one, or remove it.");
        }
    }

    private static void deleteTree(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> all = Files.walk(folder)) {
                for (Path file : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
