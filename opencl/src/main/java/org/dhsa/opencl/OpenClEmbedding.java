package org.dhsa.opencl;

import java.util.Locale;
import org.dhsa.stage.Embedding;
import org.dhsa.tensor.Shape;

/// Embedding rows times √modelDim, from the table on the device. Kernel: `embedding.cl`. Twin: `EmbeddingReference`.
final class OpenClEmbedding implements Embedding {

    private final OpenClContext context;

    OpenClEmbedding(OpenClContext context) {
        this.context = context;
    }

    @Override
    public Output apply(Input in) {
        int tokens = in.ids().length;
        int modelDim = Math.toIntExact(in.table().dim(1));
        DeviceWeight table = context.weights().matrix(in.table());
        DeviceTensor hidden = DeviceTensor.allocate(context, Shape.of("queryLen", tokens, "modelDim", modelDim));
        OpenClBuffer ids = context.upload(in.ids());
        context.program("embedding").kernel("embedding_" + table.type().name().toLowerCase(Locale.ROOT))
                .args(ids, table.buffer(), hidden.buffer(), tokens, modelDim, (float) in.scale().factor(modelDim))
                .run(modelDim, context.group("embedding"), tokens, 1);
        ids.release();
        return new Output(hidden);
    }
}
