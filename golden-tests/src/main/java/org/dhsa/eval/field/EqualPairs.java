package org.dhsa.eval.field;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import org.dhsa.eval.measure.AttentionWork;
import org.dhsa.eval.measure.HeadMeasure;
import org.dhsa.eval.measure.SelectionMeasure;
import org.dhsa.eval.policy.PolicyKnob;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.SelectionPolicy;

/// Turns a policy up until it reads as many pairs as allowed, and measures what it then reads.
///
///     setting = max { s : pairs(policy at s) ≤ share · visible pairs }        by bisection, prompt by prompt
///
/// All policies see the same states, those of dense attention, so that no policy profits or suffers from what it did in an earlier layer.
/// Methods differ in whether they choose in the prompt, while decoding, or in both: the two are measured apart, and a
/// policy that reads everything in one of them whatever its setting does not take part there.
///
/// @param states    of one prompt
/// @param resources what policies need
/// @param ruled     layers that the policy rules; in the others it only looks
/// @param maxRows   most rows per head and layer that are looked at
public record EqualPairs(DenseStates states, PolicyResources resources, Predicate<LayerKind> ruled, int maxRows) {

    /// Where keys are chosen.
    public enum Phase { PROMPT, DECODE }

    /// What a policy reads at one setting, over all ruled layers.
    ///
    /// @param pairs          query-key pairs read, every query head counted
    /// @param visible        pairs that dense attention reads
    /// @param selectionFlops spent on choosing
    /// @param attentionFlops of dense attention in these layers and rows
    public record Reading(String spec, long pairs, long visible, long selectionFlops, long attentionFlops, double recall, double mass, double regret, double outputError) {}

    private record Chosen(LayerState state, DenseStates.Layer layer, LayerSelection selection, AttentionWork work) {}

    /// @param share of the visible pairs that may be read
    /// @return empty if the policy does not choose in this phase, has nothing to turn, or reads more at its lowest setting
    public Optional<Reading> at(String spec, Phase phase, double share) {
        Optional<PolicyKnob> knob = PolicyKnob.of(spec, states.length());
        if (knob.isEmpty()) {
            return Optional.empty();
        }
        long allowed = (long) Math.floor(share * visible(phase));
        PolicyRegistry.create(knob.get().at(knob.get().steps()), resources);
        int low = 0;
        int high = knob.get().steps() + 1;
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (pairs(knob.get().at(middle), phase) <= allowed) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low == 0 || !possible(knob.get().at(low)) ? Optional.empty() : Optional.of(measure(knob.get().at(low), phase));
    }

    /// What a policy reads as it is.
    public Reading measure(String spec, Phase phase) {
        List<Chosen> chosen = choose(spec, phase);
        List<HeadMeasure> heads = new ArrayList<>();
        for (Chosen c : chosen) {
            heads.addAll(SelectionMeasure.of(c.layer().number(), c.layer().kind(), c.state().query(), c.layer().key(), c.layer().value(), c.state().rule(), c.selection(), maxRows));
        }
        long visible = chosen.stream().mapToLong(c -> c.work().pairsVisible()).sum();
        return new Reading(spec, chosen.stream().mapToLong(c -> c.work().pairsRead()).sum(), visible, chosen.stream().mapToLong(c -> c.work().selectionFlops()).sum(),
                4L * states.config().headDim() * visible, mean(heads, HeadMeasure::recall), mean(heads, HeadMeasure::mass), mean(heads, HeadMeasure::regret),
                mean(heads, HeadMeasure::outputError));
    }

    /// Pairs that the ruled layers read when they are dense.
    private long visible(Phase phase) {
        return choose("dense", phase).stream().mapToLong(c -> c.work().pairsVisible()).sum();
    }

    /// Pairs read; none at a setting too small for the policy.
    private long pairs(String spec, Phase phase) {
        return possible(spec) ? choose(spec, phase).stream().mapToLong(c -> c.work().pairsRead()).sum() : 0;
    }

    /// A budget may be smaller than what the policy always keeps.
    private boolean possible(String spec) {
        try {
            PolicyRegistry.create(spec, resources);
            return true;
        } catch (IllegalArgumentException tooSmall) {
            return false;
        }
    }

    private List<Chosen> choose(String spec, Phase phase) {
        SelectionPolicy policy = PolicyRegistry.create(spec, resources);
        int prompt = phase == Phase.PROMPT ? states.length() : states.length() - 1;
        SelectionPolicy.Selector selector = policy.open(java.util.Arrays.copyOf(states.ids(), prompt));
        if (phase == Phase.PROMPT) {
            return layers(selector, states::prompt);
        }
        layers(selector, states::before);
        return layers(selector, states::lastToken);
    }

    private List<Chosen> layers(SelectionPolicy.Selector selector, Function<DenseStates.Layer, LayerState> state) {
        List<Chosen> chosen = new ArrayList<>();
        for (DenseStates.Layer layer : states.layers()) {
            LayerState seen = state.apply(layer);
            if (!ruled.test(layer.kind())) {
                selector.observe(seen);
                continue;
            }
            LayerSelection selection = selector.select(seen);
            chosen.add(new Chosen(seen, layer, selection, AttentionWork.of(layer.number(), layer.kind(), selection, seen.rule(), seen.end(), seen.kvHeads(), seen.headDim())));
        }
        return chosen;
    }

    private static double mean(List<HeadMeasure> heads, java.util.function.ToDoubleFunction<HeadMeasure> value) {
        return heads.stream().mapToDouble(value).average().orElse(Double.NaN);
    }
}
