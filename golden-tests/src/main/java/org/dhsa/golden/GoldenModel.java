package org.dhsa.golden;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.WeightsFormatException;

/// Loads the weights that stand beside a case.
final class GoldenModel {

    private GoldenModel() {}

    static Gemma2Model load(Path folder) throws GoldenFormatException, IOException {
        try {
            return Gemma2Loader.load(folder);
        } catch (WeightsFormatException e) {
            throw new GoldenFormatException(folder, "the model of the case is broken: " + e.getMessage(), "copy or record it again", e);
        }
    }

    /// @param heads empty for an architecture without heads
    static BoundaryPredictorWeights predictor(Path file, OptionalInt heads, int window) throws GoldenFormatException, IOException {
        try {
            return BoundaryPredictorLoader.load(file, heads, OptionalInt.of(window));
        } catch (WeightsFormatException e) {
            throw new GoldenFormatException(file, "the boundary predictor of the case is broken: " + e.getMessage(), "copy or record it again", e);
        }
    }

    /// Where the shared model of an end-to-end case lies: in the case itself, or in the folder `model` beside it.
    static Path sharedModel(GoldenCase golden) throws GoldenFormatException {
        Path own = golden.folder();
        Path beside = own.toAbsolutePath().getParent().resolve("model");
        for (Path candidate : new Path[] {own, beside}) {
            if (Files.isRegularFile(candidate.resolve("config.json"))) {
                return candidate;
            }
        }
        throw new GoldenFormatException(own, "has no model: neither " + own.resolve("config.json") + " nor " + beside.resolve("config.json")
                + " is there", "copy the folder \"model\" that the end-to-end cases share");
    }
}
