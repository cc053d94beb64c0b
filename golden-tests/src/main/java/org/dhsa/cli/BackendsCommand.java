package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.dhsa.backend.Availability;
import org.dhsa.backend.BackendProvider;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Which backends there are and whether each can run here.
@Command(name = "backends", mixinStandardHelpOptions = true, sortOptions = false, abbreviateSynopsis = true,
        header = "Lists the backends and whether each can run here.",
        description = {"", "What each is, and if it cannot run on this machine, why and what to do. The reference runs everywhere. Use a name from "
                + "this list with --backend.", ""})
final class BackendsCommand implements Callable<Integer> {

    @Option(names = "--json", description = "Print one JSON array instead of text.")
    boolean json;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        ArrayNode all = Json.array();
        for (BackendProvider provider : Backends.providers()) {
            ObjectNode one = all.addObject().put("name", provider.name());
            switch (provider.probe()) {
                case Availability.Available(String description) -> one.put("available", true).put("description", description);
                case Availability.Missing(String why, String remedy) -> one.put("available", false).put("why", why).put("remedy", remedy);
            }
        }
        if (json) {
            out.println(Json.pretty(all));
        } else {
            all.forEach(one -> out.println(one.get("available").booleanValue()
                    ? String.format("%-12s available    %s", one.get("name").textValue(), one.get("description").textValue())
                    : String.format("%-12s missing      %s%n%26s%s", one.get("name").textValue(), one.get("why").textValue(), "What to do: ",
                            one.get("remedy").textValue())));
        }
        out.flush();
        return 0;
    }
}
