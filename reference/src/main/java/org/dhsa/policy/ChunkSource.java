package org.dhsa.policy;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference.Rules;
import org.dhsa.reference.labels.LabelBoundaries;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.tensor.Tensor;

/// Where the chunks of a prompt come from: the first ablation of DHSA.
public sealed interface ChunkSource {

    /// As the registry writes it.
    String name();

    /// Boundaries of the prompt.
    ///
    /// @param promptIds token ids; only sentence ends need them
    Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config);

    /// Where the open last chunk ends while decoding, if the newest token ends it.
    ///
    /// @param boundaries the chunks so far, the newest token in the last one
    default Optional<Integer> close(LayerState layer, Boundaries boundaries, int promptLength, DhsaConfig config) {
        return Optional.empty();
    }

    /// Floating-point operations of [#prompt]; a multiply-add counts two. Suppression and sorting are not counted.
    default long promptFlops(LayerState layer) {
        return 0;
    }

    /// Floating-point operations of [#close].
    default long closeFlops(LayerState layer, int promptLength) {
        return 0;
    }

    /// The boundary predictor and non-maximum suppression: DHSA itself.
    record Predicted(BoundaryPredictorWeights predictor) implements ChunkSource {

        @Override
        public String name() {
            return "predicted";
        }

        @Override
        public Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config) {
            Tensor logits = layer.backend().boundaryPrediction().apply(new BoundaryPrediction.Input(layer.key(), predictor)).logits();
            return layer.backend().nonMaximumSuppression().apply(new NonMaximumSuppression.Input(
                    logits, predictor.window(), config.chunkBudget(layer.end()), config)).boundaries();
        }

        /// The newest gap with w tokens on each side is judged, by the rules of the prompt.
        @Override
        public Optional<Integer> close(LayerState layer, Boundaries boundaries, int promptLength, DhsaConfig config) {
            int window = predictor.window();
            int position = layer.end() - 1 - window;
            if (!judges(layer, promptLength)) {
                return Optional.empty();
            }
            int kept = layer.key().shape().extent("keyLen");
            Tensor tail = layer.backend().keyRows(layer.key(), kept - 2 * window, kept);
            double logit = layer.backend().boundaryPrediction().apply(new BoundaryPrediction.Input(tail, predictor)).logits().toDouble().at(window - 1);
            int lastBoundary = boundaries.start(boundaries.chunks() - 1);
            boolean candidate = config.theta().isEmpty() || logit > config.theta().getAsDouble();
            boolean farEnough = boundaries.chunks() == 1 || position - (lastBoundary - 1) > config.nmsWindow();
            boolean roomLeft = boundaries.chunks() - 1 < config.chunkBudget(layer.end());
            return candidate && farEnough && roomLeft ? Optional.of(position + 1) : Optional.empty();
        }

        /// The gap lies at the prompt's end or later, and the cache still holds the tokens around it.
        private boolean judges(LayerState layer, int promptLength) {
            return layer.end() - 1 - predictor.window() >= promptLength - 1 && layer.key().shape().extent("keyLen") >= 2 * predictor.window();
        }

        @Override
        public long promptFlops(LayerState layer) {
            return PredictorCost.flops(predictor, layer.end(), layer.end());
        }

        /// One gap, from the tokens around it.
        @Override
        public long closeFlops(LayerState layer, int promptLength) {
            return judges(layer, promptLength) ? PredictorCost.flops(predictor, 2 * predictor.window(), 1) : 0;
        }
    }

    /// Chunks of one size.
    record Fixed(int size) implements ChunkSource {
        public Fixed {
            Lists.positive("chunk size", size);
        }

        @Override
        public String name() {
            return "fixed-" + size;
        }

        @Override
        public Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config) {
            return Boundaries.uniform(layer.end(), size);
        }

        @Override
        public Optional<Integer> close(LayerState layer, Boundaries boundaries, int promptLength, DhsaConfig config) {
            int end = boundaries.start(boundaries.chunks() - 1) + size;
            return layer.end() > end ? Optional.of(end) : Optional.empty();
        }
    }

    /// The lengths of another source's chunks in random order: the same sizes, the wrong places.
    record Shuffled(ChunkSource lengths, long seed) implements ChunkSource {

        @Override
        public String name() {
            return "random";
        }

        @Override
        public Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config) {
            Boundaries original = lengths.prompt(layer, promptIds, config);
            int[] sizes = IntStream.range(0, original.chunks()).map(original::length).toArray();
            SplittableRandom random = new SplittableRandom(seed);
            for (int i = sizes.length - 1; i > 0; i--) {
                int other = random.nextInt(i + 1);
                int size = sizes[i];
                sizes[i] = sizes[other];
                sizes[other] = size;
            }
            int[] boundaries = new int[sizes.length + 1];
            for (int c = 0; c < sizes.length; c++) {
                boundaries[c + 1] = boundaries[c] + sizes[c];
            }
            return Boundaries.of(boundaries);
        }

        @Override
        public long promptFlops(LayerState layer) {
            return lengths.promptFlops(layer);
        }
    }

    /// A chunk ends after each of these tokens.
    ///
    /// @param endIds ids of the tokens that end a sentence
    record SentenceEnds(Set<Integer> endIds) implements ChunkSource {
        public SentenceEnds {
            endIds = Set.copyOf(endIds);
            if (endIds.isEmpty()) {
                throw new IllegalArgumentException("chunks at sentence ends need the ids of the tokens that end a sentence");
            }
        }

        @Override
        public String name() {
            return "sentences";
        }

        @Override
        public Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config) {
            if (promptIds.length != layer.end()) {
                throw new IllegalArgumentException("chunks at sentence ends need the ids of all " + layer.end() + " tokens, got " + promptIds.length);
            }
            int[] inside = IntStream.range(0, promptIds.length - 1).filter(p -> endIds.contains(promptIds[p])).map(p -> p + 1).toArray();
            return Boundaries.of(IntStream.concat(IntStream.concat(IntStream.of(0), IntStream.of(inside)), IntStream.of(promptIds.length)).toArray());
        }
    }

    /// The labels of the layer itself: what a perfect predictor would say. Needs the layer's whole attention matrix.
    ///
    /// @param window w, tokens on each side of a gap
    /// @param ratio  a gap ends a chunk if its mass ratio is above this
    record Labels(int window, double ratio) implements ChunkSource {
        public Labels {
            Lists.positive("window", window);
        }

        @Override
        public String name() {
            return "labels";
        }

        @Override
        public Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config) {
            OptionalInt span = layer.kind() instanceof LayerKind.Local local ? OptionalInt.of(local.window()) : OptionalInt.empty();
            return LabelBoundaries.apply(new LabelBoundaries.Input(layer.query(), layer.key(), layer.rule(), true, window, span,
                    new Rules(OptionalDouble.of(ratio), config.nmsWindow(), config.chunkBudget(layer.end()), OptionalInt.empty(),
                            TieOrder.LOW_POSITION_FIRST, false, false, false, false))).boundaries();
        }

        /// The logits of dense attention.
        @Override
        public long promptFlops(LayerState layer) {
            long pairs = 0;
            for (int position = 0; position < layer.end(); position++) {
                pairs += position - layer.firstVisible(position) + 1;
            }
            return pairs * 2 * layer.headDim() * layer.heads();
        }
    }

    /// Boundaries that the caller brings.
    record Given(Boundaries boundaries) implements ChunkSource {

        @Override
        public String name() {
            return "given-" + Arrays.hashCode(boundaries.toArray());
        }

        @Override
        public Boundaries prompt(LayerState layer, int[] promptIds, DhsaConfig config) {
            if (boundaries.totalLength() != layer.end()) {
                throw new IllegalArgumentException("the given boundaries cover " + boundaries.totalLength() + " tokens, the prompt has " + layer.end());
            }
            return boundaries;
        }
    }

    /// Sources that need nothing but a number, for tables of ablations.
    static List<ChunkSource> fixedSizes() {
        return List.of(new Fixed(16), new Fixed(32), new Fixed(64));
    }
}
