package org.dhsa.eval.report;

import static org.dhsa.eval.report.Html.format;

import java.util.List;
import org.dhsa.demo.PageTemplate;
import org.dhsa.eval.Interval;

/// Accuracy against budget as an SVG picture: one line per policy, with intervals. Stands alone as a file, too.
public record BudgetCurve(EvalSummary summary, String model, String setting) {

    private static final int WIDTH = 640;
    private static final int HEIGHT = 260;
    private static final int LEFT = 50;
    private static final int RIGHT = 470;
    private static final int TOP = 36;
    private static final int BOTTOM = 220;

    public String svg() {
        List<Integer> budgets = summary.budgets();
        StringBuilder svg = new StringBuilder(format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\">"
                + "<title>%s</title><style>.a{stroke:#999;stroke-width:1}.t{fill:#777}</style>", WIDTH, HEIGHT, WIDTH, title()));
        svg.append(format("<text class=\"t\" x=\"%d\" y=\"16\">%s</text>", LEFT, title()));
        for (int p = 0; p <= 100; p += 25) {
            svg.append(format("<line class=\"a\" stroke-opacity=\".35\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"t\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>",
                    LEFT, RIGHT, y(p / 100.0), y(p / 100.0), LEFT - 6, y(p / 100.0) + 4, p));
        }
        for (int b = 0; b < budgets.size(); b++) {
            svg.append(format("<text class=\"t\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">budget %d</text>", x(b, budgets.size()), BOTTOM + 20, budgets.get(b)));
        }
        for (int p = 0; p < summary.policies().size(); p++) {
            svg.append(line(p, summary.policies().get(p), budgets));
        }
        return svg.append("</svg>").toString();
    }

    private String title() {
        return PageTemplate.escape(model + ", " + setting + " setting");
    }

    private String line(int number, String policy, List<Integer> budgets) {
        String colour = Html.colour(number);
        StringBuilder svg = new StringBuilder();
        StringBuilder points = new StringBuilder();
        for (int b = 0; b < budgets.size(); b++) {
            Interval score = summary.group(model, setting, budgets.get(b), policy).score();
            if (score.units() > 0) {
                // Beside each other, so that equal values do not hide behind each other.
                double x = x(b, budgets.size()) + (number - summary.policies().size() / 2.0) * 5;
                points.append(format("%.1f,%.1f ", x, y(score.mean())));
                svg.append(format("<line stroke=\"%s\" stroke-width=\"2\" stroke-opacity=\".5\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><circle fill=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>",
                        colour, x, x, y(score.low()), y(score.high()), colour, x, y(score.mean())));
            }
        }
        return svg + format("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"%s\"/><circle fill=\"%s\" cx=\"%d\" cy=\"%d\" r=\"5\"/><text class=\"t\" x=\"%d\" y=\"%d\">%s</text>",
                colour, points.toString().strip(), colour, RIGHT + 20, TOP + 10 + number * 20, RIGHT + 32, TOP + 14 + number * 20, PageTemplate.escape(policy));
    }

    private static double x(int budget, int budgets) {
        return LEFT + (RIGHT - LEFT) * (budget + 0.5) / budgets;
    }

    private static double y(double score) {
        return BOTTOM - (BOTTOM - TOP) * score;
    }
}
