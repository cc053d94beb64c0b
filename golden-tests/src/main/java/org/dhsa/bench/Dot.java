package org.dhsa.bench;

import org.dhsa.model.WeightTensor;

/// One dot product in FP64, for checking, with the sum of magnitudes that decides how far FP32 may be from it.
record Dot(double sum, double magnitude) {

    static Dot of(float[] x, int from, WeightTensor weight, long weightFrom, int length) {
        double sum = 0;
        double magnitude = 0;
        for (int i = 0; i < length; i++) {
            double product = x[from + i] * weight.get(weightFrom + i);
            sum += product;
            magnitude += Math.abs(product);
        }
        return new Dot(sum, magnitude);
    }

    double tolerance() {
        return 1e-5 * magnitude;
    }
}
