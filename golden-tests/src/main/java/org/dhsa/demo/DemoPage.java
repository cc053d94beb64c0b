package org.dhsa.demo;

import static org.dhsa.demo.PageTemplate.escape;

import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.dhsa.cli.Json;
import org.dhsa.generate.AttentionCount;
import org.dhsa.model.DhsaConfig;

/// The demonstration as one page that needs nothing but itself.
///
/// Numbers and tables are written here and stand without a script; the script in the page draws the pictures and colours
/// the prompt from [PageData].
///
/// @param layer the layer that is shown first
public record DemoPage(DemoResult demo, int layer) {

    public String html() {
        DemoPrompt prompt = demo.prompt();
        return PageTemplate.load("page.html")
                .text("model", demo.model())
                .text("question", Text.snippet(firstQuestion(), 160))
                .text("tokens", Text.count(prompt.ids().length))
                .html("lead", lead())
                .html("answers", demo.runs().stream().map(this::answer).collect(Collectors.joining()))
                .html("bars", bars())
                .text("local-note", demo.dhsa().count().localPrompt().share() == 1
                        ? "A query in a local layer sees " + demo.config().slidingWindow() + " tokens at most; here that fits into the budget." : "")
                .text("chunk-count", String.valueOf(demo.chunks().chunks()))
                .text("chunk-source", demo.chunkSource())
                .text("chunk-lengths", Text.lengths(demo.chunks()))
                .html("needle", needle())
                .html("logits", logits())
                .html("backends", backends())
                .html("goldens", goldens())
                .html("time", rows(demo.seconds().entrySet().stream().map(e -> List.of(e.getKey(), Text.format("%.1f s", e.getValue()))).toList()))
                .html("set-up", setUp())
                .html("notes", paragraphs("note", demo.notes()))
                .html("disclosure", demo.provenance().disclosure().stream().map(s -> "<li>" + escape(s) + "</li>").collect(Collectors.joining()))
                .text("origin", prompt.origin())
                .text("prompt-text", prompt.text())
                .json("data", Json.compact(new PageData(demo, layer).json()))
                .fill();
    }

    /// The question itself, without the half sentence that the model is to continue.
    private String firstQuestion() {
        String line = demo.prompt().textOf(demo.prompt().question()).strip();
        int mark = line.indexOf('?');
        return mark < 0 ? line : line.substring(0, mark + 1);
    }

    private String lead() {
        AttentionCount.Pairs dense = demo.dense().count().globalPrompt();
        AttentionCount.Pairs sparse = demo.dhsa().count().globalPrompt();
        AttentionCount.Pairs fresh = demo.dhsa().count().globalDecoded();
        String newTokens = fresh.visible() == 0 ? "" : ", and a new token <b>" + Text.percent(fresh.share()) + "</b> of what it could";
        return "Dense attention read <b>" + Text.count(dense.read()) + "</b> query-key pairs in the global layers. DHSA read <b>"
                + Text.count(sparse.read()) + "</b> of them, <b>" + Text.percent(sparse.share()) + "</b>" + newTokens + ". "
                + demo.chunks().chunks() + " chunks were found in the text; which of them a query reads is decided by the pictures below.";
    }

    private String answer(AttentionRun run) {
        String verdict = run.correct().map(right -> right ? "<span class=\"good\">✓ correct</span>" : "<span class=\"bad\">✗ wrong</span>").orElse("");
        String text = run.answer().isBlank() ? "(nothing)" : run.answer().strip();
        return "<article class=\"card\"><h3>" + escape(run.title()) + verdict + "</h3><p class=\"said\">" + escape(text) + "</p><p class=\"small\">"
                + escape(run.note()) + "</p></article>";
    }

    private String bars() {
        return bar("Prompt, global layers", AttentionCount::globalPrompt)
                + bar("New tokens, global layers", AttentionCount::globalDecoded)
                + bar("Prompt, local layers", AttentionCount::localPrompt)
                + bar("New tokens, local layers", AttentionCount::localDecoded);
    }

