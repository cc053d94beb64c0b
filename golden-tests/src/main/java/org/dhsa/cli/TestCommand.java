package org.dhsa.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `test` is run by the script, which needs no built program for it; here it is only explained.
@Command(name = "test", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Runs every test of every module.",
        description = {"", "The golden matrix, the loader, the command line, the documentation. No network is needed beyond the first download of "
                + "libraries, no device and no other weights. The last line says: N passed, N failed, N skipped.", ""})
final class TestCommand implements Callable<Integer> {

    @Option(names = "--require", paramLabel = "BACKEND", description = {"Fail if tests of this backend cannot run here (reference, "
            + "optimized, opencl); without it they are skipped, with the reason in the report."})
    String require;

    @Option(names = "--install-opencl", description = {"Install PoCL, an OpenCL for CPUs, first, if there is no OpenCL and this may be done without asking "
            + "(a Debian-like system, as root or with sudo -n)."})
    boolean installOpenCl;

    @Override
    public Integer call() {
        throw new BadInput("Tests are run by the script in the root of the checkout: ./dhsa test" + (require == null ? "" : " --require " + require) + ".");
    }
}
