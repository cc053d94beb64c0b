package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import org.dhsa.backend.Backend;

/// Allowed error of a number: `abs + rel · |expected|`.
///
/// FP64 backends are held to the recording's `double_port`, FP32 backends to its `float_port`. Of a recording that states
/// only one of the two parts the other is 0 in FP64; a recording that states nothing is held to 1e-9.
record Tolerance(double abs, double rel) {

    /// What the recordings recommend for a double port.
    private static final double DOUBLE = 1e-9;
    /// What the recordings use for a float port where they say nothing else; a part that is not stated is this small, not 0,
    /// because a float cannot hit a tiny number exactly.
    private static final Tolerance FLOAT = new Tolerance(2e-5, 1e-4);
    private static final double FLOAT_FLOOR = 1e-6;

    static Tolerance of(JsonNode recorded, Backend.Precision precision) {
        return switch (precision) {
            case FP64 -> {
                JsonNode port = recorded.path("double_port");
                yield port.has("abs") || port.has("rel")
                        ? new Tolerance(port.path("abs").asDouble(0), port.path("rel").asDouble(0))
                        : new Tolerance(DOUBLE, DOUBLE);
            }
            case FP32 -> {
                JsonNode port = recorded.path("float_port");
                if (port.has("logits_abs")) {
                    double abs = port.get("logits_abs").asDouble();
                    yield new Tolerance(abs, abs);
                }
                yield port.has("abs") || port.has("rel")
                        ? new Tolerance(port.path("abs").asDouble(FLOAT_FLOOR), port.path("rel").asDouble(FLOAT_FLOOR))
                        : FLOAT;
            }
        };
    }

    double budget(double expected) {
        return abs + rel * Math.abs(expected);
    }
}
