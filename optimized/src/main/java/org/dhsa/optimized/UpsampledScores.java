package org.dhsa.optimized;

import java.util.Arrays;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Token scores that are never written down: every token has the score of its chunk.
///
/// Shape `[queryBlocks, keyLen]`, memory `[queryBlocks, chunks]`. Selection works on the chunks; whoever wants the numbers
/// asks for FP64.
record UpsampledScores(FloatTensor chunkScores, Boundaries boundaries) implements Tensor {

    @Override
    public Shape shape() {
        return Shape.of("queryBlocks", chunkScores.shape().extent("queryBlocks"), "keyLen", boundaries.totalLength());
    }

    float score(int queryBlock, int chunk) {
        return chunkScores.data()[chunkScores.offset() + queryBlock * chunkScores.stride() + chunk];
    }

    @Override
    public DoubleTensor toDouble() {
        DoubleTensor tokens = DoubleTensor.zeros(shape());
        int keyLen = boundaries.totalLength();
        for (int i = 0; i < chunkScores.shape().extent("queryBlocks"); i++) {
            for (int c = 0; c < boundaries.chunks(); c++) {
                Arrays.fill(tokens.data(), i * keyLen + boundaries.start(c), i * keyLen + boundaries.end(c), score(i, c));
            }
        }
        return tokens;
    }
}
