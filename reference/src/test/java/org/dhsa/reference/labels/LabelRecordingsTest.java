package org.dhsa.reference.labels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.recording.Close.assertClose;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.dhsa.recording.Recording;
import org.dhsa.tensor.DoubleTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LabelRecordingsTest {

    static List<String> ratioCases() {
        return Recording.cases("labels", "ratio_");
    }

    static List<String> boundaryCases() {
        return Recording.cases("labels", "boundaries_");
    }

    @ParameterizedTest
    @MethodSource("ratioCases")
    void ratiosEqualTheRecordedOnes(String id) {
        Recording r = Recording.of(id);
        DoubleTensor query = r.item(0, "query", "heads", "queryLen", "headDim");
        DoubleTensor attention = MeanAttention.of(query, r.item(0, "key", "kvHeads", "keyLen", "headDim"),
                MeanAttention.upstreamRule(r.parameter("D")), true);
        assertClose("attention", attention, r.tensor("attention", "queryLen", "keyLen"));
        for (int sliding = 0; sliding < 2; sliding++) {
            for (int smooth = 0; smooth < 2; smooth++) {
                String name = "ratio_sliding" + sliding + "_smooth" + smooth;
                OptionalInt span = sliding == 1 ? OptionalInt.of(r.parameter("S")) : OptionalInt.empty();
                AttentionMassRatio.Input in = new AttentionMassRatio.Input(
                        r.tensor("attention", "queryLen", "keyLen"), r.parameter("w"), span, smooth == 1);
                assertClose(name, AttentionMassRatio.apply(in).ratio(), r.tensor(name, "keyLen"));
            }
        }
        assertThat(r.unread()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("boundaryCases")
    void boundariesEqualTheRecordedOnes(String id) {
        Recording r = Recording.of(id);
        LabelBoundaries.Output out = LabelBoundaries.apply(LabelBoundaries.Input.upstream(
                r.item(0, "query", "heads", "queryLen", "headDim"), r.item(0, "key", "kvHeads", "keyLen", "headDim"), r.flag("mask"),
                r.parameter("layer"), r.parameter("w"), r.parameter("num_chunks"), r.maybeNumber("theta"),
                r.flag("use_nms") ? r.parameter("nms") : 0, r.maybeInt("ins")));
        assertClose("ratios", out.ratios(), r.item(0, "ratios", "keyLen"));
        assertThat(out.boundaries().toArray()).isEqualTo(r.ints("boundaries"));
        assertThat(out.boundaries().toArray()).isEqualTo(ints(r.result("boundaries")));
        assertThat(r.unread()).isEmpty();
    }

    @Test
    void softLabelsEqualTheRecordedOnes() {
        Recording r = Recording.of("labels/loss_metrics");
        for (JsonNode row : r.result("focal")) {
            int soft = row.get("soft").intValue();
            assertClose("soft_" + soft, SoftLabel.of(r.stored("ratios").widen(), row.get("alpha").doubleValue(), row.get("beta").doubleValue()),
                    r.stored("soft_" + soft).widen());
        }
        assertClose("log beta", SoftLabel.logBeta(2), r.result("focal").get(8).get("beta").doubleValue());
    }

    @Test
    void everyRowOfTheFocalTableEqualsTheRecordedOne() {
        Recording r = Recording.of("labels/loss_metrics");
        for (JsonNode row : r.result("focal")) {
            double[] soft = r.stored("soft_" + row.get("soft").intValue()).widen();
            boolean hard = row.get("hard_targets").booleanValue();
            OptionalDouble weight = row.get("pos_weight").isNull() ? OptionalDouble.empty() : OptionalDouble.of(row.get("pos_weight").doubleValue());
            FocalLoss.Input in = new FocalLoss.Input(r.stored("logits").widen(), hard ? SoftLabel.harden(soft) : soft,
                    r.booleans("mask"), row.get("gamma").doubleValue(), weight);
            assertClose("mean of " + row, FocalLoss.mean(in), row.get("mean").doubleValue());
            assertClose("sum of " + row, FocalLoss.sum(in), row.get("sum").doubleValue());
            if (in.gamma() == 2 && weight.isPresent()) {
                String name = "focal_none_" + row.get("soft").intValue() + "_hard" + (hard ? 1 : 0);
                assertClose(name, FocalLoss.none(in), r.stored(name).widen());
            }
        }
    }

    @Test
    void everyMetricEqualsTheRecordedOne() {
        Recording r = Recording.of("labels/loss_metrics");
        double[] logits = r.stored("logits").widen();
        double[] ratios = r.stored("ratios").widen();
        boolean[] mask = r.booleans("mask");
        boolean[] targets = r.booleans("targets");
        double[] hardened = SoftLabel.harden(SoftLabel.published(ratios));
        for (int i = 0; i < targets.length; i++) {
            assertThat(hardened[i] == 1).as("target %d", i).isEqualTo(targets[i]);
        }
        assertMetrics(BoundaryMetrics.precisionRecallF1(logits, targets, mask), r.result("precision_recall_f1"));
        assertMetrics(BoundaryMetrics.precisionRecallF1(logits, targets, new boolean[mask.length]), r.result("precision_recall_f1_all_empty"));
        boolean[] everything = new boolean[mask.length];
        Arrays.fill(everything, true);
        for (JsonNode row : r.result("topk_overlap")) {
            BoundaryMetrics.TopKOverlap overlap = BoundaryMetrics.topKOverlap(logits, ratios,
                    row.get("masked").booleanValue() ? mask : everything, row.get("k").intValue());
            assertThat(overlap.count()).as("%s", row).isEqualTo(row.get("count").intValue());
            assertClose("rate of " + row, overlap.rate(), row.get("rate").doubleValue());
        }
    }

    private static void assertMetrics(BoundaryMetrics.PrecisionRecallF1 actual, JsonNode expected) {
        assertClose("precision", actual.precision(), expected.get(0).doubleValue());
        assertClose("recall", actual.recall(), expected.get(1).doubleValue());
        assertClose("f1", actual.f1(), expected.get(2).doubleValue());
    }

    private static int[] ints(JsonNode array) {
        int[] out = new int[array.size()];
        Arrays.setAll(out, i -> array.get(i).intValue());
        return out;
    }
}
