package org.dhsa.reference.labels;

/// A ratio as a probability: how much of a boundary is it?
///
///     y = sigmoid(alpha · (ln(ratio + ε) − beta))
///
/// **Shapes** any number of ratios (read), as many labels (new).
/// **Reading** beta is itself a logarithm: with beta = ln(2 + ε) a ratio of 2 is worth exactly one half.
/// **Golden** `labels/loss_metrics`, tensors `soft_0`, `soft_1`, `soft_2`.
/// **Pitfall** passing the ratio 2 instead of its logarithm moves the threshold from 2 to e² ≈ 7.4. A ratio of 0, which marks a
/// position without label, becomes a label near 0, not NaN.
public final class SoftLabel {

    public static final double EPSILON = 1e-6;

    private SoftLabel() {}

    /// The published set-up: alpha 2, one half at a ratio of 2.
    public static double[] published(double[] ratios) {
        return of(ratios, 2, logBeta(2));
    }

    /// ln(ratio + ε), what `beta` is given as.
    public static double logBeta(double ratio) {
        return Math.log(ratio + EPSILON);
    }

    public static double[] of(double[] ratios, double alpha, double beta) {
        double[] labels = new double[ratios.length];
        for (int i = 0; i < ratios.length; i++) {
            labels[i] = sigmoid(alpha * (Math.log(ratios[i] + EPSILON) - beta));
        }
        return labels;
    }

    /// 1 where a label is at least one half, else 0.
    public static double[] harden(double[] labels) {
        double[] hard = new double[labels.length];
        for (int i = 0; i < labels.length; i++) {
            hard[i] = labels[i] >= 0.5 ? 1 : 0;
        }
        return hard;
    }

    public static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }
}
