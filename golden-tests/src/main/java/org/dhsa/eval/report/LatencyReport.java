package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;
import org.dhsa.eval.NeedleTask;

/// What a run costs: times and memory by length, policy and budget, and the cost model beside what was counted and measured.
record LatencyReport(ResultSet results) implements TaskReport {

    private static final String FIRST = "/seconds_to_first_token";
    private static final String RATE = "/tokens_per_second";
    /// Of the prompt's time, as [org.dhsa.eval.measure.TimedPolicy.Split] has them.
    private static final List<String> PARTS = List.of("predict", "score", "select", "attend", "other");

    @Override
    public String headline() {
        return "What it costs";
    }

    @Override
    public String lead() {
        return repeats() + " timed repetitions for each length, one thread, on " + results.config().path("machine").asText() + ". Lengths "
                + results.lengths().stream().map(String::valueOf).collect(Collectors.joining(", ")) + " tokens, every position sparse, "
                + results.config().path("new_tokens").asInt() + " new tokens.";
    }

    private int repeats() {
        return results.units().values().stream().mapToInt(u -> u.path("repeat").asInt() + 1).max().orElse(0);
    }

    @Override
    public List<String> notes() {
        return repeats() < 3 ? List.of("Fewer than three repetitions: the intervals of the times say nothing.") : List.of();
    }

    @Override
    public List<Section> sections() {
        return List.of(
                new Section("Time and memory", "Means over repetitions with their 95 % bootstrap interval; ratios are paired by repetition (geometric mean), above 1 where the policy is faster than "
                        + "dense attention. Heap: most bytes in use, garbage not yet collected among them. Outside: resident after the run, outside the heap and mapped files, "
                        + "the heap's whole reservation taken off, so rather too small. Mapped: resident pages of files, weights among them. Device: most bytes in use at once.", each(this::times)),
                new Section("Where the time of a prompt goes", "Milliseconds, means over repetitions, of a pass of its own with a clock on every stage and on the policy: its whole is not to be compared with the times "
                        + "above. Predict: boundary prediction and suppression. Score: pooling, similarity, upsampling. Select: the ranking, and whatever else a policy does that is no stage. Attend: attention on "
                        + "the keys read. Other: all other stages, the cache. Attention: the first four, with their 95 % bootstrap interval, and as a share of the whole.", each(this::split)),
                new Section("The cost model beside what was counted and measured", "Left of each pair what the model says from shapes alone, right what was counted or measured. Attention: operations "
                        + "for the pairs read. Selecting: scoring of the policy and the boundary predictor. Loaded: bytes of keys and values read from memory, each list once. Prompt and decoding, times "
                        + "as fast as dense: the model lets every operation of a prompt, and every byte of a new token, take the same time; measured is the clock. Ledger: weights in BF16 and cache in F32 "
                        + "as the model counts them; beside it the peak of the heap, what is resident outside, and the device. \"none\": the number depends on what is in the text, or there is no device.",
                        each(this::model)));
    }

    private interface Part {
        String of(String model);
    }

    private String each(Part part) {
        return results.models().stream().map(m -> Html.heading(m) + part.of(m)).collect(Collectors.joining());
    }

    private Predicate<JsonNode> units(String model, int length) {
        return RunGroup.model(model).and(u -> u.path("length").asInt() == length);
    }

    private String times(String model) {
        List<List<String>> rows = new ArrayList<>();
        for (int length : results.lengths()) {
            RunGroup dense = RunGroup.of(results, units(model, length), Contenders.DENSE, 0);
            for (RunGroup group : RunGroup.of(results, units(model, length))) {
                rows.add(List.of(group.label(), String.valueOf(length), seconds(group.mean(FIRST)), group.budget() == 0 ? "" : times(dense.over(group, FIRST)), rate(group.mean(RATE)),
                        group.budget() == 0 ? "" : times(group.over(dense, RATE)), mebibytes(group, "/peak_heap_bytes"), mebibytes(group, "/off_heap_bytes"),
                        mebibytes(group, "/mapped_bytes"), mebibytes(group, "/device_peak_bytes")));
            }
        }
        return Html.table(List.of("Policy, budget", "Tokens", "First token, ms", "Dense over it", "New tokens/s", "It over dense", "Heap, MiB", "Outside, MiB", "Mapped, MiB", "Device, MiB"), rows);
    }

