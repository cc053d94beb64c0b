package org.dhsa.bug;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Mistakes that nobody need have made: each stage with an index shifted, axes exchanged, a term dropped, a comparison flipped or
/// a type too small. They ask whether the vectors would notice.
final class SystematicMutants {

    private SystematicMutants() {}

    static List<Mutant> all() {
        List<Mutant> mutants = new ArrayList<>();
        for (Stage stage : Stage.values()) {
            if (stage != Stage.NON_MAXIMUM_SUPPRESSION && stage != Stage.TOP_K_SELECTION) {
                add(mutants, stage, "rows-shifted", "the row index is one too large", SystematicMutants::rowsShifted);
                add(mutants, stage, "columns-swapped", "the last two columns are exchanged", SystematicMutants::lastColumnsSwapped);
                add(mutants, stage, "axes-swapped", "the last two axes are exchanged, the shape is not", SystematicMutants::axesSwapped);
                add(mutants, stage, "last-dropped", "the last element is left out", x -> changed(x, x.data().length - 1, 0));
                add(mutants, stage, "negated", "the sign is wrong", x -> Numeric.map(x, v -> -v));
                add(mutants, stage, "float16", "the result is stored in float16", x -> Numeric.map(x, v -> Float.float16ToFloat(Float.floatToFloat16((float) v))));
            }
        }
        inputs(mutants);
        lists(mutants);
        return mutants;
    }

    private static void add(List<Mutant> mutants, Stage stage, String name, String what, UnaryOperator<DoubleTensor> change) {
        mutants.add(Mutant.systematic(stage.slug() + "/" + name, what, onOutput(stage, x -> change.apply(x.toDouble()))));
    }

    private static void inputs(List<Mutant> mutants) {
        mutants.add(Mutant.systematic("dense-attention/query-position-plus-one", "each query stands one position later", dense(r ->
                new AttentionRule(r.scale(), r.softCap(), r.visibility(), r.queryStart() + 1, r.keyStart()))));
        mutants.add(Mutant.systematic("dense-attention/window-halved", "the window is half as wide", dense(r -> AttentionVariant.with(r, halved(r.visibility())))));
        mutants.add(Mutant.systematic("dense-attention/scale-percent", "the scale is one per cent too large", dense(r -> AttentionVariant.with(r, r.scale() * 1.01))));
        mutants.add(Mutant.systematic("sparse-attention/scale-percent", "the scale is one per cent too large", AttentionVariant.rule(r -> AttentionVariant.with(r, r.scale() * 1.01))));
        mutants.add(Mutant.systematic("rms-norm/eps-dropped", "eps is left out", Changes.rmsNorm((healthy, in, context) -> healthy.apply(new RmsNorm.Input(in.x(), in.weight(), 0)))));
        mutants.add(Mutant.systematic("rms-norm/weight-shifted", "each weight belongs to the channel before", Changes.rmsNorm((healthy, in, context) -> {
            double[] w = in.weight().widen();
            int[] next = {0};
            return healthy.apply(new RmsNorm.Input(in.x(), Numeric.map(in.weight(), v -> w[++next[0] % w.length]), in.eps()));
        })));
        mutants.add(Mutant.systematic("embedding/next-id", "the id is one too large", Changes.embedding((healthy, in, context) -> healthy.apply(new Embedding.Input(
                Arrays.stream(in.ids()).map(id -> (id + 1) % (int) in.table().dim(0)).toArray(), in.table(), in.scale())))));
        mutants.add(Mutant.systematic("upsampling/first-boundary-dropped", "the first chunk swallows the second", Changes.upsampling((healthy, in, context) -> {
            int[] b = in.boundaries().toArray();
            if (b.length > 2) {
                b[1] = b[2];
            }
            return healthy.apply(new Upsampling.Input(in.chunkScores(), Boundaries.of(b)));
        })));
        mutants.add(Mutant.systematic("chunk-representation/last-token-dropped", "a chunk ends one token early", Changes.chunkRepresentation((healthy, in, context) -> {
            int[] b = in.segments().toArray();
            if (b[b.length - 1] - b[b.length - 2] > 1) {
                b[b.length - 1]--;
            }
            return healthy.apply(new ChunkRepresentation.Input(in.states(), Boundaries.of(b), in.pooling(), in.padTo()));
        })));
        mutants.add(Mutant.systematic("boundary-prediction/heads-reversed", "the kv heads stand in the other order", Changes.boundaryPrediction((healthy, in, context) ->
                healthy.apply(new BoundaryPrediction.Input(headsReversed(in.key().toDouble()), in.predictor())))));
    }

