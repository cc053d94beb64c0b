package org.dhsa.golden;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.reference.gemma.DenseAttentionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.Stage;
import org.dhsa.stage.StageOp;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.Gemma2Model;

/// Dense Gemma 2: stage by stage from the recorded inputs of each stage, then the whole pass, in one piece and in several;
/// or a prompt and tokens after it.
final class Gemma2Check implements FamilyCheck {

    private static final Pattern OF_LAYER = Pattern.compile("layers\\.(\\d+)\\.(\\w+)");
    /// Recorded logits below this are masked: the official code adds about -2.38e38.
    private static final double MASKED = -1e37;
    /// What a forward pass shows under the recorded name, in the order of the computation.
    private static final List<String> SHOWN = List.of("hidden_in", "input_layernorm", "q_rope", "k_rope", "v", "attn_context", "attn_output",
            "post_attention_layernorm", "pre_feedforward_layernorm", "mlp_output", "post_feedforward_layernorm", "hidden_out");

    @Override
    public void check(CaseCheck check) throws GoldenFormatException, IOException {
        GoldenCase golden = check.golden();
        check.input("input_ids");
        check.excuse("logits_float32", "the official code's own float32 run, recorded to calibrate tolerances");
        try (Gemma2Model model = GoldenModel.load(golden.folder())) {
            int batches = golden.tensor("input_ids").extent(0);
            for (int b = 0; b < batches; b++) {
                check.batch(b, batches);
                int[] ids = golden.tensor("input_ids").rowInts(b);
                if (golden.has("step_logits")) {
                    decode(check, model, ids, b, batches);
                } else {
                    new Stages(check, model, ids, b).run();
                    wholePass(check, model, ids, b);
                }
            }
        }
    }

    /// Recorded layout to the layout of the stages.
    private static DoubleTensor layout(GoldenTensor tensor, String name, int b, int headDim) throws GoldenFormatException {
        return switch (name) {
            case "q_rope" -> headsFirst(tensor.row(b, "queryLen", "heads", "headDim"), "heads", "queryLen");
            case "k_rope", "v" -> headsFirst(tensor.row(b, "keyLen", "kvHeads", "headDim"), "kvHeads", "keyLen");
            case "attn_context" -> {
                DoubleTensor flat = tensor.row(b, "queryLen", "channels");
                int rows = flat.shape().extent(0);
                yield headsFirst(flat.reshape(Shape.of("queryLen", rows, "heads", flat.shape().extent(1) / headDim, "headDim", headDim)),
                        "heads", "queryLen");
            }
            case "logits" -> tensor.row(b, "queryLen", "vocab");
            default -> tensor.row(b, "queryLen", "modelDim");
        };
    }

    private static DoubleTensor headsFirst(DoubleTensor x, String headAxis, String tokenAxis) {
        return x.swapFirstTwo(Shape.of(headAxis, x.shape().extent(1), tokenAxis, x.shape().extent(0), "headDim", x.shape().extent(2)));
    }

    /// The stages one after the other. Each gets the recorded tensor as its input where there is one, else what the stages
    /// before it made of the nearest recorded one.
    private static final class Stages {
        private final CaseCheck check;
        private final GoldenCase golden;
        private final Backend backend;
        private final Gemma2Config config;
        private final Gemma2Weights weights;
        private final int[] ids;
        private final int b;
        private String lastRecorded = "input_ids";
        private boolean unrecordedSince;

        Stages(CaseCheck check, Gemma2Model model, int[] ids, int b) {
            this.check = check;
            this.golden = check.golden();
            this.backend = check.backend();
            this.config = model.config();
            this.weights = model.weights();
            this.ids = ids;
            this.b = b;
        }

        void run() throws GoldenFormatException {
            check.note("");
            Tensor x = link(Stage.EMBEDDING, Probe.NO_LAYER, "embeddings_scaled",
                    () -> new Embedding.Input(ids, weights.embedTokens(), EmbeddingScale.EXACT), backend.embedding(), Embedding.Output::hidden);
            for (int l = 0; l < config.numHiddenLayers(); l++) {
                x = layer(l, x);
            }
            Tensor last = x;
            Tensor normed = link(Stage.RMS_NORM, Probe.NO_LAYER, "final_norm",
                    () -> new RmsNorm.Input(last, weights.norm(), config.rmsNormEps()), backend.rmsNorm(), RmsNorm.Output::normed);
            Tensor logits = check.apply(Stage.LM_HEAD, Probe.NO_LAYER, "logits",
                    () -> new LmHead.Input(normed, weights.embedTokens(), config.finalLogitSoftcapping()), backend.lmHead()).logits();
            if (golden.has("logits")) {
                DoubleTensor expected = layout(golden.tensor("logits"), "logits", b, config.headDim());
                check.close(Stage.LM_HEAD, Probe.NO_LAYER, "logits", expected, logits);
                greedy(check, b, expected, logits);
            }
        }

