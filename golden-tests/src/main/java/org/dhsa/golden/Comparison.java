package org.dhsa.golden;

/// One tensor of one case, compared.
///
/// @param stage      slug of the stage, or name of the baseline or label function
/// @param layer      decoder layer, -1 for none
/// @param tensor     the recorded tensor's name, `results.NAME` for a value that stands in case.json itself
/// @param maxAbs     largest absolute error; infinite where a number meets a NaN or an infinity
/// @param maxRel     largest error relative to the expected value
/// @param cosine     cosine of the two tensors as vectors
/// @param budget     error that is allowed at the worst place
/// @param worstIndex the place that uses most of its budget, with axis names
/// @param note       how it was computed, when not stage by stage; or what is wrong
public record Comparison(String stage, int layer, String tensor, Verdict verdict, double maxAbs, double maxRel, double cosine,
                         double budget, String worstIndex, double expected, double actual, String note) {

    /// `top-k-selection, layer 1, layers.1.topk_indices [end to end]`.
    public String where() {
        return stage + (layer < 0 ? "" : ", layer " + layer) + ", " + tensor + (note.isEmpty() ? "" : " [" + note + "]");
    }

    /// Share of the budget that the worst place uses; infinite for what has no budget and is wrong.
    double strain() {
        if (verdict == Verdict.FAIL || verdict == Verdict.ERROR) {
            return Double.POSITIVE_INFINITY;
        }
        double error = Math.abs(actual - expected);
        return error == 0 || Double.isNaN(error) ? 0 : error / budget;
    }
}
