package org.dhsa.optimized;

import org.dhsa.stage.ResidualAdd;

/// The branch added to the stream. Twin: `ResidualAddReference`.
final class OptimizedResidualAdd implements ResidualAdd {

    @Override
    public Output apply(Input in) {
        float[] x = FloatTensor.of(in.x()).dense().data();
        float[] branch = FloatTensor.of(in.branch()).dense().data();
        float[] y = new float[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = x[i] + branch[i];
        }
        return new Output(FloatTensor.of(in.x().shape(), y));
    }
}
