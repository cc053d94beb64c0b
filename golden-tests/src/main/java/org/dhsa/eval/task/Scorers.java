package org.dhsa.eval.task;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.text.similarity.LongestCommonSubsequence;

/// The scorers that LongBench and RULER publish, each from 0 to 1 for one response.
///
/// They follow the published programs to the letter, oddities included, because a score is only worth something beside other
/// people's scores. LongBench: arXiv 2308.14508 and its `metrics.py`. RULER: arXiv 2404.06654 and its evaluation constants.
public final class Scorers {

    private static final Pattern PUNCTUATION = Pattern.compile("[!-/:-@\\[-`{-~]");
    /// Word ends as Python's `\b` sees them: letters, numbers and the low line are words, in every script.
    private static final Pattern ARTICLES = Pattern.compile("(?<![\\p{L}\\p{N}_])(?:a|an|the)(?![\\p{L}\\p{N}_])");
    private static final Pattern BLANKS = Pattern.compile("[\\s\\x1c-\\x1f]+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern NUMBER = Pattern.compile("\\p{Nd}+");
    private static final Pattern PARAGRAPH = Pattern.compile("Paragraph (\\p{Nd}+)");

    private Scorers() {}

    /// Lower case, then without ASCII punctuation, then without `a`, `an`, `the`, then with single blanks.
    public static String normalised(String text) {
        String plain = PUNCTUATION.matcher(text.toLowerCase(Locale.ROOT)).replaceAll("");
        return String.join(" ", words(ARTICLES.matcher(plain).replaceAll(" ")));
    }

    /// Words between blanks, as Python's `split()` gives them.
    static List<String> words(String text) {
        return Arrays.stream(BLANKS.split(text)).filter(w -> !w.isEmpty()).toList();
    }

    /// F1 of the words after normalisation, counted with repetition.
    ///
    ///     p = same / |prediction|,  r = same / |truth|,  F1 = 2 p r / (p + r), 0 if no word is the same
    public static double tokenF1(String prediction, String truth) {
        List<String> said = words(normalised(prediction));
        List<String> wanted = words(normalised(truth));
        Map<String, Integer> left = new HashMap<>();
        wanted.forEach(w -> left.merge(w, 1, Integer::sum));
        int same = 0;
        for (String word : said) {
            if (left.merge(word, -1, Integer::sum) >= 0) {
                same++;
            }
        }
        if (same == 0) {
            return 0;
        }
        double precision = (double) same / said.size();
        double recall = (double) same / wanted.size();
        return 2 * precision * recall / (precision + recall);
    }

    /// Share of the numbers in the response that are the right one.
    public static double count(String prediction, String truth) {
        List<String> numbers = NUMBER.matcher(prediction).results().map(java.util.regex.MatchResult::group).toList();
        return numbers.isEmpty() ? 0 : (double) numbers.stream().filter(truth::equals).count() / numbers.size();
    }

    /// As [#count], the right number being that of `Paragraph N`.
    ///
    /// @throws IllegalArgumentException if the truth names no paragraph
    public static double retrieval(String prediction, String truth) {
        Matcher paragraph = PARAGRAPH.matcher(truth);
        if (!paragraph.find()) {
            throw new IllegalArgumentException("the answer must name a paragraph (\"Paragraph 7\"), was \"" + truth + "\"");
        }
        return count(prediction, paragraph.group(1));
    }

    /// 1 / n if the right class is among the n classes whose names the response holds, else 0. Names that are part of the right
    /// class's name do not count.
    ///
    /// **Pitfall** the published loop removes from the list it walks over, so the name after a removed one is not looked at; this
    /// one does the same.
    public static double classification(String prediction, String truth, List<String> classes) {
        List<String> held = new ArrayList<>(classes.stream().filter(prediction::contains).toList());
        for (int i = 0; i < held.size(); i++) {
            String name = held.get(i);
            if (truth.contains(name) && !name.equals(truth)) {
                held.remove(name);
            }
        }
        return held.contains(truth) ? 1.0 / held.size() : 0;
    }

    /// Similarity of the first line of code with the right one, in whole percent.
    ///
    ///     2 · LCS / (|prediction| + |truth|), in characters: 1 minus the edit distance without replacements, by the lengths
    ///
    /// The first line is the first without a back tick, `#` or `//`. This is what `fuzzywuzzy` gives with `python-Levenshtein`
    /// installed; without it `fuzzywuzzy` falls back to another algorithm, and some scores differ.
    public static double codeSimilarity(String prediction, String truth) {
        String line = Arrays.stream(strippedLines(prediction)).filter(l -> !l.contains("`") && !l.contains("#") && !l.contains("//")).findFirst().orElse("");
        if (line.equals(truth)) {
            return 1;
        }
        if (line.isEmpty() || truth.isEmpty()) {
            return 0;
        }
        double ratio = 2.0 * new LongestCommonSubsequence().apply(line, truth) / (line.length() + truth.length());
        return Math.rint(100 * ratio) / 100;
    }

    /// Share of the references that the response holds, upper and lower case alike.
    public static double matchAll(String prediction, List<String> references) {
        String said = prediction.toLowerCase(Locale.ROOT);
        return references.stream().mapToDouble(r -> said.contains(r.toLowerCase(Locale.ROOT)) ? 1 : 0).average().orElse(0);
    }

    /// 1 if the response holds at least one of the references.
    public static double matchPart(String prediction, List<String> references) {
        String said = prediction.toLowerCase(Locale.ROOT);
        return references.stream().anyMatch(r -> said.contains(r.toLowerCase(Locale.ROOT))) ? 1 : 0;
    }

    /// The first line of the response, empty lines before it left out.
    static String firstLine(String prediction) {
        return strippedLines(prediction)[0];
    }

    private static String[] strippedLines(String text) {
        return text.replaceFirst("^\\n+", "").split("\n", -1);
    }
}
