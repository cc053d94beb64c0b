package org.dhsa.opencl;

import org.dhsa.stage.Upsampling;

/// Upsampling that waits until somebody asks, see [UpsampledScores]. Kernel: `upsampling.cl`. Twin: `UpsamplingReference`.
final class OpenClUpsampling implements Upsampling {

    static final String PROGRAM = "upsampling";

    private final OpenClContext context;
    private final DeviceBoundaries boundaries;

    OpenClUpsampling(OpenClContext context, DeviceBoundaries boundaries) {
        this.context = context;
        this.boundaries = boundaries;
    }

    @Override
    public Output apply(Input in) {
        return new Output(new UpsampledScores(DeviceTensor.of(context, in.chunkScores()), in.boundaries(), this));
    }

    /// `[queryBlocks, keyLen]`, written down.
    DeviceTensor tokenScores(UpsampledScores scores) {
        DeviceTensor chunks = scores.chunkScores();
        DeviceTensor tokens = DeviceTensor.allocate(context, scores.shape());
        int queryBlocks = scores.shape().extent("queryBlocks");
        int keyLen = scores.shape().extent("keyLen");
        context.program(PROGRAM).kernel("upsampling")
                .args(chunks.buffer(), chunks.offset(), chunks.stride(), boundaries.starts(scores.boundaries()), scores.boundaries().chunks(),
                        tokens.buffer(), queryBlocks, keyLen)
                .run(keyLen, context.group(PROGRAM), queryBlocks, 1);
        return tokens;
    }
}
