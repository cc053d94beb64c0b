package org.dhsa.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/// What came out of one bench.
///
/// @param remarks how the figures are to be read, what was left out and why
public record BenchReport(Bench bench, List<Table> tables, List<String> remarks, List<Samples> samples) {

    /// For people.
    public String text() {
        StringBuilder out = new StringBuilder();
        tables.forEach(t -> out.append(t.title()).append("\n\n").append(t.text()).append('\n'));
        remarks.forEach(r -> out.append("  * ").append(r).append('\n'));
        return out.toString();
    }

    /// For the documentation.
    ///
    /// @param system  machine, JDK and commit
    /// @param command what measures it again
    public String markdown(String system, String command) {
        StringBuilder out = new StringBuilder();
        tables.forEach(t -> out.append("**").append(t.title()).append("**\n\n").append(t.markdown()).append('\n'));
        remarks.forEach(r -> out.append("* ").append(r).append('\n'));
        return out.append("\n").append(system).append(". Measured by `").append(command).append("`.\n").toString().replace("\n\n\n", "\n\n");
    }

    /// Tables, remarks and every single time.
    public ObjectNode json() {
        ObjectNode node = new ObjectMapper().createObjectNode();
        node.put("bench", bench.toString());
        ObjectNode byTitle = node.putObject("tables");
        tables.forEach(t -> byTitle.set(t.title(), t.json()));
        ArrayNode said = node.putArray("remarks");
        remarks.forEach(said::add);
        ArrayNode times = node.putArray("samples");
        for (Samples one : samples) {
            ObjectNode sample = times.addObject().put("benchmark", one.benchmark());
            ObjectNode params = sample.putObject("params");
            one.params().forEach(params::put);
            params.remove("folder");
            ObjectNode seconds = sample.putObject("seconds");
            one.seconds().forEach((method, values) -> {
                ArrayNode list = seconds.putArray(method);
                for (double v : values) {
                    list.add(v);
                }
            });
            ObjectNode notes = sample.putObject("notes");
            one.notes().forEach(notes::put);
        }
        return node;
    }
}