    private static void lists(List<Mutant> mutants) {
        mutants.add(suppression("last-accepted-dropped", "the last accepted position is lost", a -> a.length == 0 ? a : Arrays.copyOf(a, a.length - 1)));
        mutants.add(suppression("first-accepted-dropped", "the first accepted position is lost", a -> a.length == 0 ? a : Arrays.copyOfRange(a, 1, a.length)));
        mutants.add(suppression("accepted-plus-one", "positions are one too large", a -> Arrays.stream(a).map(p -> p + 1).toArray()));
        mutants.add(Mutant.systematic("non-maximum-suppression/threshold-flipped", "what lies below theta is a candidate", Changes.nonMaximumSuppression((healthy, in, context) ->
                healthy.apply(new NonMaximumSuppression.Input(Numeric.map(in.logits(), v -> -v), in.window(), in.chunkBudget(), in.config())))));
        mutants.add(Mutant.systematic("non-maximum-suppression/window-plus-one", "one position more is suppressed", Changes.nonMaximumSuppression((healthy, in, context) ->
                healthy.apply(new NonMaximumSuppression.Input(in.logits(), in.window(), in.chunkBudget(), in.config().with(c -> c.nmsWindow = c.nmsWindow > 0 ? c.nmsWindow + 1 : 0))))));
        mutants.add(Mutant.systematic("non-maximum-suppression/fill-one-less", "one position less is filled at the ends", Changes.nonMaximumSuppression((healthy, in, context) ->
                healthy.apply(new NonMaximumSuppression.Input(in.logits(), Math.max(1, in.window() - 1), in.chunkBudget(), in.config())))));
        mutants.add(Mutant.systematic("non-maximum-suppression/budget-minus-one", "one position less is accepted", Changes.nonMaximumSuppression((healthy, in, context) ->
                healthy.apply(new NonMaximumSuppression.Input(in.logits(), in.window(), Math.max(0, in.chunkBudget() - 1), in.config())))));
        mutants.add(selection("last-key-dropped", "the last key of each list is lost", k -> k.length == 0 ? k : Arrays.copyOf(k, k.length - 1)));
        mutants.add(selection("first-key-dropped", "the first key of each list is lost", k -> k.length == 0 ? k : Arrays.copyOfRange(k, 1, k.length)));
        mutants.add(selection("keys-plus-one", "each key is one position later", k -> Arrays.stream(k).map(j -> j + 1).toArray()));
        mutants.add(Mutant.systematic("top-k-selection/budget-minus-one", "one key less is taken", Changes.topKSelection((healthy, in, context) -> healthy.apply(
                new TopKSelection.Input(in.tokenScores(), in.queryBlocks(), in.visibility(), Math.max(1, in.budget() - 1), in.config())))));
        mutants.add(Mutant.systematic("top-k-selection/local-plus-one", "one local token more is kept", Changes.topKSelection((healthy, in, context) -> healthy.apply(
                new TopKSelection.Input(in.tokenScores(), in.queryBlocks(), in.visibility(), in.budget(), in.config().with(c -> c.localTokens++))))));
        mutants.add(Mutant.systematic("top-k-selection/global-plus-one", "one global token more is kept", Changes.topKSelection((healthy, in, context) -> healthy.apply(
                new TopKSelection.Input(in.tokenScores(), in.queryBlocks(), in.visibility(), in.budget(), in.config().with(c -> c.globalTokens++))))));
        mutants.add(Mutant.systematic("top-k-selection/global-dropped", "no global token is kept", Changes.topKSelection((healthy, in, context) -> healthy.apply(
                new TopKSelection.Input(in.tokenScores(), in.queryBlocks(), in.visibility(), in.budget(), in.config().with(c -> c.globalTokens = 0))))));
        mutants.add(Mutant.systematic("top-k-selection/rows-reversed", "each block is judged by the scores of another", Changes.topKSelection((healthy, in, context) -> healthy.apply(
                new TopKSelection.Input(rowsShifted(in.tokenScores().toDouble()), in.queryBlocks(), in.visibility(), in.budget(), in.config())))));
        mutants.add(Mutant.systematic("sparse-attention/lists-shifted", "each block reads the list of the next", Changes.sparseAttention((healthy, in, context) -> {
            List<BlockSelection> lists = new ArrayList<>(in.selection().blocks());
            Collections.rotate(lists, -1);
            return healthy.apply(new SparseAttention.Input(in.query(), in.key(), in.value(), new KeySelection(in.selection().queryBlocks(), lists), in.rule()));
        })));
    }

