package org.dhsa.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.dhsa.bench.Table.Cell;

/// The benches of a whole model.
final class ModelBenches {

    private final BenchRun run;
    private final Path folder;
    private final String what;
    private final Jlama jlama;

    /// @param what the model, for people
    ModelBenches(BenchRun run, Path folder, String what, Jlama jlama) {
        this.jlama = jlama;
        this.run = run;
        this.folder = folder;
        this.what = what;
    }

    BenchReport prefill() {
        int[] lengths = run.choose(new int[] {512, 2048, 4096, 8192, 16384}, new int[] {512, 4096}, new int[] {256});
        int budget = run.quick() ? 128 : 1024;
        int block = run.quick() ? 64 : 256;
        Table table = new Table("Prefill, " + what + ", DHSA with budget " + budget + " and block " + block, "threads", "tokens", "dense tokens/s", "DHSA tokens/s", "peak GFLOP/s",
                "dense per GFLOP/s", "DHSA per GFLOP/s", "DHSA / dense", "DHSA / dense of " + lengths[0], "pairs read");
        Table stages = new Table("Where the time of prefill goes", "threads", "tokens", "attention", "stages");
        List<Samples> all = new ArrayList<>();
        for (int threads : run.threads()) {
            double shortest = Double.NaN;
            for (int tokens : lengths) {
                BenchRun.Effort effort = tokens > 4096 ? run.effort().slowest() : tokens > 2048 ? run.effort().slow() : run.effort();
                Samples s = run.measure(PrefillBenchmark.class, Map.of("folder", folder, "threads", threads, "tokens", tokens, "budget", budget, "block", block),
                        effort, PrefillBenchmark.DENSE, PrefillBenchmark.DHSA, ComputeBenchmark.PEAK);
                all.add(s);
                double dense = tokens / s.median(PrefillBenchmark.DENSE);
                double dhsa = tokens / s.median(PrefillBenchmark.DHSA);
                shortest = tokens == lengths[0] ? dense : shortest;
                table.row(threads, tokens, Cell.of(dense, 1), Cell.of(dhsa, 1), Cell.of(s.peak(), 0), Cell.of(dense / s.peak(), 2), Cell.of(dhsa / s.peak(), 2), Cell.of(dhsa / dense, 2),
                        Cell.percent(dhsa / shortest), Cell.percent(s.note("pairsRead.dhsa") / s.note("pairsVisible.dhsa")));
                for (String method : List.of(PrefillBenchmark.DENSE, PrefillBenchmark.DHSA)) {
                    stages.row(threads, tokens, method, Table.shares(stages(s, method)));
                }
            }
        }
        List<Table> tables = new ArrayList<>(List.of(table, stages, warmStart(all)));
        List<String> remarks = new ArrayList<>(List.of(
                "Tokens per second per GFLOP/s of peak are comparable between machines; the peak is measured beside each length.",
                "\"Pairs read\" is the share of the visible query-key pairs that DHSA read, all layers.",
                "The first and second prompt are read in a fresh JVM right after the warm-up."));
        if (jlama.isFetched()) {
            tables.add(besideJlama(all, lengths[0], remarks));
        } else {
            remarks.add("Jlama is not beside it: its libraries are not there. `" + Jlama.FETCH + "` fetches them.");
        }
        return new BenchReport(Bench.PREFILL, tables, remarks, all);
    }

