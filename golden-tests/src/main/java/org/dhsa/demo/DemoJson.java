package org.dhsa.demo;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.dhsa.cli.Json;
import org.dhsa.generate.AttentionCount.Pairs;

/// The demonstration as one JSON object.
public final class DemoJson {

    private DemoJson() {}

    public static ObjectNode of(DemoResult demo) {
        ObjectNode root = Json.object();
        DemoPrompt prompt = demo.prompt();
        root.put("model", demo.model()).put("backend", demo.backend()).put("set_up", demo.setUp());
        ObjectNode p = root.putObject("prompt").put("origin", prompt.origin()).put("tokens", prompt.ids().length)
                .put("question", prompt.textOf(prompt.question()));
        prompt.expected().ifPresent(expected -> p.put("expected", expected));
        prompt.needle().ifPresent(needle -> p.put("needle", prompt.textOf(needle)));
        root.putObject("chunks").put("source", demo.chunkSource()).put("count", demo.chunks().chunks())
                .set("boundaries", Json.array(demo.chunks().toArray()));
        ArrayNode runs = root.putArray("runs");
        for (AttentionRun run : demo.runs()) {
            ObjectNode r = runs.addObject().put("title", run.title()).put("note", run.note()).put("answer", run.answer());
            run.correct().ifPresent(correct -> r.put("correct", correct));
            r.put("prefill_seconds", run.result().prefill().toMillis() / 1e3).put("decode_seconds", run.result().decode().toMillis() / 1e3);
            r.put("largest_logit_difference", run.logitDifference(demo.dense()));
            ObjectNode pairs = r.putObject("pairs");
            put(pairs.putObject("prompt_local"), run.count().localPrompt());
            put(pairs.putObject("prompt_global"), run.count().globalPrompt());
            put(pairs.putObject("decode_local"), run.count().localDecoded());
            put(pairs.putObject("decode_global"), run.count().globalDecoded());
            if (run.trace().isPresent() && prompt.needle().isPresent()) {
                ArrayNode ranks = r.putArray("needle");
                NeedleRank.of(run.trace().get(), prompt).forEach(n -> ranks.addObject().put("asker", n.asker()).put("layer", n.layer())
                        .put("rank", n.rank()).put("chunks", n.chunks()).put("tokens_read", n.kept()).put("tokens", n.length()));
            }
        }
        ArrayNode twins = root.putArray("backends");
        demo.twins().forEach(t -> twins.addObject().put("run", t.run()).put("backend", t.backend()).put("same_answer", t.same())
                .put("largest_logit_difference", t.logits()).put("seconds", t.seconds()).put("seconds_of_" + demo.backend(), t.ours()));
        ArrayNode goldens = root.putArray("goldens");
        demo.goldens().forEach(v -> goldens.addObject().put("stage", v.stage()).put("pass", v.pass()).put("near_tie", v.nearTie())
                .put("fail", v.fail()).put("worst_error", v.worstError()).put("budget", v.budget()));
        root.set("seconds", Json.MAPPER.valueToTree(demo.seconds()));
        root.set("notes", Json.MAPPER.valueToTree(demo.notes()));
        root.set("disclosure", Json.MAPPER.valueToTree(demo.provenance().disclosure()));
        return root;
    }

    private static void put(ObjectNode node, Pairs pairs) {
        node.put("read", pairs.read()).put("visible", pairs.visible()).put("share", pairs.share());
    }
}
