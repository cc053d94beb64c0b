package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.dhsa.backend.Backend;
import org.dhsa.eval.measure.TimedBackend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;

/// A checkpoint on the optimized backend, with a clock around every stage, and the reference to check it with.
final class BenchModel implements AutoCloseable {

    /// Tokens of the prompt that the reference computes too.
    static final int CHECKED_TOKENS = 5;

    /// The tokens from which theta is found.
    private static final int THETA_TOKENS = 512;

    /// Largest distance of a logit from the reference's, as a share of the largest logit.
    private static final double TOLERANCE = 1e-3;

    final Gemma2Model model;
    final TimedBackend backend;
    final Gemma2Forward forward;
    private final Arena arena = Arena.ofShared();

    BenchModel(Path folder, int threads) throws Exception {
        this(folder, new OptimizedBackend(threads));
    }

    /// Takes the backend over and closes it.
    BenchModel(Path folder, Backend measured) throws Exception {
        model = Gemma2Loader.load(folder);
        backend = new TimedBackend(measured);
        forward = forward(backend);
    }

    private Gemma2Forward forward(Backend on) {
        return new Gemma2Forward(model.config(), model.weights(), on, EmbeddingScale.EXACT);
    }

    /// Token ids from a fixed seed.
    int[] prompt(int tokens) {
        return new SplittableRandom(7).ints(tokens, 0, model.config().vocabSize()).toArray();
    }

    /// DHSA with a made-up predictor, whose theta is a quantile of the logits that this model's keys give.
    AttentionMode dhsa(int budget, int block) {
        BoundaryPredictorWeights predictor = BenchPredictor.random(arena, model.config().numKeyValueHeads() * model.config().headDim());
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = block;
            c.budget = budget;
            c.decodeBudget = budget;
        });
        double[] theta = new double[1];
        forward.open(AttentionMode.Dhsa.predicted(config, predictor), new Probe() {
            @Override
            public void tensor(Stage stage, int layer, String name, Tensor value) {
                if (name.equals("raw_logits")) {
                    theta[0] = BenchPredictor.theta(value);
                }
            }
        }).prefill(prompt(THETA_TOKENS));
        return AttentionMode.Dhsa.predicted(config.with(c -> c.theta = OptionalDouble.of(theta[0])), predictor);
    }

    /// The mode in which a short prompt is checked: sparse in earnest, although there are few tokens to leave out.
    static AttentionMode checkedMode(boolean dense) {
        return dense ? new AttentionMode.Dense() : AttentionMode.Dhsa.given(DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 2;
            c.budget = 2;
            c.decodeBudget = 2;
            c.localTokens = 1;
            c.globalTokens = 1;
            c.instructionTokens = OptionalInt.of(1);
        }), Boundaries.uniform(CHECKED_TOKENS, 2));
    }

    /// Logits of the reference after a short prompt.
    double[] referenceLogits(AttentionMode mode, int tokens) {
        try (ReferenceBackend reference = new ReferenceBackend()) {
            return forward(reference).open(mode).prefill(prompt(tokens)).toDouble().data();
        }
    }

    static void requireNear(double[] expected, double[] actual) {
        double largest = 0;
        for (double e : expected) {
            largest = Math.max(largest, Math.abs(e));
        }
        WrongResultException.unless(expected.length == actual.length, actual.length + " logits, not " + expected.length);
        for (int i = 0; i < expected.length; i++) {
            WrongResultException.unlessNear("logit " + i, expected[i], actual[i], TOLERANCE * largest);
        }
    }

    /// All matrices that one decoded token reads.
    List<MemorySegment> weightsOfAToken() {
        Gemma2Weights weights = model.weights();
        List<MemorySegment> all = new ArrayList<>();
        for (Gemma2Weights.Layer layer : weights.layers()) {
            for (WeightTensor weight : List.of(layer.qProj(), layer.kProj(), layer.vProj(), layer.oProj(), layer.gateProj(), layer.upProj(), layer.downProj())) {
                all.add(weight.bytes());
            }
        }
        all.add(weights.embedTokens().bytes());
        return all;
    }

    @Override
    public void close() {
        backend.close();
        model.close();
        arena.close();
    }
}
