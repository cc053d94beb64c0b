package org.dhsa.policy;

import java.util.Arrays;
import org.dhsa.tensor.DoubleTensor;

/// Queries and keys of a layer, vector by vector, for policies that let every head choose for itself.
final class HeadStates {

    private final LayerState layer;
    private final DoubleTensor query;
    private final DoubleTensor key;
    private final int headDim;

    HeadStates(LayerState layer) {
        this.layer = layer;
        this.query = layer.query().toDouble();
        this.key = layer.key().toDouble();
        this.headDim = layer.headDim();
    }

    /// Key head that a query head reads.
    int keyHead(int head) {
        return head * layer.kvHeads() / layer.heads();
    }

    /// `[headDim]`, of one query head at a position.
    double[] query(int head, int position) {
        int at = (head * query.shape().extent("queryLen") + position - layer.start()) * headDim;
        return Arrays.copyOfRange(query.data(), at, at + headDim);
    }

    /// `[headDim]`, of one key head at a position.
    double[] key(int keyHead, int position) {
        int at = (keyHead * key.shape().extent("keyLen") + position - layer.rule().keyStart()) * headDim;
        return Arrays.copyOfRange(key.data(), at, at + headDim);
    }

    /// Keys of one key head at positions `[from, to)`.
    double[][] keys(int keyHead, int from, int to) {
        double[][] keys = new double[to - from][];
        Arrays.setAll(keys, n -> key(keyHead, from + n));
        return keys;
    }

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int d = 0; d < a.length; d++) {
            sum += a[d] * b[d];
        }
        return sum;
    }
}
