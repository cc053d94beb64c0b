package org.dhsa.bench;

/// A benchmark gave no figures: its check failed, or it could not be started.
public final class BenchFailedException extends RuntimeException {

    private static final long serialVersionUID = 1;

    BenchFailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
