package org.dhsa.reference.dhsa;

import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Upsampling;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Upsampling: every token has the score of its chunk.
///
///     S_t[i, j] = S_c[i, chunk(j)]
///
/// **Shapes** chunkScores `[queryBlocks, chunks]` (read), result `[queryBlocks, keyLen]` (new).
/// **Reading** a staircase: constant inside a chunk, a step at each boundary.
/// **Golden** `dhsa_mask/tiefree_0`, tensors `token_to_chunk` and `token_scores`.
/// **Pitfall** a token ON a boundary opens the next chunk (right bisection).
public final class UpsamplingReference implements Upsampling {

    @Override
    public Output apply(Input in) {
        DoubleTensor scores = in.chunkScores().toDouble();
        Boundaries boundaries = in.boundaries();
        int queryBlocks = scores.shape().extent("queryBlocks");
        DoubleTensor tokens = DoubleTensor.zeros(Shape.of("queryBlocks", queryBlocks, "keyLen", boundaries.totalLength()));
        for (int j = 0; j < boundaries.totalLength(); j++) {
            int chunk = boundaries.chunkOf(j);
            for (int i = 0; i < queryBlocks; i++) {
                tokens.set(scores.at(i, chunk), i, j);
            }
        }
        return new Output(tokens);
    }
}
