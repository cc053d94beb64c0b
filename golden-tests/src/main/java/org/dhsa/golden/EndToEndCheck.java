package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.Gemma2Model;

/// A whole Gemma 2 with DHSA in every layer, the authors' way: first the pieces that the recorded tensors allow to be taken
/// alone, then the forward pass from ids to logits.
final class EndToEndCheck implements FamilyCheck {

    @Override
    public void check(CaseCheck check) throws GoldenFormatException, IOException {
        GoldenCase golden = check.golden();
        check.input("input_ids");
        java.nio.file.Path folder = GoldenModel.sharedModel(golden);
        try (Gemma2Model model = GoldenModel.load(folder)) {
            Run run = new Run(check, model, Upstream.sharedPredictor(golden, folder));
            int batches = golden.tensor("input_ids").extent(0);
            for (int b = 0; b < batches; b++) {
                check.batch(b, batches);
                run.batch(b);
            }
            check.batch(0, 1);
        }
    }

    private static final class Run {
        private final CaseCheck check;
        private final GoldenCase golden;
        private final Optional<BoundaryPredictorWeights> predictor;
        private final Gemma2Config dense;
        private final Gemma2Config config;
        private final Gemma2Weights weights;
        private final DhsaConfig dhsa;

        Run(CaseCheck check, Gemma2Model model, Optional<BoundaryPredictorWeights> predictor) throws GoldenFormatException {
            this.check = check;
            this.golden = check.golden();
            this.predictor = predictor;
            this.weights = model.weights();
            this.dense = model.config();
            OptionalDouble cap = golden.optionalDouble("attn_softcap");
            this.config = cap.isEmpty() ? dense : Upstream.withCap(dense, cap);
            this.dhsa = Upstream.endToEnd(golden);
        }

        void batch(int b) throws GoldenFormatException {
            int[] ids = golden.tensor("input_ids").rowInts(b);
            int[] starts = golden.tensor("boundaries").rowInts(b);
            Boundaries recorded = check.call("boundaries", Probe.NO_LAYER, "boundaries", () -> Boundaries.of(starts));
            pieces(b, ids, recorded);
            whole(b, ids, recorded);
        }

        /// Stages from recorded inputs.
        private void pieces(int b, int[] ids, Boundaries boundaries) throws GoldenFormatException {
            check.note("");
            int length = ids.length;
            if (golden.results().path("boundaries").isArray() && b == 0) {
                check.exact("recording", Probe.NO_LAYER, "results.boundaries", "chunks", PredictBoundariesCheck.ints(golden.results().get("boundaries")),
                        boundaries.toArray());
            }
            if (golden.hyperparameters().path("num_chunks_budget").isInt()) {
                check.exact(Stage.NON_MAXIMUM_SUPPRESSION.slug(), Probe.NO_LAYER, "hyperparameters.num_chunks_budget", "value",
                        new int[] {golden.intOf("num_chunks_budget")}, new int[] {dhsa.chunkBudget(length)});
            }
            for (int l = 0; l < config.numHiddenLayers(); l++) {
                layer(b, l, ids, boundaries);
            }
            boolean finalNorm = golden.has("hidden." + config.numHiddenLayers());
            if (finalNorm) {
                DoubleTensor normed = golden.tensor("hidden." + config.numHiddenLayers()).row(b, "queryLen", "modelDim");
                Tensor logits = check.apply(Stage.LM_HEAD, Probe.NO_LAYER, "logits",
                        () -> new LmHead.Input(normed, weights.embedTokens(), config.finalLogitSoftcapping()), check.backend().lmHead()).logits();
                logits(b, logits);
            }
        }

        private void layer(int b, int l, int[] ids, Boundaries boundaries) throws GoldenFormatException {
            String context = "layers." + l + ".attn_context";
            String output = "layers." + l + ".attn_output";
            String keys = "layers." + l + ".key_rope";
            Optional<DoubleTensor> hidden = hidden(b, l, ids);
            if (l == 0 && golden.has(keys) && predictor.isPresent()) {
                boundaryPieces(b, golden.tensor(keys).row(b, "kvHeads", "keyLen", "headDim"));
            }
            if (hidden.isPresent()) {
                attention(b, l, hidden.get(), boundaries, keys, context);
            }
            if (golden.has(context) && golden.has(output)) {
                DoubleTensor recorded = golden.tensor(context).row(b, "heads", "queryLen", "headDim");
                check.close(Stage.OUTPUT_PROJECTION, l, output, golden.tensor(output).row(b, "queryLen", "modelDim"),
                        check.apply(Stage.OUTPUT_PROJECTION, l, output, () -> new OutputProjection.Input(recorded, weights.layers().get(l).oProj()),
                                check.backend().outputProjection()).hidden());
            }
        }