        private Tensor layer(int l, Tensor before) throws GoldenFormatException {
            Gemma2Weights.Layer w = weights.layers().get(l);
            double eps = config.rmsNormEps();
            Tensor x = before;
            Optional<GoldenTensor> hiddenIn = golden.find("layers." + l + ".hidden_in");
            if (hiddenIn.isPresent()) {
                x = layout(hiddenIn.get(), "hidden_in", b, config.headDim());
                check.input("layers." + l + ".hidden_in");
            }
            Tensor in = x;
            Tensor normed = link(Stage.RMS_NORM, l, "input_layernorm",
                    () -> new RmsNorm.Input(in, w.inputLayernorm(), eps), backend.rmsNorm(), RmsNorm.Output::normed);
            QkvProjection.Output qkv = check.apply(Stage.QKV_PROJECTION, l, name(l, "v"),
                    () -> new QkvProjection.Input(normed, w.qProj(), w.kProj(), w.vProj(), config.headDim()), backend.qkvProjection());
            Tensor value = compared(Stage.QKV_PROJECTION, l, "v", qkv.value());
            Tensor query = rotary(l, "q_rope", qkv.query());
            Tensor key = rotary(l, "k_rope", qkv.key());
            Tensor context = attention(l, query, key, value);
            Tensor attended = link(Stage.OUTPUT_PROJECTION, l, "attn_output",
                    () -> new OutputProjection.Input(context, w.oProj()), backend.outputProjection(), OutputProjection.Output::hidden);
            Tensor postAttention = link(Stage.RMS_NORM, l, "post_attention_layernorm",
                    () -> new RmsNorm.Input(attended, w.postAttentionLayernorm(), eps), backend.rmsNorm(), RmsNorm.Output::normed);
            Tensor h = sum(in, postAttention);
            Tensor preFeedforward = link(Stage.RMS_NORM, l, "pre_feedforward_layernorm",
                    () -> new RmsNorm.Input(h, w.preFeedforwardLayernorm(), eps), backend.rmsNorm(), RmsNorm.Output::normed);
            Tensor fed = link(Stage.FEED_FORWARD, l, "mlp_output",
                    () -> new FeedForward.Input(preFeedforward, w.gateProj(), w.upProj(), w.downProj()), backend.feedForward(), FeedForward.Output::hidden);
            Tensor postFeedforward = link(Stage.RMS_NORM, l, "post_feedforward_layernorm",
                    () -> new RmsNorm.Input(fed, w.postFeedforwardLayernorm(), eps), backend.rmsNorm(), RmsNorm.Output::normed);
            return link(Stage.RESIDUAL_ADD, l, "hidden_out",
                    () -> new ResidualAdd.Input(h, postFeedforward), backend.residualAdd(), ResidualAdd.Output::hidden);
        }

        /// Queries and keys are recorded after the rotary embedding only. Turned back, they say what the projection should
        /// have given, and are the golden input of the rotation.
        private Tensor rotary(int l, String tensor, Tensor projected) throws GoldenFormatException {
            Optional<GoldenTensor> recorded = golden.find(name(l, tensor));
            Tensor input = projected;
            if (recorded.isPresent()) {
                DoubleTensor turnedBack = turnBack(layout(recorded.get(), tensor, b, config.headDim()), config.ropeTheta());
                check.note("rotation undone");
                check.close(Stage.QKV_PROJECTION, l, name(l, tensor), turnedBack, projected);
                check.note("");
                input = turnedBack;
            }
            Tensor from = input;
            return link(Stage.ROTARY_EMBEDDING, l, tensor, () -> new RotaryEmbedding.Input(from, 0, config.ropeTheta()),
                    backend.rotaryEmbedding(), RotaryEmbedding.Output::rotated);
        }

