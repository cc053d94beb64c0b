package org.dhsa.bench;

/// A benchmark computed something wrong, so it is not timed.
final class WrongResultException extends IllegalStateException {

    private static final long serialVersionUID = 1;

    WrongResultException(String message) {
        super(message);
    }

    /// @param tolerance largest distance that rounding explains
    static void unlessNear(String what, double expected, double actual, double tolerance) {
        if (!(Math.abs(actual - expected) <= tolerance)) {
            throw new WrongResultException(what + " is " + actual + ", the check says " + expected + " within " + tolerance);
        }
    }

    static void unless(boolean right, String what) {
        if (!right) {
            throw new WrongResultException(what);
        }
    }
}
