package org.dhsa.cli;

import picocli.CommandLine.Option;

/// On every command; looked for where errors are printed.
final class DebugOption {

    @Option(names = "--debug", description = "Print the stack trace of an error too.")
    boolean debug;
}
