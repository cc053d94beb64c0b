package org.dhsa.weights;

import java.nio.file.Path;
import java.util.Optional;

/// A file is not what it should be: which file, which tensor, what was expected and, where there is one, the remedy.
///
/// Checked, because a wrong file is no bug of the caller. Trouble with the disk itself stays an `IOException`.
public final class WeightsFormatException extends Exception {

    private final transient Path file;
    private final transient String tensor;

    /// @param tensorOrNull the tensor that is wrong, null when the file as a whole is
    /// @param problem      what was expected and what is there, as a sentence without the file name
    public WeightsFormatException(Path file, String tensorOrNull, String problem) {
        this(file, tensorOrNull, problem, null);
    }

    public WeightsFormatException(Path file, String tensorOrNull, String problem, Throwable cause) {
        super(file + ": " + (tensorOrNull == null ? "" : "tensor " + Printable.name(tensorOrNull) + ": ") + problem, cause);
        this.file = file;
        this.tensor = tensorOrNull;
    }

    public Path file() {
        return file;
    }

    /// Empty when the file as a whole is wrong.
    public Optional<String> tensor() {
        return Optional.ofNullable(tensor);
    }
}
