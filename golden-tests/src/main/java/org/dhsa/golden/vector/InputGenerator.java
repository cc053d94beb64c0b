package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// Builds an input from the `generator` entry of a case.
final class InputGenerator {

    private InputGenerator() {}

    /// @throws IllegalArgumentException if the kind is unknown
    static VectorTensor build(JsonNode generator, Shape shape, DType dtype) {
        SplitMix64 random = new SplitMix64(generator.path("seed").longValue());
        double[] values = new double[Math.toIntExact(shape.elements())];
        switch (generator.path("kind").asText()) {
            case "splitmix64" -> {
                double scale = generator.path("scale").doubleValue();
                double offset = generator.path("offset").doubleValue();
                for (int i = 0; i < values.length; i++) {
                    values[i] = offset + scale * random.unit();
                }
            }
            case "splitmix64-int" -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = random.between(generator.path("low").longValue(), generator.path("high").longValue());
                }
            }
            case String other -> throw new IllegalArgumentException("there is no input generator \"" + other + "\"");
        }
        for (JsonNode edit : generator.path("set")) {
            int rows = 1;
            int from = 0;
            JsonNode index = edit.path("index");
            for (int a = 0; a < shape.rank(); a++) {
                from *= shape.extent(a);
                if (a < index.size()) {
                    from += index.get(a).intValue();
                } else {
                    rows *= shape.extent(a);
                }
            }
            Arrays.fill(values, from, from + rows, edit.path("value").doubleValue());
        }
        return VectorTensor.of(shape, dtype, values);
    }
}
