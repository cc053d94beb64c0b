package org.dhsa.eval;

/// Which positions of a prompt a policy is applied to.
public enum Setting {

    /// As in the authors' code: the question at the prompt's end and every new token read densely. A needle test then checks
    /// only what the haystack's own representations have kept.
    AUTHORS,

    /// Every position is sparse, the question and the answer too.
    STRICT
}
