package org.dhsa.eval.report;

import static org.dhsa.demo.PageTemplate.escape;

import java.util.List;
import java.util.Locale;

/// The few pieces that all sections are built of.
final class Html {

    private static final String[] COLOURS = {"#8d9aa3", "#b4482a", "#2f6f8f", "#6a8f2f", "#8a5fa8", "#c79a1e"};

    private Html() {}

    /// A table of numbers; the first column is text. It scrolls by itself where the page is narrower.
    static String table(List<String> head, List<List<String>> rows) {
        StringBuilder html = new StringBuilder("<div class=\"scroll\"><table class=\"numbers\"><tr>");
        head.forEach(h -> html.append("<th>").append(escape(h)).append("</th>"));
        html.append("</tr>");
        for (List<String> row : rows) {
            html.append("<tr>");
            row.forEach(cell -> html.append("<td>").append(escape(cell)).append("</td>"));
            html.append("</tr>");
        }
        return html.append("</table></div>").toString();
    }

    static String heading(String text) {
        return "<h3>" + escape(text) + "</h3>";
    }

    static String small(String text) {
        return "<p class=\"small\">" + escape(text) + "</p>";
    }

    static String colour(int policy) {
        return COLOURS[policy % COLOURS.length];
    }

    static String share(double share) {
        return Double.isNaN(share) ? "none" : format("%.1f %%", 100 * share);
    }

    static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
