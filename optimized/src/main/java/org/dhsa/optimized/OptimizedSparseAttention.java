package org.dhsa.optimized;

import org.dhsa.stage.SparseAttention;

/// Attention over selected keys in tiles, see [TiledAttention]. Twin: `SparseAttentionReference`.
final class OptimizedSparseAttention implements SparseAttention {

    private final TiledAttention attention;

    OptimizedSparseAttention(TiledAttention attention) {
        this.attention = attention;
    }

    @Override
    public Output apply(Input in) {
        TiledAttention.Result result = attention.sparse(FloatTensor.of(in.query()), in.key(), in.value(),
                in.selection(), in.rule());
        return new Output(result.context(), result.pairsRead());
    }
}
