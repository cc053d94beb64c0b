package org.dhsa.golden;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Profile;

/// The authors' way of everything, with the parameters of a case.
final class Upstream {

    private static final DhsaConfig PARITY = DhsaConfig.DEFAULT.with(b -> {
        b.quirks = Profile.UPSTREAM.quirks();
        b.instructionTokens = OptionalInt.empty();
        b.theta = OptionalDouble.empty();
        b.globalTokens = 0;
        b.decode = DhsaConfig.DecodeMode.DENSE;
    });

    private Upstream() {}

    static DhsaConfig config(GoldenCase golden, Consumer<DhsaConfig.Builder> change) throws GoldenFormatException {
        try {
            return PARITY.with(change);
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(golden.folder().resolve(GoldenCase.FILE_NAME), "hyperparameters: " + e.getMessage(), "", e);
        }
    }

    static DhsaConfig.Aggregation pooling(GoldenCase golden) throws GoldenFormatException {
        return switch (golden.textOf("pooling")) {
            case "avgpool" -> DhsaConfig.Aggregation.MEAN;
            case "avgpool_norm" -> DhsaConfig.Aggregation.MEAN_SQRT_LENGTH;
            case "maxpool" -> DhsaConfig.Aggregation.MAX_ON_QUERIES;
            default -> throw golden.wrongField("pooling", "avgpool, avgpool_norm or maxpool");
        };
    }

    /// `nms`, or 0 when suppression is switched off, by the flag or by a window that is not positive.
    static int nmsWindow(GoldenCase golden, String field) throws GoldenFormatException {
        return golden.booleanOf("use_nms") ? Math.max(0, golden.intOf(field)) : 0;
    }
}
