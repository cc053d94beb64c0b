package org.dhsa.bug;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.reference.gemma.DenseAttentionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;

/// Soft cap, window, scale, grouped heads, cache: what goes wrong in Gemma 2's attention. The same mistakes show in dense and
/// in sparse attention.
final class AttentionBugs {

    private AttentionBugs() {}

    static List<KnownBug> all() {
        return List.of(
                KnownBug.of("softcap-dropped", "L3", "the soft cap of the attention logits is missing",
                                "cap at attn_logit_softcapping, after the scale and before the mask")
                        .seenIn("transformers#31887", "vllm#5908", "vllm-metal#665", "lmdeploy#2842", "DHSA legacy code")
                        .shows(AttentionVariant.rule(rule -> AttentionVariant.with(rule, OptionalDouble.empty()))),
                KnownBug.of("softcap-after-mask", "L3", "the cap is applied after the mask", "apply it before")
                        .seenIn("onnx#7865", "onnx#7867", "onnxruntime#28370", "onnxruntime#28379")
                        .shows(AttentionVariant.logit(AttentionBugs::cappedAfterMask)),
                KnownBug.of("softcap-before-scale", "L3", "the cap is applied to logits that are not scaled yet", "scale, cap, mask, softmax")
                        .shows(AttentionVariant.logit((dot, visible, rule) -> !visible ? Double.NEGATIVE_INFINITY
                                : rule.softCap().isEmpty() ? rule.logit(dot)
                                : rule.scale() * rule.softCap().getAsDouble() * Math.tanh(dot / rule.softCap().getAsDouble()))),
                KnownBug.of("scale-from-head-dim", "L1", "logits are scaled by 1/sqrt(head_dim)", "scale by query_pre_attn_scalar^-0.5")
                        .seenIn("transformers#31891", "llama.cpp#8444")
                        .shows(AttentionVariant.rule((rule, context, headDim) -> AttentionVariant.with(rule, 1 / Math.sqrt(headDim)))),
                KnownBug.of("scale-twice", "L1", "the scale is applied to the query and again to the logit", "scale once")
                        .shows(AttentionVariant.rule(rule -> AttentionVariant.with(rule, rule.scale() * rule.scale()))),
                KnownBug.of("scale-missing", "L1", "logits are not scaled", "multiply by query_pre_attn_scalar^-0.5")
                        .shows(AttentionVariant.rule(rule -> AttentionVariant.with(rule, 1))),
                KnownBug.of("softmax-low-precision", "L1", "softmax weights are rounded to bf16 before they meet the values",
                                "keep the weights in f32 until the product")
                        .shows(AttentionVariant.weights(Numeric::bf16)),
                KnownBug.of("layers-swapped", "L2", "odd layers slide and even layers see everything", "even layers (0, 2, ...) slide")
                        .seenIn("transformers#31775", "Megatron-Bridge#4875", "litgpt#1545")
                        .shows(visibility(AttentionBugs::swapped).and(Changes.cache((kind, context) -> kindOf(swapped(Visibility.of(kind), context))))),
                KnownBug.of("window-ignored", "L3", "local layers see every earlier token", "local layers see q - k < sliding_window")
                        .seenIn("vllm#6220", "llama.cpp#8227", "transformers#35691", "transformers#32522", "Jlama")
                        .shows(AttentionVariant.rule(rule -> AttentionVariant.with(rule, Visibility.GLOBAL)).and(Changes.cache((kind, context) -> new LayerKind.Global()))),
                KnownBug.of("window-plus-one", "L3", "a local query sees sliding_window + 1 keys", "q - k < sliding_window")
                        .seenIn("NeMo Speech#9672", "TensorRT-LLM#5564", "DHSA legacy code")
                        .shows(visibility((visibility, context) -> visibility.isLocal() ? new Visibility(visibility.window(), true) : visibility)
                                .and(Changes.cache((kind, context) -> kind instanceof LayerKind.Local(int window) ? new LayerKind.Local(window + 1) : kind))
                                .and(Changes.topKSelection((healthy, in, context) -> healthy.apply(new TopKSelection.Input(in.tokenScores(),
                                        in.queryBlocks(), in.visibility(), in.budget(), in.config().with(c -> c.quirk(Quirk.WINDOW_PLUS_ONE, true))))))),
                KnownBug.of("window-minus-one", "L3", "a local query sees sliding_window - 1 keys", "q - k < sliding_window")
                        .seenIn("sglang#1056")
                        .shows(windowMinusOne()),
                KnownBug.of("causal-mask-missing", "L1", "tokens see the future", "key position <= query position")
                        .shows(Changes.denseAttention((healthy, in, context) -> dense(in, (row, key) ->
                                key >= in.rule().visibility().first(in.rule().queryStart() + row)))),
                KnownBug.of("causal-mask-strict", "L1", "a token does not see itself", "key position <= query position, not <")
                        .shows(Changes.denseAttention((healthy, in, context) -> dense(in, (row, key) ->
                                key != in.rule().queryStart() + row && in.rule().visibility().sees(in.rule().queryStart() + row, key)))),
                KnownBug.of("gqa-interleaved", "L1", "query head h reads key/value head h mod kvHeads", "h / (heads / kvHeads)")
                        .shows(AttentionVariant.kvHead((head, heads, kvHeads) -> head % kvHeads)),
                KnownBug.of("gqa-first-head-only", "L1", "every query head reads the first key/value head", "h / (heads / kvHeads)")
                        .shows(AttentionVariant.kvHead((head, heads, kvHeads) -> 0)),
                KnownBug.of("cache-rolled-wrong", "L6", "in decoding, local layers keep the wrong keys", "keep the last sliding_window keys, the new one included")
                        .seenIn("transformers#31786", "mlxcel#405")
                        .variant("the last slot is overwritten", cache((p, window) -> key -> key < window - 1 || key == p))
                        .variant("the first keys are kept", cache((p, window) -> key -> key < window))
                        .variant("the newest key is missing", cache((p, window) -> key -> key < p && key >= p - window))
                        .variant("slots of the ring are masked as if they were positions",
                                cache((p, window) -> key -> key <= p && key > p - window && key % window <= p % window))
                        .build(),
                KnownBug.of("masked-row-nan", "L5", "a row that sees no key gives NaN", "give zeros")
                        .seenIn("transformers#32390")
                        .shows(maskedRowNan()));
    }

