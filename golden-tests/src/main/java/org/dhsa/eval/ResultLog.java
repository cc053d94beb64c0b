package org.dhsa.eval;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;

/// Results as JSON lines: the first line says what was measured, every further line is one finished unit of work.
///
/// A line is appended in one write. What a killed process left unfinished at the end is cut off when the file is opened
/// again; what was finished stays.
public final class ResultLog implements AutoCloseable {

    static final String FORMAT = "dhsa-eval/1";

    private final Path file;
    private final Appending appending;
    private final List<JsonNode> results;

    /// Where lines go; a test puts a full disk here.
    interface Appending extends AutoCloseable {
        void append(byte[] line) throws IOException;

        @Override
        void close() throws IOException;
    }

    private ResultLog(Path file, Appending appending, List<JsonNode> results) {
        this.file = file;
        this.appending = appending;
        this.results = results;
    }

    /// What a file holds.
    public record Contents(JsonNode config, List<JsonNode> results, long wholeBytes) {}

    /// Opens the file for going on, or begins it.
    ///
    /// @throws BadInput if it holds results of another configuration
    public static ResultLog open(Path file, ObjectNode config) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        List<JsonNode> results = new ArrayList<>();
        if (Files.exists(file) && Files.size(file) > 0) {
            Contents contents = read(file);
            List<String> differences = differences(contents.config(), config);
            if (!differences.isEmpty()) {
                throw new BadInput("The result file " + file + " was measured with another configuration:\n  " + String.join("\n  ", differences)
                        + "\nName another file with --out, or give the options of that file.");
            }
            results.addAll(contents.results());
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(contents.wholeBytes());
            }
        }
        ResultLog log = new ResultLog(file, new FileAppending(file), results);
        if (!Files.exists(file) || Files.size(file) == 0) {
            ObjectNode head = Json.object().put("format", FORMAT);
            head.set("config", config);
            log.write(head);
        }
        return log;
    }

    static ResultLog on(Path file, Appending appending) {
        return new ResultLog(file, appending, new ArrayList<>());
    }

    /// Reads a file; a last line that was not finished is left out.
    ///
    /// @throws BadInput naming file and line if it is no result file
    public static Contents read(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        int whole = bytes.length;
        while (whole > 0 && bytes[whole - 1] != '\n') {
            whole--;
        }
        String[] lines = new String(bytes, 0, whole, StandardCharsets.UTF_8).split("\n");
        List<JsonNode> nodes = new ArrayList<>();
        for (int i = 0; i < lines.length && whole > 0; i++) {
            try {
                nodes.add(Json.MAPPER.readTree(lines[i]));
            } catch (JsonProcessingException e) {
                throw new BadInput(file + ", line " + (i + 1) + ": this is no JSON (" + e.getOriginalMessage() + "). Restore the file, or name another with --out.", e);
            }
        }
        if (nodes.isEmpty() || !nodes.getFirst().path("format").asText().equals(FORMAT)) {
            throw new BadInput(file + " is not a result file of dhsa eval: its first line does not say \"format\": \"" + FORMAT + "\". Name another file.");
        }
        return new Contents(nodes.getFirst().path("config"), nodes.subList(1, nodes.size()), whole);
    }

    /// One line per field in which two configurations differ.
    public static List<String> differences(JsonNode there, JsonNode here) {
        Set<String> fields = new TreeSet<>();
        there.fieldNames().forEachRemaining(fields::add);
        here.fieldNames().forEachRemaining(fields::add);
        return fields.stream().filter(f -> !there.path(f).toString().equals(here.path(f).toString()))
                .map(f -> f + ": the file has " + said(there.path(f)) + ", asked for is " + said(here.path(f))).toList();
    }

    private static String said(JsonNode value) {
        return value.isMissingNode() ? "nothing" : value.toString();
    }

    /// Results that were there already and those that were added.
    public synchronized List<JsonNode> results() {
        return Collections.unmodifiableList(new ArrayList<>(results));
    }

    public Path file() {
        return file;
    }

    /// @throws BadInput if it cannot be written; what was written before stays
    public synchronized void add(ObjectNode result) {
        write(result);
        results.add(result);
    }

    private void write(ObjectNode node) {
        try {
            appending.append((Json.compact(node) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new BadInput("The result file " + file + " cannot be written (" + e.getMessage() + "). What was measured stays in it: " + results.size()
                    + " results. Make room and give the same command again: it goes on from there.", e);
        }
    }

    @Override
    public void close() throws IOException {
        appending.close();
    }

    /// A line is there whole or not at all: after a failed write the file is cut back to where the line began.
    private static final class FileAppending implements Appending {
        private final FileChannel channel;

        FileAppending(Path file) throws IOException {
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            channel.position(channel.size());
        }

        @Override
        public void append(byte[] line) throws IOException {
            long begin = channel.position();
            ByteBuffer buffer = ByteBuffer.wrap(line);
            try {
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
            } catch (IOException e) {
                try {
                    channel.truncate(begin);
                } catch (IOException second) {
                    e.addSuppressed(second);
                }
                throw e;
            }
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
