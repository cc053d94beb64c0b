package org.dhsa.weights;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.dhsa.model.WeightTensor;

/// One safetensors file, or all shards of a `model.safetensors.index.json`, seen as one set of tensors.
///
///     index = { "metadata": {"total_size": bytes}, "weight_map": {"tensor name": "model-00001-of-00003.safetensors", ...} }
///
/// The index must tell the truth: every shard is there and lies beside the index, every tensor is in the shard it is
/// mapped to and in no other, and no shard holds a tensor that the index does not know.
public final class Checkpoint implements AutoCloseable {

    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    private final Path source;
    private final List<SafetensorsFile> shards;
    private final Map<String, SafetensorsFile> home;
    private final List<String> warnings;

    private Checkpoint(Path source, List<SafetensorsFile> shards, Map<String, SafetensorsFile> home, List<String> warnings) {
        this.source = source;
        this.shards = List.copyOf(shards);
        this.home = home;
        this.warnings = List.copyOf(warnings);
    }

    /// Opens a model folder, an index (`*.index.json`) or a single safetensors file.
    ///
    /// In a folder `model.safetensors` comes before the index, as in Hugging Face's own loader.
    ///
    /// @throws WeightsFormatException if nothing is there to open, or a file or the index is malformed
    public static Checkpoint open(Path folderOrFile) throws IOException, WeightsFormatException {
        if (!Files.isDirectory(folderOrFile)) {
            Json.requireFile(folderOrFile);
            return folderOrFile.getFileName().toString().endsWith(".index.json")
                    ? openIndex(folderOrFile)
                    : openSingle(folderOrFile, List.of());
        }
        Path single = folderOrFile.resolve(SINGLE);
        Path index = folderOrFile.resolve(INDEX);
        if (Files.exists(single)) {
            return openSingle(single, Files.exists(index)
                    ? List.of(folderOrFile + ": both " + SINGLE + " and " + INDEX + " are there; the single file is read")
                    : List.of());
        }
        if (Files.exists(index)) {
            return openIndex(index);
        }
        String remedy = Files.exists(folderOrFile.resolve("pytorch_model.bin"))
                || Files.exists(folderOrFile.resolve("pytorch_model.bin.index.json"))
                ? "; the weights here are PyTorch's .bin, save them with safe_serialization=True"
                : "; download the *.safetensors files of the model";
        throw new WeightsFormatException(folderOrFile, null, "holds neither " + SINGLE + " nor " + INDEX + remedy);
    }

    private static Checkpoint openSingle(Path path, List<String> warnings) throws IOException, WeightsFormatException {
        SafetensorsFile file = SafetensorsFile.open(path);
        Map<String, SafetensorsFile> home = new LinkedHashMap<>();
        file.names().forEach(name -> home.put(name, file));
        return new Checkpoint(path, List.of(file), home, warnings);
    }

    private static Checkpoint openIndex(Path index) throws IOException, WeightsFormatException {
        Map<String, List<String>> namesByShard = readWeightMap(index);
        List<SafetensorsFile> shards = new ArrayList<>();
        try {
            Map<String, SafetensorsFile> home = new LinkedHashMap<>();
            for (Map.Entry<String, List<String>> entry : namesByShard.entrySet()) {
                Path path = index.resolveSibling(entry.getKey());
                if (!Files.exists(path)) {
                    throw new WeightsFormatException(path, null, "this shard is missing; " + index.getFileName() + " expects "
                            + entry.getValue().size() + " tensors in it, download it again");
                }
                SafetensorsFile shard = SafetensorsFile.open(path);
                shards.add(shard);
                for (String name : shard.names()) {
                    SafetensorsFile other = home.putIfAbsent(name, shard);
                    if (other != null) {
                        throw new WeightsFormatException(path, name, "is also in " + other.path().getFileName());
                    }
                }
            }
            requireIndexIsTrue(index, namesByShard, home);
            return new Checkpoint(index, shards, home, checkTotalSize(index, shards));
        } catch (Throwable e) {
            shards.forEach(SafetensorsFile::close);
            throw e;
        }
    }

