package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Whole models with every switch of DHSA: the choices first, in the order in which they are made, then the logits.
///
/// A choice that differs must have been a near tie in FP64. Then it is counted and shown, and what follows it in that run
/// is another computation and is not compared.
class ModelTest {

    /// Scores within this share of the largest one are a near tie for FP32.
    private static final double NEAR = 2e-5;
    private static final int STEPS = 12;
    private static final List<String> FLIPS = new ArrayList<>();
    private static int runs;
    private static int choices;

    private static final RandomModel MODEL = RandomModel.of(11, 3, 48, 4, 2, 12, 40, 90, 20);
    private static final Backend SCALAR = OptimizedBackend.scalar(2);
    private static final OptimizedBackend FAST = new OptimizedBackend(2);

    @AfterAll
    static void report() {
        SCALAR.close();
        FAST.close();
        ThreeRungs.report("whole models, " + FAST.description() + ": " + runs + " runs, " + choices + " choices, near ties that flipped: " + FLIPS);
        assertThat(FLIPS.size()).as("near ties are rare; so many mean that something else is wrong: %s", FLIPS).isLessThanOrEqualTo(runs / 10);
    }

    private record Case(String name, AttentionMode mode, int length) {
        @Override
        public String toString() {
            return name + ", " + length + " tokens";
        }
    }

    private static final DhsaConfig BASE = DhsaConfig.DEFAULT.with(c -> {
        c.blockSize = 7;
        c.budget = 24;
        c.decodeBudget = 16;
        c.localTokens = 4;
        c.globalTokens = 2;
        c.instructionTokens = OptionalInt.of(9);
        c.theta = OptionalDouble.of(0);
        c.nmsWindow = 3;
        c.chunkBeta = 2;
    });

    static Stream<Case> cases() {
        Map<String, Consumer<DhsaConfig.Builder>> changes = new LinkedHashMap<>();
        changes.put("default", c -> {});
        for (DhsaConfig.Aggregation a : DhsaConfig.Aggregation.values()) {
            changes.put("aggregation " + a, c -> c.aggregation = a);
        }
        changes.put("dynamic query chunks", c -> c.queryChunking = DhsaConfig.QueryChunking.DYNAMIC_CHUNKS);
        changes.put("dynamic query chunks of one token", c -> {
            c.queryChunking = DhsaConfig.QueryChunking.DYNAMIC_CHUNKS;
            c.blockSize = 1;
        });
        changes.put("blocks of 16", c -> c.blockSize = 16);
        changes.put("blocks of 33", c -> {
            c.blockSize = 33;
            c.budget = 40;
        });
        changes.put("boundaries of every layer", c -> c.shareBoundaries = false);
        changes.put("shared masks", c -> c.shareMasks = true);
        changes.put("dense decoding", c -> c.decode = DhsaConfig.DecodeMode.DENSE);
        changes.put("high positions first", c -> c.tieOrder = DhsaConfig.TieOrder.HIGH_POSITION_FIRST);
        changes.put("smooth ends", c -> c.smoothEnds = true);
        changes.put("no instruction", c -> c.instructionTokens = OptionalInt.empty());
        changes.put("no threshold", c -> c.theta = OptionalDouble.empty());
        changes.put("no suppression", c -> c.nmsWindow = 0);
        changes.put("no boundaries", c -> c.theta = OptionalDouble.of(1e9));
        changes.put("budget of all", c -> c.budget = 1000);
        for (Quirk quirk : Quirk.values()) {
            if (quirk != Quirk.NO_CANDIDATE_FAILS) {
                changes.put("quirk " + quirk, c -> c.quirk(quirk, true));
            }
        }
        changes.put("all quirks", c -> c.quirks = EnumSet.complementOf(EnumSet.of(Quirk.NO_CANDIDATE_FAILS)));
        changes.put("all quirks, local tokens of none", c -> {
            c.quirks = EnumSet.complementOf(EnumSet.of(Quirk.NO_CANDIDATE_FAILS));
            c.localTokens = 0;
        });
        List<Case> cases = new ArrayList<>();
        for (int length : new int[] {1, 2, 31, 32, 33, 127, 241}) {
            cases.add(new Case("dense", new AttentionMode.Dense(), length));
            cases.add(new Case("default", AttentionMode.Dhsa.predicted(BASE, MODEL.predictor()), length));
        }
        changes.forEach((name, change) -> cases.add(new Case(name, AttentionMode.Dhsa.predicted(BASE.with(change), MODEL.predictor()), 97)));
        for (String kind : List.of("attention with gate", "stack", "stack with gate", "cnn")) {
            cases.add(new Case(kind + " predictor", AttentionMode.Dhsa.predicted(BASE, StageTest.predictor(kind, new SplittableRandom(3), 4, 24)), 97));
        }
        cases.add(new Case("given boundaries", AttentionMode.Dhsa.given(BASE, Boundaries.of(0, 1, 30, 31, 90, 97)), 97));
        return cases.stream();
    }

