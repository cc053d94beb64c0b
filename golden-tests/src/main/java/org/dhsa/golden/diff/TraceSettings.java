package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Optional;
import org.dhsa.forward.AttentionMode;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;

/// What an export says about the model, written and turned into a [ForwardTrace.Setting].
public final class TraceSettings {

    private TraceSettings() {}

    public static ForwardTrace.Setting of(Gemma2Config config, EmbeddingScale scale, AttentionMode mode, int length, boolean lastLogitsOnly) {
        return switch (mode) {
            case AttentionMode.Dense() -> new ForwardTrace.Setting(config, scale, Optional.empty(), Optional.empty(), length, lastLogitsOnly);
            case AttentionMode.Dhsa d -> new ForwardTrace.Setting(config, scale, Optional.of(d.config()), d.boundaries().isPresent() ? Optional.empty() : d.predictor(),
                    length, lastLogitsOnly);
            case AttentionMode.Policy p -> throw new IllegalArgumentException("an export is dense or DHSA, not the policy " + p.policy().name());
        };
    }

    public static void write(ObjectNode to, Gemma2Config config, EmbeddingScale scale) {
        SettingJson.write(to, config, scale);
    }

    public static void write(ObjectNode to, DhsaConfig config) {
        SettingJson.write(to, config);
    }

    /// Name of the copy of a predictor's file.
    public static String predictorFile(Path original) {
        String name = original.getFileName().toString();
        return "predictor" + (name.contains(".") ? name.substring(name.lastIndexOf('.')) : "");
    }

    public static void write(ObjectNode to, Path original, BoundaryPredictorWeights predictor) {
        to.put("file", predictorFile(original));
        PredictorTensors.describe(to, predictor);
    }
}
