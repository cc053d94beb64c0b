package org.dhsa.backend;

/// Found by [java.util.ServiceLoader]; says whether its backend can run here before anything is opened.
public interface BackendProvider {

    /// Name on the command line: `reference`, `optimized`, `opencl`.
    String name();

    Availability probe();

    /// Several may be open at once; the caller closes each.
    Backend open(BackendOptions options);

    default Backend open() {
        return open(BackendOptions.DEFAULT);
    }
}