        private Tensor attention(int l, Tensor query, Tensor key, Tensor value) throws GoldenFormatException {
            AttentionRule rule = new AttentionRule(config.attentionScale(), config.attnLogitSoftcapping(),
                    Visibility.of(config.layerKind(l)), 0, 0);
            Optional<GoldenTensor> logits = golden.find(name(l, "attn_logits"));
            Optional<GoldenTensor> visible = golden.find(name(l, "attn_visible"));
            if (logits.isPresent() || visible.isPresent()) {
                DoubleTensor weights = attentionWeights(l, query, key, rule);
                if (visible.isPresent()) {
                    visiblePairs(l, visible.get(), weights);
                }
                if (logits.isPresent()) {
                    DoubleTensor recorded = masked(logits.get().row(b, "heads", "queryLen", "keyLen"));
                    if (backend.denseAttention() instanceof DenseAttentionReference) {
                        check.close(Stage.DENSE_ATTENTION, l, name(l, "attn_logits"), recorded,
                                DenseAttentionReference.logits(new DenseAttention.Input(query, key, value, rule)));
                    }
                    check.note("softmax of it");
                    check.close(Stage.DENSE_ATTENTION, l, name(l, "attn_logits"), softmax(recorded), weights);
                    check.note("");
                }
            }
            return link(Stage.DENSE_ATTENTION, l, "attn_context", () -> new DenseAttention.Input(query, key, value, rule),
                    backend.denseAttention(), DenseAttention.Output::context);
        }

        /// The attention weights, seen through the stage itself: with rows of the identity as values, attention gives its
        /// own weights, headDim keys at a time.
        ///
        /// @return `[heads, queryLen, keyLen]`
        private DoubleTensor attentionWeights(int l, Tensor query, Tensor key, AttentionRule rule) throws GoldenFormatException {
            int heads = query.shape().extent("heads");
            int rows = query.shape().extent("queryLen");
            int keys = key.shape().extent("keyLen");
            int headDim = key.shape().extent("headDim");
            DoubleTensor weights = DoubleTensor.zeros(Shape.of("heads", heads, "queryLen", rows, "keyLen", keys));
            for (int first = 0; first < keys; first += headDim) {
                DoubleTensor identity = DoubleTensor.zeros(key.shape());
                for (int h = 0; h < key.shape().extent("kvHeads"); h++) {
                    for (int k = first; k < Math.min(keys, first + headDim); k++) {
                        identity.set(1, h, k, k - first);
                    }
                }
                DoubleTensor context = check.apply(Stage.DENSE_ATTENTION, l, name(l, "attn_logits"),
                        () -> new DenseAttention.Input(query, key, identity, rule), backend.denseAttention()).context().toDouble();
                for (int h = 0; h < heads; h++) {
                    for (int q = 0; q < rows; q++) {
                        for (int k = first; k < Math.min(keys, first + headDim); k++) {
                            weights.set(context.at(h, q, k - first), h, q, k);
                        }
                    }
                }
            }
            return weights;
        }

        /// Every head must give every visible key a weight, and every other key none.
        private void visiblePairs(int l, GoldenTensor recorded, DoubleTensor weights) throws GoldenFormatException {
            DoubleTensor expected = recorded.named("queryLen", "keyLen");
            DoubleTensor seen = DoubleTensor.zeros(expected.shape());
            int heads = weights.shape().extent("heads");
            int pairs = seen.data().length;
            for (int i = 0; i < pairs; i++) {
                int count = 0;
                for (int h = 0; h < heads; h++) {
                    count += weights.data()[h * pairs + i] > 0 ? 1 : 0;
                }
                seen.data()[i] = (double) count / heads;
            }
            check.exact(Stage.DENSE_ATTENTION, l, name(l, "attn_visible"), expected, seen);
        }

        private <I, O> Tensor link(Stage stage, int layer, String tensor, CaseCheck.Making<I> input, StageOp<I, O> op,
                                   Function<O, Tensor> result) throws GoldenFormatException {
            return compared(stage, layer, tensor, result.apply(check.apply(stage, layer, name(layer, tensor), input, op)));
        }

        /// The recorded tensor, after comparing, or what was computed if none is recorded.
        private Tensor compared(Stage stage, int layer, String tensor, Tensor computed) throws GoldenFormatException {
            Optional<GoldenTensor> recorded = golden.find(name(layer, tensor));
            if (recorded.isEmpty()) {
                unrecordedSince = true;
                return computed;
            }
            DoubleTensor expected = layout(recorded.get(), tensor, b, config.headDim());
            // a divergence may then lie in any stage since the last recorded tensor, and the report says so
            check.note(unrecordedSince ? "computed from " + lastRecorded + ", nothing between is recorded" : "");
            check.close(stage, layer, name(layer, tensor), expected, computed);
            check.note("");
            lastRecorded = name(layer, tensor);
            unrecordedSince = false;
            return expected;
        }

