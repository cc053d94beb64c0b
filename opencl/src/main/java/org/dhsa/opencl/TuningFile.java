package org.dhsa.opencl;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/// What the tuner found, kept per device and driver in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`).
///
/// Only tunables of the shipped kernels with values that their kernels can take are accepted: a file that is broken, of
/// another device or driver, or from another version is left alone, with a warning.
final class TuningFile {

    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final int VERSION = 1;

    private final Path path;
    private final OpenClDevice device;

    TuningFile(Path folder, OpenClDevice device) {
        this.device = device;
        String name = (device.platform() + "-" + device.name() + "-" + device.driver()).replaceAll("[^A-Za-z0-9.]+", "-");
        this.path = folder.resolve(name.substring(0, Math.min(150, name.length())) + ".json");
    }

    /// In the user's cache folder.
    static TuningFile of(OpenClDevice device) {
        return new TuningFile(folder(System.getenv("XDG_CACHE_HOME"), System.getProperty("user.home")), device);
    }

    /// A relative `XDG_CACHE_HOME` is to be ignored, says its specification.
    static Path folder(String cacheHome, String home) {
        Path base = cacheHome != null && Path.of(cacheHome).isAbsolute() ? Path.of(cacheHome) : Path.of(home, ".cache");
        return base.resolve("dhsa-java").resolve("opencl");
    }

    Path path() {
        return path;
    }

    /// @param warn told why a file that is there cannot be used
    Optional<Tuning> read(Consumer<String> warn) {
        if (!Files.isRegularFile(path)) {
            return Optional.empty();
        }
        try {
            JsonNode root = MAPPER.readTree(Files.readString(path));
            if (root == null || root.path("version").asInt(-1) != VERSION) {
                return refuse(warn, "it is not of version " + VERSION);
            }
            if (!device.name().equals(root.path("device").asText()) || !device.driver().equals(root.path("driver").asText())) {
                return refuse(warn, "it is of another device or driver: " + root.path("device").asText() + ", " + root.path("driver").asText());
            }
            Map<String, Map<String, Integer>> all = new HashMap<>();
            for (Map.Entry<String, JsonNode> program : root.path("tunables").properties()) {
                Map<String, Integer> values = new TreeMap<>();
                for (Map.Entry<String, JsonNode> value : program.getValue().properties()) {
                    if (!value.getValue().isInt() || !TuningDefaults.allows(program.getKey(), value.getKey(), value.getValue().intValue())) {
                        return refuse(warn, program.getKey() + " takes no " + value.getKey() + " = " + value.getValue());
                    }
                    values.put(value.getKey(), value.getValue().intValue());
                }
                all.put(program.getKey(), values);
            }
            return Optional.of(new Tuning(all));
        } catch (JsonProcessingException e) {
            return refuse(warn, "it is no JSON: " + e.getOriginalMessage());
        } catch (IOException e) {
            return refuse(warn, e.toString());
        }
    }

    private Optional<Tuning> refuse(Consumer<String> warn, String why) {
        warn.accept("the tuning in " + path + " is not used: " + why + ". What to do: remove it, or make a new one with ./dhsa backends --tune");
        return Optional.empty();
    }

    /// A temporary file, then a move: nobody sees half a file.
    void write(Tuning tuning) throws IOException {
        ObjectNode root = MAPPER.createObjectNode().put("version", VERSION).put("device", device.name()).put("driver", device.driver());
        ObjectNode tunables = root.putObject("tunables");
        new TreeMap<>(tuning.byProgram()).forEach((program, values) -> {
            ObjectNode node = tunables.putObject(program);
            new TreeMap<>(values).forEach(node::put);
        });
        Files.createDirectories(path.getParent());
        Path temporary = Files.createTempFile(path.getParent(), "tuning", ".tmp");
        try {
            Files.writeString(temporary, MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(root));
            Files.move(temporary, path, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }
}
