package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.eval.measure.AttentionWork;
import org.dhsa.eval.measure.HeadMeasure;
import org.dhsa.eval.measure.MeasureProbe;

/// How well keys were chosen: recall of the oracle's keys, attention mass kept, regret and output error, over a prompt's sparse
/// rows, layer by layer and with global and local layers apart.
///
/// @param rows most rows per head and layer that are looked at
public record RecallTask(UnitRuns units, int rows) implements Sweep {

    /// The measures by their names in result files.
    public static final List<String> MEASURES = List.of("recall", "mass", "regret", "output_error");

    @Override
    public EvalSetup setup() {
        return units.setup();
    }

    @Override
    public ObjectNode config() {
        return units.config().put("rows", rows);
    }

    @Override
    public List<String> cells() {
        return units.cells();
    }

    @Override
    public ObjectNode compute(int cell, Backend backend) {
        UnitRuns.Job job = units.job(cell, backend);
        ArrayNode runs = job.line().putArray("runs");
        for (UnitRuns.Contender contender : job.contenders()) {
            if (!contender.dense()) {
                MeasureProbe probe = new MeasureProbe(job.forward().config(), rows);
                job.forward().open(contender.mode(), probe).prefill(job.prompt().ids());
                runs.add(line(contender, probe));
            }
        }
        return job.line();
    }

    private static ObjectNode line(UnitRuns.Contender contender, MeasureProbe probe) {
        ObjectNode run = contender.json();
        for (boolean local : new boolean[] {false, true}) {
            List<HeadMeasure> heads = probe.measures().stream().filter(m -> m.isLocal() == local).toList();
            if (!heads.isEmpty()) {
                List<AttentionWork> work = probe.work().stream().filter(w -> w.kind() instanceof org.dhsa.model.LayerKind.Local == local).toList();
                run.set(local ? "local" : "global", means(heads)
                        .<ObjectNode>set("pairs", Json.array().add(work.stream().mapToLong(AttentionWork::pairsRead).sum()).add(work.stream().mapToLong(AttentionWork::pairsVisible).sum())));
            }
        }
        ArrayNode layers = run.putArray("layers");
        probe.measures().stream().collect(Collectors.groupingBy(HeadMeasure::layer, TreeMap::new, Collectors.toList()))
                .forEach((layer, heads) -> layers.add(means(heads).put("layer", layer).put("kind", heads.getFirst().isLocal() ? "local" : "global")));
        return run;
    }

    /// Means over heads; of the rows, the share that read all they see.
    static ObjectNode means(List<HeadMeasure> heads) {
        ObjectNode json = Json.object();
        json.put("recall", mean(heads, HeadMeasure::recall)).put("mass", mean(heads, HeadMeasure::mass)).put("regret", mean(heads, HeadMeasure::regret))
                .put("output_error", mean(heads, HeadMeasure::outputError));
        return json.put("full_rows", mean(heads, h -> (double) h.fullRows() / h.rows()));
    }

    private static double mean(List<HeadMeasure> heads, ToDoubleFunction<HeadMeasure> of) {
        return NeedleTask.rounded(heads.stream().mapToDouble(of).average().orElseThrow());
    }
}