        /// The state that enters a layer, if it is recorded or, for the first layer, follows from the ids.
        private Optional<DoubleTensor> hidden(int b, int l, int[] ids) throws GoldenFormatException {
            String name = "hidden." + l;
            if (l == 0) {
                DoubleTensor embedded = check.apply(Stage.EMBEDDING, Probe.NO_LAYER, name,
                        () -> new Embedding.Input(ids, weights.embedTokens(), EmbeddingScale.EXACT), check.backend().embedding()).hidden().toDouble();
                if (golden.has(name)) {
                    check.close(Stage.EMBEDDING, Probe.NO_LAYER, name, golden.tensor(name).row(b, "queryLen", "modelDim"), embedded);
                }
                return Optional.of(embedded);
            }
            return golden.has(name) ? Optional.of(golden.tensor(name).row(b, "queryLen", "modelDim")) : Optional.empty();
        }

        private void boundaryPieces(int b, DoubleTensor key) throws GoldenFormatException {
            Tensor logits = check.apply(Stage.BOUNDARY_PREDICTION, 0, "ratios", () -> new BoundaryPrediction.Input(key, predictor.get()),
                    check.backend().boundaryPrediction()).logits();
            int budget = dhsa.chunkBudget(key.shape().extent("keyLen"));
            if (golden.has("ratios")) {
                DoubleTensor recorded = golden.tensor("ratios").row(b, "keyLen");
                NonMaximumSuppression.Output fromComputed = check.apply(Stage.NON_MAXIMUM_SUPPRESSION, 0, "ratios",
                        () -> new NonMaximumSuppression.Input(logits, predictor.get().window(), budget, dhsa), check.backend().nonMaximumSuppression());
                check.close(Stage.BOUNDARY_PREDICTION, 0, "ratios", recorded, fromComputed.filled());
                NonMaximumSuppression.Output fromRecorded = check.apply(Stage.NON_MAXIMUM_SUPPRESSION, 0, "boundaries",
                        () -> new NonMaximumSuppression.Input(recorded, predictor.get().window(), budget, dhsa), check.backend().nonMaximumSuppression());
                check.exact(Stage.NON_MAXIMUM_SUPPRESSION.slug(), 0, "boundaries", "chunks", golden.tensor("boundaries").rowInts(b),
                        fromRecorded.boundaries().toArray());
            }
        }

        /// From the state that enters a layer: keys, lists of keys, and attention over the recorded lists.
        private void attention(int b, int l, DoubleTensor hidden, Boundaries boundaries, String keys, String context) throws GoldenFormatException {
            Gemma2Weights.Layer w = weights.layers().get(l);
            String lists = "layers." + l + ".topk_indices";
            Tensor normed = check.apply(Stage.RMS_NORM, l, lists, () -> new RmsNorm.Input(hidden, w.inputLayernorm(), config.rmsNormEps()),
                    check.backend().rmsNorm()).normed();
            QkvProjection.Output qkv = check.apply(Stage.QKV_PROJECTION, l, lists,
                    () -> new QkvProjection.Input(normed, w.qProj(), w.kProj(), w.vProj(), config.headDim()), check.backend().qkvProjection());
            Tensor query = rotated(l, lists, qkv.query());
            Tensor key = rotated(l, lists, qkv.key());
            if (golden.has(keys)) {
                check.close(Stage.ROTARY_EMBEDDING, l, keys, golden.tensor(keys).row(b, "kvHeads", "keyLen", "headDim"), key);
            }
            int length = hidden.shape().extent("queryLen");
            int window = config.layerKind(l) instanceof LayerKind.Local(int w2) ? w2 : 0;
            QueryBlocks blocks = QueryBlocks.fixed(SelectionChain.denseFrom(length, dhsa.instructionTokens()), length, dhsa.blockSize());
            if (golden.has(lists) && !blocks.blocks().isEmpty() && (!dhsa.shareMasks() || l < 2)) {
                SelectionChain chain = new SelectionChain(check, l, lists, dhsa);
                // only those of the first layer are recorded
                Boundaries own = l == 0 || dhsa.shareBoundaries() || predictor.isEmpty() ? boundaries : predicted(l, lists, key);
                DoubleTensor scores = chain.tokenScores(query, key, own, blocks.denseFrom()).toDouble();
                KeySelection selection = chain.select(scores, blocks, window, dhsa.budget(), dhsa);
                SelectionChain.compare(check, l, lists, golden.tensor(lists), b, selection, scores, window, dhsa, false);
            }
            if (golden.has(context) && golden.has(lists)) {
                KeySelection recorded = check.call(Stage.SPARSE_ATTENTION.slug(), l, context,
                        () -> SelectionChain.recorded(golden.tensor(lists), b, blocks));
                OptionalDouble cap = dhsa.has(Quirk.SOFT_CAP_DROPPED) ? OptionalDouble.empty() : config.attnLogitSoftcapping();
                AttentionRule rule = new AttentionRule(config.attentionScale(), cap, new Visibility(window, true), 0, 0);
                check.close(Stage.SPARSE_ATTENTION, l, context, golden.tensor(context).row(b, "heads", "queryLen", "headDim"),
                        check.apply(Stage.SPARSE_ATTENTION, l, context, () -> new SparseAttention.Input(query, key, qkv.value(), recorded, rule),
                                check.backend().sparseAttention()).context());
            }
        }

