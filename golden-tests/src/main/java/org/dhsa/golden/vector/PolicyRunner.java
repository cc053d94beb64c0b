package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.PolicySetting;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// One layer under a selection policy: the prompt, then tokens one by one. The wiring is the forward pass itself.
final class PolicyRunner {

    /// The stage's name in `stages.json`; a case's folder has the policy's name in this place.
    static final String SLUG = "selection-policy";
    /// In `lists`: one list for all heads.
    private static final int ALL_HEADS = -1;

    private PolicyRunner() {}

    static void run(Backend backend, StageInputs in, Map<String, Tensor> out) {
        Tensor query = in.tensor("query");
        int rows = query.shape().extent("queryLen");
        int prompt = in.integer("promptLength");
        if (prompt < 1 || prompt > rows) {
            throw new IllegalArgumentException("parameter promptLength of " + SLUG + " must lie in [1, " + rows + "], was " + prompt);
        }
        int layer = in.integer("layer");
        Gemma2Config model = in.policyModel();
        AttentionMode.Policy mode = new AttentionMode.Policy(PolicyRegistry.create(in.text("policy"), in.policyResources()),
                new PolicySetting(in.integer("denseTail"), false, PolicySetting.Layers.ALL));
        Choices choices = new Choices(layer);
        Gemma2Forward.Session session = CompositeRunner.bare(model, backend).open(mode, choices);
        session.announce(in.has("ids") ? in.ints("ids") : new int[0]);
        DoubleTensor context = DoubleTensor.zeros(query.shape());
        for (int from = 0; from < rows; from = Math.max(prompt, from + 1)) {
            int to = from == 0 ? prompt : from + 1;
            for (int earlier = 0; in.has("choosing.query") && earlier < layer; earlier++) {
                // the policy itself finds the layer that chooses for this one; the others' choice reaches no output
                attend(session, earlier, in, "choosing.", from, to);
            }
            DoubleTensor part = attend(session, layer, in, "", from, to).toDouble();
            int width = part.data().length / model.numAttentionHeads();
            for (int h = 0; h < model.numAttentionHeads(); h++) {
                System.arraycopy(part.data(), h * width, context.data(), (h * rows + from) * model.headDim(), width);
            }
        }
        choices.write(out);
        out.put("context", context);
    }

    /// The rows `[from, to)`, the prompt if `from` is 0.
    private static Tensor attend(Gemma2Forward.Session session, int layer, StageInputs in, String prefix, int from, int to) {
        Tensor q = tokens(in.tensor(prefix + "query"), "heads", "queryLen", from, to);
        Tensor k = tokens(in.tensor(prefix + "key"), "kvHeads", "keyLen", from, to);
        Tensor v = tokens(in.tensor("value"), "kvHeads", "keyLen", from, to);
        return from == 0 ? session.attend(layer, q, k, v) : session.attendToken(layer, q, k, v);
    }

    /// Rows of the second axis.
    private static DoubleTensor tokens(Tensor states, String heads, String length, int from, int to) {
        int rows = states.shape().extent(1);
        int dim = states.shape().extent(2);
        double[] all = states.toDouble().data();
        int count = states.shape().extent(0);
        double[] some = new double[count * (to - from) * dim];
        for (int h = 0; h < count; h++) {
            System.arraycopy(all, (h * rows + from) * dim, some, h * (to - from) * dim, (to - from) * dim);
        }
        return DoubleTensor.of(Shape.of(heads, count, length, to - from, "headDim", dim), some);
    }

    /// What the policy chose in one layer, pass by pass.
    private static final class Choices implements Probe {

        private final int shown;
        private final List<int[]> lists = new ArrayList<>();
        private final List<KeySelection.BlockSelection> chosen = new ArrayList<>();
        private final List<Long> pairs = new ArrayList<>();

        Choices(int shown) {
            this.shown = shown;
        }

        @Override
        public void selection(int layer, LayerKind kind, LayerSelection selection) {
            if (layer != shown) {
                return;
            }
            for (int h = 0; h < selection.perHead().size(); h++) {
                KeySelection one = selection.perHead().get(h);
                for (QueryBlocks.Block block : one.queryBlocks().blocks()) {
                    lists.add(new int[] {selection.isShared() ? ALL_HEADS : h, block.start(), block.end()});
                }
                chosen.addAll(one.blocks());
            }
        }

        @Override
        public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
            if (layer == shown) {
                pairs.add(pairsRead);
            }
        }

        void write(Map<String, Tensor> out) {
            if (!lists.isEmpty()) {
                out.put("lists", StageInputs.ints(Shape.of("lists", lists.size(), "columns", 3), lists.stream().flatMapToInt(IntStream::of).toArray()));
                out.put("selectedKeys", Selections.matrix("lists", "budget", chosen.stream().map(KeySelection.BlockSelection::keys).toList()));
                if (chosen.stream().anyMatch(c -> !Double.isNaN(c.threshold()))) {
                    out.put("threshold", numbers(chosen.stream().mapToDouble(KeySelection.BlockSelection::threshold).toArray()));
                    out.put("margin", numbers(chosen.stream().mapToDouble(KeySelection.BlockSelection::margin).toArray()));
                }
                if (chosen.stream().anyMatch(KeySelection.BlockSelection::ambiguous)) {
                    out.put("tiedKeys", Selections.matrix("lists", "ties", chosen.stream()
                            .map(c -> c.ambiguous() ? Arrays.stream(c.tieGroup()).sorted().toArray() : new int[0]).toList()));
                }
            }
            out.put("pairs", DoubleTensor.of(Shape.of("passes", pairs.size()), pairs.stream().mapToDouble(Long::doubleValue).toArray()));
        }

        private static DoubleTensor numbers(double[] values) {
            return DoubleTensor.of(Shape.of("lists", values.length), values);
        }
    }
}
