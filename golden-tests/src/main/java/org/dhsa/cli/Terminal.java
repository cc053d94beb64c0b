package org.dhsa.cli;

import java.io.Console;

/// What the output goes to. Bold and colour only where a person looks, and not where `NO_COLOR` asks for none.
public record Terminal(boolean styled) {

    public static final Terminal PLAIN = new Terminal(false);

    public static Terminal detect() {
        return new Terminal(isTerminal() && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM")));
    }

    static boolean isTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    public String bold(String text) {
        return style("1", text);
    }

    public String dim(String text) {
        return style("2", text);
    }

    public String green(String text) {
        return style("32", text);
    }

    public String red(String text) {
        return style("31", text);
    }

    private String style(String code, String text) {
        return styled ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
