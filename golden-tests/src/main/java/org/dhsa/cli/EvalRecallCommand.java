package org.dhsa.cli;
import picocli.CommandLine.Command;
@Command(name = "recall")
final class EvalRecallCommand implements Runnable { public void run() {} }
