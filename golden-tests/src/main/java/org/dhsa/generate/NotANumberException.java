package org.dhsa.generate;

/// A forward pass made logits that are no numbers; a weight, or the arithmetic, is to blame.
public final class NotANumberException extends RuntimeException {

    public NotANumberException(int position) {
        super("the logits after position " + position + " are not all finite");
    }
}
