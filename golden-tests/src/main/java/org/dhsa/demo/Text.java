package org.dhsa.demo;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.dhsa.generate.AttentionCount.Pairs;
import org.dhsa.stage.Boundaries;

/// Numbers and pieces of text as people read them.
final class Text {

    private Text() {}

    static String format(String pattern, Object... values) {
        return String.format(Locale.ROOT, pattern, values);
    }

    static String count(long n) {
        return format("%,d", n);
    }

    static String percent(double share) {
        return share == 1 ? "100 %" : format(share < 0.0995 ? "%.1f %%" : "%.0f %%", 100 * share);
    }

    /// `26 %  (1,104,384)`; a dash where nothing was there to read.
    static String share(Pairs pairs) {
        return pairs.visible() == 0 ? "-" : percent(pairs.share());
    }

    static String error(double value) {
        return value == 0 ? "0" : format("%.1e", value);
    }

    static String allowed(double budget) {
        return budget == 0 ? "exact" : error(budget);
    }

    /// On one line, cut to a length.
    static String snippet(String text, int length) {
        String line = text.replaceAll("\\s+", " ").strip();
        return line.length() <= length ? line : line.substring(0, length - 1).stripTrailing() + "…";
    }

    static String number(double value) {
        return value == 0 ? "0" : Math.abs(value) >= 0.01 ? format("%.3f", value) : format("%.2e", value);
    }

    /// Shortest, median and longest chunk.
    static String lengths(Boundaries chunks) {
        int[] lengths = new int[chunks.chunks()];
        Arrays.setAll(lengths, chunks::length);
        Arrays.sort(lengths);
        return "shortest " + lengths[0] + ", median " + lengths[lengths.length / 2] + ", longest " + lengths[lengths.length - 1] + " tokens";
    }

    /// `1`, `1 and 3`, `1 to 4`.
    static String ranks(List<NeedleRank> ranks) {
        int[] r = ranks.stream().mapToInt(NeedleRank::rank).sorted().toArray();
        return r[0] == r[r.length - 1] ? String.valueOf(r[0]) : r[0] + " to " + r[r.length - 1];
    }

    /// In how many of these rows the whole needle was read.
    static String kept(List<NeedleRank> ranks) {
        long whole = ranks.stream().filter(NeedleRank::readWhole).count();
        return whole == ranks.size() ? "always" : whole == 0 && ranks.stream().allMatch(r -> r.kept() == 0) ? "never"
                : ranks.size() == 1 ? ranks.getFirst().kept() + " of " + ranks.getFirst().length() + " tokens"
                : "whole in " + whole + " of " + ranks.size();
    }
}
