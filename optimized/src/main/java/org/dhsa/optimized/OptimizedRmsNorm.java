package org.dhsa.optimized;

import org.dhsa.stage.RmsNorm;
import org.dhsa.tensor.Shape;

/// Root-mean-square norm, a row per task. Twin: `RmsNormReference`.
///
/// The square sum runs in two vectors of partial sums, whose rounding is smaller than that of one long sum.
final class OptimizedRmsNorm implements RmsNorm {

    private final Kernels kernels;
    private final Workers workers;
    private final SmallWeights weights;

    OptimizedRmsNorm(Kernels kernels, Workers workers, SmallWeights weights) {
        this.kernels = kernels;
        this.workers = workers;
        this.weights = weights;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor x = FloatTensor.of(in.x());
        int rows = x.shape().extent("queryLen");
        int modelDim = x.shape().extent("modelDim");
        float[] weight = weights.of(in.weight());
        FloatTensor y = FloatTensor.zeros(Shape.of("queryLen", rows, "modelDim", modelDim));
        workers.run(rows, (row, worker) -> {
            int at = x.offset() + row * x.stride();
            float mean = kernels.dot(x.data(), at, x.data(), at, modelDim) / modelDim;
            float inverse = (float) (1 / Math.sqrt(mean + in.eps()));
            kernels.normRow(x.data(), at, inverse, weight, y.data(), row * modelDim, modelDim);
        });
        return new Output(y);
    }
}