        private static String name(int layer, String tensor) {
            return layer == Probe.NO_LAYER ? tensor : "layers." + layer + "." + tensor;
        }
    }

    /// x + y, by the harness itself.
    private static DoubleTensor sum(Tensor x, Tensor y) {
        double[] sum = x.toDouble().data().clone();
        double[] other = y.toDouble().data();
        if (sum.length != other.length) {
            throw new CaseCheck.Broken("cannot add " + y.shape() + " to " + x.shape());
        }
        for (int i = 0; i < sum.length; i++) {
            sum[i] += other[i];
        }
        return DoubleTensor.of(x.shape(), sum);
    }

    /// The rotation by the opposite angle, `[heads, tokens, headDim]` from position 0, by the harness itself.
    private static DoubleTensor turnBack(DoubleTensor rotated, double theta) {
        int tokens = rotated.shape().extent(1);
        int headDim = rotated.shape().extent(2);
        DoubleTensor turned = DoubleTensor.zeros(rotated.shape());
        for (int h = 0; h < rotated.shape().extent(0); h++) {
            for (int t = 0; t < tokens; t++) {
                for (int j = 0; j < headDim / 2; j++) {
                    double angle = t * Math.pow(theta, -2.0 * j / headDim);
                    double a = rotated.at(h, t, j);
                    double b = rotated.at(h, t, j + headDim / 2);
                    turned.set(a * Math.cos(angle) + b * Math.sin(angle), h, t, j);
                    turned.set(b * Math.cos(angle) - a * Math.sin(angle), h, t, j + headDim / 2);
                }
            }
        }
        return turned;
    }

    private static DoubleTensor masked(DoubleTensor logits) {
        double[] data = logits.data();
        for (int i = 0; i < data.length; i++) {
            data[i] = data[i] < MASKED ? Double.NEGATIVE_INFINITY : data[i];
        }
        return logits;
    }

    private static DoubleTensor softmax(DoubleTensor logits) {
        int keys = logits.shape().extent("keyLen");
        double[] data = logits.data().clone();
        for (int row = 0; row < data.length; row += keys) {
            double max = Arrays.stream(data, row, row + keys).max().orElseThrow();
            double total = 0;
            for (int k = row; k < row + keys; k++) {
                data[k] = Math.exp(data[k] - max);
                total += data[k];
            }
            for (int k = row; k < row + keys; k++) {
                data[k] /= total;
            }
        }
        return DoubleTensor.of(logits.shape(), data);
    }

    private static void greedy(CaseCheck check, int b, DoubleTensor recordedLogits, Tensor logits) throws GoldenFormatException {
        Optional<GoldenTensor> greedy = check.golden().find("greedy_next");
        if (greedy.isPresent()) {
            int[] tokens = greedy.get().rank() == 1 ? greedy.get().ints() : greedy.get().rowInts(b);
            int rows = recordedLogits.shape().extent(0);
            int[] own = greedy.get().rank() == 1 && tokens.length > rows ? Arrays.copyOfRange(tokens, b * rows, (b + 1) * rows) : tokens;
            check.add(Compare.argmax(check.place(Stage.LM_HEAD.slug(), Probe.NO_LAYER, "greedy_next"), check.tolerance(), own, recordedLogits, logits));
        }
    }

