package org.dhsa.golden.port;

import java.util.List;
import org.dhsa.golden.Verdict;

/// The matrix as one HTML file that needs nothing else: no script, no font, no address.
public final class MatrixPage {

    private static final String STYLE = """
            body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a; background: #fff; }
            table { border-collapse: collapse; margin: 1rem 0 2rem; }
            th, td { border: 1px solid #bbb; padding: .3rem .7rem; text-align: left; vertical-align: top; }
            td.all { background: #d9f0dd; } td.part { background: #eef6d8; } td.wrong { background: #f8d0cc; font-weight: bold; } td.none { color: #666; background: #f2f2f2; }
            .scroll { overflow-x: auto; }
            @media (prefers-color-scheme: dark) {
              body { color: #e6e6e6; background: #161616; } th, td { border-color: #555; } a { color: #8ab4f8; }
              td.all { background: #1d3b24; } td.part { background: #333b18; } td.wrong { background: #5a211c; } td.none { color: #999; background: #222; }
            }
            """;

    private MatrixPage() {}

    public static String of(Matrix matrix) {
        StringBuilder out = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.append("<title>Conformance of Gemma 2 and DHSA implementations</title>\n<style>\n").append(STYLE).append("</style>\n");
        out.append("<h1>Conformance of Gemma 2 and DHSA implementations</h1>\n<p>Vectors ").append(escaped(matrix.version()))
                .append(". A cell says how many cases of the row came out right, of all there are. A case without a result is not covered; it never counts as right.</p>\n");
        out.append("<h2>Levels</h2>\n");
        table(out, matrix, "level", matrix.levels());
        out.append("<h2>Stages</h2>\n");
        table(out, matrix, "stage", matrix.stages());
        wrong(out, matrix);
        out.append("<h2>Implementations</h2>\n<ul>\n");
        for (Matrix.Column c : matrix.columns()) {
            out.append("<li>").append(escaped(c.label())).append(c.version().isBlank() ? "" : ", version " + escaped(c.version()))
                    .append(c.device().isBlank() ? "" : ", on " + escaped(c.device()))
                    .append(c.foreign() == 0 ? "" : "; " + c.foreign() + " results for cases that these vectors do not have are left out").append("</li>\n");
        }
        return out.append("</ul>\n</html>\n").toString();
    }

    private static void table(StringBuilder out, Matrix matrix, String head, List<Matrix.Row> rows) {
        out.append("<div class=\"scroll\"><table>\n<tr><th scope=\"col\">").append(head).append("</th><th scope=\"col\">cases</th>");
        matrix.columns().forEach(c -> out.append("<th scope=\"col\">").append(escaped(c.label())).append("</th>"));
        out.append("</tr>\n");
        for (Matrix.Row row : rows) {
            out.append("<tr><th scope=\"row\">").append(escaped(row.name())).append("</th><td>").append(row.ids().size()).append("</td>");
            for (Matrix.Column c : matrix.columns()) {
                Matrix.Cell cell = Matrix.cell(row, c);
                String kind = cell.wrong() > 0 ? "wrong" : cell.covered() == 0 ? "none" : cell.right() == row.ids().size() ? "all" : "part";
                out.append("<td class=\"").append(kind).append("\">").append(Matrix.text(cell, row.ids().size())).append("</td>");
            }
            out.append("</tr>\n");
        }
        out.append("</table></div>\n");
    }

    private static void wrong(StringBuilder out, Matrix matrix) {
        if (!matrix.wrong()) {
            return;
        }
        out.append("<h2>What is wrong</h2>\n<ul>\n");
        for (Matrix.Column c : matrix.columns()) {
            c.verdicts().forEach((id, verdict) -> {
                if (verdict == Verdict.FAIL || verdict == Verdict.ERROR) {
                    out.append("<li>").append(escaped(c.label())).append(": <code>").append(escaped(id)).append("</code> ").append(verdict.slug()).append("</li>\n");
                }
            });
        }
        out.append("</ul>\n");
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
