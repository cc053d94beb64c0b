package org.dhsa.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;

/// One prompt and some new tokens in a process of its own, so that its peak of resident memory is its own too. What it
/// measured goes to standard output, a name and a number per line.
final class WholeRun {

    static final String PREFIX = "dhsa-run ";

    private WholeRun() {}

    /// Arguments: checkpoint, tokens, `dense` or `dhsa`, threads, new tokens, budget, block, whether to check first.
    public static void main(String[] args) throws Exception {
        int tokens = Integer.parseInt(args[1]);
        boolean dense = args[2].equals(PrefillBenchmark.DENSE);
        int newTokens = Integer.parseInt(args[4]);
        try (BenchModel model = new BenchModel(Path.of(args[0]), Integer.parseInt(args[3]))) {
            if (Boolean.parseBoolean(args[7])) {
                AttentionMode checked = BenchModel.checkedMode(dense);
                double[] logits = model.forward.open(checked).prefill(model.prompt(BenchModel.CHECKED_TOKENS)).toDouble().data();
                BenchModel.requireNear(model.referenceLogits(checked, BenchModel.CHECKED_TOKENS), logits);
            }
            AttentionMode mode = dense ? new AttentionMode.Dense() : model.dhsa(Integer.parseInt(args[5]), Integer.parseInt(args[6]));
            long begun = System.nanoTime();
            model.backend.warmUp();
            tell("warmUp", seconds(begun));
            model.backend.reset();
            long[] pairs = new long[2];
            Gemma2Forward.Session session = model.forward.open(mode, new Probe() {
                @Override
                public void attention(int layer, LayerKind kind, long read, long visible) {
                    pairs[0] += read;
                    pairs[1] += visible;
                }
            });
            int[] prompt = model.prompt(tokens);
            begun = System.nanoTime();
            session.prefill(prompt);
            tell("prefill", seconds(begun));
            tell("pairs", (double) pairs[0] / pairs[1]);
            model.backend.nanos().forEach((stage, nanos) -> tell("prefill." + stage.slug(), nanos * 1e-9));
            model.backend.reset();
            begun = System.nanoTime();
            for (int n = 0; n < newTokens; n++) {
                session.decode(prompt[n % prompt.length]);
            }
            tell("decode", seconds(begun));
            model.backend.nanos().forEach((stage, nanos) -> tell("decode." + stage.slug(), nanos * 1e-9));
        }
        for (String line : procStatus()) {
            String[] words = line.split("\\s+");
            switch (words[0]) {
                case "VmHWM:" -> tell("peakResident", Double.parseDouble(words[1]) * 1024);
                case "RssAnon:" -> tell("ownMemory", Double.parseDouble(words[1]) * 1024);
                default -> { }
            }
        }
    }

    /// Linux only; elsewhere memory is not told.
    private static List<String> procStatus() throws IOException {
        Path status = Path.of("/proc/self/status");
        return Files.exists(status) ? Files.readAllLines(status) : Arrays.asList();
    }

    private static double seconds(long begun) {
        return (System.nanoTime() - begun) * 1e-9;
    }

    private static void tell(String name, double value) {
        System.out.printf(Locale.ROOT, "%s%s %s%n", PREFIX, name, value);
    }
}
