package org.dhsa.eval.report;

import static org.dhsa.demo.PageTemplate.escape;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// The few pieces that all sections are built of.
final class Html {

    private static final String[] COLOURS = {"#8d9aa3", "#b4482a", "#2f6f8f", "#6a8f2f", "#8a5fa8", "#c79a1e"};

    private Html() {}

    /// A table of numbers; the first column is text. It scrolls by itself where the page is narrower.
    static String table(List<String> head, List<List<String>> rows) {
        StringBuilder html = new StringBuilder("<div class=\"scroll\"><table class=\"numbers\"><tr>");
        head.forEach(h -> html.append("<th>").append(escape(h)).append("</th>"));
        html.append("</tr>");
        rows.forEach(row -> html.append(row(row)));
        return html.append("</table></div>").toString();
    }

    private static String row(List<String> cells) {
        return cells.stream().map(cell -> "<td>" + escape(cell) + "</td>").collect(Collectors.joining("", "<tr>", "</tr>"));
    }

    /// A heading over one or more columns.
    record Head(String title, List<String> columns) {}

    /// As [#table], with headings over groups of columns.
    static String grouped(List<Head> heads, List<List<String>> rows) {
        StringBuilder html = new StringBuilder("<div class=\"scroll\"><table class=\"numbers\"><tr>");
        for (Head head : heads) {
            html.append("<th colspan=\"").append(head.columns().size()).append("\" class=\"group\">").append(escape(head.title())).append("</th>");
        }
        html.append("</tr><tr>");
        heads.forEach(h -> {
            for (int c = 0; c < h.columns().size(); c++) {
                html.append(c == 0 ? "<th class=\"group\">" : "<th>").append(escape(h.columns().get(c))).append("</th>");
            }
        });
        html.append("</tr>");
        rows.forEach(row -> html.append(row(row)));
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