        private Boundaries predicted(int l, String target, Tensor key) throws GoldenFormatException {
            Tensor logits = check.apply(Stage.BOUNDARY_PREDICTION, l, target, () -> new BoundaryPrediction.Input(key, predictor.get()),
                    check.backend().boundaryPrediction()).logits();
            int budget = dhsa.chunkBudget(key.shape().extent("keyLen"));
            return check.apply(Stage.NON_MAXIMUM_SUPPRESSION, l, target,
                    () -> new NonMaximumSuppression.Input(logits, predictor.get().window(), budget, dhsa), check.backend().nonMaximumSuppression()).boundaries();
        }

        private Tensor rotated(int l, String target, Tensor x) throws GoldenFormatException {
            return check.apply(Stage.ROTARY_EMBEDDING, l, target, () -> new RotaryEmbedding.Input(x, 0, config.ropeTheta()),
                    check.backend().rotaryEmbedding()).rotated();
        }

        /// From ids to logits, every recorded tensor on the way; then densely.
        private void whole(int b, int[] ids, Boundaries recorded) throws GoldenFormatException {
            check.note("end to end");
            AttentionMode mode = predictor.<AttentionMode>map(p -> AttentionMode.Dhsa.predicted(dhsa, p))
                    .orElseGet(() -> AttentionMode.Dhsa.given(dhsa, recorded));
            ForwardRecorder seen = new ForwardRecorder();
            Gemma2Forward forward = new Gemma2Forward(config, weights, check.backend(), EmbeddingScale.EXACT);
            Tensor logits = check.call("forward", Probe.NO_LAYER, "logits", () -> forward.open(mode, seen).prefillAllLogits(ids));
            if (golden.has("hidden.0")) {
                shown(b, seen, Probe.NO_LAYER, "embeddings_scaled", "hidden.0", "queryLen", "modelDim");
            }
            for (int l = 0; l < config.numHiddenLayers(); l++) {
                shown(b, seen, l, "k_rope", "layers." + l + ".key_rope", "kvHeads", "keyLen", "headDim");
                if (l == 0) {
                    foundBoundaries(b, seen);
                }
                lists(b, l, seen);
                shown(b, seen, l, "attn_context", "layers." + l + ".attn_context", "heads", "queryLen", "headDim");
                shown(b, seen, l, "attn_output", "layers." + l + ".attn_output", "queryLen", "modelDim");
                if (l < config.numHiddenLayers() - 1) {
                    shown(b, seen, l, "hidden_out", "hidden." + (l + 1), "queryLen", "modelDim");
                }
            }
            shown(b, seen, Probe.NO_LAYER, "final_norm", "hidden." + config.numHiddenLayers(), "queryLen", "modelDim");
            logits(b, logits);
            JsonNode ambiguous = golden.results().path("blocks_with_ambiguous_ties_over_all_layers");
            if (ambiguous.isNumber() && golden.tensor("input_ids").extent(0) == 1) {
                long counted = 0;
                // with shared masks lists are made in the first layer of each kind only
                for (int l = 0; l < (dhsa.shareMasks() ? Math.min(2, config.numHiddenLayers()) : config.numHiddenLayers()); l++) {
                    counted += seen.selection(l) == null ? 0 : seen.selection(l).ambiguousBlocks();
                }
                check.exact(Stage.TOP_K_SELECTION.slug(), Probe.NO_LAYER, "results.blocks_with_ambiguous_ties_over_all_layers", "value",
                        new int[] {ambiguous.asInt()}, new int[] {(int) counted});
            }
            if (golden.has("dense_logits_tail")) {
                check.note("end to end, dense");
                Gemma2Forward plain = new Gemma2Forward(dense, weights, check.backend(), EmbeddingScale.EXACT);
                tail(b, "dense_logits_tail", check.call("forward", Probe.NO_LAYER, "dense_logits_tail",
                        () -> plain.open(new AttentionMode.Dense()).prefillAllLogits(ids)));
            }
            check.note("");
        }

