package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.dhsa.backend.Backend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

class CompareTest {

    private static final double NAN = Double.NaN;
    private static final double INFINITY = Double.POSITIVE_INFINITY;
    private static final Compare.Place PLACE = new Compare.Place("rms-norm", 2, "layers.2.input_layernorm", "", "");

    private static Comparison close(double[] expected, double... actual) {
        return Compare.close(PLACE, new Tolerance(1e-9, 1e-9), row(expected), row(actual));
    }

    private static DoubleTensor row(double... values) {
        return DoubleTensor.of(Shape.of("queryLen", 1, "modelDim", values.length), values);
    }

    private static double[] of(double... values) {
        return values;
    }

    @Test
    void aDifferenceWithinTheBudgetPassesAndOneBeyondItFails() {
        assertThat(close(of(1, 2), 1 + 1.9e-9, 2).verdict()).isEqualTo(Verdict.PASS);
        Comparison wrong = close(of(1, 2, 3), 1, 2 + 1e-6, 3);
        assertThat(wrong.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(wrong.worstIndex()).isEqualTo("[queryLen=0, modelDim=1]");
        assertThat(wrong.expected()).isEqualTo(2);
        assertThat(wrong.budget()).isBetween(2.99e-9, 3.01e-9);
        assertThat(wrong.maxAbs()).isBetween(9.9e-7, 1.1e-6);
    }

    @Test
    void theWorstPlaceIsTheOneThatStrainsItsBudgetMost() {
        assertThat(close(of(1e6, 0), 1e6 + 1e-4, 1e-6).worstIndex()).isEqualTo("[queryLen=0, modelDim=1]");
    }

    @Test
    void nanFailsUnlessItWasRecordedAndARecordedNanMustBeThere() {
        assertThat(close(of(1, 2), 1, NAN).verdict()).isEqualTo(Verdict.FAIL);
        assertThat(close(of(1, NAN), 1, 2).verdict()).isEqualTo(Verdict.FAIL);
        assertThat(close(of(1, NAN), 1, NAN).verdict()).isEqualTo(Verdict.PASS);
        assertThat(close(of(1, NAN), 1, INFINITY).verdict()).isEqualTo(Verdict.FAIL);
    }

    @Test
    void infinitiesMustAgreeInSignAndPlace() {
        assertThat(close(of(-INFINITY, 1), -INFINITY, 1).verdict()).isEqualTo(Verdict.PASS);
        assertThat(close(of(-INFINITY, 1), INFINITY, 1).verdict()).isEqualTo(Verdict.FAIL);
        assertThat(close(of(-INFINITY, 1), -1e300, 1).verdict()).isEqualTo(Verdict.FAIL);
        Comparison overflow = close(of(1, 2), 1, INFINITY);
        assertThat(overflow.maxAbs()).isEqualTo(INFINITY);
        assertThat(overflow.note()).contains("non-finite");
    }

    @Test
    void shapesAreComparedWithTheirAxisNames() {
        DoubleTensor turned = DoubleTensor.of(Shape.of("modelDim", 1, "queryLen", 2), 1, 2);
        Comparison c = Compare.close(PLACE, new Tolerance(1, 1), row(1, 2), turned);
        assertThat(c.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(c.note()).contains("[modelDim=1, queryLen=2]").contains("[queryLen=1, modelDim=2]");
    }

    @Test
    void keysOfEqualScoreMayBeExchangedAndNoOthers() {
        double[] score = {5, 3, 3, 3, 1, 9};
        assertThat(keys(score, of2(0, 1), of2(0, 1))).isEqualTo(Verdict.PASS);
        assertThat(keys(score, of2(0, 1), of2(0, 3))).isEqualTo(Verdict.NEAR_TIE);
        assertThat(keys(score, of2(0, 1), of2(1, 2))).as("a key above the cut is missing").isEqualTo(Verdict.FAIL);
        assertThat(keys(score, of2(0, 1), of2(0, 4))).as("a key below the cut is there").isEqualTo(Verdict.FAIL);
        assertThat(keys(score, of2(0, 1), of2(0))).as("too few").isEqualTo(Verdict.FAIL);
        assertThat(keys(score, of2(0, 1), of2(1, 0))).as("another order is another list").isEqualTo(Verdict.FAIL);
        assertThat(keys(score, of2(0, 1, 2), of2(0, 1, 1))).as("twice is not once").isEqualTo(Verdict.FAIL);
        assertThat(Compare.keys(of2(0, 1), of2(0, 3), k -> score[k], k -> k != 3, 0)).as("a key that is not allowed").isEqualTo(Verdict.FAIL);
    }

    private static Verdict keys(double[] score, int[] expected, int[] actual) {
        return Compare.keys(expected, actual, k -> score[k], k -> true, 0);
    }

    private static int[] of2(int... keys) {
        return keys;
    }

    @Test
    void anotherLargestTokenIsANearTieOnlyIfBothLogitsAreWithinTheBudget() {
        DoubleTensor logits = DoubleTensor.of(Shape.of("queryLen", 1, "vocab", 3), 1, 1 + 1e-9, 0);
        DoubleTensor other = DoubleTensor.of(Shape.of("queryLen", 1, "vocab", 3), 1 + 2e-9, 1, 0);
        DoubleTensor wrong = DoubleTensor.of(Shape.of("queryLen", 1, "vocab", 3), 0, 0, 1);
        Tolerance tolerance = new Tolerance(1e-9, 1e-9);
        assertThat(Compare.argmax(PLACE, tolerance, new int[] {1}, logits, logits).verdict()).isEqualTo(Verdict.PASS);
        assertThat(Compare.argmax(PLACE, tolerance, new int[] {1}, logits, other).verdict()).isEqualTo(Verdict.NEAR_TIE);
        assertThat(Compare.argmax(PLACE, tolerance, new int[] {1}, logits, wrong).verdict()).isEqualTo(Verdict.FAIL);
    }

    @Test
    void toleranceIsTheRecordedOneOfThePrecision() throws Exception {
        ObjectMapper json = new ObjectMapper();
        String recorded = "{\"double_port\": {\"abs\": 1e-8, \"rel\": 1e-7}, \"float_port\": {\"logits_abs\": 0.002}}";
        assertThat(Tolerance.of(json.readTree(recorded), Backend.Precision.FP64)).isEqualTo(new Tolerance(1e-8, 1e-7));
        assertThat(Tolerance.of(json.readTree(recorded), Backend.Precision.FP32)).isEqualTo(new Tolerance(0.002, 0.002));
        assertThat(Tolerance.of(json.readTree("{}"), Backend.Precision.FP64)).isEqualTo(new Tolerance(1e-9, 1e-9));
        assertThat(Tolerance.of(json.readTree("{\"double_port\": {\"rel\": 1e-9}}"), Backend.Precision.FP64)).isEqualTo(new Tolerance(0, 1e-9));
    }
}
