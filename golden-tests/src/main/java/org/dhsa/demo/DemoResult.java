package org.dhsa.demo;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.model.Gemma2Config;
import org.dhsa.stage.Boundaries;

/// Everything the demonstration found out; what is printed and drawn comes from here.
///
/// @param chunkSource who made the chunks: a predictor's file name, or a ruler
/// @param dhsa        the set-up of the authors' setting: the end of the prompt reads everything
/// @param strict      the same with the end of the prompt sparse too
/// @param goldens     empty when they were not checked
/// @param seconds     wall time of each part, in order
/// @param ownModel    the model was trained by this project
public record DemoResult(String model, Gemma2Config config, String backend, String setUp, DemoPrompt prompt, String chunkSource,
                         AttentionRun dense, AttentionRun dhsa, Optional<AttentionRun> strict, List<StageVerdict> goldens,
                         Map<String, Double> seconds, boolean ownModel, List<String> notes) {

    public Boundaries chunks() {
        return dhsa.trace().orElseThrow().chunks();
    }

    public List<AttentionRun> runs() {
        return strict.map(s -> List.of(dense, dhsa, s)).orElse(List.of(dense, dhsa));
    }

    public List<AttentionRun> sparseRuns() {
        return runs().subList(1, runs().size());
    }

    public boolean goldensHold() {
        return goldens.stream().allMatch(v -> v.fail() == 0);
    }

    /// What must be said about the model, as sentences.
    public List<String> disclosure() {
        if (!ownModel) {
            return List.of("The weights are those of the given folder; nothing is known here about how they were made.");
        }
        return List.of(
                "The model was trained by this project, from scratch, on a toy language of its own: "
                        + "it is a measuring instrument and speaks no English.",
                "Its training had a chunk retrieval loss: the head-averaged query of an answer position had to find the needle's chunk among "
                        + "length-normalised chunk keys. Sparse accuracy on it therefore says that the implementation works, not that the method "
                        + "does. The variant without that loss lies beside it (without-chunk-loss).",
                "Its boundary predictor was trained on the real sentence ends of the toy language, not on the paper's attention labels.",
                "Dense attention was its only forward pass in training; no sparse mask was ever trained.");
    }
}
