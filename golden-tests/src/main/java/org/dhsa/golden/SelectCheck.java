package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// The choice of boundary positions alone: many small tables, with and without equal scores, and the odd ones by name.
///
/// A predictor window of 0 fills no ends, so the stage chooses from the recorded scores as they are.
final class SelectCheck implements FamilyCheck {

    /// Scores of the special cases unless a case says otherwise; stated in the notes of the recording.
    private static final double[] SPECIAL_SCORES = {0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6};

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        JsonNode cases = check.golden().results().path("cases");
        for (JsonNode entry : cases) {
            table(check, entry);
        }
        for (JsonNode special : check.golden().results().path("special")) {
            special(check, special);
        }
        // every score tensor that belongs to a listed case has been read
        for (JsonNode entry : cases) {
            check.input(entry.path("index").asInt() + ".ratios");
        }
    }

    private static void table(CaseCheck check, JsonNode entry) throws GoldenFormatException {
        int index = entry.path("index").asInt(-1);
        DoubleTensor scores = check.golden().tensor(index + ".ratios").named("keyLen");
        OptionalDouble theta = optionalDouble(entry.path("theta"));
        OptionalInt instruction = optionalInt(entry.path("instruction_tokens"));
        int nms = entry.path("nms_window_size").asInt();
        int budget = entry.path("topk").asInt();
        Optional<GoldenTensor> tensor = check.golden().find(index + ".result");
        if (tensor.isPresent()) {
            compare(check, index + ".result", tensor.get().ints(), scores, theta, nms, budget, instruction, DhsaConfig.TieOrder.LOW_POSITION_FIRST);
        }
        if (entry.path("result").isArray()) {
            compare(check, "results.cases." + index + ".result", PredictBoundariesCheck.ints(entry.get("result")), scores, theta, nms, budget,
                    instruction, DhsaConfig.TieOrder.LOW_POSITION_FIRST);
        }
        if (entry.path("result_low").isArray()) {
            compare(check, "results.cases." + index + ".result_low", PredictBoundariesCheck.ints(entry.get("result_low")), scores, theta, nms,
                    budget, instruction, DhsaConfig.TieOrder.LOW_POSITION_FIRST);
        }
        if (entry.path("result_high").isArray()) {
            compare(check, "results.cases." + index + ".result_high", PredictBoundariesCheck.ints(entry.get("result_high")), scores, theta, nms,
                    budget, instruction, DhsaConfig.TieOrder.HIGH_POSITION_FIRST);
        }
        // result_native is what one machine's unstable sort gave; the recording calls it not normative
    }

    /// `L=8 theta=None topk=8 nms=0 instruction_tokens=1 (position 7 is the best score: appears twice)`.
    private static void special(CaseCheck check, JsonNode entry) throws GoldenFormatException {
        String name = entry.path("name").asText();
        String tensor = "results.special \"" + name + "\"";
        OptionalInt length = number(name, "\\bL=(\\d+)");
        if (length.isEmpty() || length.getAsInt() != SPECIAL_SCORES.length) {
            check.add(new Comparison(Stage.NON_MAXIMUM_SUPPRESSION.slug(), Probe.NO_LAYER, tensor, Verdict.NOT_COVERED, 0, 0, Double.NaN, 0, "",
                    Double.NaN, Double.NaN, "its scores are not in the recording"));
            return;
        }
        double[] scores = SPECIAL_SCORES.clone();
        number(name, "position (\\d+) is the best score").ifPresent(p -> scores[p] = 1);
        Matcher theta = Pattern.compile("theta=([\\d.]+)").matcher(name);
        compare(check, tensor, PredictBoundariesCheck.ints(entry.path("result")), DoubleTensor.of(Shape.of("keyLen", scores.length), scores),
                theta.find() ? OptionalDouble.of(Double.parseDouble(theta.group(1))) : OptionalDouble.empty(),
                number(name, "nms=(\\d+)").orElse(0), number(name, "topk=(\\d+)").orElse(scores.length),
                number(name, "instruction_tokens=(\\d+)"), DhsaConfig.TieOrder.LOW_POSITION_FIRST);
    }

    private static OptionalInt number(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        return matcher.find() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    private static void compare(CaseCheck check, String tensor, int[] expected, DoubleTensor scores, OptionalDouble theta, int nms, int budget,
                                OptionalInt instruction, DhsaConfig.TieOrder order) throws GoldenFormatException {
        DhsaConfig config = Upstream.config(check.golden(), c -> {
            c.theta = theta;
            c.nmsWindow = nms;
            c.instructionTokens = instruction;
            c.tieOrder = order;
        });
        int[] accepted = check.call(Stage.NON_MAXIMUM_SUPPRESSION.slug(), Probe.NO_LAYER, tensor, () -> accepted(check, scores, budget, config));
        check.exact(Stage.NON_MAXIMUM_SUPPRESSION.slug(), Probe.NO_LAYER, tensor, "chunks", expected, accepted);
    }

    /// Positions chosen. Where nothing is chosen the authors' function gives an empty list and its callers fail; the stage
    /// says so with an IllegalStateException.
    private static int[] accepted(CaseCheck check, Tensor scores, int budget, DhsaConfig config) {
        try {
            int[] accepted = check.backend().nonMaximumSuppression().apply(new NonMaximumSuppression.Input(scores, 0, budget, config)).accepted();
            return Arrays.copyOf(accepted, accepted.length);
        } catch (IllegalStateException nothingChosen) {
            return new int[0];
        }
    }

    private static OptionalDouble optionalDouble(JsonNode node) {
        return node.isNumber() ? OptionalDouble.of(node.asDouble()) : OptionalDouble.empty();
    }

    private static OptionalInt optionalInt(JsonNode node) {
        return node.isNumber() ? OptionalInt.of(node.asInt()) : OptionalInt.empty();
    }
}