    private static double cappedAfterMask(double dot, boolean visible, AttentionRule rule) {
        if (rule.softCap().isEmpty()) {
            return AttentionVariant.RIGHT.of(dot, visible, rule);
        }
        // the mask adds -infinity, or a number so low that tanh of it is -1 all the same
        return visible ? rule.logit(dot) : -rule.softCap().getAsDouble();
    }

    private interface VisibilityChange {
        Visibility apply(Visibility visibility, BugContext context);
    }

    /// Another visibility for dense attention, sparse attention and selection.
    private static Changes visibility(VisibilityChange change) {
        return AttentionVariant.rule((rule, context, headDim) -> AttentionVariant.with(rule, change.apply(rule.visibility(), context)))
                .and(Changes.topKSelection((healthy, in, context) -> healthy.apply(new TopKSelection.Input(in.tokenScores(), in.queryBlocks(),
                        change.apply(in.visibility(), context), in.budget(), in.config()))));
    }

    private static Visibility swapped(Visibility visibility, BugContext context) {
        if (visibility.isLocal()) {
            return Visibility.GLOBAL;
        }
        return context.slidingWindow().isPresent() ? new Visibility(context.slidingWindow().getAsInt(), visibility.extraKey()) : visibility;
    }

    private static LayerKind kindOf(Visibility visibility) {
        return visibility.isLocal() ? new LayerKind.Local(visibility.window()) : new LayerKind.Global();
    }

    /// A window of one minus one shows nothing at all; a window of 0 would mean none.
    private static Changes windowMinusOne() {
        return visibility((visibility, context) -> visibility.window() > 1 ? new Visibility(visibility.window() - 1, visibility.extraKey()) : visibility)
                .and(Changes.denseAttention((healthy, in, context) -> in.rule().visibility().window() == 1 && !in.rule().visibility().extraKey()
                        ? new DenseAttention.Output(DoubleTensor.zeros(in.query().shape()), 0) : healthy.apply(in)))
                .and(Changes.sparseAttention((healthy, in, context) -> in.rule().visibility().window() == 1 && !in.rule().visibility().extraKey()
                        ? new SparseAttention.Output(DoubleTensor.zeros(in.query().shape()), 0) : healthy.apply(in)));
    }

    private interface RowKey {
        boolean reads(int row, int key);
    }

    /// Dense attention in which `reads` decides alone.
    private static DenseAttention.Output dense(DenseAttention.Input in, RowKey reads) {
        int start = in.rule().keyStart();
        long[] pairs = {0};
        DoubleTensor context = AttentionVariant.attend(in.query(), in.key(), in.value(), in.rule(), row -> {
            int[] keys = IntStream.range(start, start + in.key().shape().extent("keyLen")).filter(key -> reads.reads(row, key)).toArray();
            pairs[0] += (long) keys.length * in.query().shape().extent("heads");
            return keys;
        }, (dot, visible, rule) -> rule.logit(dot), UnaryOperator.identity());
        return new DenseAttention.Output(context, pairs[0]);
    }

    private interface Kept {
        IntPredicate keys(int position, int window);
    }

    /// A decode step of a local layer past its window reads what the cache kept. The cache of a whole run keeps everything, so
    /// that the wrong keys are there to be read.
    private static Changes cache(Kept kept) {
        return Changes.denseAttention((healthy, in, context) -> {
            AttentionRule rule = in.rule();
            int window = rule.visibility().window();
            if (!rule.visibility().isLocal() || in.query().shape().extent("queryLen") != 1 || rule.queryStart() < window) {
                return healthy.apply(in);
            }
            IntPredicate there = kept.keys(rule.queryStart(), window);
            return dense(in, (row, key) -> there.test(key));
        }).and(Changes.cache((kind, context) -> new LayerKind.Global()));
    }

    private static Changes maskedRowNan() {
        return Changes.denseAttention((healthy, in, context) -> {
            DenseAttention.Output out = healthy.apply(in);
            return new DenseAttention.Output(nanRows(out.context().toDouble(), row ->
                    DenseAttentionReference.visibleKeys(in.rule(), row, in.key().shape().extent("keyLen")).length == 0), out.pairsRead());
        }).and(Changes.sparseAttention((healthy, in, context) -> {
            SparseAttention.Output out = healthy.apply(in);
            return new SparseAttention.Output(nanRows(out.context().toDouble(), row -> Arrays.stream(AttentionVariant.listed(in, row))
                    .noneMatch(key -> in.rule().visibility().sees(in.rule().queryStart() + row, key))), out.pairsRead());
        }));
    }

    private static DoubleTensor nanRows(DoubleTensor context, IntPredicate empty) {
        double[] data = context.data().clone();
        int rows = context.shape().extent("queryLen");
        int headDim = context.shape().extent("headDim");
        for (int r = 0; r < data.length / headDim; r++) {
            if (empty.test(r % rows)) {
                Arrays.fill(data, r * headDim, (r + 1) * headDim, Double.NaN);
            }
        }
        return DoubleTensor.of(context.shape(), data);
    }
}
