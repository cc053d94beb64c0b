package org.dhsa.opencl;

import org.dhsa.stage.FeedForward;
import org.dhsa.tensor.Shape;

/// Gated feed-forward in tiles of tokens, so that 100k tokens need no more room for `[tile, ffnDim]` than one tile.
/// Kernels: `matrix-product.cl`, `feed-forward.cl`. Twin: `FeedForwardReference`.
final class OpenClFeedForward implements FeedForward {

    private final OpenClContext context;
    private final MatrixProduct product;

    OpenClFeedForward(OpenClContext context, MatrixProduct product) {
        this.context = context;
        this.product = product;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.x());
        int tokens = x.shape().extent("queryLen");
        DeviceTensor hidden = DeviceTensor.allocate(context, x.shape());
        if (tokens == 0) {
            return new Output(hidden);
        }
        int ffnDim = Math.toIntExact(in.gateProj().dim(0));
        DeviceWeight gateProj = context.weights().matrix(in.gateProj());
        DeviceWeight upProj = context.weights().matrix(in.upProj());
        DeviceWeight downProj = context.weights().matrix(in.downProj());
        int tile = Math.min(tokens, tile(ffnDim));
        Shape shape = Shape.of("queryLen", tile, "ffnDim", ffnDim);
        DeviceTensor gate = DeviceTensor.allocate(context, shape);
        DeviceTensor up = DeviceTensor.allocate(context, shape);
        for (int from = 0; from < tokens; from += tile) {
            int rows = Math.min(tile, tokens - from);
            MatrixProduct.Place in0 = MatrixProduct.Place.rows(x).fromRow(from);
            multiply(tokens, in0, rows, gateProj, MatrixProduct.Place.rows(gate));
            multiply(tokens, in0, rows, upProj, MatrixProduct.Place.rows(up));
            context.program("feed-forward").kernel("gelu_times").args(gate.buffer(), up.buffer(), (long) rows * ffnDim)
                    .run((long) rows * ffnDim, context.group("feed-forward"));
            multiply(tokens, MatrixProduct.Place.rows(gate), rows, downProj, MatrixProduct.Place.rows(hidden).fromRow(from));
        }
        gate.buffer().release();
        up.buffer().release();
        return new Output(hidden);
    }

    /// A last tile of one row is summed as the other tiles are.
    private void multiply(int tokens, MatrixProduct.Place x, int rows, DeviceWeight w, MatrixProduct.Place y) {
        if (tokens == 1) {
            product.multiply(x, rows, w, y);
        } else {
            product.multiplyRows(x, rows, w, y);
        }
    }

    /// Tokens whose two `[tile, ffnDim]` buffers take at most a sixteenth of the memory that may be used.
    private int tile(int ffnDim) {
        int wanted = context.tuning().of("feed-forward").getOrDefault("TOKEN_TILE", 512);
        long room = context.pool().limit() / 16 / (8L * Math.max(1, ffnDim));
        return (int) Math.max(16, Math.min(wanted, room));
    }
}
