package org.dhsa.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import org.dhsa.forward.AttentionMode;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;
import org.dhsa.stage.Boundaries;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Option;

/// Where the chunks come from: a trained boundary predictor, or a ruler.
final class PredictorOptions {

    private static final String UNIFORM = "uniform:";
    private static final String BESIDE_THE_MODEL = "boundary_predictor.safetensors";

    @Option(names = "--predictor", paramLabel = "FILE", description = {"Boundary predictor (.safetensors, or the authors' .pt). "
            + "Default: " + BESIDE_THE_MODEL + " in the model folder."})
    Path predictor;

    @Option(names = "--predictor-heads", paramLabel = "N", description = {"Its attention heads. The weights cannot tell; default: what the "
            + "JSON file beside it says. Published for Gemma 2: 8."})
    Integer heads;

    @Option(names = "--predictor-window", paramLabel = "W", description = {"Tokens it looks at on each side of a gap; default: what the JSON "
            + "file beside it says. Published: 4."})
    Integer window;

    @Option(names = "--boundaries", paramLabel = "HOW",
            description = "predicted (default), or uniform:16 for chunks of 16 tokens each.")
    String boundaries = "predicted";

    /// The predictor, or the size of uniform chunks.
    ///
    /// @param uniformSize 0 when predicted
    /// @param missing     uniform only because the model has no predictor
    /// @param file        the predictor's file
    record Source(Optional<BoundaryPredictorWeights> predictor, String description, int uniformSize, boolean missing, Optional<Path> file) {

        AttentionMode.Dhsa mode(DhsaConfig config, int promptLength) {
            return predictor.map(p -> AttentionMode.Dhsa.predicted(config, p))
                    .orElseGet(() -> AttentionMode.Dhsa.given(config, Boundaries.uniform(promptLength, uniformSize)));
        }
    }

    /// @throws BadInput if no predictor was given and the model folder has none
    Source required(Gemma2Model model) throws IOException, WeightsFormatException {
        return find(model).orElseThrow(() -> new BadInput("There is no boundary predictor for the model " + model.folder()
                + ": the folder holds no " + BESIDE_THE_MODEL + ". DHSA cuts the prompt where a trained predictor says; nothing is guessed without one. Name one with "
                + "--predictor FILE --predictor-heads 8 --predictor-window 4, or use chunks of equal length with --boundaries uniform:16, which is DHSA without "
                + "its first stage (docs/your-weights.md#the-boundary-predictor)."));
    }

    /// As [#required], but chunks of this size where there is no predictor.
    Source orUniform(Gemma2Model model, int size) throws IOException, WeightsFormatException {
        return find(model).orElse(new Source(Optional.empty(), "uniform chunks of " + size + " tokens", size, true, Optional.empty()));
    }

    private Optional<Source> find(Gemma2Model model) throws IOException, WeightsFormatException {
        if (!boundaries.equals("predicted")) {
            return Optional.of(uniform());
        }
        Path beside = model.folder().resolve(BESIDE_THE_MODEL);
        if (predictor == null && !Files.exists(beside)) {
            return Optional.empty();
        }
        Path file = predictor == null ? beside : predictor;
        BoundaryPredictorWeights weights = BoundaryPredictorLoader.load(file, optional("--predictor-heads", heads), optional("--predictor-window", window));
        requireWidth(file, weights, model.config());
        return Optional.of(new Source(Optional.of(weights), file.getFileName().toString(), 0, false, Optional.of(file)));
    }

    private Source uniform() {
        if (!boundaries.startsWith(UNIFORM)) {
            throw new BadInput("--boundaries is predicted or uniform:N, was \"" + boundaries + "\".");
        }
        try {
            int size = Integer.parseInt(boundaries.substring(UNIFORM.length()));
            if (size > 0) {
                return new Source(Optional.empty(), "uniform chunks of " + size + " tokens", size, false, Optional.empty());
            }
        } catch (NumberFormatException e) {
            // said below, with what was expected
        }
        throw new BadInput("--boundaries uniform:N needs a positive number of tokens, was \"" + boundaries + "\". Example: uniform:16.");
    }

    private static void requireWidth(Path file, BoundaryPredictorWeights weights, Gemma2Config config) {
        int channels = config.numKeyValueHeads() * config.headDim();
        if (weights.channels() != channels) {
            throw new BadInput(file + ": this boundary predictor was made for " + weights.channels() + " channels, but the model has "
                    + channels + " (num_key_value_heads " + config.numKeyValueHeads() + " times head_dim " + config.headDim()
                    + "). Name the predictor that belongs to this model with --predictor, or use --boundaries uniform:16.");
        }
    }

    private static OptionalInt optional(String option, Integer value) {
        if (value != null && value <= 0) {
            throw new BadInput(option + " must be positive, was " + value + ".");
        }
        return value == null ? OptionalInt.empty() : OptionalInt.of(value);
    }
}
