package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.eval.cost.CostModel;
import org.dhsa.eval.cost.ModelShape;
import org.dhsa.eval.measure.TimedBackend;
import org.dhsa.eval.measure.TimedPolicy;
import org.dhsa.eval.measure.WorkProbe;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Probes;

/// What a run costs: time to the first token, new tokens per second, peaks of memory, exact counts of what was read, and beside
/// them what the cost model says.
///
/// In every repetition each policy runs once, and the order turns by one, so that a policy is compared with another under the
/// same conditions. Before the first repetition of a length each has run once untimed; that run is the one that is counted.
/// After the timed runs of a repetition each policy reads the prompt once more, with a clock on every stage and on the policy: `split_nanos`.
public final class LatencyTask implements Sweep {

    private static final int NEW_TOKENS = 16;
    /// Keys and values are kept in F32.
    private static final int KV_BYTES = 4;

    private final UnitRuns units;
    private final String machine;
    /// Counts of the untimed runs, by prompt and contender.
    private final Map<String, ObjectNode> counted = new HashMap<>();

    /// @param machine processor and JDK, so that times of two machines are never put together
    public LatencyTask(UnitRuns units, String machine) {
        this.units = new UnitRuns(units.plan(), units.setup().alone(), units.sources(), units.repeats());
        this.machine = machine;
    }

    @Override
    public EvalSetup setup() {
        return units.setup();
    }

    @Override
    public ObjectNode config() {
        return units.config().put("machine", machine).put("new_tokens", NEW_TOKENS);
    }

    @Override
    public List<String> cells() {
        return units.cells();
    }

    @Override
    public boolean timed() {
        return true;
    }

    @Override
    public ObjectNode compute(int cell, Backend backend) {
        UnitRuns.Job job = units.job(cell, backend);
        List<UnitRuns.Contender> all = job.contenders();
        for (UnitRuns.Contender contender : all) {
            counted.computeIfAbsent(key(job, contender), k -> count(job, contender));
        }
        ObjectNode[] lines = new ObjectNode[all.size()];
        for (int n = 0; n < all.size(); n++) {
            int c = (n + job.repeat()) % all.size();
            lines[c] = all.get(c).json();
            lines[c].setAll(counted.get(key(job, all.get(c))));
            timed(job, all.get(c).mode(), lines[c]);
        }
        for (int c = 0; c < all.size(); c++) {
            lines[c].set("split_nanos", split(job, all.get(c)));
        }
        job.line().putArray("runs").addAll(List.of(lines));
        return job.line();
    }

    private static String key(UnitRuns.Job job, UnitRuns.Contender contender) {
        return job.model().name() + "/" + job.prompt().length() + "/" + job.prompt().sample() + "/" + contender.name() + "/" + contender.budget();
    }

    /// The untimed run. Dense attention is counted as a policy that reads everything, and warmed up in its own path.
    private static ObjectNode count(UnitRuns.Job job, UnitRuns.Contender contender) {
        AttentionCount pairs = new AttentionCount();
        WorkProbe work = new WorkProbe(job.forward().config());
        int[] ids = job.prompt().ids();
        Gemma2Forward.Session session = job.forward().open(contender.dense() ? new AttentionMode.Policy(contender.policy(), org.dhsa.policy.PolicySetting.STRICT) : contender.mode(),
                Probes.all(pairs, work));
        session.prefill(ids);
        for (int n = 0; n < NEW_TOKENS; n++) {
            session.decode(next(ids, n));
        }
        if (contender.dense()) {
            pass(job, contender.mode());
        }
        ObjectNode json = Json.object();
        json.set("measured", Json.object().put("global_pairs", pairs.globalPrompt().read()).put("local_pairs", pairs.localPrompt().read())
                .put("attention_flops", work.attentionFlops()).put("selection_flops", work.selectionFlops()).put("kv_bytes", work.elementsLoaded() * KV_BYTES)
                .put("decode_pairs", (pairs.globalDecoded().read() + pairs.localDecoded().read()) / NEW_TOKENS));
        ObjectNode said = said(job, contender);
        if (said != null) {
            json.set("predicted", said);
        }
        return json;
    }

    /// @return null where the cost model has no number for the policy
    private static ObjectNode said(UnitRuns.Job job, UnitRuns.Contender contender) {
        ModelShape shape = ModelShape.of(job.model().name(), job.forward().config());
        int length = job.prompt().ids().length;
        try {
            CostModel.Flops flops = CostModel.prefill(shape, length, contender.policy());
            CostModel.Memory memory = CostModel.memory(shape, length + NEW_TOKENS, contender.policy(), KV_BYTES);
            CostModel.Decode decode = CostModel.decode(shape, length, contender.dense() ? length + 1 : Math.min(length + 1, contender.budget()), KV_BYTES);
            ObjectNode json = Json.object().put("matrix_flops", flops.matrices()).put("attention_flops", flops.attention()).put("selection_flops", flops.selection())
                    .put("kv_bytes", CostModel.kvLoaded(shape, length, contender.policy(), KV_BYTES)).put("decode_flops", decode.flops()).put("decode_bytes", decode.bytes());
            json.set("memory", Json.object().put("weights", memory.weights()).put("cache", memory.trimmed()).put("selection", memory.selection()));
            return json;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private record Passed(double secondsToFirstToken, double tokensPerSecond) {}

    private static Passed pass(UnitRuns.Job job, AttentionMode mode) {
        int[] ids = job.prompt().ids();
        Gemma2Forward.Session session = job.forward().open(mode, Probe.NONE);
        long begun = System.nanoTime();
        // Looking at the values waits for a device.
        session.prefill(ids).toDouble();
        double first = (System.nanoTime() - begun) / 1e9;
        begun = System.nanoTime();
        for (int n = 0; n < NEW_TOKENS; n++) {
            session.decode(next(ids, n)).toDouble();
        }
        return new Passed(first, NEW_TOKENS / ((System.nanoTime() - begun) / 1e9));
    }

    /// Where the time of the prompt goes. The pass is none of those that are compared, because of its clocks; on a device every stage is waited for.
    private static ObjectNode split(UnitRuns.Job job, UnitRuns.Contender contender) {
        TimedBackend backend = new TimedBackend(job.backend(), true);
        TimedPolicy policy = new TimedPolicy(contender.policy());
        AttentionMode mode = contender.mode() instanceof AttentionMode.Policy p ? new AttentionMode.Policy(policy, p.setting()) : contender.mode();
        Gemma2Forward.Session session = new Gemma2Forward(job.model().model().config(), job.model().model().weights(), backend, job.model().scale()).open(mode, Probe.NONE);
        long begun = System.nanoTime();
        session.prefill(job.prompt().ids()).toDouble();
        long whole = System.nanoTime() - begun;
        TimedPolicy.Split split = policy.split(backend.nanos(), whole);
        return Json.object().put("predict", split.predict()).put("score", split.score()).put("select", split.select()).put("attend", split.attend())
                .put("other", split.other()).put("whole", whole);
    }

    /// Some token of the prompt: which one does not matter to the cost.
    private static int next(int[] ids, int n) {
        return ids[ids.length - 1 - n % Math.min(8, ids.length)];
    }

    private static void timed(UnitRuns.Job job, AttentionMode mode, ObjectNode line) {
        MemoryPeak peak = MemoryPeak.begin(job.backend());
        Passed passed = pass(job, mode);
        line.put("seconds_to_first_token", NeedleTask.rounded(passed.secondsToFirstToken())).put("tokens_per_second", NeedleTask.rounded(passed.tokensPerSecond()));
        peak.addTo(line);
    }
}
