package org.dhsa.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/// Rows of figures: as text for people, as Markdown for the documentation, as JSON for programs.
public final class Table {

    private static final ObjectMapper MAPPER = new ObjectMapper();

    /// One figure.
    ///
    /// @param value the number itself, NaN where there is none
    public record Cell(double value, String text) {

        /// `Cell.of(3.14159, 2)` is shown as `3.14`.
        public static Cell of(double value, int decimals) {
            return new Cell(value, Double.isFinite(value) ? String.format(Locale.ROOT, "%." + decimals + "f", value) : "–");
        }

        /// A share of something, as a percentage; the number stays a share.
        public static Cell percent(double share) {
            return new Cell(share, Double.isFinite(share) ? String.format(Locale.ROOT, "%.0f%%", 100 * share) : "–");
        }

        public static Cell text(String text) {
            return new Cell(Double.NaN, text);
        }
    }

    private final String title;
    private final List<String> head;
    private final List<List<Cell>> rows = new ArrayList<>();

    public Table(String title, String... head) {
        this.title = title;
        this.head = List.of(head);
    }

    public String title() {
        return title;
    }

    /// Adds a row; text stays text, a whole number is shown as it is.
    public Table row(Object... cells) {
        if (cells.length != head.size()) {
            throw new IllegalArgumentException(cells.length + " cells for " + head.size() + " columns");
        }
        List<Cell> row = new ArrayList<>();
        for (Object cell : cells) {
            row.add(switch (cell) {
                case Cell c -> c;
                case Integer i -> Cell.of(i, 0);
                default -> Cell.text(cell.toString());
            });
        }
        rows.add(row);
        return this;
    }

    /// Columns padded to the same width, figures to the right.
    public String text() {
        StringBuilder out = new StringBuilder();
        int[] widths = new int[head.size()];
        for (int c = 0; c < widths.length; c++) {
            int column = c;
            widths[c] = Math.max(head.get(c).length(), rows.stream().mapToInt(r -> r.get(column).text().length()).max().orElse(0));
        }
        line(out, head, widths);
        rows.forEach(r -> line(out, r.stream().map(Cell::text).toList(), widths));
        return out.toString();
    }

    private void line(StringBuilder out, List<String> cells, int[] widths) {
        StringBuilder line = new StringBuilder(" ");
        for (int c = 0; c < widths.length; c++) {
            String pad = " ".repeat(widths[c] - cells.get(c).length());
            line.append(' ').append(isNumeric(c) ? pad + cells.get(c) : cells.get(c) + pad).append(' ');
        }
        out.append(line.toString().stripTrailing()).append('\n');
    }

    private boolean isNumeric(int column) {
        return rows.stream().anyMatch(r -> !Double.isNaN(r.get(column).value()));
    }

    public String markdown() {
        StringBuilder out = new StringBuilder();
        out.append("| ").append(String.join(" | ", head)).append(" |\n|");
        for (int c = 0; c < head.size(); c++) {
            out.append(isNumeric(c) ? "---:|" : "---|");
        }
        out.append('\n');
        rows.forEach(r -> out.append("| ").append(String.join(" | ", r.stream().map(Cell::text).toList())).append(" |\n"));
        return out.toString();
    }

    /// One object per row, the columns its fields: `share of peak` becomes `share_of_peak`.
    public ArrayNode json() {
        ArrayNode all = MAPPER.createArrayNode();
        for (List<Cell> row : rows) {
            ObjectNode one = all.addObject();
            for (int c = 0; c < row.size(); c++) {
                String name = head.get(c).toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "_").replaceAll("^_|_$", "");
                if (Double.isNaN(row.get(c).value())) {
                    one.put(name, row.get(c).text());
                } else {
                    one.put(name, row.get(c).value());
                }
            }
        }
        return all;
    }

    /// Shares of a total as one line, the largest first: `feed-forward 61%, qkv-projection 12%`; what is below 0.5% is left out.
    static String shares(Map<String, Double> parts) {
        double total = parts.values().stream().mapToDouble(Double::doubleValue).sum();
        return new TreeMap<>(parts).entrySet().stream().filter(e -> e.getValue() >= 0.005 * total)
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .map(e -> e.getKey() + " " + Cell.percent(e.getValue() / total).text()).reduce((a, b) -> a + ", " + b).orElse("");
    }
}
