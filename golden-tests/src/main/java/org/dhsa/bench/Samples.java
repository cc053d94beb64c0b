package org.dhsa.bench;

import java.util.Arrays;
import java.util.Map;

/// The times of one class of benchmarks with one set of parameters.
///
/// @param seconds per method the seconds per operation of every measured iteration, in the order they were measured
/// @param notes   what the benchmarks told besides
record Samples(String benchmark, Map<String, String> params, Map<String, double[]> seconds, Map<String, String> notes) {

    /// Whether the method was run.
    boolean has(String method) {
        return seconds.containsKey(method);
    }

    /// Median seconds per operation; NaN for a method that was not run.
    double median(String method) {
        return has(method) ? median(seconds.get(method)) : Double.NaN;
    }

    static double median(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length == 0 ? Double.NaN : sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// A noted number; NaN if it was not noted.
    double note(String name) {
        return notes.containsKey(name) ? Double.parseDouble(notes.get(name)) : Double.NaN;
    }

    /// Billions per second of something of which one operation does `amount`.
    double giga(String method, double amount) {
        return amount / median(method) / 1e9;
    }

    /// FP32 peak in GFLOP/s, measured in the same run.
    double peak() {
        return giga(ComputeBenchmark.PEAK, note("peakFlops"));
    }
}