    private String bar(String name, Function<AttentionCount, AttentionCount.Pairs> pick) {
        StringBuilder html = new StringBuilder("<section class=\"bars\"><h3>" + escape(name) + "</h3>");
        for (AttentionRun run : demo.runs()) {
            AttentionCount.Pairs pairs = pick.apply(run.count());
            if (pairs.visible() == 0) {
                continue;
            }
            html.append("<div class=\"bar\"><span>").append(escape(run.title())).append("</span><i><b style=\"width:")
                    .append(Text.format("%.2f", 100 * Math.min(1, pairs.share()))).append("%\"></b></i><span class=\"n\">")
                    .append(Text.percent(pairs.share())).append("</span><span class=\"n small\">").append(Text.count(pairs.read())).append("</span></div>");
        }
        return html.append("</section>").toString();
    }

    private String needle() {
        if (demo.prompt().needle().isEmpty()) {
            return "<p class=\"small\">No needle was named for this prompt.</p>";
        }
        int chunk = demo.chunks().chunkOf(demo.prompt().value().orElseThrow().from());
        String intro = "<p>The answer stands in chunk " + (chunk + 1) + ". Its rank among the chunks that a row may read, in the global layers"
                + (demo.ownModel() ? " (in this model, layer 1 is the one that retrieves)" : "") + ":</p>";
        return intro + "<table><thead><tr><th>Run<th>Seen from<th>Layer<th>Rank<th>Needle read</thead><tbody>"
                + rows(NeedleSummary.of(demo).stream()
                        .map(n -> List.of(n.run(), n.asker(), String.valueOf(n.layer()), n.rank(), n.kept())).toList())
                + "</tbody></table>";
    }

    private String logits() {
        return rows(demo.sparseRuns().stream()
                .map(run -> List.of(run.title(), Text.number(run.logitDifference(demo.dense())))).toList());
    }

    private String backends() {
        if (demo.twins().isEmpty()) {
            return "";
        }
        return "<h2>The same on another backend</h2><p>Each run again on " + escape(demo.twins().getFirst().backend()) + ", beside " + escape(demo.backend()) + ":</p>"
                + "<table class=\"numbers\"><thead><tr><th>Run<th>Answer<th>Largest logit difference<th>Time</thead><tbody>"
                + rows(demo.twins().stream().map(t -> List.of(t.run(), t.same() ? "the same" : "ANOTHER", Text.error(t.logits()),
                        Text.format("%.2f s, was %.2f s", t.seconds(), t.ours()))).toList()) + "</tbody></table>";
    }

    private String goldens() {
        if (demo.goldens().isEmpty()) {
            return "<p class=\"small\">The goldens were not checked in this run.</p>";
        }
        String verdict = demo.goldensHold() ? "<span class=\"good\">✓ all hold</span>" : "<span class=\"bad\">✗ some fail</span>";
        return "<p>Every stage against recordings of Google's and the authors' own code, on backend " + escape(demo.backend()) + ". " + verdict + "</p>"
                + "<table class=\"numbers\"><thead><tr><th>Stage<th>Pass<th>Tied<th>Fail<th>Worst error<th>Allowed</thead><tbody>"
                + rows(demo.goldens().stream().map(v -> List.of(v.stage(), String.valueOf(v.pass()), String.valueOf(v.nearTie()),
                        String.valueOf(v.fail()), Text.error(v.worstError()), Text.allowed(v.budget()))).toList())
                + "</tbody></table>";
    }

    private String setUp() {
        DhsaConfig c = demo.dhsa().config().orElseThrow();
        return rows(List.of(
                List.of("Set-up", demo.setUp()),
                List.of("Query block, budget, budget of a new token", c.blockSize() + ", " + c.budget() + ", " + c.decodeBudget()),
                List.of("Always read: newest, first, dense tail", c.localTokens() + ", " + c.globalTokens() + ", "
                        + (c.instructionTokens().isPresent() ? c.instructionTokens().getAsInt() : "none")),
                List.of("Chunk ends: threshold, distance", (c.theta().isPresent() ? c.theta().getAsDouble() : "none") + ", " + c.nmsWindow()),
                List.of("Sliding window of local layers", String.valueOf(demo.config().slidingWindow()))));
    }

    private static String rows(List<List<String>> rows) {
        return rows.stream()
                .map(row -> row.stream().map(cell -> "<td>" + escape(cell)).collect(Collectors.joining("", "<tr>", "")))
                .collect(Collectors.joining());
    }

    private static String paragraphs(String style, List<String> texts) {
        return texts.stream().map(t -> "<p class=\"" + style + "\">" + escape(t) + "</p>").collect(Collectors.joining());
    }
}
