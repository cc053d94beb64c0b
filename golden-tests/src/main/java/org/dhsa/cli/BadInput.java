package org.dhsa.cli;

/// Something the user gave cannot be used. The message is one paragraph: what is wrong, where, and what to do about it.
public final class BadInput extends RuntimeException {

    public BadInput(String message) {
        super(message);
    }

    public BadInput(String message, Throwable cause) {
        super(message, cause);
    }
}
