package org.dhsa.bench;

/// A part of a page that a program keeps, between `<!-- bench:gemm -->` and `<!-- /bench:gemm -->`.
public final class MarkedSection {

    private MarkedSection() {}

    /// The page with that part replaced. Without markers the part is added at the end, under a heading; the rest of the
    /// page stays as it is, byte for byte.
    ///
    /// @throws IllegalArgumentException if only one of the two markers is there, or they stand in the wrong order or twice
    public static String replace(String page, String name, String heading, String content) {
        String open = "<!-- bench:" + name + " -->";
        String close = "<!-- /bench:" + name + " -->";
        int from = page.indexOf(open);
        int to = page.indexOf(close);
        String body = open + "\n" + content.strip() + "\n" + close;
        if (from < 0 && to < 0) {
            String before = page.stripTrailing();
            return before + (before.isEmpty() ? "" : "\n\n") + "## " + heading + "\n\n" + body + "\n";
        }
        if (from < 0 || to < from || page.indexOf(open, from + 1) >= 0 || page.indexOf(close, to + 1) >= 0) {
            throw new IllegalArgumentException("the page needs " + open + " once and after it " + close + " once");
        }
        return page.substring(0, from) + body + page.substring(to + close.length());
    }
}
