package org.dhsa.reference.dhsa;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.Quirk;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.tensor.DoubleTensor;

/// Threshold, greedy suppression, boundaries.
///
///     candidate p:  logitₚ > theta
///     accept p if |p − a| > nmsWindow for every accepted a, in order of falling logit;  stop at chunkBudget
///     boundaries = {0, L} ∪ {p + 1}
///
/// **Shapes** logits `[keyLen]` (read), filled `[keyLen]` (new).
/// **Reading** the strongest gap wins and silences its neighbours; an accepted position is the LAST token of its chunk.
/// **Golden** `predict_boundaries/0`, `select/distinct`, `select/ties`.
/// **Pitfall** a distance equal to the window still suppresses; theta is compared with the logit, not with a probability.
public final class NonMaximumSuppressionReference implements NonMaximumSuppression {

    /// What stands at the ends, where a window would reach outside the sequence.
    public static final double FILL = -100;

    @Override
    public Output apply(Input in) {
        DhsaConfig config = in.config();
        double[] filled = fillEnds(in.logits().toDouble().data(), in.window(), config.smoothEnds());
        int length = filled.length;
        Rules rules = new Rules(config.theta(), config.nmsWindow(), in.chunkBudget(), instructionPosition(length, config),
                config.tieOrder(), config.has(Quirk.ONE_CANDIDATE_TOO_MANY), config.has(Quirk.INSTRUCTION_POSITION_TWICE),
                config.has(Quirk.NO_CANDIDATE_FAILS), config.has(Quirk.FILLED_POSITIONS_ARE_CANDIDATES));
        int[] accepted = accept(filled, rules);
        if (accepted.length == 0 && rules.emptyWithoutCandidates()) {
            throw new IllegalStateException("no logit is above theta " + config.theta()
                    + ": the authors' code fails here (quirk NO_CANDIDATE_FAILS); lower theta or use the corrected profile");
        }
        return new Output(DoubleTensor.of(in.logits().shape(), filled), accepted, boundaries(accepted, length));
    }

    /// The first w-1 and the last w positions become -100; with smooth ends the first 2w-1 and the last 2w.
    public static double[] fillEnds(double[] logits, int window, boolean smoothEnds) {
        int margin = smoothEnds ? 2 * window : window;
        double[] filled = logits.clone();
        for (int p = 0; p < filled.length; p++) {
            if (p < margin - 1 || p >= filled.length - margin) {
                filled[p] = FILL;
            }
        }
        return filled;
    }

    /// The position that ends the chunk before the instruction, one later in the authors' code.
    private static OptionalInt instructionPosition(int length, DhsaConfig config) {
        if (config.instructionTokens().isEmpty()) {
            return OptionalInt.empty();
        }
        int tokens = config.instructionTokens().getAsInt();
        if (config.has(Quirk.INSTRUCTION_BOUNDARY_SHIFTED)) {
            boolean inside = tokens > 0 && tokens < length;
            return inside || config.has(Quirk.ZERO_INSTRUCTION_IS_ALL) ? OptionalInt.of(length - tokens) : OptionalInt.empty();
        }
        return tokens > 0 && tokens < length ? OptionalInt.of(length - tokens - 1) : OptionalInt.empty();
    }

    /// How candidates are chosen.
    ///
    /// @param instruction            position accepted before all others; later positions are no candidates
    /// @param oneTooMany             look whether the budget is spent only after a candidate was examined
    /// @param instructionTwice       the instruction position may be accepted once more
    /// @param emptyWithoutCandidates nothing at all, not even the instruction position, when no candidate passes
    /// @param filledAreCandidates    positions filled with -100 may be chosen when there is no threshold
    public record Rules(OptionalDouble theta, int nmsWindow, int budget, OptionalInt instruction, TieOrder tieOrder,
                        boolean oneTooMany, boolean instructionTwice, boolean emptyWithoutCandidates, boolean filledAreCandidates) {

        /// The rules of the authors' function.
        public static Rules upstream(OptionalDouble theta, int nmsWindow, int budget, OptionalInt instruction, TieOrder tieOrder) {
            return new Rules(theta, nmsWindow, budget, instruction, tieOrder, true, true, true, true);
        }
    }

    /// Accepted positions, ascending. NaN scores are never candidates.
    public static int[] accept(double[] scores, Rules rules) {
        List<Integer> candidates = new ArrayList<>(IntStream.range(0, scores.length)
                .filter(p -> rules.theta().isEmpty() ? !Double.isNaN(scores[p]) : scores[p] > rules.theta().getAsDouble())
                .filter(p -> rules.filledAreCandidates() || scores[p] > FILL)
                .boxed().toList());
        if (candidates.isEmpty() && rules.emptyWithoutCandidates()) {
            return new int[0];
        }
        Comparator<Integer> byPosition = rules.tieOrder() == TieOrder.LOW_POSITION_FIRST ? Comparator.naturalOrder() : Comparator.reverseOrder();
        candidates.sort(Comparator.<Integer>comparingDouble(p -> 0.0 - scores[p]).thenComparing(byPosition));

        List<Integer> accepted = new ArrayList<>();
        rules.instruction().ifPresent(accepted::add);
        for (int p : candidates) {
            if (!rules.oneTooMany() && accepted.size() >= rules.budget()) {
                break;
            }
            if (rules.instruction().isPresent() && p > rules.instruction().getAsInt()) {
                continue;
            }
            boolean suppressed = rules.nmsWindow() > 0 && accepted.stream().anyMatch(a -> Math.abs(p - a) <= rules.nmsWindow());
            boolean repeated = !rules.instructionTwice() && accepted.contains(p);
            if (!suppressed && !repeated) {
                accepted.add(p);
            }
            if (accepted.size() >= rules.budget()) {
                break;
            }
        }
        return accepted.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /// `{0, L} ∪ {p + 1}`; positions whose boundary would fall outside are left out. A last position that was accepted twice
    /// makes an empty chunk, as any other does.
    public static Boundaries boundaries(int[] accepted, int length) {
        int[] inside = IntStream.of(accepted).map(p -> p + 1).filter(b -> b > 0 && b <= length).toArray();
        boolean ends = inside.length > 0 && inside[inside.length - 1] == length;
        return Boundaries.of(IntStream.concat(IntStream.concat(IntStream.of(0), IntStream.of(inside)),
                ends ? IntStream.empty() : IntStream.of(length)).toArray());
    }
}
