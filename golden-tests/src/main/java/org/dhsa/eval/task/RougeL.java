package org.dhsa.eval.task;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// ROUGE-L of whole summaries, as the Python package `rouge` 1.0.1 computes it, which LongBench's published scores are from.
///
///     U = all different words in the longest common subsequences of every reference sentence with every sentence of the response
///     P = |U| / |different words of the response|,  R = |U| / |different words of the reference|
///     F = 2 P R / (P + R + 1e-8)
///
/// **Reading** sentences end at full stops and nowhere else; words are what stands between blanks, upper and lower case apart.
/// **Pitfall** these are sets, so a word counts once however often it is used: no other ROUGE does that. A piece that is only blanks
/// has the empty word, which counts. Two long texts without a full stop make the Python program recurse too deeply; it then
/// reports 0, which this one does not.
final class RougeL {

    private RougeL() {}

    /// 0 if one of the texts has no sentence.
    static double f(String response, String reference) {
        List<List<String>> said = sentences(response);
        List<List<String>> wanted = sentences(reference);
        if (said.isEmpty() || wanted.isEmpty()) {
            return 0;
        }
        Set<String> union = new HashSet<>();
        for (List<String> sentence : wanted) {
            for (List<String> other : said) {
                addCommon(union, sentence, other);
            }
        }
        double precision = (double) union.size() / different(said);
        double recall = (double) union.size() / different(wanted);
        return 2 * precision * recall / (precision + recall + 1e-8);
    }

    private static List<List<String>> sentences(String text) {
        return Arrays.stream(text.split("\\.", -1)).filter(s -> !s.isEmpty()).map(s -> {
            List<String> words = Scorers.words(s);
            return words.isEmpty() ? List.of("") : words;
        }).toList();
    }

    private static int different(List<List<String>> sentences) {
        Set<String> words = new HashSet<>();
        sentences.forEach(words::addAll);
        return words.size();
    }

    /// Adds the words of one longest common subsequence. Where there are several, a word of `b` is dropped before one of `a`.
    private static void addCommon(Set<String> union, List<String> a, List<String> b) {
        // [a.size() + 1, b.size() + 1]: length for the first i and j words
        int[][] longest = new int[a.size() + 1][b.size() + 1];
        for (int i = 1; i <= a.size(); i++) {
            for (int j = 1; j <= b.size(); j++) {
                longest[i][j] = a.get(i - 1).equals(b.get(j - 1)) ? longest[i - 1][j - 1] + 1 : Math.max(longest[i - 1][j], longest[i][j - 1]);
            }
        }
        int i = a.size();
        int j = b.size();
        while (i > 0 && j > 0) {
            if (a.get(i - 1).equals(b.get(j - 1))) {
                union.add(a.get(i - 1));
                i--;
                j--;
            } else if (longest[i - 1][j] > longest[i][j - 1]) {
                i--;
            } else {
                j--;
            }
        }
    }
}
