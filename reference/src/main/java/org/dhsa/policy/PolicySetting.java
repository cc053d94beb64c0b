package org.dhsa.policy;

/// Where a policy rules, and where attention stays dense.
///
/// Two settings are in use. The authors' needle tests let the question and the decoding attend densely, so they check only
/// how the haystack's own tokens were read ([#questionDense]). In the strict one every position is sparse ([#STRICT]).
///
/// @param denseTail   last tokens of the prompt that attend densely
/// @param denseDecode new tokens attend densely
/// @param layers      layers that the policy rules
public record PolicySetting(int denseTail, boolean denseDecode, Layers layers) {

    /// Which layers a policy rules; the others attend densely inside their window.
    public enum Layers {
        ALL,
        /// Global layers only. Dense local layers flatter any policy: say so beside a number.
        GLOBAL_ONLY
    }

    /// Every position sparse, in every layer, while decoding too.
    public static final PolicySetting STRICT = new PolicySetting(0, false, Layers.ALL);

    public PolicySetting {
        if (denseTail < 0) {
            throw new IllegalArgumentException("denseTail must be at least 0, was " + denseTail);
        }
    }

    /// The authors' setting: the question at the prompt's end and all decoding are dense.
    public static PolicySetting questionDense(int questionTokens) {
        return new PolicySetting(questionTokens, true, Layers.ALL);
    }

    public PolicySetting on(Layers layers) {
        return new PolicySetting(denseTail, denseDecode, layers);
    }
}