    /// Tensor names by shard, shards in name order.
    private static Map<String, List<String>> readWeightMap(Path index) throws IOException, WeightsFormatException {
        ObjectNode root = Json.readObject(index);
        if (!(root.get("weight_map") instanceof ObjectNode weightMap)) {
            throw new WeightsFormatException(index, null, "has no weight_map object");
        }
        Map<String, List<String>> namesByShard = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : weightMap.properties()) {
            if (!entry.getValue().isTextual() || !isPlainFileName(entry.getValue().textValue())) {
                throw new WeightsFormatException(index, entry.getKey(), "is mapped to "
                        + Printable.name(entry.getValue().asText()) + ", expected the plain name of a .safetensors file beside the index");
            }
            namesByShard.computeIfAbsent(entry.getValue().textValue(), shard -> new ArrayList<>()).add(entry.getKey());
        }
        if (namesByShard.isEmpty()) {
            throw new WeightsFormatException(index, null, "weight_map is empty");
        }
        return namesByShard;
    }

    /// A shard lies beside its index: no separator, no drive letter, no way up, nothing hidden.
    private static boolean isPlainFileName(String name) {
        return name.matches("[A-Za-z0-9_][A-Za-z0-9_.+-]{0,250}") && name.endsWith(".safetensors");
    }

    private static void requireIndexIsTrue(Path index, Map<String, List<String>> namesByShard,
                                           Map<String, SafetensorsFile> home) throws WeightsFormatException {
        long mapped = 0;
        for (Map.Entry<String, List<String>> entry : namesByShard.entrySet()) {
            mapped += entry.getValue().size();
            for (String name : entry.getValue()) {
                SafetensorsFile actual = home.get(name);
                if (actual == null || !actual.path().getFileName().toString().equals(entry.getKey())) {
                    throw new WeightsFormatException(index, name, "is mapped to " + entry.getKey() + ", but "
                            + (actual == null ? "no shard holds it" : "lies in " + actual.path().getFileName()));
                }
            }
        }
        if (mapped != home.size()) {
            Map<String, SafetensorsFile> unknown = new LinkedHashMap<>(home);
            namesByShard.values().forEach(names -> names.forEach(unknown::remove));
            Map.Entry<String, SafetensorsFile> first = unknown.entrySet().iterator().next();
            throw new WeightsFormatException(first.getValue().path(), first.getKey(), "is not in " + index.getFileName());
        }
    }

    private static List<String> checkTotalSize(Path index, List<SafetensorsFile> shards)
            throws IOException, WeightsFormatException {
        JsonNode claimed = Json.readObject(index).path("metadata").path("total_size");
        long actual = 0;
        for (SafetensorsFile shard : shards) {
            actual += shard.fileBytes() - shard.headerBytes() - SafetensorsHeader.PREFIX_BYTES;
        }
        return claimed.isNumber() && claimed.doubleValue() != actual
                ? List.of(index + ": total_size is " + claimed.asText() + ", the shards hold " + actual + " bytes of tensors")
                : List.of();
    }

    /// The file or index that was opened.
    public Path source() {
        return source;
    }

    /// Every tensor, shard by shard, by rising offset.
    public List<String> names() {
        return List.copyOf(home.keySet());
    }

    public boolean has(String name) {
        return home.containsKey(name);
    }

    /// @throws WeightsFormatException if there is none of that name; the message lists the nearest names
    public WeightTensor tensor(String name) throws WeightsFormatException {
        SafetensorsFile file = home.get(name);
        if (file == null) {
            throw new WeightsFormatException(source, name, NearNames.missing(name, home.keySet()));
        }
        return file.tensor(name);
    }

    /// The file that holds a tensor; the opened file or index where no file does.
    public Path fileOf(String name) {
        SafetensorsFile file = home.get(name);
        return file == null ? source : file.path();
    }

    /// The safetensors files, one or many.
    public List<Path> files() {
        return shards.stream().map(SafetensorsFile::path).toList();
    }

    /// The opened files, for who wants their metadata or sizes.
    public List<SafetensorsFile> shards() {
        return Collections.unmodifiableList(shards);
    }

    /// What is odd but does no harm.
    public List<String> warnings() {
        return warnings;
    }

    @Override
    public void close() {
        shards.forEach(SafetensorsFile::close);
    }
}
