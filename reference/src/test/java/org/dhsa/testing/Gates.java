package org.dhsa.testing;

import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.dhsa.model.GateWeights;
import org.dhsa.model.WeightTensor;

/// Synthetic gates with random weights.
public final class Gates {

    private static final int HIDDEN = 3;

    private Gates() {}

    /// @param mapped queries have a map of their own
    public static GateWeights.SeerAttention seer(int layers, int heads, int kvHeads, int headDim, int block, boolean mapped) {
        Random random = new Random(11);
        return new GateWeights.SeerAttention(IntStream.range(0, layers).mapToObj(l -> mapped
                ? new GateWeights.SeerAttention.Layer(Optional.of(weight(random, "q", heads, headDim, 6)), weight(random, "k", kvHeads, 3L * headDim, 6))
                : new GateWeights.SeerAttention.Layer(Optional.empty(), weight(random, "k", heads, 3L * headDim, headDim))).toList(), "Qavg_Kmaxminavg", block, true, 10_000);
    }

    public static GateWeights.VsPrefill vsPrefill(int layers, int headDim) {
        Random random = new Random(12);
        return new GateWeights.VsPrefill(IntStream.range(0, layers).mapToObj(l -> new GateWeights.VsPrefill.Layer(weight(random, "inner", HIDDEN, 2L * headDim),
                weight(random, "bias", HIDDEN), weight(random, "outer", 2, HIDDEN))).toList());
    }

    public static GateWeights.LearnedTopK learned(int layers, int heads) {
        Random random = new Random(13);
        return new GateWeights.LearnedTopK(IntStream.range(0, layers).mapToObj(l -> new GateWeights.LearnedTopK.Layer(
                weight(random, "local", heads, GateWeights.LearnedTopK.LOCAL, HIDDEN), weight(random, "context", heads, GateWeights.LearnedTopK.CONTEXT, HIDDEN),
                weight(random, "b", heads, HIDDEN), weight(random, "w", heads, HIDDEN), weight(random, "c", heads),
                Optional.of(weight(random, "budgets", heads, 4)))).toList(), 0.5);
    }

    private static WeightTensor weight(Random random, String name, long... dims) {
        int count = Math.toIntExact(LongStream.of(dims).reduce(1, (a, b) -> a * b));
        return WeightTensor.of(name, random.doubles(count, -1, 1).toArray(), dims);
    }
}
