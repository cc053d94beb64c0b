package org.dhsa.demo;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.model.Gemma2Config;
import org.dhsa.stage.Boundaries;

/// Everything the demonstration found out; what is printed and drawn comes from here.
///
/// @param twins       the same runs on another backend
/// @param chunkSource who made the chunks: a predictor's file name, or a ruler
/// @param dhsa        the set-up of the authors' setting: the end of the prompt reads everything
/// @param strict      the same with the end of the prompt sparse too
/// @param goldens     empty when they were not checked
/// @param seconds     wall time of each part, in order
public record DemoResult(String model, Gemma2Config config, String backend, List<BackendTwin> twins, String setUp, DemoPrompt prompt, String chunkSource,
                         AttentionRun dense, AttentionRun dhsa, Optional<AttentionRun> strict, List<StageVerdict> goldens,
                         Map<String, Double> seconds, Provenance provenance, List<String> notes) {

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

    public boolean ownModel() {
        return provenance != Provenance.OTHER;
    }
}
