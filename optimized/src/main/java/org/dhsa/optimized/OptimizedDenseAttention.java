package org.dhsa.optimized;

import org.dhsa.stage.DenseAttention;

/// Dense causal attention in tiles, see [TiledAttention]. Twin: `DenseAttentionReference`.
final class OptimizedDenseAttention implements DenseAttention {

    private final TiledAttention attention;

    OptimizedDenseAttention(TiledAttention attention) {
        this.attention = attention;
    }

    @Override
    public Output apply(Input in) {
        TiledAttention.Result result = attention.dense(FloatTensor.of(in.query()), in.key(), in.value(), in.rule());
        return new Output(result.context(), result.pairsRead());
    }
}
