package org.dhsa.optimized;

import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.tensor.Shape;

/// Dot products of query chunks and key chunks, a row per task. Twin: `ChunkSimilarityReference`.
final class OptimizedChunkSimilarity implements ChunkSimilarity {

    private final Kernels kernels;
    private final Workers workers;

    OptimizedChunkSimilarity(Kernels kernels, Workers workers) {
        this.kernels = kernels;
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor q = FloatTensor.of(in.queryChunks());
        FloatTensor k = FloatTensor.of(in.keyChunks());
        int queryBlocks = q.shape().extent("chunks");
        int chunks = k.shape().extent("chunks");
        int headDim = q.shape().extent("headDim");
        FloatTensor scores = FloatTensor.zeros(Shape.of("queryBlocks", queryBlocks, "chunks", chunks));
        workers.run(queryBlocks, (i, worker) -> {
            for (int j = 0; j < chunks; j++) {
                scores.data()[i * chunks + j] = kernels.dot(q.data(), q.offset() + i * q.stride(), k.data(), k.offset() + j * k.stride(), headDim);
            }
        });
        return new Output(scores);
    }
}
