package org.dhsa.reference.labels;

import java.util.OptionalDouble;

/// Focal binary cross-entropy on logits: easy positions weigh less, boundaries weigh more.
///
///     bce  = posWeight · y · softplus(−x) + (1 − y) · softplus(x)
///     pₜ   = y · σ(x) + (1 − y) · (1 − σ(x))
///     loss = (1 − pₜ)^gamma · bce
///
/// **Shapes** logits, targets, mask of one length (read).
/// **Reading** softplus(x) = max(x, 0) + ln(1 + e^−|x|), so no logit is too large. Masked positions give 0 and are not counted.
/// **Golden** `labels/loss_metrics`, table `focal`, tensors `focal_none_*`.
/// **Pitfall** with soft targets 1 − pₜ is not |y − σ(x)|: they agree only for y = 0 and y = 1.
public final class FocalLoss {

    private FocalLoss() {}

    /// @param targets        in [0, 1], hard or soft
    /// @param mask           positions that count
    /// @param positiveWeight weight of the positive part, empty for 1
    public record Input(double[] logits, double[] targets, boolean[] mask, double gamma, OptionalDouble positiveWeight) {
        public Input {
            if (targets.length != logits.length || mask.length != logits.length) {
                throw new IllegalArgumentException(logits.length + " logits, " + targets.length + " targets, " + mask.length + " mask entries");
            }
        }
    }

    /// Reduction `none`: one loss per position.
    public static double[] none(Input in) {
        double[] loss = new double[in.logits().length];
        for (int i = 0; i < loss.length; i++) {
            if (in.mask()[i]) {
                double x = in.logits()[i];
                double y = in.targets()[i];
                double crossEntropy = in.positiveWeight().orElse(1) * y * softplus(-x) + (1 - y) * softplus(x);
                double p = SoftLabel.sigmoid(x);
                loss[i] = Math.pow(1 - (y * p + (1 - y) * (1 - p)), in.gamma()) * crossEntropy;
            }
        }
        return loss;
    }

    /// Reduction `sum`.
    public static double sum(Input in) {
        double sum = 0;
        for (double loss : none(in)) {
            sum += loss;
        }
        return sum;
    }

    /// Reduction `mean`, over the positions that count; 0 if none does.
    public static double mean(Input in) {
        int counted = 0;
        for (boolean counts : in.mask()) {
            counted += counts ? 1 : 0;
        }
        return sum(in) / Math.max(1, counted);
    }

    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }
}
