package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// A family of functions that are no stages: labels and baselines. The reference has them; the seam of backends does not.
abstract class ReferenceFunctionCheck implements FamilyCheck {

    @Override
    public Optional<String> notCovered(Backend backend) {
        return backend.name().equals(ReferenceBackend.NAME) ? Optional.empty()
                : Optional.of("no stage of a backend; only the backend " + ReferenceBackend.NAME + " computes it");
    }

    /// Recorded booleans against computed ones, `[queryLen, keyLen]`.
    static void booleans(CaseCheck check, String function, String tensor, DoubleTensor expected, boolean[][] actual) {
        int columns = actual.length == 0 ? 0 : actual[0].length;
        DoubleTensor flat = DoubleTensor.zeros(Shape.of("queryLen", actual.length, "keyLen", columns));
        for (int i = 0; i < actual.length; i++) {
            for (int j = 0; j < columns; j++) {
                flat.set(actual[i][j] ? 1 : 0, i, j);
            }
        }
        check.add(Compare.exact(check.place(function, -1, tensor), expected, flat));
    }

    static OptionalDouble number(JsonNode node) {
        return node.isNumber() ? OptionalDouble.of(node.asDouble()) : OptionalDouble.empty();
    }

    /// A parameter that not every case of the family has.
    static boolean flag(GoldenCase golden, String field) throws GoldenFormatException {
        return golden.hyperparameters().has(field) && golden.booleanOf(field);
    }

    static int[] ints(java.util.List<Integer> list) {
        return list.stream().mapToInt(Integer::intValue).toArray();
    }

    static DoubleTensor vector(String axis, double... values) {
        return DoubleTensor.of(Shape.of(axis, values.length), values);
    }

    static boolean[] booleans(GoldenTensor tensor) {
        double[] values = tensor.values();
        boolean[] out = new boolean[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[i] != 0;
        }
        return out;
    }
}