    private static Mutant suppression(String name, String what, UnaryOperator<int[]> change) {
        return Mutant.systematic("non-maximum-suppression/" + name, what, Changes.nonMaximumSuppression((healthy, in, context) -> {
            NonMaximumSuppression.Output out = healthy.apply(in);
            int length = in.logits().shape().extent("keyLen");
            int[] accepted = Arrays.stream(change.apply(out.accepted())).filter(p -> p < length).toArray();
            return new NonMaximumSuppression.Output(out.filled(), accepted, NonMaximumSuppressionReference.boundaries(accepted, length));
        }));
    }

    private static Mutant selection(String name, String what, UnaryOperator<int[]> change) {
        return Mutant.systematic("top-k-selection/" + name, what, Changes.topKSelection((healthy, in, context) -> {
            KeySelection out = healthy.apply(in).selection();
            int keyLen = in.tokenScores().shape().extent("keyLen");
            return new TopKSelection.Output(new KeySelection(out.queryBlocks(), out.blocks().stream().map(b -> new BlockSelection(
                    Arrays.stream(change.apply(b.keys())).filter(j -> j < keyLen).toArray(), b.forced(), b.selected(), b.threshold(), b.margin(), b.greater(), b.tieGroup())).toList()));
        }));
    }

    private static Changes dense(UnaryOperator<AttentionRule> change) {
        return Changes.denseAttention((healthy, in, context) -> healthy.apply(new DenseAttention.Input(in.query(), in.key(), in.value(), change.apply(in.rule()))));
    }

    private static Visibility halved(Visibility visibility) {
        return visibility.window() > 1 ? new Visibility(visibility.window() / 2, visibility.extraKey()) : visibility;
    }