    /// Dense prefill of the shortest prompt and Jlama's, turn by turn.
    private Table besideJlama(List<Samples> all, int tokens, List<String> remarks) {
        Table table = new Table("Prefill beside Jlama 0.8.4, " + tokens + " tokens", "threads", "Java tokens/s", "Jlama tokens/s", "Java / Jlama");
        BenchRun.Effort once = run.effort().oneRound();
        for (int threads : run.threads()) {
            List<Double> ours = new ArrayList<>();
            List<Double> theirs = new ArrayList<>();
            for (int round = 0; round < run.effort().rounds(); round++) {
                Samples s = run.measure(PrefillBenchmark.class, Map.of("folder", folder, "threads", threads, "tokens", tokens), once, PrefillBenchmark.DENSE);
                all.add(s);
                ours.add(s.median(PrefillBenchmark.DENSE));
                run.tell("Jlama, " + threads + " threads, round " + (round + 1));
                Jlama.Result result = jlama.prefill(folder, tokens, threads, once.warmups(), once.iterations());
                theirs.add(Samples.median(result.seconds()));
                if (threads == run.threads().getFirst() && round == 0) {
                    remarks.add("Jlama reads the same weights as BF16 with " + result.operations() + ", the output head not included.");
                }
            }
            double java = tokens / median(ours);
            double other = tokens / median(theirs);
            table.row(threads, Cell.of(java, 1), Cell.of(other, 1), Cell.of(java / other, 2));
        }
        return table;
    }

    private static double median(List<Double> values) {
        return Samples.median(values.stream().mapToDouble(Double::doubleValue).toArray());
    }

    private static Map<String, Double> stages(Samples s, String method) {
        Map<String, Double> parts = new TreeMap<>();
        String prefix = "stage." + method + ".";
        s.notes().forEach((name, value) -> {
            if (name.startsWith(prefix)) {
                parts.put(name.substring(prefix.length()), Double.parseDouble(value));
            }
        });
        return parts;
    }

    private Table warmStart(List<Samples> all) {
        int tokens = run.quick() ? 64 : 512;
        Table table = new Table("Warm start, prompts of " + tokens + " tokens", "threads", "warm-up seconds", "first prompt seconds", "second prompt seconds", "first / second");
        for (int threads : run.threads()) {
            Samples s = run.measure(WarmStartBenchmark.class, Map.of("folder", folder, "threads", threads, "tokens", tokens), run.effort().shots(3), WarmStartBenchmark.CANDIDATE);
            all.add(s);
            double[] shots = s.seconds().get(WarmStartBenchmark.CANDIDATE);
            double first = every(shots, WarmStartBenchmark.FIRST);
            double second = every(shots, WarmStartBenchmark.SECOND);
            table.row(threads, Cell.of(every(shots, WarmStartBenchmark.WARM_UP), 2), Cell.of(first, 2), Cell.of(second, 2), Cell.of(first / second, 2));
        }
        return table;
    }

    /// Median over the rounds of one of three shots.
    static double every(double[] shots, int which) {
        return Samples.median(IntStream.range(0, shots.length).filter(i -> i % 3 == which).mapToDouble(i -> shots[i]).toArray());
    }

    BenchReport decode() {
        int prompt = run.quick() ? 32 : 512;
        int tokens = run.quick() ? 4 : 32;
        Table table = new Table("Decode, " + what + ", " + tokens + " tokens after a prompt of " + prompt, "threads", "tokens/s", "MB of weights per token", "GB/s", "read GB/s", "share of read");
        List<Samples> all = new ArrayList<>();
        for (int threads : run.threads()) {
            Samples s = run.measure(DecodeBenchmark.class, Map.of("folder", folder, "threads", threads, "tokens", prompt, "newTokens", tokens), run.effort(),
                    DecodeBenchmark.CANDIDATE, DecodeBenchmark.ANCHOR);
            all.add(s);
            double rate = s.giga(DecodeBenchmark.CANDIDATE, s.note("bytes") * tokens);
            double read = s.giga(DecodeBenchmark.ANCHOR, s.note("bytes"));
            table.row(threads, Cell.of(tokens / s.median(DecodeBenchmark.CANDIDATE), 2), Cell.of(s.note("bytes") / 1e6, 0), Cell.of(rate, 1), Cell.of(read, 1), Cell.percent(rate / read));
        }
        return new BenchReport(Bench.DECODE, List.of(table), List.of("Bytes are those of the projections and of the output head; keys and values are not counted.",
                "Read goes over the same mapped weights."), all);
    }
}