    /// From token ids to logits in one piece, every recorded tensor on the way; then the prompt in three pieces.
    private static void wholePass(CaseCheck check, Gemma2Model model, int[] ids, int b) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        int headDim = model.config().headDim();
        Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), check.backend(), EmbeddingScale.EXACT);
        ForwardRecorder seen = new ForwardRecorder();
        check.note("end to end");
        Tensor logits = check.call("forward", Probe.NO_LAYER, "logits", () -> forward.open(new AttentionMode.Dense(), seen).prefillAllLogits(ids));
        compareSeen(check, seen, Probe.NO_LAYER, "embeddings_scaled", "embeddings_scaled", "embeddings_scaled", b, headDim);
        for (int l = 0; l < model.config().numHiddenLayers(); l++) {
            for (String tensor : SHOWN) {
                String recorded = "layers." + l + "." + tensor;
                if (!tensor.equals("hidden_in")) {
                    compareSeen(check, seen, l, tensor, recorded, tensor, b, headDim);
                } else if (l == 0) {
                    compareSeen(check, seen, Probe.NO_LAYER, "embeddings_scaled", recorded, tensor, b, headDim);
                } else {
                    compareSeen(check, seen, l - 1, "hidden_out", recorded, tensor, b, headDim);
                }
            }
        }
        compareSeen(check, seen, Probe.NO_LAYER, "final_norm", "final_norm", "final_norm", b, headDim);
        if (golden.has("logits")) {
            DoubleTensor expected = golden.tensor("logits").row(b, "queryLen", "vocab");
            check.close(Stage.LM_HEAD, Probe.NO_LAYER, "logits", expected, logits);
            greedy(check, b, expected, logits);
            if (golden.results().path("max_abs_final_logit").isNumber() && golden.tensor("logits").extent(0) == 1) {
                check.close(Stage.LM_HEAD.slug(), "max_abs_final_logit", golden.results().get("max_abs_final_logit").asDouble(),
                        Arrays.stream(logits.toDouble().data()).map(Math::abs).max().orElse(0));
            }
            check.note("prompt in three pieces");
            Tensor inPieces = check.call("forward", Probe.NO_LAYER, "logits", () -> inPieces(forward.open(new AttentionMode.Dense()), ids));
            check.close(Stage.LM_HEAD, Probe.NO_LAYER, "logits", expected, inPieces);
        }
        check.note("");
    }

    /// Logits of every position of a prompt that is read in three uneven pieces.
    private static DoubleTensor inPieces(Gemma2Forward.Session session, int[] ids) {
        int first = Math.max(1, ids.length / 4);
        int second = Math.max(first, ids.length - Math.max(1, ids.length / 3));
        double[][] parts = new double[3][];
        int[] cuts = {0, first, second, ids.length};
        int vocab = 0;
        for (int p = 0; p < 3; p++) {
            parts[p] = new double[0];
            if (cuts[p] < cuts[p + 1]) {
                DoubleTensor logits = session.prefillAllLogits(Arrays.copyOfRange(ids, cuts[p], cuts[p + 1])).toDouble();
                vocab = logits.shape().extent("vocab");
                parts[p] = logits.data();
            }
        }
        return DoubleTensor.of(Shape.of("queryLen", ids.length, "vocab", vocab),
                Arrays.stream(parts).flatMapToDouble(Arrays::stream).toArray());
    }

    private static void compareSeen(CaseCheck check, ForwardRecorder seen, int layer, String shown, String recorded, String kind, int b, int headDim)
            throws GoldenFormatException {
        Optional<GoldenTensor> tensor = check.golden().find(recorded);
        if (tensor.isPresent()) {
            Matcher ofLayer = OF_LAYER.matcher(recorded);
            int owner = ofLayer.matches() ? Integer.parseInt(ofLayer.group(1)) : Probe.NO_LAYER;
            DoubleTensor expected = layout(tensor.get(), kind, b, headDim);
            Optional<ForwardRecorder.Seen> value = seen.last(layer, shown);
            if (value.isEmpty()) {
                check.add(check.place("forward", owner, recorded).wrong("the forward pass does not show it"));
            } else {
                check.close(value.get().stage(), owner, recorded, expected, value.get().value());
            }
        }
    }

    /// The prompt, then the recorded tokens one by one; logits of every step and all keys and values.
    private static void decode(CaseCheck check, Gemma2Model model, int[] ids, int b, int batches) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        GoldenTensor recordedLogits = golden.tensor("step_logits");
        DoubleTensor expected = recordedLogits.rank() == 2 && batches == 1 ? recordedLogits.named("queryLen", "vocab")
                : recordedLogits.row(b, "queryLen", "vocab");
        GoldenTensor recordedTokens = golden.tensor("generated");
        int[] generated = recordedTokens.rank() == 1 ? recordedTokens.ints() : recordedTokens.rowInts(b);
        Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), check.backend(), EmbeddingScale.EXACT);
        for (boolean whole : new boolean[] {true, false}) {
            check.note(whole ? "prompt whole, then token by token" : "prompt in three pieces, then token by token");
            ForwardRecorder seen = new ForwardRecorder();
            Gemma2Forward.Session session = forward.open(new AttentionMode.Dense(), seen);
            Tensor logits = check.call("forward", Probe.NO_LAYER, "step_logits", () -> steps(session, ids, generated, expected.shape().extent(0), whole));
            check.close(Stage.LM_HEAD, Probe.NO_LAYER, "step_logits", expected, logits);
            check.add(Compare.argmax(check.place(Stage.LM_HEAD.slug(), Probe.NO_LAYER, "generated"), check.tolerance(), generated, expected, logits));
            if (golden.results().path("min_gap_between_top1_and_top2_logit").isNumber() && batches == 1) {
                check.close(Stage.LM_HEAD.slug(), "min_gap_between_top1_and_top2_logit",
                        golden.results().get("min_gap_between_top1_and_top2_logit").asDouble(), smallestGap(logits.toDouble()));
            }
            for (int l = 0; l < model.config().numHiddenLayers(); l++) {
                cache(check, seen, session, l, "kv." + l + ".key", "k_rope", Stage.ROTARY_EMBEDDING, b);
                cache(check, seen, session, l, "kv." + l + ".value", "v", Stage.QKV_PROJECTION, b);
            }
        }
        check.note("");
    }

    /// Between the largest and the second largest logit, over all rows.
    private static double smallestGap(DoubleTensor logits) {
        int vocab = logits.shape().extent("vocab");
        double gap = Double.POSITIVE_INFINITY;
        for (int from = 0; from < logits.data().length; from += vocab) {
            double[] row = Arrays.copyOfRange(logits.data(), from, from + vocab);
            Arrays.sort(row);
            gap = Math.min(gap, row[vocab - 1] - row[vocab - 2]);
        }
        return gap;
    }

    private static DoubleTensor steps(Gemma2Forward.Session session, int[] ids, int[] generated, int steps, boolean whole) {
        double[][] rows = new double[steps][];
        if (whole) {
            rows[0] = session.prefill(ids).toDouble().data();
        } else {
            DoubleTensor all = inPieces(session, ids);
            rows[0] = all.rows(ids.length - 1, ids.length).data();
        }
        for (int t = 1; t < steps; t++) {
            rows[t] = session.decode(generated[t - 1]).toDouble().data();
        }
        return DoubleTensor.of(Shape.of("queryLen", steps, "vocab", rows[0].length), Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray());
    }

    /// All keys or values that went into a cache, then those it still holds. The recorded cache has one row more than was
    /// ever written; it is 0 there.
    private static void cache(CaseCheck check, ForwardRecorder seen, Gemma2Forward.Session session, int l, String recorded, String shown,
                              Stage stage, int b) throws GoldenFormatException {
        Optional<GoldenTensor> tensor = check.golden().find(recorded);
        if (tensor.isEmpty()) {
            return;
        }
        DoubleTensor expected = headsFirst(tensor.get().row(b, "keyLen", "kvHeads", "headDim"), "kvHeads", "keyLen");
        int rows = expected.shape().extent("keyLen");
        DoubleTensor written = seen.joined(l, shown);
        check.close(stage, l, recorded, expected, padded(written, rows));

        DoubleTensor kept = (shown.equals("v") ? session.cache(l).values() : session.cache(l).keys()).toDouble();
        int first = session.cache(l).firstPosition();
        DoubleTensor expectedKept = keyRows(expected, first, Math.min(rows, first + kept.shape().extent("keyLen")));
        Compare.Place place = check.place(stage.slug(), l, recorded);
        check.add(Compare.close(new Compare.Place(place.stage(), l, recorded, place.prefix(), place.note() + ", cache from row " + first),
                check.tolerance(), expectedKept, kept));
    }

    private static DoubleTensor padded(DoubleTensor keys, int rows) {
        int length = keys.shape().extent("keyLen");
        DoubleTensor out = DoubleTensor.zeros(Shape.of("kvHeads", keys.shape().extent(0), "keyLen", Math.max(rows, length), "headDim", keys.shape().extent(2)));
        int headDim = keys.shape().extent("headDim");
        for (int h = 0; h < keys.shape().extent(0); h++) {
            System.arraycopy(keys.data(), h * length * headDim, out.data(), h * Math.max(rows, length) * headDim, length * headDim);
        }
        return out;
    }

    private static DoubleTensor keyRows(DoubleTensor keys, int from, int to) {
        int length = keys.shape().extent("keyLen");
        int headDim = keys.shape().extent("headDim");
        DoubleTensor out = DoubleTensor.zeros(Shape.of("kvHeads", keys.shape().extent(0), "keyLen", Math.max(0, to - from), "headDim", headDim));
        for (int h = 0; h < keys.shape().extent(0); h++) {
            System.arraycopy(keys.data(), (h * length + from) * headDim, out.data(), h * (to - from) * headDim, (to - from) * headDim);
        }
        return out;
    }
}
