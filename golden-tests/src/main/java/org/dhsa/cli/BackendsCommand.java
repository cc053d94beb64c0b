package org.dhsa.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.dhsa.backend.Availability;
import org.dhsa.backend.BackendProvider;
import org.dhsa.opencl.OpenClException;
import org.dhsa.opencl.OpenClLibrary;
import org.dhsa.opencl.OpenClTuner;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Which backends there are and whether each can run here.
@Command(name = "backends", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Lists the backends and whether each can run here.",
        description = {"", "What each is, and if it cannot run on this machine, why and what to do. The reference runs everywhere. Use a name from "
                + "this list with --backend. Below opencl stand the devices it could use.", ""})
final class BackendsCommand implements Callable<Integer> {

    @Option(names = "--json", description = "Print one JSON array instead of text.")
    boolean json;

    @Option(names = "--tune", description = {"Measure the kernels of opencl on its device, about a minute, and keep what is fastest in the user's cache folder. "
            + "Changes no result."})
    boolean tune;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        if (tune) {
            return tune(out, spec.commandLine().getErr());
        }
        ArrayNode all = Json.array();
        for (BackendProvider provider : Backends.providers()) {
            ObjectNode one = all.addObject().put("name", provider.name());
            switch (provider.probe()) {
                case Availability.Available(String description) -> one.put("available", true).put("description", description);
                case Availability.Missing(String why, String remedy) -> one.put("available", false).put("why", why).put("remedy", remedy);
            }
            List<String> details = provider.details();
            if (!details.isEmpty()) {
                one.set("details", Json.MAPPER.valueToTree(details));
            }
        }
        if (json) {
            out.println(Json.pretty(all));
        } else {
            for (JsonNode one : all) {
                out.println(one.get("available").booleanValue()
                        ? String.format("%-12s available    %s", one.get("name").textValue(), one.get("description").textValue())
                        : String.format("%-12s missing      %s%n%26s%s", one.get("name").textValue(), one.get("why").textValue(), "What to do: ",
                                one.get("remedy").textValue()));
                one.path("details").forEach(line -> out.println(" ".repeat(26) + line.textValue()));
            }
        }
        out.flush();
        return 0;
    }

    private int tune(PrintWriter out, PrintWriter err) throws IOException {
        if (OpenClLibrary.look().missing().isPresent()) {
            Availability.Missing missing = OpenClLibrary.look().missing().get();
            throw new BadInput("There is no OpenCL device to tune: " + missing.why() + ". What to do: " + missing.remedy() + ".");
        }
        OpenClTuner.Result result;
        try (Progress progress = Progress.on(err, json)) {
            Progress.Task task = progress.task("measuring");
            result = OpenClTuner.tune(task::at);
            task.done();
        } catch (OpenClException e) {
            throw new BadInput(e.getMessage(), e);
        }
        ObjectNode report = Json.object().put("device", result.device()).put("file", result.file().toString());
        ArrayNode choices = report.putArray("choices");
        for (OpenClTuner.Choice choice : result.choices()) {
            ObjectNode one = choices.addObject().put("program", choice.program()).put("seconds", choice.seconds()).put("seconds_before", choice.before());
            one.set("tunables", Json.MAPPER.valueToTree(new TreeMap<>(choice.chosen())));
        }
        if (json) {
            out.println(Json.pretty(report));
        } else {
            out.println(result.device());
            result.choices().forEach(c -> out.printf(Locale.ROOT, "  %-20s %-60s %.2f times as fast as the defaults%n", c.program(), new TreeMap<>(c.chosen()), c.before() / c.seconds()));
            out.println("kept in " + result.file());
        }
        out.flush();
        return 0;
    }
}
