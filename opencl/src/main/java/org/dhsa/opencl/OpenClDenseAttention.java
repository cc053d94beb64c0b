package org.dhsa.opencl;

import org.dhsa.stage.DenseAttention;

/// Dense causal attention, see [DeviceAttention]. Kernel: `dense-attention.cl`. Twin: `DenseAttentionReference`.
final class OpenClDenseAttention implements DenseAttention {

    private final DeviceAttention attention;

    OpenClDenseAttention(DeviceAttention attention) {
        this.attention = attention;
    }

    @Override
    public Output apply(Input in) {
        DeviceAttention.Result result = attention.dense(in.query(), in.key(), in.value(), in.rule());
        return new Output(result.context(), result.pairsRead());
    }
}
