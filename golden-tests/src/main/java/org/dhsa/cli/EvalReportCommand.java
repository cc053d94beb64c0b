package org.dhsa.cli;
import picocli.CommandLine.Command;
@Command(name = "report")
final class EvalReportCommand implements Runnable { public void run() {} }
