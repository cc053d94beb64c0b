package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.dhsa.eval.Setting;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/// Options that take a list: `--budgets 64 --budgets 128` is `--budgets 64,128`, and one that is given replaces its default.
class ListOptionsTest {

    private static Collection<?> parsed(String command, String option, String... args) {
        List<String> all = new ArrayList<>(List.of("eval", command));
        all.addAll(List.of(args));
        CommandLine main = Main.commandLine();
        main.parseArgs(all.toArray(String[]::new));
        return main.getSubcommands().get("eval").getSubcommands().get(command).getCommandSpec().findOption(option).getValue();
    }

    @Test
    void aListReplacesItsDefaultAndIsAddedTo() {
        int lists = 0;
        for (var command : Main.commandLine().getSubcommands().get("eval").getSubcommands().entrySet()) {
            for (OptionSpec option : command.getValue().getCommandSpec().options()) {
                if (!option.isMultiValue() || option.splitRegex().isEmpty()) {
                    continue;
                }
                lists++;
                String name = option.longestName();
                Class<?> type = option.auxiliaryTypes()[0];
                List<String> values = type == Setting.class ? List.of("decode-dense", "strict", "authors") : type == Integer.class ? List.of("7", "9", "11")
                        : type == Double.class ? List.of("0.25", "0.5", "0.75") : List.of("a", "b", "c");
                List<String> once = written(parsed(command.getKey(), name, name, values.get(0)));
                assertThat(once).as("%s %s given once", command.getKey(), name).hasSize(1);
                List<String> thrice = written(parsed(command.getKey(), name, name, values.get(0), name, values.get(1) + "," + values.get(2)));
                assertThat(thrice).as("%s %s given twice", command.getKey(), name)
                        .isEqualTo(written(parsed(command.getKey(), name, name, String.join(",", values)))).hasSize(3).startsWith(once.getFirst());
            }
        }
        assertThat(lists).as("list options of eval").isGreaterThan(20);
    }

    private static List<String> written(Collection<?> values) {
        List<String> all = new ArrayList<>();
        values.forEach(v -> all.add(String.valueOf(v)));
        return all;
    }
}
