package org.dhsa.optimized;

import org.dhsa.stage.Embedding;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// Embedding rows times √modelDim, read from the mapped table row by row. Twin: `EmbeddingReference`.
final class OptimizedEmbedding implements Embedding {

    private final Workers workers;

    OptimizedEmbedding(Workers workers) {
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        int modelDim = Math.toIntExact(in.table().dim(1));
        float factor = (float) in.scale().factor(modelDim);
        // [queryLen, modelDim]
        FloatTensor hidden = FloatTensor.zeros(Shape.of("queryLen", in.ids().length, "modelDim", modelDim));
        workers.run(in.ids().length, (t, worker) -> {
            long row = (long) in.ids()[t] * modelDim;
            if (in.table().dtype() == DType.BF16) {
                for (int d = 0; d < modelDim; d++) {
                    hidden.data()[t * modelDim + d] = ScalarKernels.bf16(in.table().bytes(), 2 * (row + d)) * factor;
                }
                return;
            }
            for (int d = 0; d < modelDim; d++) {
                hidden.data()[t * modelDim + d] = (float) in.table().get(row + d) * factor;
            }
        });
        return new Output(hidden);
    }
}
