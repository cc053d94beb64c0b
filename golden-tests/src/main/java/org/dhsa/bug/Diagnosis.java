package org.dhsa.bug;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Which known bug explains a wrong result.
///
/// The stage is computed again from its inputs, once for each form of each known bug put into the reference. A bug *fits* when
/// its result is within the budget of an honest float32 run, or lies at least a hundred times closer than the healthy result.
/// A fitting bug is named when every other one lies at least ten times further away; bugs that this input cannot tell apart are
/// named together. Otherwise the verdict is *unknown*: nothing is guessed.
///
/// For a composite the tensors are walked in the order in which they arise. The bug that explains the longest walk is named; where
/// its explanation ends, a second bug is looked for on top of it.
///
/// @param verdict         what was found
/// @param bugs            the bug, or the bugs that this input cannot tell apart; empty if none fits
/// @param runnerUp        the nearest bug that was ruled out
/// @param firstDivergence first tensor that is not the healthy one, empty if all agree
/// @param healthyError    relative distance of the actual result from the healthy one there, and in the tensors that the bug explains
/// @param explainsAll     no tensor is left that the bug does not explain
/// @param second          what explains the rest, if the bug explains only the first part of a composite
public record Diagnosis(Verdict verdict, List<Match> bugs, Optional<Match> runnerUp, Optional<String> firstDivergence, double healthyError,
                        boolean explainsAll, Optional<Diagnosis> second) {

    /// What a diagnosis says.
    public enum Verdict {
        /// Nothing is wrong: every tensor is within its budget.
        HEALTHY,
        /// One bug explains it.
        MATCH,
        /// Several bugs explain it equally well.
        AMBIGUOUS,
        /// No known bug explains it.
        UNKNOWN
    }

    /// A bug and how well it fits.
    ///
    /// @param form      which of its forms, empty if there is one only
    /// @param residual  relative distance of the actual result from that of the bug
    /// @param explained share of the deviation that is gone once the bug is put in, 1 for all
    public record Match(KnownBug bug, String form, double residual, double explained) {}

    private static final double DEFAULT_BUDGET = 1e-5;
    private static final double MUCH_CLOSER = 100;
    private static final double CLEARLY_BETTER = 10;
    private static final double SAME = 1e-13;

    public Diagnosis {
        bugs = List.copyOf(bugs);
    }

    /// @param actual  outputs by name; some may be missing
    /// @param budgets allowed absolute error by output name; an output without one may deviate by 1e-5 of its largest value
    public static Diagnosis of(StageRun run, Map<String, Tensor> actual, Map<String, Double> budgets) {
        return of(new BugResults(run, new ReferenceBackend()), actual, budgets);
    }

    /// For many results of one run: what each bug gives is computed once.
    public static Diagnosis of(BugResults results, Map<String, Tensor> actual, Map<String, Double> budgets) {
        return search(results, actual, budgets, true);
    }

    /// True if nothing is left unexplained.
    private boolean complete() {
        return verdict == Verdict.HEALTHY || !bugs.isEmpty() && explainsAll;
    }

    /// What one candidate gives: its distance for each tensor walked, and how many of them it explains from the start.
    private record Candidate(KnownBug bug, int variant, double[] distances, int explains) {

        double worst(int from, int to) {
            double worst = 0;
            for (int t = from; t < to; t++) {
                worst = Math.max(worst, distances[t]);
            }
            return worst;
        }
    }

    private static Diagnosis search(BugResults results, Map<String, Tensor> actual, Map<String, Double> budgets, boolean more) {
        Map<String, Tensor> healthy = results.healthy();
        Walk walk = new Walk(results.run(), healthy, actual, budgets);
        double[] errors = walk.distances(healthy);
        int first = walk.firstBeyond(errors, errors);
        if (first == errors.length) {
            return new Diagnosis(Verdict.HEALTHY, List.of(), Optional.empty(), Optional.empty(), walk.worst(errors, 0, first), true, Optional.empty());
        }
        List<Candidate> candidates = candidates(results, walk, errors);
        int reach = candidates.stream().mapToInt(Candidate::explains).max().orElse(0);
        String divergence = walk.names.get(first);
        if (reach <= first) {
            Optional<Candidate> nearest = candidates.stream().filter(c -> c.worst(first, first + 1) < errors[first])
                    .min(Comparator.comparingDouble(c -> c.worst(0, first + 1)));
            return new Diagnosis(Verdict.UNKNOWN, List.of(), nearest.map(c -> match(c, first, first + 1, errors, walk)), Optional.of(divergence), errors[first], false, Optional.empty());
        }
        List<Candidate> ranked = candidates.stream().sorted(Comparator.comparingDouble(c -> c.explains() < reach ? Double.POSITIVE_INFINITY : c.worst(first, reach))).toList();
        double best = ranked.getFirst().worst(first, reach);
        List<Match> named = new ArrayList<>();
        List<Match> others = new ArrayList<>();
        for (Candidate c : ranked) {
            boolean seen = named.stream().anyMatch(m -> m.bug() == c.bug());
            if (c.explains() == reach && c.worst(first, reach) <= CLEARLY_BETTER * Math.max(best, SAME)) {
                if (!seen) {
                    named.add(match(c, first, reach, errors, walk));
                }
            } else if (!seen) {
                others.add(match(c, first, reach, errors, walk));
            }
        }
        // of bugs that look alike the one that says most stands first: it changes the fewest stages
        named.sort(Comparator.comparingInt(m -> m.bug().stages().size()));
        boolean noGround = named.size() > 1 && best > SAME && !walk.within(ranked.getFirst(), first, reach);
        double healthyError = walk.worst(errors, first, reach);
        Optional<Match> runnerUp = others.stream().min(Comparator.comparingDouble(Match::residual));
        if (noGround) {
            // neither is within the budget and none is ten times better than the other: no ground to name one
            return new Diagnosis(Verdict.UNKNOWN, List.of(), Optional.of(named.getFirst()), Optional.of(divergence), healthyError, false, Optional.empty());
        }
        Optional<Diagnosis> second = reach < errors.length && more ? rest(results, ranked.getFirst(), actual, budgets) : Optional.empty();
        // lists agree by chance more easily than numbers do: alone they are no ground, unless all that follows is explained too
        if (reach < errors.length && !walk.numbersExplained(errors, first, reach) && !second.map(Diagnosis::complete).orElse(false)) {
            return new Diagnosis(Verdict.UNKNOWN, List.of(), Optional.of(named.getFirst()), Optional.of(divergence), healthyError, false, Optional.empty());
        }
        return new Diagnosis(named.size() == 1 ? Verdict.MATCH : Verdict.AMBIGUOUS, named, runnerUp, Optional.of(divergence), healthyError, reach == errors.length, second);
    }

    /// The same search with the bug that was found as part of the base.
    private static Optional<Diagnosis> rest(BugResults results, Candidate found, Map<String, Tensor> actual, Map<String, Double> budgets) {
        return Optional.of(search(results.with(found.bug(), found.variant()), actual, budgets, false));
    }

    private static List<Candidate> candidates(BugResults results, Walk walk, double[] errors) {
        List<Candidate> candidates = new ArrayList<>();
        for (KnownBug bug : KnownBugs.all()) {
            for (int v = 0; v < bug.variants().size(); v++) {
                if (results.possible(bug, v)) {
                    double[] distances = walk.distances(results.of(bug, v));
                    candidates.add(new Candidate(bug, v, distances, walk.firstBeyond(distances, errors)));
                }
            }
        }
        return candidates;
    }

    private static Match match(Candidate c, int from, int to, double[] errors, Walk walk) {
        double residual = c.worst(from, to);
        double error = walk.worst(errors, from, to);
        double explained = residual == error ? 0 : Double.isInfinite(error) ? 1 : 1 - residual / error;
        return new Match(c.bug(), c.bug().variants().get(c.variant()).name(), residual, Math.max(0, explained));
    }

    /// The tensors that are compared, in the order in which they arise.
    private static final class Walk {
        final List<String> names = new ArrayList<>();
        private final Map<String, Tensor> healthy;
        private final Map<String, Tensor> actual;
        private final double[] scales;
        private final double[] allowed;
        private final StageRun run;

        Walk(StageRun run, Map<String, Tensor> healthy, Map<String, Tensor> actual, Map<String, Double> budgets) {
            this.run = run;
            this.healthy = healthy;
            this.actual = actual;
            healthy.keySet().stream().filter(actual::containsKey).filter(Distance::isJudged).forEach(names::add);
            if (names.isEmpty()) {
                throw new IllegalArgumentException("there is nothing to compare: " + run.slug() + " gives " + healthy.keySet() + ", the actual result has " + actual.keySet());
            }
            scales = names.stream().mapToDouble(n -> Distance.scale(healthy.get(n))).toArray();
            allowed = new double[scales.length];
            for (int t = 0; t < allowed.length; t++) {
                Double budget = budgets.get(names.get(t));
                allowed[t] = Distance.isList(names.get(t)) ? 0 : budget == null ? DEFAULT_BUDGET : budget / scales[t];
            }
        }

        double[] distances(Map<String, Tensor> outputs) {
            double[] distances = new double[scales.length];
            for (int t = 0; t < distances.length; t++) {
                String name = names.get(t);
                Tensor candidate = outputs.get(name);
                distances[t] = candidate == null ? Double.POSITIVE_INFINITY : Distance.between(name, actual.get(name), candidate, scales[t], scores(name));
            }
            return distances;
        }

        private DoubleTensor scores(String name) {
            String scores = name.substring(0, name.lastIndexOf('.') + 1) + "tokenScores";
            Tensor tensor = run.inputs().containsKey(scores) ? run.inputs().get(scores) : healthy.get(scores);
            return tensor == null ? null : tensor.toDouble();
        }

        /// Index of the first tensor that these distances do not explain.
        int firstBeyond(double[] distances, double[] errors) {
            int t = 0;
            while (t < distances.length && fits(distances[t], errors[t], t, distances == errors)) {
                t++;
            }
            return t;
        }

        private boolean fits(double distance, double error, int t, boolean isHealthy) {
            return distance <= allowed[t] || !isHealthy && Double.isFinite(error) && !Distance.isList(names.get(t)) && distance <= error / MUCH_CLOSER;
        }

        /// Whether a tensor of numbers that is not healthy is among these.
        boolean numbersExplained(double[] errors, int from, int to) {
            for (int t = from; t < to; t++) {
                if (!Distance.isList(names.get(t)) && errors[t] > allowed[t]) {
                    return true;
                }
            }
            return false;
        }

        boolean within(Candidate c, int from, int to) {
            for (int t = from; t < to; t++) {
                if (c.distances()[t] > allowed[t]) {
                    return false;
                }
            }
            return true;
        }

        double worst(double[] distances, int from, int to) {
            double worst = 0;
            for (int t = from; t < to; t++) {
                worst = Math.max(worst, distances[t]);
            }
            return worst;
        }
    }

    /// Ids of the bugs it names, those of the rest last; none for "unknown".
    public List<String> ids() {
        return Stream.concat(bugs.stream().map(m -> m.bug().id()), second.stream().flatMap(s -> s.ids().stream())).toList();
    }

    /// One line for people.
    public String text() {
        String line = switch (verdict) {
            case HEALTHY -> "agrees with the reference";
            case MATCH -> {
                Match m = bugs.getFirst();
                yield "matches bug " + m.bug().id() + (m.form().isEmpty() ? "" : " (" + m.form() + ")") + ": " + m.bug().title() + "; " + m.bug().remedy()
                        + " (" + m.bug().docsLink() + "); " + fit(m);
            }
            case AMBIGUOUS -> "matches one of " + bugs.stream().map(m -> m.bug().id()).collect(Collectors.joining(", "))
                    + ", which cannot be told apart here; " + fit(bugs.getFirst());
            case UNKNOWN -> "unknown: no known bug gives this" + runnerUp.map(m -> "; the nearest is " + m.bug().id() + ", " + number(m.residual()) + " away where the healthy result is "
                    + number(healthyError) + " away").orElse("");
        };
        return line + second.map(s -> s.verdict() == Verdict.HEALTHY ? "" : System.lineSeparator() + "then, from " + s.firstDivergence().orElse("?") + " on: " + s.text()).orElse("");
    }

    private String fit(Match m) {
        return "residual " + number(m.residual()) + " where the healthy result is " + number(healthyError) + " away"
                + runnerUp.map(r -> ", runner-up " + r.bug().id() + " with " + number(r.residual())).orElse("");
    }

    private static String number(double value) {
        return value == 0 ? "0" : String.format(Locale.ROOT, "%.1e", value);
    }
}
