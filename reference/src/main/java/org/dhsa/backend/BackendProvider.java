package org.dhsa.backend;

import java.util.List;

/// Found by [java.util.ServiceLoader]; says whether its backend can run here before anything is opened.
public interface BackendProvider {

    /// Name on the command line: `reference`, `optimized`, `opencl`.
    String name();

    Availability probe();

    /// Lines about the devices this backend could use, for people; empty if there is nothing to choose.
    default List<String> details() {
        return List.of();
    }

    /// Several may be open at once; the caller closes each.
    Backend open(BackendOptions options);

    default Backend open() {
        return open(BackendOptions.DEFAULT);
    }
}
