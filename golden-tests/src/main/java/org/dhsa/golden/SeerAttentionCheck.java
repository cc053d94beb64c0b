package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.GateWeights;
import org.dhsa.model.WeightTensor;
import org.dhsa.policy.SeerGate;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// SeerAttention: the gate over a prompt with its masks, and the mask functions of a decoded token.
final class SeerAttentionCheck extends ReferenceFunctionCheck {

    private static final String NAME = "seer-gate";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        if (check.golden().has("query")) {
            prompt(check);
        } else {
            decoded(check);
        }
    }

    private static void prompt(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key", "weights.mask_linear_k.weight", "weights.mask_linear_q.weight");
        DoubleTensor query = golden.tensor("query").row(0, "heads", "queryLen", "headDim");
        DoubleTensor key = golden.tensor("key").row(0, "kvHeads", "keyLen", "headDim");
        Optional<WeightTensor> map = golden.has("weights.mask_linear_q.weight") ? Optional.of(weight(golden, "weights.mask_linear_q.weight")) : Optional.empty();
        GateWeights.SeerAttention gate = check.call(NAME, Probe.NO_LAYER, "gate_scores", () -> {
            GateWeights.SeerAttention made = new GateWeights.SeerAttention(List.of(new GateWeights.SeerAttention.Layer(map, weight(golden, "weights.mask_linear_k.weight"))),
                    golden.textOf("gate_type"), golden.intOf("block_size"), golden.booleanOf("block_rope"), golden.doubleOf("rope_theta"));
            made.requireFit(1, golden.intOf("H"), golden.intOf("KV"), golden.intOf("D"));
            return made;
        });
        boolean threshold = golden.textOf("method").equals("threshold");
        List<double[]> scores = new ArrayList<>();
        List<boolean[][]> masks = new ArrayList<>();
        for (int h = 0; h < golden.intOf("H"); h++) {
            double[][] logits = SeerGate.logits(gate, 0, query, key, h);
            Arrays.stream(threshold ? SeerGate.weights(logits) : logits).forEach(scores::add);
            boolean[][] mask = threshold ? SeerGate.above(logits, golden.doubleOf("threshold"))
                    : SeerGate.best(logits, SeerGate.blocksFor(golden.doubleOf("nz_ratio"), logits.length));
            if (golden.booleanOf("last_block_dense")) {
                for (int i = mask.length - 2; i < mask.length; i++) {
                    Arrays.fill(mask[i], 0, i + 1, true);
                }
            }
            masks.add(mask);
        }
        GoldenTensor recorded = golden.tensor("gate_scores");
        // the recording stands for −∞ by the lowest finite number
        double[] actual = scores.stream().flatMapToDouble(Arrays::stream).map(s -> s == Double.NEGATIVE_INFINITY ? -Double.MAX_VALUE : s).toArray();
        Shape shape = Shape.of("heads", recorded.extent(0), "queryBlocks", recorded.extent(1), "chunks", recorded.extent(2));
        check.close(NAME, Probe.NO_LAYER, "gate_scores", recorded.named("heads", "queryBlocks", "chunks"), DoubleTensor.of(shape, actual));
        check.exact(NAME, Probe.NO_LAYER, "block_mask", "value", golden.tensor("block_mask").ints(),
                masks.stream().flatMap(Arrays::stream).flatMapToInt(row -> Arrays.stream(IcmlMasksCheck.ints(row))).toArray());
        counts(check, masks);
    }

    private static void counts(CaseCheck check, List<boolean[][]> masks) throws GoldenFormatException {
        JsonNode results = check.golden().results();
        int block = check.golden().intOf("block_size");
        int length = check.golden().intOf("L");
        check.exact(NAME, Probe.NO_LAYER, "results.blocks_kept", "heads", PredictBoundariesCheck.ints(results.get("blocks_kept")),
                masks.stream().mapToInt(m -> Arrays.stream(m).flatMapToInt(row -> Arrays.stream(IcmlMasksCheck.ints(row))).sum()).toArray());
        check.exact(NAME, Probe.NO_LAYER, "results.causal_pairs_kept", "heads", PredictBoundariesCheck.ints(results.get("causal_pairs_kept")),
                masks.stream().mapToInt(m -> IntStream.range(0, length).map(i -> (int) IntStream.rangeClosed(0, i).filter(j -> m[i / block][j / block]).count()).sum())
                        .toArray());
        check.exact(NAME, Probe.NO_LAYER, "results.causal_pairs_total_per_head", "value", new int[] {results.get("causal_pairs_total_per_head").asInt()},
                new int[] {length * (length + 1) / 2});
    }

    private static void decoded(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("block_scores", "block_valid");
        int batch = golden.intOf("batch");
        int heads = golden.intOf("KV");
        int blocks = golden.intOf("blocks");
        double[] scores = golden.tensor("block_scores").values();
        boolean[] valid = booleans(golden.tensor("block_valid"));
        int[] masks = new int[batch * heads * blocks];
        int[] forced = new int[masks.length];
        for (int row = 0; row < batch * heads; row++) {
            double[] own = Arrays.copyOfRange(scores, row * blocks, (row + 1) * blocks);
            boolean[] there = Arrays.copyOfRange(valid, row / heads * blocks, (row / heads + 1) * blocks);
            boolean[] mask = golden.optionalInt("block_budget").isPresent() ? SeerGate.best(own, there, golden.intOf("block_budget"))
                    : SeerGate.above(own, golden.doubleOf("threshold"));
            System.arraycopy(IcmlMasksCheck.ints(mask), 0, masks, row * blocks, blocks);
            // the last of the longest sequence, also for shorter ones, which do not have it
            mask[blocks - 1] = true;
            System.arraycopy(IcmlMasksCheck.ints(mask), 0, forced, row * blocks, blocks);
        }
        check.exact(NAME, Probe.NO_LAYER, "block_mask", "value", golden.tensor("block_mask").ints(), masks);
        check.exact(NAME, Probe.NO_LAYER, "block_mask_forced", "value", golden.tensor("block_mask_forced").ints(), forced);
        int[] kept = IntStream.range(0, batch * heads).map(row -> Arrays.stream(masks, row * blocks, (row + 1) * blocks).sum()).toArray();
        List<Integer> recorded = new ArrayList<>();
        golden.results().get("blocks_kept").forEach(row -> row.forEach(n -> recorded.add(n.asInt())));
        check.exact(NAME, Probe.NO_LAYER, "results.blocks_kept", "value", ints(recorded), kept);
    }

    private static WeightTensor weight(GoldenCase golden, String name) throws GoldenFormatException {
        GoldenTensor tensor = golden.tensor(name);
        return WeightTensor.of(name, tensor.values(), Arrays.stream(tensor.shape()).asLongStream().toArray());
    }
}
