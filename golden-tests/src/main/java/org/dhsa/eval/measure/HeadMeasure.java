package org.dhsa.eval.measure;

import org.dhsa.model.LayerKind;

/// How well the keys of one head in one layer were chosen, over the sparse rows of a prompt.
///
/// All means are over `rows`. A row that reads all it sees is perfect whatever the policy; `fullRows` says how many were.
///
/// @param rows        sparse rows looked at
/// @param fullRows    of them, rows that read every key they see
/// @param recall      mean share of a row's keys that are among its best ones by true attention, equal weights counting as best
/// @param mass        mean attention mass of the keys read, in 0 … 1
/// @param oracleMass  mean mass of as many best keys
/// @param outputError mean of ‖o − o_dense‖ / ‖o_dense‖, the row's attention output over the keys read against the dense one
public record HeadMeasure(int layer, LayerKind kind, int head, long rows, long fullRows, double recall, double mass, double oracleMass,
                          double outputError) {

    /// Mass that the best choice of as many keys would have kept on top; never negative but for rounding.
    public double regret() {
        return oracleMass - mass;
    }

    public boolean isLocal() {
        return kind instanceof LayerKind.Local;
    }
}
