package org.dhsa.golden;

import java.nio.file.Path;

/// A golden folder is not what it says it is. Checked, because a broken folder is no bug of the caller.
///
/// The message names folder, file and tensor as far as they are known, and the remedy.
public final class GoldenFormatException extends Exception {

    private static final long serialVersionUID = 1;

    public GoldenFormatException(Path where, String problem, String remedy) {
        this(where, problem, remedy, null);
    }

    public GoldenFormatException(Path where, String problem, String remedy, Throwable cause) {
        super(where + ": " + problem + (remedy.isEmpty() ? "" : " (" + remedy + ")"), cause);
    }
}
