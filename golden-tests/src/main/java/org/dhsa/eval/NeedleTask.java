package org.dhsa.eval;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.generate.AttentionCount;

/// Answers the prompts of a plan with every policy, budget and setting, and keeps what comes out in a [ResultLog].
///
/// Each worker has a backend of its own with one thread and takes whole prompts; results do not depend on how many workers
/// there are. Lines hold no times, so the same plan gives the same lines, in an order that may differ.
///
/// @param backends opens a backend with one thread
/// @param sources  prompts, one source per model
public record NeedleTask(NeedlePlan plan, List<EvalModel> models, List<PromptSource> sources, Supplier<Backend> backends, Shard shard, int workers) {

    /// Told after every prompt.
    public interface Watcher {
        void done(int units, int of);
    }

    /// What must be equal for two runs to be one: the plan, the models byte for byte, the haystack, the backend, the shard.
    public ObjectNode config(String backend) {
        ObjectNode config = plan.json();
        ArrayNode measured = config.putArray("models");
        models.forEach(m -> measured.add(m.json()));
        return config.put("haystack", sources.getFirst().fingerprint()).put("backend", backend).put("shard", shard.toString());
    }

    /// @return how many prompts were answered now, those of an earlier run not counted
    public int run(ResultLog log, Watcher watcher) {
        Set<String> done = new HashSet<>();
        log.results().forEach(r -> done.add(r.path("unit").asText()));
        List<NeedlePlan.Unit> all = plan.units(models.size());
        List<NeedlePlan.Unit> open = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            if (shard.has(i) && !done.contains(all.get(i).key())) {
                open.add(all.get(i));
            }
        }
        AtomicInteger next = new AtomicInteger();
        AtomicInteger finished = new AtomicInteger();
        List<Future<?>> running = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(Math.max(1, Math.min(workers, open.size())))) {
            for (int w = 0; w < workers; w++) {
                running.add(pool.submit(() -> {
                    try (Backend backend = backends.get()) {
                        for (int i = next.getAndIncrement(); i < open.size() && !Thread.interrupted(); i = next.getAndIncrement()) {
                            log.add(unit(open.get(i), backend));
                            watcher.done(finished.incrementAndGet(), open.size());
                        }
                    } catch (Throwable e) {
                        next.set(open.size());
                        throw e;
                    }
                }));
            }
            for (Future<?> future : running) {
                future.get();
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            running.forEach(f -> f.cancel(true));
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
        return finished.get();
    }

    private ObjectNode unit(NeedlePlan.Unit unit, Backend backend) {
        EvalModel model = models.get(unit.model());
        NeedlePrompt prompt = sources.get(unit.model()).prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ObjectNode result = Json.object().put("unit", unit.key()).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth())
                .put("needles", unit.needles()).put("sample", unit.sample()).put("tokens", prompt.ids().length);
        ArrayNode runs = result.putArray("runs");
        Answered dense = Answered.run(forward, new AttentionMode.Dense(), prompt, model.tokenizer(), null);
        if (plan.policies().contains(Contenders.DENSE)) {
            runs.add(line(Contenders.DENSE, 0, null, dense));
        }
        for (String policy : plan.policies()) {
            if (policy.equals(Contenders.DENSE)) {
                continue;
            }
            for (int budget : plan.budgets()) {
                for (Setting setting : plan.settings()) {
                    Answered answered = Answered.run(forward,
                            Contenders.mode(Contenders.policy(policy, budget, model), setting, prompt, plan.layers()), prompt, model.tokenizer(), dense);
                    runs.add(line(policy, budget, setting, answered));
                }
            }
        }
        return result;
    }

    private static JsonNode line(String policy, int budget, Setting setting, Answered answered) {
        ObjectNode json = Json.object().put("policy", policy);
        if (setting != null) {
            json.put("budget", budget).put("setting", setting.slug());
        }
        json.put("score", rounded(answered.score()));
        put(json, "nll", answered.nll());
        put(json, "kl", answered.kl());
        AttentionCount count = answered.count();
        json.set("global", pairs(count.globalPrompt()));
        json.set("local", pairs(count.localPrompt()));
        json.set("decode", pairs(count.globalDecoded().plus(count.localDecoded())));
        return json;
    }

    private static ArrayNode pairs(AttentionCount.Pairs pairs) {
        return Json.array().add(pairs.read()).add(pairs.visible());
    }

    private static void put(ObjectNode json, String name, OptionalDouble value) {
        value.ifPresent(v -> json.put(name, rounded(v)));
    }

    /// A mean with its interval, as results print it.
    public static ObjectNode json(Interval i) {
        return Json.object().put("mean", rounded(i.mean())).put("low", rounded(i.low())).put("high", rounded(i.high())).put("prompts", i.units());
    }

    /// Four significant digits: more is noise of the arithmetic.
    public static double rounded(double value) {
        return value == 0 || !Double.isFinite(value) ? value : new java.math.BigDecimal(value).round(new java.math.MathContext(4)).doubleValue();
    }
}
