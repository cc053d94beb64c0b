package org.dhsa.eval.report;

import static org.dhsa.demo.PageTemplate.escape;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.dhsa.demo.PageTemplate;

/// Results of one or several tasks as one page that needs nothing but itself: the sections of every task's report, one after the other.
///
/// Written without a script, so that it prints and reads the same everywhere.
public record EvalReport(List<TaskReport> tasks) {

    public EvalReport {
        tasks = List.copyOf(tasks);
    }

    /// @throws org.dhsa.cli.BadInput if files of one task were not measured with one configuration
    public static EvalReport read(List<Path> files) throws IOException {
        return new EvalReport(ResultSet.read(files).stream().map(TaskReport::of).toList());
    }

    public String html() {
        return PageTemplate.load(EvalReport.class, "report.html")
                .text("task", tasks.stream().map(t -> t.results().task()).collect(Collectors.joining(", ")))
                .text("headline", tasks.size() == 1 ? tasks.getFirst().headline() : "What is found, what is kept, what it costs")
                .html("leads", tasks.stream().map(t -> "<p>" + (tasks.size() == 1 ? "" : "<b>" + escape(t.results().task()) + "</b>: ") + escape(t.lead()) + "</p>").collect(Collectors.joining()))
                .html("notes", tasks.stream().flatMap(t -> t.notes().stream()).map(n -> "<p class=\"note\">" + escape(n) + "</p>").collect(Collectors.joining()))
                .html("disclosure", disclosure().stream().map(s -> "<li>" + escape(s) + "</li>").collect(Collectors.joining()))
                .html("sections", tasks.stream().map(this::sections).collect(Collectors.joining()))
                .text("config", tasks.stream().map(t -> said(t.results())).collect(Collectors.joining(" ")))
                .fill();
    }

    /// What must be said beside the numbers, each sentence once: with the names of its models where it is not true of all.
    private List<String> disclosure() {
        Map<String, Set<String>> models = new LinkedHashMap<>();
        Set<String> all = new LinkedHashSet<>();
        for (TaskReport task : tasks) {
            task.results().config().path("models").forEach(model -> {
                all.add(model.path("name").asText());
                model.path("disclosure").forEach(s -> models.computeIfAbsent(s.asText(), t -> new LinkedHashSet<>()).add(model.path("name").asText()));
            });
        }
        return models.entrySet().stream().map(e -> (e.getValue().size() == all.size() ? "" : String.join(", ", e.getValue()) + ": ") + e.getKey()).toList();
    }

    private String sections(TaskReport task) {
        String part = tasks.size() == 1 ? "" : "<p class=\"kicker part\">eval " + escape(task.results().task()) + "</p>";
        return part + task.sections().stream().map(s -> "<h2>" + escape(s.title()) + "</h2>" + (s.intro().isEmpty() ? "" : Html.small(s.intro())) + s.html())
                .collect(Collectors.joining());
    }

    private String said(ResultSet results) {
        JsonNode config = results.config();
        return (tasks.size() == 1 ? "Backend " : results.task() + ": backend ") + config.path("backend").asText() + ", seed " + config.path("seed").asText()
                + (config.has("haystack") ? ", haystack: " + config.path("haystack").asText() : "") + (config.has("layers") ? ", layers: " + config.path("layers").asText() : "") + ".";
    }
}
