package org.dhsa.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/// One line on the terminal that says how far long work is. Silent where nobody looks.
public final class Progress implements AutoCloseable {

    private static final Duration BETWEEN = Duration.ofMillis(200);

    private final PrintWriter err;
    private final boolean shown;
    private final Map<String, String> parts = new TreeMap<>();
    private long lastPrinted;
    private int width;

    Progress(PrintWriter err, boolean shown) {
        this.err = err;
        this.shown = shown;
    }

    /// @param quiet no line even on a terminal
    public static Progress on(PrintWriter err, boolean quiet) {
        return new Progress(err, !quiet && Terminal.isTerminal());
    }

    /// Whether somebody looks.
    boolean isShown() {
        return shown;
    }

    /// Something that is done step by step; several may run at once.
    public Task task(String name) {
        return new Task(name);
    }

    /// The steps of one thing.
    public final class Task {
        private final String name;
        private final long begun = System.nanoTime();
        private boolean over;

        private Task(String name) {
            this.name = name;
        }

        /// @param what of which thing step `done` of `total` is finished: `layer`
        public void at(String what, long done, long total) {
            double seconds = (System.nanoTime() - begun) / 1e9;
            double left = done == 0 ? 0 : seconds / done * (total - done);
            report(String.format(Locale.ROOT, "%s: %s %d of %d%s", name, what, done, total,
                    done > 0 && left >= 1 ? ", " + time(left) + " left" : ""));
        }

        /// Without a known end.
        public void at(String what) {
            report(name + ": " + what);
        }

        /// From now on this task says nothing.
        public void done() {
            synchronized (Progress.this) {
                over = true;
                parts.remove(name);
            }
        }

        private void report(String text) {
            synchronized (Progress.this) {
                if (!over) {
                    parts.put(name, text);
                    print();
                }
            }
        }
    }

    private void print() {
        long now = System.nanoTime();
        if (!shown || now - lastPrinted < BETWEEN.toNanos()) {
            return;
        }
        lastPrinted = now;
        String line = String.join("   ", parts.values());
        line = line.length() > 100 ? line.substring(0, 100) : line;
        err.print("\r" + line + " ".repeat(Math.max(0, width - line.length())));
        err.flush();
        width = line.length();
    }

    private static String time(double seconds) {
        return seconds < 90 ? Math.round(seconds) + " s" : Math.round(seconds / 60) + " min";
    }

    @Override
    public void close() {
        clear();
    }

    /// Wipes the line, so that something else can be printed; the next report writes it again.
    public synchronized void clear() {
        parts.clear();
        if (shown && width > 0) {
            err.print("\r" + " ".repeat(width) + "\r");
            err.flush();
            width = 0;
        }
    }
}
