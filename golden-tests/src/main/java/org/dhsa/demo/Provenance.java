package org.dhsa.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// How a model was made, as far as this project knows, and what must be said whenever a number of it is quoted.
public enum Provenance {

    /// This project's model, trained to find needles by chunk.
    WITH_CHUNK_LOSS(List.of(
            Said.INSTRUMENT,
            "Its training had a chunk retrieval loss: the head-averaged query of an answer position had to find the needle's chunk among "
                    + "length-normalised chunk keys. A right sparse answer therefore says that the implementation works, not that the method "
                    + "does. Beside it lies the variant without that loss (without-chunk-loss), on which DHSA finds far fewer needles.",
            Said.PREDICTOR,
            Said.NEVER_SPARSE)),

    /// The variant that was never asked for keys that tell something about a chunk.
    WITHOUT_CHUNK_LOSS(List.of(
            Said.INSTRUMENT,
            "This is the variant without the chunk retrieval loss: nothing ever asked its keys to be informative at chunk level, and DHSA "
                    + "loses needles on it that dense attention finds. It is the model for judging selection methods.",
            Said.PREDICTOR,
            Said.NEVER_SPARSE)),

    /// Somebody else's weights.
    OTHER(List.of("The weights are those of the given folder; nothing is known here about how they were made."));

    private static final String WEIGHTS = "model.safetensors";

    /// Sentences that both models of this project share.
    private static final class Said {
        static final String INSTRUMENT = "The model was trained by this project, from scratch, on a toy language of its own: it is a measuring "
                + "instrument and speaks no English.";
        static final String PREDICTOR = "Its boundary predictor was trained on the real sentence ends of the toy language, not on the paper's "
                + "attention labels.";
        static final String NEVER_SPARSE = "Dense attention was its only forward pass in training; no sparse mask was ever trained.";
    }

    private final List<String> disclosure;

    Provenance(List<String> disclosure) {
        this.disclosure = disclosure;
    }

    public List<String> disclosure() {
        return disclosure;
    }

    /// Known by its weights, byte for byte, wherever the folder lies.
    ///
    /// @param tinyModel this project's model, with the variant in a folder inside
    public static Provenance of(Path model, Path tinyModel) throws IOException {
        Path weights = model.resolve(WEIGHTS);
        return same(weights, tinyModel.resolve(WEIGHTS)) ? WITH_CHUNK_LOSS
                : same(weights, tinyModel.resolve("without-chunk-loss").resolve(WEIGHTS)) ? WITHOUT_CHUNK_LOSS
                : OTHER;
    }

    private static boolean same(Path a, Path b) throws IOException {
        return Files.exists(a) && Files.exists(b) && Files.mismatch(a, b) < 0;
    }
}
