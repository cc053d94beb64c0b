package org.dhsa.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Why a path is no model folder, and what its owner probably wanted.
final class ModelFolder {

    private ModelFolder() {}

    /// @throws WeightsFormatException if there is no such folder or it holds no `config.json`
    static void require(Path path) throws IOException, WeightsFormatException {
        if (!Files.exists(path)) {
            throw new WeightsFormatException(path, null, "there is no such folder" + (looksLikeAHubName(path)
                    ? "; models are not downloaded by themselves: hf download " + path + " --local-dir " + path.getFileName() + ", then name that folder" : ""));
        }
        if (!Files.isDirectory(path)) {
            throw new WeightsFormatException(path, null, "is a file, expected a model folder as Hugging Face has it, with config.json, *.safetensors and tokenizer.model"
                    + (path.toString().endsWith(".safetensors") ? "; name the folder it lies in" : "; other formats are not read"));
        }
        if (!Files.exists(path.resolve(Gemma2ConfigReader.CONFIG))) {
            throw new WeightsFormatException(path.resolve(Gemma2ConfigReader.CONFIG), null,
                    "there is no such file; a Hugging Face model folder holds config.json beside its weights" + instead(path));
        }
    }

    /// `google/gemma-2-2b-it`: two plain words.
    private static boolean looksLikeAHubName(Path path) {
        return !path.isAbsolute() && path.getNameCount() == 2 && path.toString().matches("[A-Za-z0-9][\\w.-]*[/\\\\][A-Za-z0-9][\\w.-]*");
    }

    private static String instead(Path folder) throws IOException {
        List<Path> inside = withConfig(folder.resolve("snapshots"));
        inside = inside.isEmpty() ? withConfig(folder) : inside;
        if (!inside.isEmpty()) {
            return ". Do you mean " + inside.getFirst() + "?";
        }
        try (Stream<Path> files = Files.list(folder)) {
            Optional<Path> other = files.filter(f -> f.getFileName().toString().matches(".*\\.(ckpt|gguf|pt|pth|bin|h5|msgpack|sbs)")).sorted().findFirst();
            return other.map(f -> ". " + f.getFileName() + " is another format, which is not read: take the model's Hugging Face folder with *.safetensors").orElse("");
        }
    }

    private static List<Path> withConfig(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> children = Files.list(folder)) {
            return children.filter(c -> Files.exists(c.resolve(Gemma2ConfigReader.CONFIG))).sorted().toList();
        }
    }
}
