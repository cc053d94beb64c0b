package org.dhsa.eval;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.dhsa.policy.PolicySetting;

/// Which positions of a prompt a policy is applied to.
public enum Setting {

    /// As in the authors' code: the question at the prompt's end and every new token read densely. A needle test then checks
    /// only what the haystack's own representations have kept.
    AUTHORS("authors' setting (question and decoding dense)"),

    /// The question reads densely, new tokens do not.
    QUESTION_DENSE("only the question dense"),

    /// New tokens read densely, the question does not.
    DECODE_DENSE("only decoding dense"),

    /// Every position is sparse, the question and the answer too.
    STRICT("strict setting (every position sparse)");

    /// The two that results are usually quoted in.
    public static final List<Setting> USUAL = List.of(AUTHORS, STRICT);

    private final String said;

    Setting(String said) {
        this.said = said;
    }

    /// As it is written in results and on the command line: `question-dense`.
    public String slug() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// For people.
    public String said() {
        return said;
    }

    public static Optional<Setting> of(String slug) {
        return Arrays.stream(values()).filter(s -> s.slug().equals(slug)).findFirst();
    }

    /// @param questionTokens tokens at the prompt's end that the question is
    PolicySetting policySetting(int questionTokens) {
        return new PolicySetting(this == AUTHORS || this == QUESTION_DENSE ? questionTokens : 0, this == AUTHORS || this == DECODE_DENSE, PolicySetting.Layers.ALL);
    }
}