    private String split(String model) {
        List<List<String>> rows = new ArrayList<>();
        for (int length : results.lengths()) {
            for (RunGroup group : RunGroup.of(results, units(model, length))) {
                List<String> row = new ArrayList<>(List.of(group.label(), String.valueOf(length)));
                PARTS.forEach(part -> row.add(milliseconds(group.mean("/split_nanos/" + part))));
                Interval attention = attention(group);
                double whole = group.mean("/split_nanos/whole").mean();
                row.addAll(List.of(attention.units() == 0 ? "none" : Html.format("%.2f [%.2f, %.2f]", attention.mean() / 1e6, attention.low() / 1e6, attention.high() / 1e6),
                        Html.share(attention.units() == 0 ? Double.NaN : attention.mean() / whole)));
                rows.add(row);
            }
        }
        return Html.table(List.of("Policy, budget", "Tokens", "Predict", "Score", "Select", "Attend", "Other", "Attention", "Share"), rows);
    }

    private static Interval attention(RunGroup group) {
        return Interval.of(group.runs().values().stream().map(r -> r.path("split_nanos")).filter(JsonNode::isObject)
                .map(s -> s.path("whole").asDouble() - s.path("other").asDouble()).toList());
    }

    private static String milliseconds(Interval nanos) {
        return nanos.units() == 0 ? "none" : Html.format("%.2f", nanos.mean() / 1e6);
    }

    private String model(String model) {
        List<List<String>> rows = new ArrayList<>();
        for (int length : results.lengths()) {
            RunGroup dense = RunGroup.of(results, units(model, length), Contenders.DENSE, 0);
            for (RunGroup group : RunGroup.of(results, units(model, length))) {
                rows.add(List.of(group.label(), String.valueOf(length),
                        number(group, "/predicted/attention_flops", 1e6), number(group, "/measured/attention_flops", 1e6),
                        number(group, "/predicted/selection_flops", 1e6), number(group, "/measured/selection_flops", 1e6),
                        number(group, "/predicted/kv_bytes", 1 << 20), number(group, "/measured/kv_bytes", 1 << 20),
                        gain(dense, group), group.budget() == 0 ? "" : times(dense.over(group, FIRST)),
                        bare(dense.over(group, "/predicted/decode_bytes")), group.budget() == 0 ? "" : times(group.over(dense, RATE)),
                        number(group, "/predicted/memory/weights", 1 << 20), number(group, "/predicted/memory/cache", 1 << 20), number(group, "/predicted/memory/selection", 1 << 20),
                        mebibytes(group, "/peak_heap_bytes"), mebibytes(group, "/off_heap_bytes"), mebibytes(group, "/device_peak_bytes")));
            }
        }
        return Html.grouped(List.of(new Html.Head("Policy, budget", List.of("")), new Html.Head("Tokens", List.of("")), new Html.Head("Attention, MFLOP", List.of("model", "counted")),
                new Html.Head("Selecting, MFLOP", List.of("model", "counted")), new Html.Head("Loaded, MiB", List.of("model", "counted")),
                new Html.Head("Prompt, times as fast", List.of("model", "clock")), new Html.Head("Decoding, times as fast", List.of("model", "clock")),
                new Html.Head("Ledger of the model, MiB", List.of("weights", "cache", "selection")), new Html.Head("Measured, MiB", List.of("heap", "outside", "device"))), rows);
    }

    /// All operations of the prompt, dense over sparse.
    private static String gain(RunGroup dense, RunGroup group) {
        double all = operations(dense);
        double here = operations(group);
        return Double.isNaN(all) || Double.isNaN(here) ? "none" : group.budget() == 0 ? "" : Html.format("%.2f", all / here);
    }

