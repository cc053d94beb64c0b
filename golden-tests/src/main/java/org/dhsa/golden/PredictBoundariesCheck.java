package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Keys to boundaries: logits, filled ends, threshold, suppression, boundaries, in both orders of equal logits.
final class PredictBoundariesCheck implements FamilyCheck {

    @Override
    public void check(CaseCheck check) throws GoldenFormatException, IOException {
        GoldenCase golden = check.golden();
        String weights = "weights.safetensors";
        golden.tensors().values().stream().filter(t -> t.file().endsWith(weights)).forEach(t -> check.input(t.name()));
        check.input("key_states");
        int window = golden.intOf("w");
        BoundaryPredictorWeights predictor = GoldenModel.predictor(golden.folder().resolve(weights), golden.optionalInt("heads"), window);
        int chunks = golden.intOf("num_chunks");
        DhsaConfig low = Upstream.suppression(golden);
        DhsaConfig high = low.with(c -> c.tieOrder = DhsaConfig.TieOrder.HIGH_POSITION_FIRST);
        int batches = golden.tensor("key_states").extent(0);
        for (int b = 0; b < batches; b++) {
            check.batch(b, batches);
            DoubleTensor key = golden.tensor("key_states").row(b, "kvHeads", "keyLen", "headDim");
            DoubleTensor rawLogits = golden.tensor("raw_logits").row(b, "keyLen");
            Tensor logits = check.apply(Stage.BOUNDARY_PREDICTION, Probe.NO_LAYER, "raw_logits",
                    () -> new BoundaryPrediction.Input(key, predictor), check.backend().boundaryPrediction()).logits();
            check.close(Stage.BOUNDARY_PREDICTION, Probe.NO_LAYER, "raw_logits", rawLogits, logits);
            suppression(check, b, rawLogits, window, chunks, low, high);
            check.note("end to end");
            suppression(check, b, logits, window, chunks, low, high);
            check.note("");
        }
    }

    private static void suppression(CaseCheck check, int b, Tensor logits, int window, int chunks, DhsaConfig low, DhsaConfig high)
            throws GoldenFormatException {
        GoldenCase golden = check.golden();
        NonMaximumSuppression.Output found = check.apply(Stage.NON_MAXIMUM_SUPPRESSION, Probe.NO_LAYER, "boundaries",
                () -> new NonMaximumSuppression.Input(logits, window, chunks, low), check.backend().nonMaximumSuppression());
        check.close(Stage.NON_MAXIMUM_SUPPRESSION, Probe.NO_LAYER, "ratios", golden.tensor("ratios").row(b, "keyLen"), found.filled());
        int[] expected = golden.tensor("boundaries").rowInts(b);
        boundaries(check, "boundaries", expected, found.boundaries().toArray());
        if (b > 0) {
            return;
        }
        JsonNode results = golden.results();
        if (results.path("boundaries").isArray()) {
            boundaries(check, "results.boundaries", ints(results.get("boundaries")), found.boundaries().toArray());
        }
        if (results.path("boundaries_if_ties_were_high_first").isArray()) {
            int[] highFirst = check.apply(Stage.NON_MAXIMUM_SUPPRESSION, Probe.NO_LAYER, "results.boundaries_if_ties_were_high_first",
                    () -> new NonMaximumSuppression.Input(logits, window, chunks, high), check.backend().nonMaximumSuppression()).boundaries().toArray();
            boundaries(check, "results.boundaries_if_ties_were_high_first", ints(results.get("boundaries_if_ties_were_high_first")), highFirst);
            if (results.path("tie_order_matters").isBoolean()) {
                check.exact(Stage.NON_MAXIMUM_SUPPRESSION.slug(), Probe.NO_LAYER, "results.tie_order_matters", "value",
                        new int[] {results.get("tie_order_matters").asBoolean() ? 1 : 0},
                        new int[] {Arrays.equals(highFirst, found.boundaries().toArray()) ? 0 : 1});
            }
        }
    }

    private static void boundaries(CaseCheck check, String tensor, int[] expected, int[] actual) {
        check.exact(Stage.NON_MAXIMUM_SUPPRESSION.slug(), Probe.NO_LAYER, tensor, "chunks", expected, actual);
    }

    static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
    }
}