    private static Changes onOutput(Stage stage, UnaryOperator<Tensor> f) {
        return switch (stage) {
            case EMBEDDING -> Changes.embedding((h, in, c) -> new Embedding.Output(f.apply(h.apply(in).hidden())));
            case RMS_NORM -> Changes.rmsNorm((h, in, c) -> new RmsNorm.Output(f.apply(h.apply(in).normed())));
            case QKV_PROJECTION -> Changes.qkvProjection((h, in, c) -> {
                QkvProjection.Output out = h.apply(in);
                return new QkvProjection.Output(f.apply(out.query()), f.apply(out.key()), f.apply(out.value()));
            });
            case ROTARY_EMBEDDING -> Changes.rotaryEmbedding((h, in, c) -> new RotaryEmbedding.Output(f.apply(h.apply(in).rotated())));
            case DENSE_ATTENTION -> Changes.denseAttention((h, in, c) -> {
                DenseAttention.Output out = h.apply(in);
                return new DenseAttention.Output(f.apply(out.context()), out.pairsRead());
            });
            case BOUNDARY_PREDICTION -> Changes.boundaryPrediction((h, in, c) -> new BoundaryPrediction.Output(f.apply(h.apply(in).logits())));
            case CHUNK_REPRESENTATION -> Changes.chunkRepresentation((h, in, c) -> new ChunkRepresentation.Output(f.apply(h.apply(in).chunks())));
            case CHUNK_SIMILARITY -> Changes.chunkSimilarity((h, in, c) -> new ChunkSimilarity.Output(f.apply(h.apply(in).chunkScores())));
            case UPSAMPLING -> Changes.upsampling((h, in, c) -> new Upsampling.Output(f.apply(h.apply(in).tokenScores())));
            case SPARSE_ATTENTION -> Changes.sparseAttention((h, in, c) -> {
                SparseAttention.Output out = h.apply(in);
                return new SparseAttention.Output(f.apply(out.context()), out.pairsRead());
            });
            case OUTPUT_PROJECTION -> Changes.outputProjection((h, in, c) -> new OutputProjection.Output(f.apply(h.apply(in).hidden())));
            case RESIDUAL_ADD -> Changes.residualAdd((h, in, c) -> new ResidualAdd.Output(f.apply(h.apply(in).hidden())));
            case FEED_FORWARD -> Changes.feedForward((h, in, c) -> new FeedForward.Output(f.apply(h.apply(in).hidden())));
            case LM_HEAD -> Changes.lmHead((h, in, c) -> new LmHead.Output(f.apply(h.apply(in).logits())));
            case NON_MAXIMUM_SUPPRESSION, TOP_K_SELECTION -> throw new IllegalArgumentException(stage + " gives lists");
        };
    }

    private static DoubleTensor changed(DoubleTensor x, int index, double value) {
        double[] y = x.data().clone();
        if (index >= 0 && index < y.length) {
            y[index] = value;
        }
        return DoubleTensor.of(x.shape(), y);
    }

    /// Along the last axis but one; of a vector, along its only one.
    private static DoubleTensor rowsShifted(DoubleTensor x) {
        int rank = x.shape().rank();
        int columns = rank == 1 ? 1 : x.shape().extent(rank - 1);
        int rows = rank == 1 ? x.data().length : x.shape().extent(rank - 2);
        return gathered(x, i -> i / columns / rows * rows * columns + (i / columns % rows + 1) % rows * columns + i % columns);
    }

    private static DoubleTensor lastColumnsSwapped(DoubleTensor x) {
        int columns = x.shape().extent(x.shape().rank() - 1);
        return gathered(x, i -> columns < 2 || i % columns < columns - 2 ? i : i % columns == columns - 1 ? i - 1 : i + 1);
    }

    private static DoubleTensor axesSwapped(DoubleTensor x) {
        int rank = x.shape().rank();
        int columns = x.shape().extent(rank - 1);
        int rows = rank == 1 ? 1 : x.shape().extent(rank - 2);
        int panel = rows * columns;
        return rank == 1 ? gathered(x, i -> columns - 1 - i) : gathered(x, i -> i / panel * panel + i % panel % rows * columns + i % panel / rows);
    }

    private static DoubleTensor headsReversed(DoubleTensor key) {
        int heads = key.shape().extent(0);
        int panel = key.data().length / heads;
        return gathered(key, i -> (heads - 1 - i / panel) * panel + i % panel);
    }

    private static DoubleTensor gathered(DoubleTensor x, IntUnaryOperator from) {
        return DoubleTensor.of(x.shape(), IntStream.range(0, x.data().length).mapToDouble(i -> x.data()[from.applyAsInt(i)]).toArray());
    }
}
