package org.dhsa.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.weights.Checkpoint;
import org.dhsa.weights.Gemma2ConfigReader;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.TorchCheckpoint;
import org.dhsa.weights.WeightsFormatException;

/// What [InspectCommand] found.
///
/// @param config   the model in one line, for a folder
/// @param problems why a folder is no complete Gemma 2
record Inspection(Map<Path, Long> files, Optional<String> config, Map<String, String> metadata, List<Entry> tensors,
                  List<String> warnings, List<String> problems) {

    record Entry(String name, DType dtype, long[] dims, long bytes) {

        static Entry of(WeightTensor t) {
            return new Entry(t.name(), t.dtype(), t.dims(), t.bytes().byteSize());
        }
    }

    long bytes() {
        return tensors.stream().mapToLong(Entry::bytes).sum();
    }

    long values() {
        return tensors.stream().mapToLong(t -> t.bytes() / t.dtype().bytes()).sum();
    }

    static Inspection of(Path path) throws IOException, WeightsFormatException {
        String name = path.getFileName() == null ? "" : path.getFileName().toString();
        return name.matches(".*\\.(pt|pth|bin|ckpt)") ? torch(path) : safetensors(path);
    }

    private static Inspection torch(Path path) throws IOException, WeightsFormatException {
        TorchCheckpoint checkpoint = TorchCheckpoint.read(path);
        List<Entry> tensors = new ArrayList<>();
        for (String name : checkpoint.names()) {
            tensors.add(Entry.of(checkpoint.tensor(name)));
        }
        return new Inspection(Map.of(path, Files.size(path)), Optional.empty(), Map.of(), tensors, List.of(), List.of());
    }

    private static Inspection safetensors(Path path) throws IOException, WeightsFormatException {
        List<String> problems = new ArrayList<>();
        List<String> warnings = new ArrayList<>();
        Optional<Gemma2Config> config = Optional.empty();
        if (Files.isDirectory(path)) {
            try {
                Gemma2ConfigReader.Result read = Gemma2ConfigReader.inspect(path.resolve("config.json"));
                config = Optional.of(read.config());
                warnings.addAll(read.warnings());
            } catch (WeightsFormatException e) {
                problems.add(e.getMessage());
            }
            if (!Files.exists(path.resolve("tokenizer.model"))) {
                warnings.add(path.resolve("tokenizer.model") + ": there is no such file; without it there is no text, only token ids");
            }
        }
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            warnings.addAll(checkpoint.warnings());
            Map<Path, Long> files = new LinkedHashMap<>();
            Map<String, String> metadata = new LinkedHashMap<>();
            for (SafetensorsFile shard : checkpoint.shards()) {
                files.put(shard.path(), shard.fileBytes());
                metadata.putAll(shard.metadata());
            }
            List<Entry> tensors = new ArrayList<>();
            for (String name : checkpoint.names()) {
                tensors.add(Entry.of(checkpoint.tensor(name)));
            }
            config.ifPresent(c -> compare(expected(c), tensors, problems));
            return new Inspection(files, config.map(Inspection::describe), metadata, tensors, warnings, problems);
        } catch (WeightsFormatException e) {
            if (problems.isEmpty()) {
                throw e;
            }
            throw new BadInput(String.join("; ", problems) + "; " + e.getMessage(), e);
        }
    }

    private static String describe(Gemma2Config c) {
        return "Gemma 2: " + c.numHiddenLayers() + " layers, hidden " + c.hiddenSize() + ", " + c.numAttentionHeads() + " query and "
                + c.numKeyValueHeads() + " key/value heads of " + c.headDim() + ", ffn " + c.intermediateSize() + ", vocabulary "
                + c.vocabSize() + ", sliding window " + c.slidingWindow() + ", positions " + c.maxPositionEmbeddings();
    }

    /// Every weight of a Gemma 2 with its shape.
    private static Map<String, long[]> expected(Gemma2Config c) {
        long d = c.hiddenSize();
        long q = (long) c.numAttentionHeads() * c.headDim();
        long kv = (long) c.numKeyValueHeads() * c.headDim();
        long f = c.intermediateSize();
        Map<String, long[]> all = new LinkedHashMap<>();
        all.put("model.embed_tokens.weight", new long[] {c.vocabSize(), d});
        for (int l = 0; l < c.numHiddenLayers(); l++) {
            String layer = "model.layers." + l + ".";
            for (String norm : List.of("input", "post_attention", "pre_feedforward", "post_feedforward")) {
                all.put(layer + norm + "_layernorm.weight", new long[] {d});
            }
            all.put(layer + "self_attn.q_proj.weight", new long[] {q, d});
            all.put(layer + "self_attn.k_proj.weight", new long[] {kv, d});
            all.put(layer + "self_attn.v_proj.weight", new long[] {kv, d});
            all.put(layer + "self_attn.o_proj.weight", new long[] {d, q});
            all.put(layer + "mlp.gate_proj.weight", new long[] {f, d});
            all.put(layer + "mlp.up_proj.weight", new long[] {f, d});
            all.put(layer + "mlp.down_proj.weight", new long[] {d, f});
        }
        all.put("model.norm.weight", new long[] {d});
        return all;
    }

    private static void compare(Map<String, long[]> expected, List<Entry> tensors, List<String> problems) {
        Map<String, Entry> there = new LinkedHashMap<>();
        tensors.forEach(t -> there.put(t.name(), t));
        expected.forEach((name, dims) -> {
            Entry found = there.remove(name);
            if (found == null) {
                problems.add("missing: " + name + " " + Arrays.toString(dims));
            } else if (!Arrays.equals(found.dims(), dims)) {
                problems.add("wrong shape: " + name + " is " + Arrays.toString(found.dims()) + ", config.json asks for " + Arrays.toString(dims));
            }
        });
        there.remove("lm_head.weight");
        there.keySet().forEach(name -> problems.add("unexpected: " + name));
    }
}
