package org.dhsa.optimized;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dhsa.model.WeightTensor;

/// Norm weights and biases, narrowed once and kept: a few thousand floats a layer.
final class SmallWeights {

    private final Map<WeightTensor, float[]> kept = new ConcurrentHashMap<>();

    float[] of(WeightTensor weight) {
        return kept.computeIfAbsent(weight, w -> {
            float[] values = new float[Math.toIntExact(w.elements())];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) w.get(i);
            }
            return values;
        });
    }
}
