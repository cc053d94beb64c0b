package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.cli.Json;
import org.dhsa.demo.Provenance;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.GateWeights;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.GateLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.Tokenizer;
import org.dhsa.weights.WeightsFormatException;

/// A model that is measured, with the boundary predictor beside it.
///
/// @param weights first digits of the SHA-256 of what was read, so that results of changed weights are never mixed
public record EvalModel(String name, Gemma2Model model, Tokenizer tokenizer, Optional<BoundaryPredictorWeights> predictor, EmbeddingScale scale, String weights,
                        Provenance provenance, Set<Integer> sentenceEnds, List<GateWeights> gates) implements AutoCloseable {

    private static final String PREDICTOR = "boundary_predictor.safetensors";
    /// Larger files are known by size and beginning: hashing a whole checkpoint would take longer than opening it.
    private static final int HASHED_BYTES = 1 << 24;

    /// @param tinyModel this project's model, to know it again
    /// @param predictorFile instead of the one in the folder
    public static EvalModel open(Path folder, Path tinyModel, Optional<Path> predictorFile, EmbeddingScale scale) throws IOException, WeightsFormatException {
        return open(folder, tinyModel, predictorFile, List.of(), scale);
    }

    /// @param tinyModel     this project's model, to know it again
    /// @param predictorFile instead of the one in the folder
    /// @param gateFiles     gates of policies; each must fit the model
    public static EvalModel open(Path folder, Path tinyModel, Optional<Path> predictorFile, List<Path> gateFiles, EmbeddingScale scale)
            throws IOException, WeightsFormatException {
        Gemma2Model model = Gemma2Loader.load(folder);
        try {
            Path beside = folder.resolve(PREDICTOR);
            Optional<Path> file = predictorFile.isPresent() ? predictorFile : Files.exists(beside) ? Optional.of(beside) : Optional.empty();
            Optional<BoundaryPredictorWeights> predictor = Optional.empty();
            if (file.isPresent()) {
                predictor = Optional.of(BoundaryPredictorLoader.load(file.get(), java.util.OptionalInt.empty(), java.util.OptionalInt.empty()));
            }
            StringBuilder hashes = new StringBuilder();
            try (var files = Files.list(folder)) {
                for (Path weights : files.filter(p -> p.getFileName().toString().matches("model.*\\.safetensors") && !p.toString().contains("f32")).sorted().toList()) {
                    hashes.append(hash(weights));
                }
            }
            if (file.isPresent()) {
                hashes.append(hash(file.get()));
            }
            List<GateWeights> gates = new ArrayList<>();
            for (Path gate : gateFiles) {
                gates.add(GateLoader.load(gate, model.config()));
                hashes.append(hash(gate));
            }
            Provenance provenance = Provenance.of(folder, tinyModel);
            String name = switch (provenance) {
                case WITH_CHUNK_LOSS -> "tiny-gemma2";
                case WITHOUT_CHUNK_LOSS -> "tiny-gemma2 without chunk loss";
                case OTHER -> folder.toAbsolutePath().normalize().getFileName().toString();
            };
            return new EvalModel(name, model, model.tokenizer(), predictor, scale, ProsePrompts.sha256(hashes.toString()).substring(0, 12), provenance,
                    sentenceEnds(model.tokenizer()), List.copyOf(gates));
        } catch (Throwable e) {
            model.close();
            throw e;
        }
    }

    private static String hash(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            return Files.size(file) + " " + ProsePrompts.sha256(in.readNBytes(HASHED_BYTES));
        }
    }

    /// What policies need of a model.
    PolicyResources resources() {
        return new PolicyResources(predictor, sentenceEnds, gates);
    }

    /// Tokens that end a sentence: pieces that end with a full stop, an exclamation or a question mark.
    private static Set<Integer> sentenceEnds(Tokenizer tokenizer) {
        return IntStream.range(0, tokenizer.vocabSize()).filter(id -> tokenizer.piece(id).matches("[^<]*[.!?]")).boxed().collect(Collectors.toSet());
    }

    ObjectNode json() {
        ObjectNode json = Json.object().put("name", name).put("weights", weights);
        List<String> said = provenance.disclosure();
        var array = json.putArray("disclosure");
        said.forEach(array::add);
        return json;
    }

    @Override
    public void close() {
        model.close();
    }
}
