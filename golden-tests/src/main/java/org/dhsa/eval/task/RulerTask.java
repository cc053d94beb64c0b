package org.dhsa.eval.task;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.dhsa.cli.BadInput;
import org.dhsa.weights.NearNames;

/// The tasks of RULER (arXiv 2404.06654), with the sizes of its published configuration.
///
/// `qa` stands for its `qa_1` and `qa_2`: the questions come from a file that the user has.
public enum RulerTask {

    NIAH_SINGLE_1(new Needles(Hay.NOISE, Kind.WORDS, Kind.NUMBERS, 1, 1, 1)),
    NIAH_SINGLE_2(new Needles(Hay.ESSAY, Kind.WORDS, Kind.NUMBERS, 1, 1, 1)),
    NIAH_SINGLE_3(new Needles(Hay.ESSAY, Kind.WORDS, Kind.UUIDS, 1, 1, 1)),
    NIAH_MULTIKEY_1(new Needles(Hay.ESSAY, Kind.WORDS, Kind.NUMBERS, 4, 1, 1)),
    NIAH_MULTIKEY_2(new Needles(Hay.NEEDLES, Kind.WORDS, Kind.NUMBERS, 1, 1, 1)),
    NIAH_MULTIKEY_3(new Needles(Hay.NEEDLES, Kind.UUIDS, Kind.UUIDS, 1, 1, 1)),
    NIAH_MULTIVALUE(new Needles(Hay.ESSAY, Kind.WORDS, Kind.NUMBERS, 1, 4, 1)),
    NIAH_MULTIQUERY(new Needles(Hay.ESSAY, Kind.WORDS, Kind.NUMBERS, 4, 1, 4)),
    /// Variable tracking: one chain of five variables, four of them assigned from the one before.
    VT(null),
    /// Common words: ten words that stand more often in a list than the others.
    CWE(null),
    /// Frequent words: the three most frequent of made-up words whose frequencies fall with the square of their rank.
    FWE(null),
    QA(null);

    /// What the needles are hidden in: one sentence again and again, prose, or other needles.
    public enum Hay { NOISE, ESSAY, NEEDLES }

    /// What keys and values are.
    public enum Kind { WORDS, NUMBERS, UUIDS }

    /// A needle task.
    ///
    /// @param keys    needles with different keys, the haystack's own not counted
    /// @param values  needles per key
    /// @param queries keys that are asked for
    public record Needles(Hay hay, Kind keyKind, Kind valueKind, int keys, int values, int queries) {}

    private final Needles needles;

    RulerTask(Needles needles) {
        this.needles = needles;
    }

    /// Null if this is no needle task.
    public Needles needles() {
        return needles;
    }

    /// As RULER writes it: `niah_single_1`.
    public String slug() {
        return name().toLowerCase(Locale.ROOT);
    }

    /// Whether the toy language of the small models can say it so that they know what is asked: words as keys, one number for each.
    public boolean inToyLanguage() {
        return needles != null && needles.keyKind() == Kind.WORDS && needles.valueKind() == Kind.NUMBERS && needles.values() == 1;
    }

    /// @throws BadInput with the nearest names
    public static RulerTask of(String name) {
        return Arrays.stream(values()).filter(t -> t.slug().equals(name.strip())).findFirst().orElseThrow(() -> new BadInput(unknown("RULER", name, slugs())));
    }

    public static List<String> slugs() {
        return Arrays.stream(values()).map(RulerTask::slug).toList();
    }

    static String unknown(String suite, String name, List<String> known) {
        List<String> near = NearNames.near(name.strip(), known);
        return "--tasks: " + suite + " has no task \"" + name.strip() + "\"" + (near.isEmpty() ? "" : "; near names: " + String.join(", ", near)) + ". There are: "
                + String.join(", ", known) + ".";
    }
}
