package org.dhsa.demo;

import java.io.PrintWriter;
import java.util.Optional;
import java.util.function.Function;
import org.apache.commons.text.WordUtils;
import org.dhsa.cli.Terminal;
import org.dhsa.generate.AttentionCount;
import org.dhsa.stage.Boundaries;

/// The demonstration as text for a terminal.
public final class TextReport {

    private static final int WIDTH = 100;
    private static final int CHUNKS_SHOWN = 4;

    private final DemoResult demo;
    private final Terminal terminal;
    private final PrintWriter out;

    public TextReport(DemoResult demo, Terminal terminal, PrintWriter out) {
        this.demo = demo;
        this.terminal = terminal;
        this.out = out;
    }

    public void print() {
        inShort();
        prompt();
        answers();
        chunks();
        pairs();
        needle();
        logits();
        backends();
        goldens();
        time();
        disclosure();
        out.flush();
    }

    /// For who has never heard of any of it.
    private void inShort() {
        heading("In short");
        String tokens = "A text of " + Text.count(demo.prompt().ids().length) + " tokens";
        AttentionCount sparse = demo.sparseRuns().getFirst().count();
        out.println(wrap("  ", tokens + (demo.prompt().needle().isPresent() ? " hides one sentence, the needle, and ends with a question about it." : " ends with a question.")
                + " Dense attention lets every token read all tokens before it. DHSA cuts the text into chunks where it changes, and lets a token read only the chunks that "
                + "suit it best, and its neighbours: here " + Text.percent(sparse.globalPrompt().share()) + " of what dense attention reads in the layers that see the whole text (global), and "
                + Text.percent(sparse.globalDecoded().share()) + " for each new token. Local layers see only the last " + demo.config().slidingWindow() + " tokens anyway."));
    }

    private void prompt() {
        DemoPrompt prompt = demo.prompt();
        heading("Prompt");
        line("tokens", Text.count(prompt.ids().length) + "  (" + prompt.origin() + ")");
        line("question", Text.snippet(prompt.textOf(prompt.question()), WIDTH));
        prompt.needle().ifPresent(needle -> line("needle", Text.snippet(prompt.textOf(needle), WIDTH) + "  (tokens " + needle.from() + " to " + (needle.to() - 1) + ")"));
        line("model", demo.model() + ", backend " + demo.backend());
        demo.notes().forEach(note -> line("note", note));
    }

    private void answers() {
        heading("Answers");
        for (AttentionRun run : demo.runs()) {
            String answer = Text.snippet(run.answer(), 60);
            line(run.title(), terminal.bold(answer.isEmpty() ? "(nothing)" : answer) + "   " + verdict(run.correct()));
            line("", terminal.dim(run.note()));
        }
    }

    private String verdict(Optional<Boolean> correct) {
        return correct.map(right -> right ? terminal.green("correct") : terminal.red("wrong")).orElse("");
    }

    private void chunks() {
        Boundaries chunks = demo.chunks();
        heading("Chunks");
        line("found", chunks.chunks() + " by " + demo.chunkSource() + ": " + Text.lengths(chunks));
        for (int c = 0; c < Math.min(CHUNKS_SHOWN, chunks.chunks()); c++) {
            line("chunk " + (c + 1), Text.format("%3d tokens  %s", chunks.length(c), Text.snippet(demo.prompt().textOf(chunks.start(c), chunks.end(c)), 80)));
        }
    }

    private void pairs() {
        heading("Query-key pairs read");
        out.println("  " + terminal.dim("counted by the attention stages, all query heads; share of what dense attention reads"));
        out.print("  " + " ".repeat(28));
        demo.runs().forEach(run -> out.print(Text.format("%24s", run.title())));
        out.println();
        pairs("prompt, local layers", AttentionCount::localPrompt);
        pairs("prompt, global layers", AttentionCount::globalPrompt);
        pairs("new tokens, local layers", AttentionCount::localDecoded);
        pairs("new tokens, global layers", AttentionCount::globalDecoded);
    }

    private void pairs(String name, Function<AttentionCount, AttentionCount.Pairs> pick) {
        out.print(Text.format("  %-28s", name));
        for (AttentionRun run : demo.runs()) {
            AttentionCount.Pairs pairs = pick.apply(run.count());
            out.print(Text.format("%15s%9s", pairs.visible() == 0 ? "" : Text.count(pairs.read()), Text.share(pairs)));
        }
        out.println();
    }

    private void needle() {
        if (demo.prompt().needle().isEmpty()) {
            return;
        }
        int chunk = demo.chunks().chunkOf(demo.prompt().value().orElseThrow().from());
        heading("Where the needle ranks");
        out.println("  " + terminal.dim("rank of chunk " + (chunk + 1) + ", which holds the answer, among all it may read; global layers"
                + (demo.ownModel() ? " (layer 1 is the one that retrieves)" : "")));
        out.println(Text.format("  %-16s %-18s %-8s %-14s %s", "run", "seen from", "layer", "rank", "needle read"));
        for (NeedleSummary line : NeedleSummary.of(demo)) {
            out.println(Text.format("  %-16s %-18s %-8d %-14s %s", line.run(), line.asker(), line.layer(), line.rank(), line.kept()));
        }
    }

    private void logits() {
        heading("Logits after the last prompt token");
        for (AttentionRun run : demo.sparseRuns()) {
            line(run.title(), "differ from dense by at most " + Text.number(run.logitDifference(demo.dense())));
        }
    }

    private void backends() {
        if (demo.twins().isEmpty()) {
            return;
        }
        heading("Backends");
        for (BackendTwin twin : demo.twins()) {
            line(twin.run(), Text.format("%s on %s, logits differ by at most %s; %.2f s instead of %.2f s", twin.same() ? "the same answer" : "ANOTHER ANSWER",
                    twin.backend(), Text.error(twin.logits()), twin.seconds(), twin.ours()));
        }
    }

    private void goldens() {
        if (demo.goldens().isEmpty()) {
            return;
        }
        heading("Goldens");
        out.println("  " + terminal.dim("recordings of Google's and the authors' own code, replayed on backend " + demo.backend()));
        out.println(Text.format("  %-28s %6s %6s %6s %14s %10s", "stage", "pass", "tied", "fail", "worst error", "allowed"));
        demo.goldens().stream().filter(StageVerdict::isStage).forEach(this::golden);
        demo.goldens().stream().filter(v -> !v.isStage()).reduce(StageVerdict::together).ifPresent(this::golden);
        out.println("  " + (demo.goldensHold() ? terminal.green("all hold") : terminal.red("SOME FAIL")));
    }

    private void golden(StageVerdict v) {
        String failed = Text.format("%6d", v.fail());
        out.println(Text.format("  %-28s %6d %6d %s %14s %10s", v.stage(), v.pass(), v.nearTie(), v.fail() == 0 ? failed : terminal.red(failed),
                Text.error(v.worstError()), Text.allowed(v.budget())));
    }

    private void time() {
        heading("Time");
        demo.seconds().forEach((part, seconds) -> line(part, Text.format("%6.1f s", seconds)));
    }

    private void disclosure() {
        heading("To be said with these numbers");
        demo.provenance().disclosure().forEach(sentence -> out.println(wrap("  - ", sentence)));
    }

    /// @param start what stands before the first line; the others are indented as far
    private static String wrap(String start, String text) {
        return start + WordUtils.wrap(text, WIDTH - start.length(), "\n" + " ".repeat(start.length()), false);
    }

    private void heading(String text) {
        out.println();
        out.println(terminal.bold(text));
    }

    private void line(String name, String value) {
        out.println(Text.format("  %-16s %s", name, value));
    }
}