    private static double operations(RunGroup group) {
        return group.mean("/predicted/matrix_flops").mean() + group.mean("/predicted/attention_flops").mean() + group.mean("/predicted/selection_flops").mean();
    }

    private static String number(RunGroup group, String field, double unit) {
        Interval i = group.mean(field);
        return i.units() == 0 ? "none" : i.mean() == 0 ? "0" : Html.format(i.mean() < 100 * unit ? "%.2f" : "%.0f", i.mean() / unit);
    }

    private static String mebibytes(RunGroup group, String field) {
        Interval i = group.mean(field);
        return i.units() == 0 ? "none" : Html.format("%.0f", i.mean() / (1 << 20));
    }

    private static String seconds(Interval i) {
        return i.units() == 0 ? "none" : Html.format("%.1f [%.1f, %.1f]", 1000 * i.mean(), 1000 * i.low(), 1000 * i.high());
    }

    private static String rate(Interval i) {
        return i.units() == 0 ? "none" : Html.format("%.1f [%.1f, %.1f]", i.mean(), i.low(), i.high());
    }

    private static String times(Interval i) {
        return i.units() == 0 ? "none" : Html.format("%.2f [%.2f, %.2f]", i.mean(), i.low(), i.high());
    }

    private static String bare(Interval i) {
        return i.units() == 0 ? "none" : i.mean() == 1 ? "" : Html.format("%.2f", i.mean());
    }

    @Override
    public String text() {
        StringBuilder text = new StringBuilder();
        for (String model : results.models()) {
            for (int length : results.lengths()) {
                text.append(Html.format("%n%s, %d tokens%n", model, length));
                RunGroup dense = RunGroup.of(results, units(model, length), Contenders.DENSE, 0);
                for (RunGroup group : RunGroup.of(results, units(model, length))) {
                    text.append(Html.format("  %-22s first token %-26s ms%s  %s new tokens/s, heap %s MiB%s%n", group.label(), seconds(group.mean(FIRST)),
                            group.budget() == 0 || dense.runs().isEmpty() ? "" : ", dense over it " + times(dense.over(group, FIRST)), rate(group.mean(RATE)),
                            mebibytes(group, "/peak_heap_bytes"),
                            group.mean("/device_peak_bytes").units() == 0 ? "" : ", device " + mebibytes(group, "/device_peak_bytes") + " MiB"));
                }
            }
        }
        notes().forEach(note -> text.append('\n').append(note).append('\n'));
        return text.toString();
    }

    @Override
    public void addTo(ObjectNode json) {
        ArrayNode rows = json.withArray("latency");
        for (String model : results.models()) {
            for (int length : results.lengths()) {
                RunGroup dense = RunGroup.of(results, units(model, length), Contenders.DENSE, 0);
                for (RunGroup group : RunGroup.of(results, units(model, length))) {
                    ObjectNode row = rows.addObject().put("model", model).put("length", length).put("policy", group.policy()).put("budget", group.budget());
                    row.set("seconds_to_first_token", NeedleTask.json(group.mean(FIRST)));
                    row.set("tokens_per_second", NeedleTask.json(group.mean(RATE)));
                    row.set("dense_over_it", NeedleTask.json(dense.over(group, FIRST)));
                    ObjectNode split = row.putObject("split_milliseconds");
                    for (String part : PARTS) {
                        Interval i = group.mean("/split_nanos/" + part);
                        if (i.units() > 0) {
                            split.put(part, NeedleTask.rounded(i.mean() / 1e6));
                        }
                    }
                    for (String bytes : List.of("peak_heap_bytes", "off_heap_bytes", "mapped_bytes", "device_peak_bytes")) {
                        Interval i = group.mean("/" + bytes);
                        if (i.units() > 0) {
                            row.put(bytes, Math.round(i.mean()));
                        }
                    }
                }
            }
        }
    }
}
