package org.dhsa.eval.report;

import static org.dhsa.demo.PageTemplate.escape;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;

/// Needle tests: heat maps side by side, accuracy against budget, paired differences, pairs read.
record NeedleReport(EvalSummary summary) implements TaskReport {

    static NeedleReport of(ResultSet results) {
        return new NeedleReport(EvalSummary.of(results));
    }

    @Override
    public ResultSet results() {
        return summary.results();
    }

    @Override
    public String headline() {
        return "How many needles are found";
    }

    @Override
    public String lead() {
        return summary.prompts() + " prompts, each answered by " + summary.policies().size() + " policies at budgets of "
                + summary.budgets().stream().map(String::valueOf).collect(Collectors.joining(" and ")) + " keys. Lengths "
                + summary.lengths().stream().map(String::valueOf).collect(Collectors.joining(", ")) + " tokens.";
    }

    @Override
    public List<String> notes() {
        return summary.notes();
    }

    @Override
    public List<Section> sections() {
        return List.of(
                new Section("Length and depth", "Columns: tokens of the prompt. Rows: percent of the haystack before the needle. A cell is the mean score of its prompts, in percent.",
                        each(this::maps)),
                new Section("Accuracy against budget", "Mean score with its 95 % bootstrap interval. The budget is nominal: keys that a query may read. "
                        + "What was really read is in the tables below.", each((model, setting) -> "<div class=\"scroll\">" + new BudgetCurve(summary, model, setting).svg() + "</div>")),
                new Section("Paired differences and what was read", "Differences are taken prompt by prompt, in percentage points with their 95 % bootstrap interval; where the interval "
                        + "holds 0 the run does not show which is better. NLL and KL in nats: of the right answer, and from dense attention. "
                        + "Pairs: share of the query-key pairs that dense attention reads, all heads, counted by the attention stages.", each(this::differences)),
                new Section("Pairs read in global layers, by length", "", each(this::pairs)));
    }

    @Override
    public String text() {
        return summary.text();
    }

    @Override
    public void addTo(ObjectNode json) {
        json.put("prompts", json.path("prompts").asInt() + summary.prompts());
        ArrayNode rows = json.withArray("accuracy");
        summary.groups().forEach(g -> rows.add(g.json()));
    }

    @Override
    public Map<String, String> pictures() {
        Map<String, String> pictures = new LinkedHashMap<>();
        for (String model : summary.models()) {
            for (String setting : summary.settings()) {
                pictures.put((model + " " + setting).replaceAll("[^A-Za-z0-9]+", "-") + ".svg", new BudgetCurve(summary, model, setting).svg());
            }
        }
        return pictures;
    }

    private interface Part {
        String of(String model, String setting);
    }

    private String each(Part part) {
        StringBuilder html = new StringBuilder();
        for (String model : summary.models()) {
            for (String setting : summary.settings()) {
                html.append(Html.heading(model + ", " + EvalSummary.said(setting))).append(part.of(model, setting));
            }
        }
        return html.toString();
    }

    private String maps(String model, String setting) {
        StringBuilder html = new StringBuilder();
        for (int budget : summary.budgets()) {
            html.append(Html.small("Budget " + budget)).append("<div class=\"maps\">");
            for (String policy : summary.policies()) {
                html.append(map(summary.group(model, setting, budget, policy)));
            }
            html.append("</div>");
        }
        return html.toString();
    }

    private String map(EvalSummary.Group group) {
        StringBuilder html = new StringBuilder("<div class=\"map\"><h4><span>" + escape(group.policy()) + "</span><span>"
                + (group.score().units() == 0 ? "" : Html.format("%.0f %%", 100 * group.score().mean())) + "</span></h4><table><tr><th></th>");
        summary.lengths().forEach(l -> html.append("<th>").append(l).append("</th>"));
        for (int depth : summary.depths()) {
            html.append("</tr><tr><th>").append(depth).append(" %</th>");
            for (int length : summary.lengths()) {
                Interval cell = group.score(length, depth);
                html.append(cell.units() == 0 ? "<td class=\"none\">·</td>" : Html.format("<td%s style=\"--v:%.0f%%\" title=\"%d tokens, depth %d %%: %s, %d prompts\">%.0f</td>",
                        cell.mean() > 0.5 ? " class=\"on\"" : "", 100 * cell.mean(), length, depth, cell.percent(), cell.units(), 100 * cell.mean()));
            }
        }
        return html.append("</tr></table></div>").toString();
    }

    private String differences(String model, String setting) {
        StringBuilder html = new StringBuilder();
        for (int budget : summary.budgets()) {
            EvalSummary.Group dhsa = summary.group(model, setting, budget, Contenders.DHSA);
            List<List<String>> rows = new ArrayList<>();
            for (String policy : summary.policies()) {
                EvalSummary.Group group = summary.group(model, setting, budget, policy);
                rows.add(List.of(policy, group.score().percent(), policy.equals(Contenders.DHSA) ? "" : dhsa.minus(group).points(), group.nll().number(),
                        group.kl().number(), Html.share(group.share("global", u -> true)), Html.share(group.share("local", u -> true)),
                        Html.share(group.share("decode", u -> true))));
            }
            html.append(Html.small("Budget " + budget))
                    .append(Html.table(List.of("Policy", "Score", "DHSA minus it", "NLL", "KL", "Global pairs", "Local pairs", "Decode pairs"), rows));
        }
        return html.toString();
    }

    private String pairs(String model, String setting) {
        List<String> head = new ArrayList<>(List.of("Policy, budget"));
        summary.lengths().forEach(l -> head.add(String.valueOf(l)));
        List<List<String>> rows = new ArrayList<>();
        for (int budget : summary.budgets()) {
            for (String policy : summary.policies()) {
                boolean dense = policy.equals(Contenders.DENSE);
                if (dense && budget != summary.budgets().getFirst()) {
                    continue;
                }
                EvalSummary.Group group = summary.group(model, setting, budget, policy);
                List<String> row = new ArrayList<>(List.of(dense ? policy : policy + ", " + budget));
                summary.lengths().forEach(l -> row.add(Html.share(group.share("global", u -> u.path("length").asInt() == l))));
                rows.add(row);
            }
        }
        return Html.table(head, rows);
    }
}
