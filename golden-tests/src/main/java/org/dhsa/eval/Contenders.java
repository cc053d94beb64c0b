package org.dhsa.eval;

import java.util.List;
import java.util.OptionalInt;
import org.dhsa.forward.AttentionMode;
import org.dhsa.model.DhsaConfig;

/// The policies that a needle test can set against each other, by the names of its report.
final class Contenders {

    static final String DENSE = "dense";

    private Contenders() {}

    static AttentionMode dense() {
        return new AttentionMode.Dense();
    }

    static AttentionMode mode(String policy, int budget, EvalModel model, Setting setting, NeedlePrompt prompt, String layers) {
        DhsaConfig c = DhsaConfig.DEFAULT.with(b -> {
            b.blockSize = 16;
            b.budget = budget;
            b.decodeBudget = budget;
            b.localTokens = 16;
            b.globalTokens = 4;
            b.instructionTokens = setting == Setting.AUTHORS ? OptionalInt.of(prompt.questionTokens() + 1) : OptionalInt.empty();
            b.decode = setting == Setting.AUTHORS ? DhsaConfig.DecodeMode.DENSE : DhsaConfig.DecodeMode.DHSA;
        });
        return AttentionMode.Dhsa.predicted(c, model.predictor().orElseThrow());
    }
}
