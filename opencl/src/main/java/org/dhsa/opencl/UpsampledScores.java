package org.dhsa.opencl;

import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Token scores that are written down only for whoever asks: every token has the score of its chunk. Twin: the record of the
/// same name in the optimized path.
///
/// Shape `[queryBlocks, keyLen]`, memory `[queryBlocks, chunks]`. The selection works on the chunks.
record UpsampledScores(DeviceTensor chunkScores, Boundaries boundaries, OpenClUpsampling upsampling) implements Tensor {

    @Override
    public Shape shape() {
        return Shape.of("queryBlocks", chunkScores.shape().extent("queryBlocks"), "keyLen", boundaries.totalLength());
    }

    @Override
    public DoubleTensor toDouble() {
        return upsampling.tokenScores(this).toDouble();
    }
}
