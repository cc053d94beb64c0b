package org.dhsa.golden.diff;

import static org.dhsa.demo.PageTemplate.escape;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.dhsa.demo.PageTemplate;

/// The result as one page that needs nothing but itself: no script, pictures inside.
final class DiffPage {

    private static final int[] RAMP = {0xf2d8a7, 0xd9743a, 0x8c1d18, 0x2a0a12};
    private static final int WITHIN = 0xf3efe6;
    private static final int NOT_A_NUMBER = 0x5b2bd9;
    /// Powers of ten of error over budget that the colours span.
    private static final double DECADES = 6;

    private final DiffResult result;

    DiffPage(DiffResult result) {
        this.result = result;
    }

    String html() {
        String title = result.findings().isEmpty() ? "Same" : "First divergence: " + result.findings().getFirst().first().node().where();
        return template().text("title", title)
                .html("verdict", result.differs() ? "<span class=\"bad\">✗ different</span>" : "<span class=\"good\">✓ every compared tensor is within its budget</span>")
                .text("expected", result.expectedPath() + " (" + result.expected() + ")").text("actual", result.actualPath())
                .text("coverage", new DiffText(result).coverage())
                .html("notes", Stream.concat(result.notes().stream().limit(6), result.blind().stream().map(spot -> "This run cannot show " + spot + ".")).map(n -> "<p class=\"small\">" + escape(n) + "</p>").collect(Collectors.joining()))
                .html("findings", result.findings().stream().map(this::finding).collect(Collectors.joining()))
                .html("stages", result.results().stream().map(DiffPage::rows).collect(Collectors.joining())).fill();
    }

    private static PageTemplate template() {
        try (InputStream in = DiffPage.class.getResourceAsStream("page.html")) {
            return PageTemplate.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String finding(DiffResult.Finding finding) {
        TensorDiff d = finding.worst();
        StringBuilder html = new StringBuilder("<section class=\"card\"><h2>").append(escape(finding.first().node().where() + ", " + d.name())).append("</h2><div class=\"pair\"><div>");
        if (!d.index().isEmpty() && !d.around().isEmpty()) {
            html.append("<p>Worst at ").append(escape(d.index())).append(": expected <b>").append(DiffText.number(d.expected())).append("</b>, actual <b>")
                    .append(DiffText.number(d.actual())).append("</b>, error ").append(DiffText.error(d.maxAbs())).append("</p>");
        }
        if (!d.note().isEmpty()) {
            html.append("<p>").append(escape(d.note())).append("</p>");
        }
        html.append("<p class=\"small\">Budget ").append(DiffText.error(d.budget().error())).append(" = ").append(escape(d.budget().how()));
        if (finding.first().alone().contains(d)) {
            html.append("<br>Judged alone: expected is what the reference makes of ACTUAL's own inputs of this stage.");
        }
        if (!finding.same().isEmpty()) {
            html.append("<br>The same stage is wrong by itself in layers ").append(finding.layers().stream().map(String::valueOf).collect(Collectors.joining(", "))).append('.');
        }
        if (!finding.also().isEmpty()) {
            html.append("<br>The same mistake shows by itself in ").append(escape(String.join(", ", finding.also()))).append('.');
        }
        html.append("</p>").append(around(d)).append("</div>").append(picture(finding.heat())).append("</div><div class=\"diagnosis\"><p><b>Diagnosis</b></p>")
                .append(finding.diagnosis().lines().stream().map(l -> "<p>" + escape(l) + "</p>").collect(Collectors.joining())).append("</div></section>");
        return html.toString();
    }

    private static String around(TensorDiff d) {
        if (d.around().isEmpty()) {
            return "";
        }
        return "<table class=\"numbers\"><thead><tr><th>Around it<th>Expected<th>Actual</thead><tbody>" + d.around().stream()
                .map(a -> "<tr" + (a.worst() ? " class=\"worst\"" : "") + "><td>" + escape(a.index()) + "<td>" + DiffText.number(a.expected()) + "<td>" + DiffText.number(a.actual()))
                .collect(Collectors.joining()) + "</tbody></table>";
    }

    private static String picture(Optional<HeatMap> heat) {
        if (heat.isEmpty()) {
            return "<p class=\"small\">No picture: the lists have no common shape, or nothing is in them.</p>";
        }
        HeatMap map = heat.get();
        String alt = "Heat map of the error: " + (map.rowAxes().isEmpty() ? "" : map.rowAxes() + " downwards, ") + map.columnAxis() + " to the right";
        return "<figure><img alt=\"" + escape(alt) + "\" src=\"data:image/png;base64," + Base64.getEncoder().encodeToString(png(map)) + "\"><figcaption>"
                + (map.rowAxes().isEmpty() ? "" : escape(map.rowAxes()) + " (" + map.rowExtent() + ") downwards, ") + escape(map.columnAxis()) + " (" + map.columnExtent()
                + ") to the right. Pale: within the budget. <span class=\"ramp\"></span> 1 to 10<sup>6</sup> times the budget; violet: NaN or infinite.</figcaption></figure>";
    }

    private static byte[] png(HeatMap map) {
        double[][] cells = map.cells();
        BufferedImage image = new BufferedImage(cells[0].length, cells.length, BufferedImage.TYPE_INT_RGB);
        for (int r = 0; r < cells.length; r++) {
            for (int c = 0; c < cells[0].length; c++) {
                image.setRGB(c, r, colour(cells[r][c]));
            }
        }
        try (ByteArrayOutputStream out = new ByteArrayOutputStream()) {
            ImageIO.write(image, "png", out);
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int colour(double overBudget) {
        if (!Double.isFinite(overBudget)) {
            return NOT_A_NUMBER;
        }
        if (overBudget <= 1) {
            return WITHIN;
        }
        double place = Math.min(1, Math.log10(overBudget) / DECADES) * (RAMP.length - 1);
        int low = Math.min(RAMP.length - 2, (int) place);
        double part = place - low;
        int mixed = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int a = RAMP[low] >> shift & 0xff;
            int b = RAMP[low + 1] >> shift & 0xff;
            mixed |= (int) Math.round(a + part * (b - a)) << shift;
        }
        return mixed;
    }

    private static String rows(NodeResult r) {
        StringBuilder html = new StringBuilder();
        for (TensorDiff d : r.compared()) {
            html.append("<tr><td>").append(escape(d.name())).append("<td>").append(words(r, d)).append("<td>").append(DiffText.error(d.maxAbs())).append("<td>")
                    .append(d.budget().error() == 0 ? "exact" : DiffText.error(d.budget().error())).append("<td>").append(DiffText.error(d.relative()));
        }
        for (String name : r.missing()) {
            html.append("<tr><td>").append(escape(name)).append("<td>not covered<td><td><td>");
        }
        return html.toString();
    }

    private static String words(NodeResult r, TensorDiff d) {
        return switch (d.verdict()) {
            case NEAR_TIE -> "near-tie";
            case FAIL -> switch (r.cause()) {
                case FIRST -> "<span class=\"bad\">first divergence</span>";
                case OWN -> "<span class=\"bad\">wrong by itself</span>";
                case FOLLOWS -> "follows";
                default -> "differs";
            };
            default -> r.guilty() ? "<span class=\"bad\">wrong by itself</span>" : "<span class=\"good\">same</span>";
        };
    }
}
