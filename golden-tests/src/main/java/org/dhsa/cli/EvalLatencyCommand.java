package org.dhsa.cli;
import picocli.CommandLine.Command;
@Command(name = "latency")
final class EvalLatencyCommand implements Runnable { public void run() {} }
