package org.dhsa.cli;
import picocli.CommandLine.Command;
@Command(name = "ablate")
final class EvalAblateCommand implements Runnable { public void run() {} }