        private void foundBoundaries(int b, ForwardRecorder seen) throws GoldenFormatException {
            // the filled ends are constants: what can differ is the prediction
            shown(b, seen, 0, "ratios", "ratios", Stage.BOUNDARY_PREDICTION, "keyLen");
            if (predictor.isPresent()) {
                check.exact(Stage.NON_MAXIMUM_SUPPRESSION.slug(), 0, "boundaries", "chunks", golden.tensor("boundaries").rowInts(b),
                        seen.boundaries().orElseThrow(() -> new CaseCheck.Broken("the forward pass showed no boundaries")).toArray());
            } else {
                check.input("boundaries");
            }
        }

        private void lists(int b, int l, ForwardRecorder seen) throws GoldenFormatException {
            String lists = "layers." + l + ".topk_indices";
            if (!golden.has(lists)) {
                return;
            }
            // with shared masks the lists are those of the first layer of the kind, and so are the scores behind them
            int source = dhsa.shareMasks() ? l % 2 : l;
            int window = config.layerKind(l) instanceof LayerKind.Local(int w) ? w : 0;
            Optional<ForwardRecorder.Seen> scores = seen.last(source, "token_scores");
            if (scores.isEmpty() || seen.selection(l) == null) {
                check.add(check.place(Stage.TOP_K_SELECTION.slug(), l, lists).wrong("the forward pass does not show it"));
                return;
            }
            SelectionChain.compare(check, l, lists, golden.tensor(lists), b, seen.selection(l), scores.get().value(), window, dhsa, false);
        }

        private void shown(int b, ForwardRecorder seen, int layer, String shown, String recorded, String... axes) throws GoldenFormatException {
            shown(b, seen, layer, shown, recorded, seen.last(layer, shown).map(ForwardRecorder.Seen::stage).orElse(null), axes);
        }

        private void shown(int b, ForwardRecorder seen, int layer, String shown, String recorded, Stage stage, String... axes) throws GoldenFormatException {
            if (!golden.has(recorded)) {
                return;
            }
            Optional<ForwardRecorder.Seen> value = seen.last(layer, shown);
            if (value.isEmpty()) {
                check.add(check.place("forward", layer, recorded).wrong("the forward pass does not show it"));
            } else {
                check.close(stage, layer, recorded, golden.tensor(recorded).row(b, axes), value.get().value());
            }
        }

        private void logits(int b, Tensor logits) throws GoldenFormatException {
            if (golden.has("logits")) {
                check.close(Stage.LM_HEAD, Probe.NO_LAYER, "logits", golden.tensor("logits").row(b, "queryLen", "vocab"), logits);
            }
            if (golden.has("logits_tail")) {
                tail(b, "logits_tail", logits);
            }
        }

        /// The last positions, as many as are recorded.
        private void tail(int b, String name, Tensor logits) throws GoldenFormatException {
            DoubleTensor expected = golden.tensor(name).row(b, "queryLen", "vocab");
            int rows = logits.shape().extent(0);
            check.close(Stage.LM_HEAD, Probe.NO_LAYER, name, expected,
                    logits.toDouble().rows(Math.max(0, rows - expected.shape().extent("queryLen")), rows));
        }
    }
}
