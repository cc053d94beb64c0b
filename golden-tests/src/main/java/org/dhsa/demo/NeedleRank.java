package org.dhsa.demo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dhsa.demo.DemoPrompt.Span;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.tensor.DoubleTensor;

/// How the chunk that holds the answer fares with one row of queries in one global layer.
///
/// @param asker  who asks: `the question` (its last block, where that is sparse), `new token 1`
/// @param rank   1 is the best score of all chunks that the row may read
/// @param chunks how many it may read
/// @param kept   tokens of the needle among the keys that were read
/// @param length tokens of the needle
public record NeedleRank(String asker, int layer, int rank, int chunks, int kept, int length) {

    public boolean readWhole() {
        return kept == length;
    }

    static final String QUESTION = "the question";

    /// All global layers: the question's last block, unless the question attends densely, then every new token.
    static List<NeedleRank> of(Trace trace, DemoPrompt prompt) {
        List<NeedleRank> ranks = new ArrayList<>();
        trace.prompt().layers().forEach((layer, seen) -> {
            if (seen.selection().queryBlocks().denseFrom() > prompt.question().from()) {
                add(ranks, QUESTION, layer, seen, prompt);
            }
        });
        for (int n = 0; n < trace.newTokens().size(); n++) {
            String asker = "new token " + (n + 1);
            trace.newTokens().get(n).layers().forEach((layer, seen) -> add(ranks, asker, layer, seen, prompt));
        }
        return ranks;
    }

    private static void add(List<NeedleRank> ranks, String asker, int layer, Trace.LayerTrace seen, DemoPrompt prompt) {
        if (seen.kind() instanceof LayerKind.Global && seen.scores().isPresent() && !seen.selection().blocks().isEmpty()) {
            ranks.add(of(asker, layer, seen, prompt.needle().orElseThrow(), prompt.value().orElseThrow()));
        }
    }

    private static NeedleRank of(String asker, int layer, Trace.LayerTrace seen, Span needle, Span value) {
        DoubleTensor scores = seen.scores().orElseThrow();
        Boundaries chunks = seen.boundaries();
        KeySelection selection = seen.selection();
        int last = selection.blocks().size() - 1;
        int row = selection.queryBlocks().blocks().get(last).segment();
        int end = selection.queryBlocks().blocks().get(last).end();
        int holder = chunks.chunkOf(value.from());
        int readable = 0;
        int better = 0;
        for (int c = 0; c < chunks.chunks() && chunks.start(c) < end; c++) {
            readable++;
            better += scores.at(row, c) > scores.at(row, holder) ? 1 : 0;
        }
        int kept = (int) Arrays.stream(selection.blocks().get(last).keys()).distinct()
                .filter(k -> k >= needle.from() && k < needle.to()).count();
        return new NeedleRank(asker, layer, better + 1, readable, kept, needle.length());
    }
}
