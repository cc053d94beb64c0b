package org.dhsa.opencl;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.IdentityHashMap;
import java.util.Map;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.jocl.Pointer;

/// Weights of a context, uploaded on first use and kept until it closes. BF16 and F16 stay 16 bit; every other type becomes FP32.
final class DeviceWeights implements AutoCloseable {

    private final OpenClContext context;
    private final Map<WeightTensor, DeviceWeight> kept = new IdentityHashMap<>();
    private long bytes;

    DeviceWeights(OpenClContext context) {
        this.context = context;
    }

    /// A matrix `[n, k]`, in panels.
    DeviceWeight matrix(WeightTensor weight) {
        return kept.computeIfAbsent(weight, this::uploadMatrix);
    }

    /// A vector, or any weight as the plain row of its values, in FP32.
    DeviceWeight vector(WeightTensor weight) {
        return kept.computeIfAbsent(weight, this::uploadVector);
    }

    private DeviceWeight uploadVector(WeightTensor weight) {
        float[] values = new float[Math.toIntExact(weight.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) weight.get(i);
        }
        bytes += 4L * values.length;
        return new DeviceWeight(context.upload(values), DType.F32, values.length, 1);
    }

    private DeviceWeight uploadMatrix(WeightTensor weight) {
        int n = Math.toIntExact(weight.dim(0));
        int k = Math.toIntExact(weight.dim(1));
        boolean half = weight.dtype() == DType.BF16 || weight.dtype() == DType.F16;
        int panels = (n + DeviceWeight.PANEL - 1) / DeviceWeight.PANEL;
        int panelBytes = Math.multiplyExact(k, DeviceWeight.PANEL * (half ? 2 : 4));
        OpenClBuffer buffer = context.pool().allocate((long) panels * panelBytes);
        // Packed on the host in slices of some panels: done once, and the mapped file is read in order.
        int panelsAtOnce = Math.max(1, (8 << 20) / panelBytes);
        ByteBuffer slice = ByteBuffer.allocateDirect(Math.multiplyExact(Math.min(panels, panelsAtOnce), panelBytes)).order(ByteOrder.nativeOrder());
        for (int p = 0; p < panels; p += panelsAtOnce) {
            int count = Math.min(panelsAtOnce, panels - p);
            for (int q = 0; q < count; q++) {
                pack(weight, (p + q) * DeviceWeight.PANEL, n, k, half, slice, q * panelBytes);
            }
            context.write(buffer, (long) p * panelBytes, (long) count * panelBytes, Pointer.to(slice));
        }
        bytes += (long) panels * panelBytes;
        return new DeviceWeight(buffer, half ? weight.dtype() : DType.F32, n, k);
    }

    private static void pack(WeightTensor weight, int firstRow, int n, int k, boolean half, ByteBuffer to, int at) {
        for (int r = 0; r < DeviceWeight.PANEL; r++) {
            long from = (long) (firstRow + r) * k;
            boolean exists = firstRow + r < n;
            if (half) {
                int place = at + 4 * (r % 16) + 2 * (r / 16);
                if (ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN) {
                    place = at + 4 * (r % 16) + 2 * (1 - r / 16);
                }
                for (int c = 0; c < k; c++) {
                    to.putShort(place + c * 2 * DeviceWeight.PANEL, exists ? bits(weight, from + c) : 0);
                }
            } else {
                for (int c = 0; c < k; c++) {
                    to.putFloat(at + 4 * (c * DeviceWeight.PANEL + r), exists ? (float) weight.get(from + c) : 0f);
                }
            }
        }
    }

    private static short bits(WeightTensor weight, long index) {
        return weight.bytes().get(LITTLE, 2 * index);
    }

    private static final java.lang.foreign.ValueLayout.OfShort LITTLE = java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// Bytes of weights on the device.
    long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        kept.clear();
    }
}
