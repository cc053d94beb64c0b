package org.dhsa.eval.task;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dhsa.cli.BadInput;
import org.dhsa.eval.ProsePrompts;

/// A folder with LongBench's files, `TASK.jsonl`, in it or in its folder `data`.
///
/// @param examples by task, in the order of the tasks
/// @param missing  tasks that were meant and have no file
/// @param broken   one sentence per broken line, with file, line and reason
/// @param fingerprint of all files that were read
public record LongBenchData(Map<LongBenchTask, List<LongBenchTask.Example>> examples, List<String> missing, List<String> broken, String fingerprint) {

    /// @param tasks those that must be there; empty for those of the paper that are there
    /// @throws BadInput if there is no folder, a named task's file is missing, or no good line at all
    public static LongBenchData read(Path folder, List<LongBenchTask> tasks) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new BadInput("--data: " + folder + " is not a folder. Name the one that holds LongBench's files, like " + LongBenchTask.all().getFirst().name() + ".jsonl.");
        }
        List<LongBenchTask> wanted = tasks.isEmpty() ? LongBenchTask.ofThePaper() : tasks;
        Map<LongBenchTask, List<LongBenchTask.Example>> examples = new LinkedHashMap<>();
        List<String> missing = new ArrayList<>();
        List<String> broken = new ArrayList<>();
        StringBuilder hashes = new StringBuilder();
        for (LongBenchTask task : wanted) {
            Path file = folder.resolve(task.name() + ".jsonl");
            file = Files.exists(file) ? file : folder.resolve("data").resolve(task.name() + ".jsonl");
            if (!Files.isRegularFile(file)) {
                missing.add(task.name());
                continue;
            }
            JsonLines<LongBenchTask.Example> lines = JsonLines.read(file, task::parse);
            broken.addAll(lines.broken());
            hashes.append(lines.sha256());
            if (!lines.items().isEmpty()) {
                examples.put(task, lines.items());
            }
        }
        if (!tasks.isEmpty() && !missing.isEmpty()) {
            throw new BadInput("--tasks: there is no file for " + String.join(", ", missing) + " in " + folder + ". Each task needs a file TASK.jsonl there.");
        }
        if (examples.isEmpty()) {
            throw new BadInput("--data: " + folder + " holds no example" + (broken.isEmpty() ? ": none of " + wanted.stream().map(t -> t.name() + ".jsonl").collect(Collectors.joining(", "))
                    + " is there with a line in it." : ". " + String.join("; ", broken.subList(0, Math.min(3, broken.size()))) + "."));
        }
        return new LongBenchData(examples, missing, broken, ProsePrompts.sha256(hashes.toString()).substring(0, 12));
    }
}
