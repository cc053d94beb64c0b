package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;
import org.dhsa.eval.measure.AttentionWork;
import org.dhsa.eval.measure.HeadMeasure;
import org.dhsa.eval.measure.MeasureProbe;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.PolicySetting;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.stage.Boundaries;

/// How chunks fall on different kinds of text, and what DHSA then reads: a text is a cell, every chunking is tried on it.
///
/// @param plan  what is measured
/// @param texts one source per model
public record KindsTask(Plan plan, EvalSetup setup, List<TextKinds> texts) implements Sweep {

    /// @param kinds     of text
    /// @param chunkings as the registry names them; the first one is what the others are held against
    /// @param policy    DHSA without chunking and budget
    /// @param maxRows   most rows per head and layer that recall is taken of
    public record Plan(List<String> kinds, int length, int samples, List<String> chunkings, String policy, int budget, int maxRows, long seed) {
        public Plan {
            kinds = kinds.stream().distinct().toList();
            chunkings = chunkings.stream().distinct().toList();
            positive("--length", length);
            positive("--samples", samples);
            positive("--budget", budget);
            positive("--rows", maxRows);
            if (kinds.isEmpty() || chunkings.isEmpty()) {
                throw new BadInput((kinds.isEmpty() ? "--kinds" : "--chunkings") + " names nothing. Give at least one, or leave the option away.");
            }
            for (String chunking : chunkings) {
                if (chunking.contains(",") || chunking.contains("=")) {
                    throw new BadInput("--chunkings: \"" + chunking + "\" is no chunking. Examples: predicted, fixed-16, sentences, labels, random.");
                }
            }
        }

        private static void positive(String option, int value) {
            if (value <= 0) {
                throw new BadInput(option + " must be positive, was " + value + ".");
            }
        }
    }

    private record Cell(int model, String kind, int sample) {
        String key() {
            return model + "/" + kind + "/" + sample;
        }
    }

    public KindsTask {
        for (int m = 0; m < texts.size(); m++) {
            EvalModel model = setup.models().get(m);
            int most = model.model().config().maxPositionEmbeddings();
            if (plan.length() > most) {
                throw new BadInput("--length: " + plan.length() + " tokens are more than the model " + model.name() + " was made for (max_position_embeddings " + most + ").");
            }
            for (String kind : plan.kinds()) {
                texts.get(m).require(kind, plan.length(), plan.samples());
            }
            plan.chunkings().forEach(chunking -> policy(plan, chunking, 0, model));
        }
    }

    private static DhsaPolicy policy(Plan plan, String chunking, int sample, EvalModel model) {
        String spec = plan.policy() + (plan.policy().contains(":") ? "," : ":") + "chunking=" + chunking + (chunking.equals("random") ? ",seed=" + sample : "");
        try {
            if (PolicyRegistry.create(PolicyRegistry.withBudget(spec, plan.budget()), model.resources()) instanceof DhsaPolicy dhsa) {
                return dhsa;
            }
            throw new BadInput("--policy: chunks are a matter of dhsa, not of " + plan.policy() + ". Give dhsa with its parameters, dhsa:block=16 for example.");
        } catch (IllegalArgumentException e) {
            throw new BadInput("--chunkings or --policy: " + e.getMessage() + " (" + spec + ", budget " + plan.budget() + ").", e);
        }
    }

    @Override
    public ObjectNode config() {
        ObjectNode config = Json.object().put("task", "kinds");
        ObjectNode of = config.putObject("kinds");
        plan.kinds().forEach(kind -> of.put(kind, texts.getFirst().fingerprint(kind)));
        ArrayNode chunkings = config.put("length", plan.length()).putArray("chunkings");
        plan.chunkings().forEach(chunkings::add);
        return setup.describe(config.put("policy", plan.policy()).put("budget", plan.budget()).put("rows", plan.maxRows()).put("seed", plan.seed()));
    }

    @Override
    public List<String> cells() {
        return list().stream().map(Cell::key).toList();
    }

    /// Sample by sample, so that a stopped run has measured every kind about equally often.
    private List<Cell> list() {
        List<Cell> cells = new ArrayList<>();
        for (int sample = 0; sample < plan.samples(); sample++) {
            for (int model = 0; model < setup.models().size(); model++) {
                for (String kind : plan.kinds()) {
                    cells.add(new Cell(model, kind, sample));
                }
            }
        }
        return cells;
    }

