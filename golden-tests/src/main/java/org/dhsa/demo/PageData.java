package org.dhsa.demo;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.Map;
import org.dhsa.cli.Json;
import org.dhsa.demo.DemoPrompt.Span;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;

/// What the page's script draws from, as compact JSON.
///
///     tokens      [text, ...]                       question, needle, value  [from, to)
///     runs        [{title, note, made: [text, ...], local, global, atEnd, denseFrom, layers: {n: layer}, steps: [{n: layer}, ...]}, ...]
///     layer       {window, boundaries, blocks: [[start, end, row], ...], scores: [[...], ...], keys: [[from, to, from, to, ...], ...]}
///
/// Upsampled importance is not stored: it is the score of the chunk that a token lies in.
final class PageData {

    /// Beyond this many scores only the chosen layer goes into the page, which stays below 3 MB.
    private static final int MOST_SCORES = 200_000;

    private final DemoResult demo;
    private final int chosenLayer;

    PageData(DemoResult demo, int chosenLayer) {
        this.demo = demo;
        this.chosenLayer = chosenLayer;
    }

    ObjectNode json() {
        DemoPrompt prompt = demo.prompt();
        ObjectNode root = Json.object();
        root.put("layer", chosenLayer).put("length", prompt.ids().length);
        ArrayNode tokens = root.putArray("tokens");
        prompt.tokens().forEach(tokens::add);
        root.set("question", span(prompt.question()));
        prompt.needle().ifPresent(needle -> root.set("needle", span(needle)));
        boolean all = scores() <= MOST_SCORES;
        ArrayNode runs = root.putArray("runs");
        for (AttentionRun run : demo.sparseRuns()) {
            Trace trace = run.trace().orElseThrow();
            DhsaConfig config = run.config().orElseThrow();
            ObjectNode r = runs.addObject().put("title", run.title()).put("note", run.note()).put("local", config.localTokens())
                    .put("global", config.globalTokens()).put("atEnd", config.has(Quirk.LOCAL_TOKENS_AT_BLOCK_END))
                    .put("denseFrom", trace.prompt().layers().firstEntry().getValue().selection().queryBlocks().denseFrom());
            ArrayNode made = r.putArray("made");
            run.tokens().forEach(made::add);
            r.set("layers", layers(trace.prompt(), all));
            ArrayNode steps = r.putArray("steps");
            trace.newTokens().stream().filter(pass -> !pass.layers().isEmpty()).forEach(pass -> steps.add(layers(pass, all)));
        }
        return root;
    }

    private long scores() {
        return demo.sparseRuns().stream()
                .flatMap(run -> run.trace().orElseThrow().prompt().layers().values().stream())
                .mapToLong(l -> (long) l.selection().blocks().size() * l.boundaries().chunks()).sum();
    }

    private ObjectNode layers(Trace.Pass pass, boolean all) {
        ObjectNode layers = Json.object();
        for (Map.Entry<Integer, Trace.LayerTrace> entry : pass.layers().entrySet()) {
            if (all || entry.getKey() == chosenLayer) {
                layers.set(String.valueOf(entry.getKey()), layer(entry.getValue()));
            }
        }
        return layers;
    }

    private static ObjectNode layer(Trace.LayerTrace seen) {
        ObjectNode node = Json.object();
        node.put("window", switch (seen.kind()) {
            case LayerKind.Local(int window) -> window;
            case LayerKind.Global() -> 0;
        });
        node.set("boundaries", Json.array(seen.boundaries().toArray()));
        ArrayNode blocks = node.putArray("blocks");
        for (QueryBlocks.Block block : seen.selection().queryBlocks().blocks()) {
            blocks.add(Json.array(block.start(), block.end(), block.segment()));
        }
        ArrayNode rows = node.putArray("scores");
        seen.scores().ifPresent(scores -> addRows(rows, scores));
        ArrayNode keys = node.putArray("keys");
        for (KeySelection.BlockSelection selection : seen.selection().blocks()) {
            keys.add(ranges(selection.keys()));
        }
        return node;
    }

    private static void addRows(ArrayNode rows, DoubleTensor scores) {
        int chunks = scores.shape().extent("chunks");
        for (int q = 0; q < scores.shape().extent("queryBlocks"); q++) {
            ArrayNode row = rows.addArray();
            for (int c = 0; c < chunks; c++) {
                double value = scores.at(q, c);
                if (Double.isFinite(value)) {
                    row.add(new BigDecimal(value).round(new MathContext(4)));
                } else {
                    row.addNull();
                }
            }
        }
    }

    /// Sorted positions as half-open ranges, laid end to end.
    private static ArrayNode ranges(int[] positions) {
        int[] sorted = Arrays.stream(positions).sorted().distinct().toArray();
        ArrayNode ranges = Json.array();
        for (int i = 0; i < sorted.length; i++) {
            if (i == 0 || sorted[i] != sorted[i - 1] + 1) {
                ranges.add(sorted[i]);
            }
            if (i == sorted.length - 1 || sorted[i + 1] != sorted[i] + 1) {
                ranges.add(sorted[i] + 1);
            }
        }
        return ranges;
    }

    private static ArrayNode span(Span span) {
        return Json.array(span.from(), span.to());
    }
}
