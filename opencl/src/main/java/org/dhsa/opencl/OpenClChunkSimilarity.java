package org.dhsa.opencl;

import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.tensor.Shape;

/// Dot products of query chunks and key chunks. Kernel: `chunk-similarity.cl`. Twin: `ChunkSimilarityReference`.
final class OpenClChunkSimilarity implements ChunkSimilarity {

    static final String PROGRAM = "chunk-similarity";

    private final OpenClContext context;

    OpenClChunkSimilarity(OpenClContext context) {
        this.context = context;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor q = DeviceTensor.of(context, in.queryChunks());
        DeviceTensor k = DeviceTensor.of(context, in.keyChunks());
        int queryBlocks = q.shape().extent("chunks");
        int chunks = k.shape().extent("chunks");
        DeviceTensor scores = DeviceTensor.allocate(context, Shape.of("queryBlocks", queryBlocks, "chunks", chunks));
        int tileQ = context.tuning().of(PROGRAM).getOrDefault("TILE_Q", 2);
        int tileK = context.tuning().of(PROGRAM).getOrDefault("TILE_K", 2);
        context.program(PROGRAM).kernel("chunk_similarity")
                .args(q.buffer(), q.offset(), q.stride(), k.buffer(), k.offset(), k.stride(), scores.buffer(), queryBlocks, chunks,
                        q.shape().extent("headDim"))
                .run((chunks + tileK - 1) / tileK, context.tuning().of(PROGRAM).getOrDefault("GROUP", 1), (queryBlocks + tileQ - 1) / tileQ, 1);
        return new Output(scores);
    }
}
