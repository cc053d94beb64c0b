package org.dhsa.reference.labels;

import java.util.OptionalInt;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// How unevenly later queries look at the two sides of a gap: the raw label of a position.
///
///     past(p)   = Σ A[i, j]   i ≥ p + w,  p − w < j ≤ p
///     future(p) = Σ A[i, j]   i ≥ p + w,  p < j ≤ p + w
///     ratio(p)  = (max + ε) / (min + ε)
///
/// **Shapes** attention `[queryLen, keyLen]`, square (read), ratio `[keyLen]` (new).
/// **Reading** an integral image makes each rectangle four look-ups. With a span S only the rows `p + w .. p + w + S − 1` count.
/// Positions too near an end get 0: `p < w − 1` and `p ≥ L − w`, with smooth ends `p < 2w − 1` and `p ≥ L − 2w`.
/// **Golden** `labels/ratio_0`, `labels/ratio_1` (with a span that bites).
/// **Pitfall** the first row is p + w, the last token of the right window; ε is added to both sides of the fraction.
public final class AttentionMassRatio {

    public static final double EPSILON = 1e-6;

    private AttentionMassRatio() {}

    /// @param attention  `[queryLen, keyLen]`, both L
    /// @param window     w
    /// @param span       S, most rows that are summed (the sliding window of a local layer); empty for all
    /// @param smoothEnds wider margins without label
    public record Input(Tensor attention, int window, OptionalInt span, boolean smoothEnds) {
        public Input {
            int length = attention.shape().require("queryLen", "keyLen").extent("queryLen");
            attention.shape().requireExtent("keyLen", length);
            if (window <= 0) {
                throw new IllegalArgumentException("window must be positive, was " + window);
            }
        }
    }

    /// @param ratio `[keyLen]`
    public record Output(DoubleTensor ratio) {}

    public static Output apply(Input in) {
        DoubleTensor attention = in.attention().toDouble();
        int length = attention.shape().extent("queryLen");
        int w = in.window();
        double[][] image = integralImage(attention, length);
        double[] ratio = new double[length];
        int margin = in.smoothEnds() ? 2 * w : w;
        for (int p = margin - 1; p < length - margin; p++) {
            int from = p + w;
            int to = in.span().isPresent() ? Math.min(length, from + in.span().getAsInt()) : length;
            double past = sum(image, from, to, p - w + 1, p + 1);
            double future = sum(image, from, to, p + 1, p + w + 1);
            ratio[p] = (Math.max(past, future) + EPSILON) / (Math.min(past, future) + EPSILON);
        }
        return new Output(DoubleTensor.of(Shape.of("keyLen", length), ratio));
    }

    /// `image[i][j]`: sum of all entries above row i and left of column j.
    private static double[][] integralImage(DoubleTensor attention, int length) {
        double[][] image = new double[length + 1][length + 1];
        for (int i = 0; i < length; i++) {
            for (int j = 0; j < length; j++) {
                image[i + 1][j + 1] = attention.data()[i * length + j] + image[i][j + 1] + image[i + 1][j] - image[i][j];
            }
        }
        return image;
    }

    /// Rows `[fromRow, toRow)`, columns `[fromColumn, toColumn)`.
    private static double sum(double[][] image, int fromRow, int toRow, int fromColumn, int toColumn) {
        return image[toRow][toColumn] - image[fromRow][toColumn] - image[toRow][fromColumn] + image[fromRow][fromColumn];
    }
}
