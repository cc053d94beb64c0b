package org.dhsa.bug;

import java.util.function.UnaryOperator;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;

/// A whole run of a model: everything that a wiring bug may get wrong.
///
/// @param prompt token ids, the bos token first
public record ModelRun(Gemma2Config config, Gemma2Weights weights, EmbeddingScale scale, AttentionMode mode, int[] prompt, Backend backend) {

    public ModelRun {
        prompt = prompt.clone();
    }

    public ModelRun withBackend(Backend other) {
        return new ModelRun(config, weights, scale, mode, prompt, other);
    }

    public ModelRun withPrompt(int... ids) {
        return new ModelRun(config, weights, scale, mode, ids, backend);
    }

    /// The same run under another DHSA configuration; a dense run stays as it is.
    public ModelRun withDhsa(UnaryOperator<DhsaConfig> change) {
        return mode instanceof AttentionMode.Dhsa d
                ? new ModelRun(config, weights, scale, new AttentionMode.Dhsa(change.apply(d.config()), d.predictor(), d.boundaries()), prompt, backend)
                : this;
    }

    public BugContext context() {
        return BugContext.of(config, prompt.length);
    }

    public Gemma2Forward.Session open(Probe probe) {
        return new Gemma2Forward(config, weights, backend, scale).open(mode, probe);
    }
}
