package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.forward.Probe;
import org.dhsa.reference.labels.AttentionMassRatio;
import org.dhsa.reference.labels.BoundaryMetrics;
import org.dhsa.reference.labels.FocalLoss;
import org.dhsa.reference.labels.LabelBoundaries;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.reference.labels.SoftLabel;
import org.dhsa.tensor.DoubleTensor;

/// Training labels of the boundary predictor: mass ratios, boundaries from them, soft labels, focal loss, metrics.
final class LabelsCheck extends ReferenceFunctionCheck {

    private static final Pattern RATIO = Pattern.compile("ratio_sliding([01])_smooth([01])");

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        if (golden.results().has("focal")) {
            lossAndMetrics(check);
        } else if (golden.has("boundaries")) {
            boundaries(check);
        } else {
            ratios(check);
        }
    }

    private static void ratios(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key");
        DoubleTensor query = golden.tensor("query").row(0, "heads", "queryLen", "headDim");
        DoubleTensor key = golden.tensor("key").row(0, "kvHeads", "keyLen", "headDim");
        DoubleTensor attention = golden.tensor("attention").named("queryLen", "keyLen");
        check.close("mean-attention", Probe.NO_LAYER, "attention", attention, check.call("mean-attention", Probe.NO_LAYER, "attention",
                () -> MeanAttention.of(query, key, MeanAttention.upstreamRule(query.shape().extent("headDim")), true)));
        int window = golden.intOf("w");
        int span = golden.intOf("S");
        for (GoldenTensor tensor : golden.tensors().values()) {
            Matcher kind = RATIO.matcher(tensor.name());
            if (kind.matches()) {
                AttentionMassRatio.Input in = new AttentionMassRatio.Input(attention, window,
                        kind.group(1).equals("1") ? OptionalInt.of(span) : OptionalInt.empty(), kind.group(2).equals("1"));
                check.close("mass-ratio", Probe.NO_LAYER, tensor.name(), tensor.named("keyLen"),
                        check.call("mass-ratio", Probe.NO_LAYER, tensor.name(), () -> AttentionMassRatio.apply(in).ratio()));
            }
        }
    }

    private static void boundaries(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key");
        int batches = golden.tensor("query").extent(0);
        for (int b = 0; b < batches; b++) {
            check.batch(b, batches);
            LabelBoundaries.Input in = LabelBoundaries.Input.upstream(golden.tensor("query").row(b, "heads", "queryLen", "headDim"),
                    golden.tensor("key").row(b, "kvHeads", "keyLen", "headDim"), golden.booleanOf("mask"), golden.intOf("layer"), golden.intOf("w"),
                    golden.intOf("num_chunks"), golden.optionalDouble("theta"), Upstream.nmsWindow(golden, "nms"), golden.optionalInt("ins"));
            LabelBoundaries.Output out = check.call("label-boundaries", Probe.NO_LAYER, "boundaries", () -> LabelBoundaries.apply(in));
            check.close("mass-ratio", Probe.NO_LAYER, "ratios", golden.tensor("ratios").row(b, "keyLen"), out.ratios());
            check.exact("label-boundaries", Probe.NO_LAYER, "boundaries", "chunks", golden.tensor("boundaries").rowInts(b), out.boundaries().toArray());
            if (b == 0 && golden.results().path("boundaries").isArray()) {
                check.exact("label-boundaries", Probe.NO_LAYER, "results.boundaries", "chunks",
                        PredictBoundariesCheck.ints(golden.results().get("boundaries")), out.boundaries().toArray());
            }
        }
    }

    private static void lossAndMetrics(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("ratios", "logits", "mask");
        double[] ratios = golden.tensor("ratios").values();
        double[] logits = golden.tensor("logits").values();
        boolean[] mask = booleans(golden.tensor("mask"));
        JsonNode table = golden.results().get("focal");
        for (int row = 0; row < table.size(); row++) {
            focal(check, table.get(row), row, ratios, logits, mask);
        }
        double[] hardened = SoftLabel.harden(SoftLabel.published(ratios));
        check.add(Compare.exact(check.place("soft-label", Probe.NO_LAYER, "targets"), vector("keyLen", golden.tensor("targets").values()),
                vector("keyLen", hardened)));
        boolean[] targets = booleans(golden.tensor("targets"));
        metrics(check, "precision_recall_f1", BoundaryMetrics.precisionRecallF1(logits, targets, mask));
        metrics(check, "precision_recall_f1_all_empty", BoundaryMetrics.precisionRecallF1(logits, targets, new boolean[mask.length]));
        boolean[] everything = new boolean[mask.length];
        Arrays.fill(everything, true);
        for (JsonNode row : golden.results().path("topk_overlap")) {
            int k = row.get("k").asInt();
            boolean masked = row.get("masked").asBoolean();
            BoundaryMetrics.TopKOverlap overlap = BoundaryMetrics.topKOverlap(logits, ratios, masked ? mask : everything, k);
            String name = "topk_overlap k=" + k + (masked ? " masked" : "");
            check.close("boundary-metrics", name + " count", row.get("count").asDouble(), overlap.count());
            check.close("boundary-metrics", name + " rate", row.get("rate").asDouble(), overlap.rate());
        }
    }

    private static void focal(CaseCheck check, JsonNode row, int number, double[] ratios, double[] logits, boolean[] mask) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        String soft = "soft_" + row.get("soft").asInt();
        double[] recorded = golden.tensor(soft).values();
        check.close("soft-label", Probe.NO_LAYER, soft, vector("keyLen", recorded),
                vector("keyLen", SoftLabel.of(ratios, row.get("alpha").asDouble(), row.get("beta").asDouble())));
        boolean hard = row.get("hard_targets").asBoolean();
        FocalLoss.Input in = new FocalLoss.Input(logits, hard ? SoftLabel.harden(recorded) : recorded, mask, row.get("gamma").asDouble(),
                number(row.path("pos_weight")));
        check.close("focal-loss", "focal." + number + ".mean", row.get("mean").asDouble(), FocalLoss.mean(in));
        check.close("focal-loss", "focal." + number + ".sum", row.get("sum").asDouble(), FocalLoss.sum(in));
        // the loss of every position is recorded for gamma 2 and positive weight 1.3, as the meaning of the tensor says
        String none = "focal_none_" + row.get("soft").asInt() + "_hard" + (hard ? 1 : 0);
        if (golden.has(none) && statedIn(golden.tensor(none).meaning(), "pos_weight", in.positiveWeight().orElse(Double.NaN))
                && statedIn(golden.tensor(none).meaning(), "gamma", in.gamma())) {
            check.close("focal-loss", Probe.NO_LAYER, none, vector("keyLen", golden.tensor(none).values()), vector("keyLen", FocalLoss.none(in)));
        }
    }

    /// `pos_weight 1.3, gamma 2`.
    private static boolean statedIn(String meaning, String name, double value) {
        Matcher stated = Pattern.compile(name + " ([\\d.]+)").matcher(meaning);
        return stated.find() && Double.parseDouble(stated.group(1)) == value;
    }

    private static void metrics(CaseCheck check, String result, BoundaryMetrics.PrecisionRecallF1 metrics) {
        JsonNode recorded = check.golden().results().path(result);
        if (recorded.isArray()) {
            double[] expected = {recorded.get(0).asDouble(), recorded.get(1).asDouble(), recorded.get(2).asDouble()};
            check.close("boundary-metrics", Probe.NO_LAYER, "results." + result, vector("metric", expected),
                    vector("metric", metrics.precision(), metrics.recall(), metrics.f1()));
        }
    }
}
