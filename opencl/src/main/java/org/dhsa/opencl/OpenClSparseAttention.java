package org.dhsa.opencl;

import org.dhsa.stage.SparseAttention;

/// Attention over selected keys, see [DeviceAttention]. Kernel: `sparse-attention.cl`. Twin: `SparseAttentionReference`.
final class OpenClSparseAttention implements SparseAttention {

    private final DeviceAttention attention;

    OpenClSparseAttention(DeviceAttention attention) {
        this.attention = attention;
    }

    @Override
    public Output apply(Input in) {
        DeviceAttention.Result result = attention.sparse(in.query(), in.key(), in.value(), in.selection(), in.rule());
        return new Output(result.context(), result.pairsRead());
    }
}
