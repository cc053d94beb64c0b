package org.dhsa.opencl;

import java.util.Map;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.tensor.Shape;

/// One vector per chunk, some channels of a chunk per work-item. Kernel: `chunk-representation.cl`. Twin: `ChunkRepresentationReference`.
final class OpenClChunkRepresentation implements ChunkRepresentation {

    static final String PROGRAM = "chunk-representation";

    private final OpenClContext context;
    private final DeviceBoundaries boundaries;

    OpenClChunkRepresentation(OpenClContext context, DeviceBoundaries boundaries) {
        this.context = context;
        this.boundaries = boundaries;
    }

    @Override
    public Output apply(Input in) {
        DeviceBf16Tensor half = in.states() instanceof DeviceBf16Tensor own && own.context() == context ? own : null;
        DeviceTensor floats = half == null ? DeviceTensor.of(context, in.states()) : null;
        Boundaries segments = in.segments();
        int heads = in.states().shape().extent(0);
        int headDim = in.states().shape().extent("headDim");
        int asked = context.tuning().of(PROGRAM).getOrDefault("CHANNELS", 1);
        int channels = headDim % asked == 0 ? asked : 1;
        DeviceTensor chunks = DeviceTensor.allocate(context, Shape.of("chunks", segments.chunks(), "headDim", headDim));
        context.program(PROGRAM, Map.of("MAX_POOLING", in.pooling() == Pooling.MAX ? 1 : 0, "BF16", half == null ? 0 : 1, "CHANNELS", channels)).kernel("chunk_representation")
                .args(half == null ? floats.buffer() : half.buffer(), half == null ? floats.offset() : half.offset(), half == null ? floats.stride() : half.stride(), heads, headDim, boundaries.starts(segments),
                        boundaries.factors(segments, heads, in.pooling(), in.padTo()), boundaries.padded(segments, in.padTo()),
                        chunks.buffer(), segments.chunks())
                .run(headDim / channels, context.group(PROGRAM), segments.chunks(), 1);
        return new Output(chunks);
    }
}
