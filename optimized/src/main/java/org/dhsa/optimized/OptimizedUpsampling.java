package org.dhsa.optimized;

import org.dhsa.stage.Upsampling;

/// Upsampling without writing the tokens' scores down, see [UpsampledScores]. Twin: `UpsamplingReference`.
final class OptimizedUpsampling implements Upsampling {

    @Override
    public Output apply(Input in) {
        return new Output(new UpsampledScores(FloatTensor.of(in.chunkScores()), in.boundaries()));
    }
}
