package org.dhsa.optimized;

import org.dhsa.stage.ResidualAdd;

/// The branch added to the stream. Twin: `ResidualAddReference`.
final class OptimizedResidualAdd implements ResidualAdd {

    private static final int PER_TASK = 1 << 16;

    private final Workers workers;

    OptimizedResidualAdd(Workers workers) {
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        float[] x = FloatTensor.of(in.x()).dense().data();
        float[] branch = FloatTensor.of(in.branch()).dense().data();
        float[] y = new float[x.length];
        workers.run((y.length + PER_TASK - 1) / PER_TASK, (task, worker) -> {
            for (int i = task * PER_TASK; i < Math.min(y.length, (task + 1) * PER_TASK); i++) {
                y[i] = x[i] + branch[i];
            }
        });
        return new Output(FloatTensor.of(in.x().shape(), y));
    }
}
