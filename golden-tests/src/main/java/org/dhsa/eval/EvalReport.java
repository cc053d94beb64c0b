package org.dhsa.eval;

import static org.dhsa.demo.PageTemplate.escape;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.dhsa.demo.PageTemplate;

/// Needle results as one page that needs nothing but itself: heat maps side by side, accuracy against budget, paired differences, pairs read.
///
/// Written without a script, so that it prints and reads the same everywhere.
public record EvalReport(EvalSummary summary) {

    private static final String[] COLOURS = {"#8d9aa3", "#b4482a", "#2f6f8f", "#6a8f2f", "#8a5fa8", "#c79a1e"};

    public String html() {
        return PageTemplate.load(EvalReport.class, "report.html")
                .text("task", summary.config().path("task").asText())
                .text("lead", lead())
                .html("notes", summary.notes().stream().map(n -> "<p class=\"note\">" + escape(n) + "</p>").collect(Collectors.joining()))
                .html("disclosure", summary.disclosure().stream().map(s -> "<li>" + escape(s) + "</li>").collect(Collectors.joining()))
                .html("maps", sections(this::maps))
                .html("curves", sections((model, setting) -> new BudgetCurve(summary, model, setting).svg()))
                .html("tables", sections(this::tables))
                .html("costs", sections(this::costs))
                .text("config", "Backend " + summary.config().path("backend").asText() + ", seed " + summary.config().path("seed").asText() + ", haystack: "
                        + summary.config().path("haystack").asText() + ", layers: " + summary.config().path("layers").asText() + ".")
                .fill();
    }

    private String lead() {
        return summary.prompts() + " prompts, each answered by " + summary.policies().size() + " policies at budgets of "
                + summary.budgets().stream().map(String::valueOf).collect(Collectors.joining(" and ")) + " keys. Lengths "
                + summary.lengths().stream().map(String::valueOf).collect(Collectors.joining(", ")) + " tokens.";
    }

    private interface Part {
        String of(String model, String setting);
    }

    private String sections(Part part) {
        StringBuilder html = new StringBuilder();
        for (String model : summary.models()) {
            for (String setting : summary.settings()) {
                html.append("<h3>").append(escape(model + ", " + EvalSummary.said(setting))).append("</h3>").append(part.of(model, setting));
            }
        }
        return html.toString();
    }

    private String maps(String model, String setting) {
        StringBuilder html = new StringBuilder();
        for (int budget : summary.budgets()) {
            html.append("<p class=\"small\">Budget ").append(budget).append("</p><div class=\"maps\">");
            for (String policy : summary.policies()) {
                html.append(map(summary.group(model, setting, budget, policy)));
            }
            html.append("</div>");
        }
        return html.toString();
    }

    private String map(EvalSummary.Group group) {
        StringBuilder html = new StringBuilder("<div class=\"map\"><h4><span>" + escape(group.policy()) + "</span><span>"
                + (group.score().units() == 0 ? "" : format("%.0f %%", 100 * group.score().mean())) + "</span></h4><table><tr><th></th>");
        summary.lengths().forEach(l -> html.append("<th>").append(l).append("</th>"));
        for (int depth : summary.depths()) {
            html.append("</tr><tr><th>").append(depth).append(" %</th>");
            for (int length : summary.lengths()) {
                Interval cell = group.score(length, depth);
                html.append(cell.units() == 0 ? "<td class=\"none\">·</td>" : format("<td%s style=\"--v:%.0f%%\" title=\"%d tokens, depth %d %%: %s, %d prompts\">%.0f</td>",
                        cell.mean() > 0.5 ? " class=\"on\"" : "", 100 * cell.mean(), length, depth, cell.percent(), cell.units(), 100 * cell.mean()));
            }
        }
        return html.append("</tr></table></div>").toString();
    }

    private String tables(String model, String setting) {
        StringBuilder html = new StringBuilder();
        for (int budget : summary.budgets()) {
            EvalSummary.Group dhsa = summary.group(model, setting, budget, Contenders.DHSA);
            html.append("<p class=\"small\">Budget ").append(budget).append("</p><div class=\"scroll\"><table class=\"numbers\"><tr><th>Policy<th>Score<th>DHSA minus it<th>NLL<th>KL"
                    + "<th>Global pairs<th>Local pairs<th>Decode pairs</tr>");
            for (String policy : summary.policies()) {
                EvalSummary.Group group = summary.group(model, setting, budget, policy);
                html.append("<tr>");
                for (String cell : List.of(policy, group.score().percent(), policy.equals(Contenders.DHSA) ? "" : dhsa.minus(group).points(), group.nll().number(),
                        group.kl().number(), share(group.share("global", u -> true)), share(group.share("local", u -> true)), share(group.share("decode", u -> true)))) {
                    html.append("<td>").append(escape(cell)).append("</td>");
                }
                html.append("</tr>");
            }
            html.append("</table></div>");
        }
        return html.toString();
    }

    private String costs(String model, String setting) {
        StringBuilder html = new StringBuilder("<div class=\"scroll\"><table class=\"numbers\"><tr><th>Policy, budget");
        summary.lengths().forEach(l -> html.append("<th>").append(l));
        html.append("</tr>");
        for (int budget : summary.budgets()) {
            for (String policy : summary.policies()) {
                EvalSummary.Group group = summary.group(model, setting, budget, policy);
                html.append("<tr><td>").append(escape(policy + ", " + budget)).append("</td>");
                summary.lengths().forEach(l -> html.append("<td>").append(share(group.share("global", u -> u.path("length").asInt() == l))).append("</td>"));
                html.append("</tr>");
            }
        }
        return html.append("</table></div>").toString();
    }

    static String colour(int policy) {
        return COLOURS[policy % COLOURS.length];
    }

    private static String share(double share) {
        return Double.isNaN(share) ? "none" : format("%.1f %%", 100 * share);
    }

    static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
