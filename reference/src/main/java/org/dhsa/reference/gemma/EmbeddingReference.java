package org.dhsa.reference.gemma;

import org.dhsa.stage.Embedding;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Embedding rows times √modelDim.
///
///     xₜ = E[idₜ] · √modelDim
///
/// **Shapes** table `[vocab, modelDim]` (read, only the rows needed), result `[queryLen, modelDim]` (new).
/// **Reading** one row is widened, then scaled; the factor is exact or rounded to bfloat16, as the input says.
/// **Golden** `gemma2/base_f32`, tensor `embeddings_scaled`.
/// **Pitfall** a model that runs in bfloat16 multiplies by the rounded factor. For 2304 channels both are 48, so the 2B
/// model cannot reveal the difference; 3584 channels can.
public final class EmbeddingReference implements Embedding {

    @Override
    public Output apply(Input in) {
        int modelDim = Math.toIntExact(in.table().dim(1));
        double factor = in.scale().factor(modelDim);
        // [queryLen, modelDim]
        DoubleTensor hidden = DoubleTensor.zeros(Shape.of("queryLen", in.ids().length, "modelDim", modelDim));
        for (int t = 0; t < in.ids().length; t++) {
            double[] row = in.table().rows(in.ids()[t], in.ids()[t] + 1L);
            for (int d = 0; d < modelDim; d++) {
                hidden.data()[t * modelDim + d] = row[d] * factor;
            }
        }
        return new Output(hidden);
    }
}