    @Override
    public ObjectNode compute(int number, Backend backend) {
        Cell cell = list().get(number);
        EvalModel model = setup.models().get(cell.model());
        int[] ids = texts.get(cell.model()).ids(cell.kind(), plan.length(), cell.sample());
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ObjectNode result = Json.object().put("unit", cell.key()).put("model", model.name()).put("kind", cell.kind()).put("sample", cell.sample()).put("tokens", ids.length);
        ArrayNode runs = result.putArray("runs");
        for (String chunking : plan.chunkings()) {
            Watched watched = new Watched(policy(plan, chunking, cell.sample(), model));
            MeasureProbe probe = new MeasureProbe(model.model().config(), plan.maxRows());
            forward.open(new AttentionMode.Policy(watched, PolicySetting.STRICT), probe).prefill(ids);
            ObjectNode run = runs.addObject().put("chunking", chunking);
            run.set("chunks", statistics(watched.boundaries, watched.inner.config().nmsWindow() + 1));
            run.set("global", measured(probe, kind -> !(kind instanceof LayerKind.Local)));
            run.set("local", measured(probe, kind -> kind instanceof LayerKind.Local));
        }
        return result;
    }

    /// Lengths of chunks: how many, mean, quantiles, longest, and the share that is not longer than suppression allows.
    ///
    /// @param shortest the least distance of two boundaries that survive suppression
    static ObjectNode statistics(Boundaries boundaries, int shortest) {
        int[] lengths = IntStream.range(0, boundaries.chunks()).map(boundaries::length).sorted().toArray();
        return Json.object().put("count", lengths.length).put("mean", NeedleTask.rounded(Arrays.stream(lengths).average().orElseThrow()))
                .put("q10", quantile(lengths, 0.1)).put("median", quantile(lengths, 0.5)).put("q90", quantile(lengths, 0.9)).put("longest", lengths[lengths.length - 1])
                .put("at_suppression", NeedleTask.rounded((double) Arrays.stream(lengths).filter(l -> l <= shortest).count() / lengths.length));
    }

    /// The smallest length that at least this share of the chunks does not exceed.
    private static int quantile(int[] sorted, double share) {
        return sorted[Math.max(0, (int) Math.ceil(share * sorted.length) - 1)];
    }

    private static ObjectNode measured(MeasureProbe probe, Predicate<LayerKind> wanted) {
        List<HeadMeasure> heads = probe.measures().stream().filter(m -> wanted.test(m.kind())).toList();
        ObjectNode json = heads.isEmpty() ? Json.object() : RecallTask.means(heads);
        json.put("heads", heads.size());
        List<AttentionWork> work = probe.work().stream().filter(w -> wanted.test(w.kind())).toList();
        json.putArray("pairs").add(work.stream().mapToLong(AttentionWork::pairsRead).sum()).add(work.stream().mapToLong(AttentionWork::pairsVisible).sum());
        return json;
    }

    /// Notes the boundaries of the prompt's first layer, which all layers share unless the policy says otherwise.
    private static final class Watched implements SelectionPolicy {
        private final DhsaPolicy inner;
        private Boundaries boundaries;

        Watched(DhsaPolicy inner) {
            this.inner = inner;
        }

        @Override
        public String name() {
            return inner.name();
        }

        @Override
        public org.dhsa.stage.AttentionRule attentionRule(org.dhsa.stage.AttentionRule gemma, boolean decoding) {
            return inner.attentionRule(gemma, decoding);
        }

        @Override
        public Selector open(int[] promptIds) {
            Selector selector = inner.open(promptIds);
            return new Selector() {
                @Override
                public LayerSelection select(LayerState layer) {
                    note(layer);
                    return selector.select(layer);
                }

                @Override
                public void observe(LayerState layer) {
                    note(layer);
                    selector.observe(layer);
                }

                private void note(LayerState layer) {
                    if (layer.layer() == 0 && !layer.decoding()) {
                        boundaries = inner.chunks().prompt(layer, promptIds, inner.config());
                    }
                }
            };
        }
    }
}
