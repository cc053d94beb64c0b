package org.dhsa.golden;

/// How a comparison, or a whole case, came out. Ordered by gravity.
public enum Verdict {
    PASS,
    /// The key lists differ, but only in keys whose scores are equal: another order of equals, not another result.
    NEAR_TIE,
    /// Nothing was compared: the family is unknown, or the backend does not compute it. Never counted as passed.
    NOT_COVERED,
    FAIL,
    /// The implementation threw instead of answering.
    ERROR;

    /// As it is written in result files: `near-tie`.
    public String slug() {
        return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }

    Verdict worse(Verdict other) {
        return compareTo(other) >= 0 ? this : other;
    }
}