    /// Boundaries or a list of keys, in the order in which the model found them.
    private record Choice(int layer, Boundaries boundaries, KeySelection selection, double largestScore) {
        boolean same(Choice other) {
            if (boundaries != null) {
                return boundaries.equals(other.boundaries);
            }
            for (int b = 0; b < selection.blocks().size(); b++) {
                if (!Arrays.equals(selection.blocks().get(b).keys(), other.selection.blocks().get(b).keys())) {
                    return false;
                }
            }
            return true;
        }

        /// Smallest clearance of the lists that differ, as a share of the largest score.
        double clearance(Choice other) {
            double smallest = Double.POSITIVE_INFINITY;
            for (int b = 0; b < selection.blocks().size(); b++) {
                if (!Arrays.equals(selection.blocks().get(b).keys(), other.selection.blocks().get(b).keys())) {
                    smallest = Math.min(smallest, selection.blocks().get(b).margin() / largestScore);
                }
            }
            return smallest;
        }
    }

    private static final class Log implements Probe {
        private final List<Choice> choices = new ArrayList<>();
        private final List<double[]> logits = new ArrayList<>();
        private double largestScore;

        @Override
        public void tensor(org.dhsa.stage.Stage stage, int layer, String name, org.dhsa.tensor.Tensor value) {
            if (name.equals("chunk_scores")) {
                largestScore = Arrays.stream(value.toDouble().data()).map(Math::abs).max().orElse(0);
            }
        }

        @Override
        public void boundaries(int layer, Boundaries boundaries) {
            choices.add(new Choice(layer, boundaries, null, 0));
        }

        @Override
        public void selection(int layer, LayerKind kind, KeySelection selection) {
            choices.add(new Choice(layer, null, selection, largestScore));
        }
    }

    private static Log run(Backend backend, Case c) {
        Log log = new Log();
        Gemma2Forward.Session session = new Gemma2Forward(MODEL.config(), MODEL.weights(), backend, EmbeddingScale.EXACT).open(c.mode(), log);
        int[] ids = RandomModel.ids(3, c.length() + STEPS, 90);
        log.logits.add(session.prefillAllLogits(Arrays.copyOf(ids, c.length())).toDouble().data());
        for (int s = 0; s < STEPS; s++) {
            log.logits.add(session.decode(ids[c.length() + s]).toDouble().data());
        }
        return log;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theSameChoicesAndTheSameLogits(Case c) {
        Log truth = run(new ReferenceBackend(), c);
        Log candidate = run(FAST, c);
        runs++;
        choices += truth.choices.size();
        assertThat(candidate.choices).hasSameSizeAs(truth.choices);
        for (int i = 0; i < truth.choices.size(); i++) {
            Choice want = truth.choices.get(i);
            Choice have = candidate.choices.get(i);
            if (!want.same(have)) {
                assertThat(want.boundaries()).as("choice %d: the boundaries differ, %s", i, have.boundaries()).isNull();
                assertThat(want.clearance(have)).as("choice %d, layer %d: another list of keys, though the cut was clear", i, want.layer()).isLessThan(NEAR);
                FLIPS.add(c + " layer " + want.layer() + " clearance " + want.clearance(have));
                return;
            }
        }
        Log baseline = run(SCALAR, c);
        // 3 layers of some 10 roundings each stand behind a logit
        ThreeRungs.check("logits", c.toString(), joined(truth), joined(baseline), joined(candidate), 8 * ThreeRungs.FLOOR);
    }

    private static double[] joined(Log log) {
        return log.logits.stream().flatMapToDouble(Arrays::stream).toArray();
    }

    /// Parts of any size give the logits of the whole, and decoding far past the window those of the reference.
    @ParameterizedTest
    @MethodSource("parts")
    void aPromptInPartsAndALongDecoding(int part) {
        int[] ids = RandomModel.ids(8, 150, 90);
        Map<String, double[]> logits = new LinkedHashMap<>();
        for (Backend backend : new Backend[] {new ReferenceBackend(), SCALAR, FAST}) {
            Gemma2Forward.Session session = new Gemma2Forward(MODEL.config(), MODEL.weights(), backend, EmbeddingScale.EXACT).open(new AttentionMode.Dense());
            List<double[]> all = new ArrayList<>();
            for (int at = 0; at < 100; at += part) {
                all.add(session.prefillAllLogits(Arrays.copyOfRange(ids, at, Math.min(100, at + part))).toDouble().data());
            }
            for (int at = 100; at < 150; at++) {
                all.add(session.decode(ids[at]).toDouble().data());
                assertThat(session.cache(0).endPosition()).isEqualTo(at + 1);
                assertThat(session.cache(0).endPosition() - session.cache(0).firstPosition()).as("a local layer keeps its window").isEqualTo(20);
            }
            logits.put(backend.name() + logits.size(), all.stream().flatMapToDouble(Arrays::stream).toArray());
        }
        List<double[]> three = List.copyOf(logits.values());
        ThreeRungs.check("logits, prompt in parts", "parts of " + part, three.get(0), three.get(1), three.get(2), 8 * ThreeRungs.FLOOR);
    }

    static Stream<Integer> parts() {
        return Stream.of(1, 7, 19, 20, 21, 64, 100);
    }
}
