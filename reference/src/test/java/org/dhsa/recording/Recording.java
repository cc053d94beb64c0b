package org.dhsa.recording;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// One recorded case: `case.json` and the tensors beside it. Remembers which results were read, so that a test can show that
/// it looked at all of them.
public final class Recording {

    private static final Path ROOT = Path.of(System.getProperty("dhsa.root", ".."), "golden-tests", "recordings");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final JsonNode json;
    private final Map<String, Map<String, WeightTensor>> files = new HashMap<>();
    private final Set<String> unread = new TreeSet<>();

    private Recording(Path folder) throws IOException {
        json = JSON.readTree(folder.resolve("case.json").toFile());
        for (String file : (Iterable<String>) () -> json.get("tensors").fieldNames()) {
            files.put(file, read(folder.resolve(file)));
            unread.addAll(files.get(file).keySet());
        }
        json.get("results").fieldNames().forEachRemaining(unread::add);
    }

    public static Recording of(String id) {
        try {
            return new Recording(ROOT.resolve(id));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Names of the cases of a family that start with a prefix, in order: `cases("kv", "h2o_")`.
    public static List<String> cases(String family, String prefix) {
        try (Stream<Path> folders = Files.list(ROOT.resolve(family))) {
            return folders.map(f -> f.getFileName().toString()).filter(n -> n.startsWith(prefix))
                    .map(n -> family + "/" + n).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Tensors and results that nobody has asked for yet.
    public Set<String> unread() {
        return unread;
    }

    public JsonNode result(String name) {
        unread.remove(name);
        return json.get("results").get(name);
    }

    public boolean has(String tensor) {
        return files.values().stream().anyMatch(f -> f.containsKey(tensor));
    }

    public int parameter(String name) {
        return json.get("hyperparameters").get(name).intValue();
    }

    public double number(String name) {
        return json.get("hyperparameters").get(name).doubleValue();
    }

    public String text(String name) {
        return json.get("hyperparameters").get(name).textValue();
    }

    /// False if there is no such parameter.
    public boolean flag(String name) {
        return json.get("hyperparameters").path(name).booleanValue();
    }

    /// Empty for null.
    public OptionalInt maybeInt(String name) {
        JsonNode node = json.get("hyperparameters").path(name);
        return node.isNumber() ? OptionalInt.of(node.intValue()) : OptionalInt.empty();
    }

    /// Empty for null.
    public OptionalDouble maybeNumber(String name) {
        JsonNode node = json.get("hyperparameters").path(name);
        return node.isNumber() ? OptionalDouble.of(node.doubleValue()) : OptionalDouble.empty();
    }

    /// A stored tensor as it stands in its file; the first file that has it.
    public WeightTensor stored(String name) {
        unread.remove(name);
        return files.values().stream().filter(f -> f.containsKey(name)).findFirst().orElseThrow().get(name);
    }

    /// A whole tensor under these axis names.
    public DoubleTensor tensor(String name, String... axes) {
        return stored(name).widen(axes);
    }

    /// Item `batch` of a tensor `[batch, ...]`, the rest under these axis names.
    public DoubleTensor item(int batch, String name, String... axes) {
        WeightTensor stored = stored(name);
        Object[] shape = new Object[2 * axes.length];
        for (int a = 0; a < axes.length; a++) {
            shape[2 * a] = axes[a];
            shape[2 * a + 1] = Math.toIntExact(stored.dim(a + 1));
        }
        return DoubleTensor.of(Shape.of(shape), stored.rows(batch, batch + 1));
    }

    /// Values of any integer or boolean tensor, row-major.
    public int[] ints(String name) {
        return Arrays.stream(stored(name).widen()).mapToInt(v -> (int) v).toArray();
    }

    /// Item `batch` of a tensor `[batch, rows, n]` of integers.
    public int[][] rowsOfInts(int batch, String name) {
        WeightTensor stored = stored(name);
        int n = Math.toIntExact(stored.dim(2));
        double[] values = stored.rows(batch, batch + 1);
        return IntStream.range(0, Math.toIntExact(stored.dim(1)))
                .mapToObj(r -> Arrays.stream(values, r * n, (r + 1) * n).mapToInt(v -> (int) v).toArray()).toArray(int[][]::new);
    }

    public boolean[] booleans(String name) {
        int[] values = ints(name);
        boolean[] out = new boolean[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[i] != 0;
        }
        return out;
    }

    /// 8 bytes header length, JSON header, data.
    private static Map<String, WeightTensor> read(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        int headerLength = Math.toIntExact(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong());
        JsonNode header = JSON.readTree(bytes, 8, headerLength);
        Map<String, WeightTensor> tensors = new HashMap<>();
        header.properties().forEach(entry -> {
            if (!entry.getKey().equals("__metadata__")) {
                JsonNode t = entry.getValue();
                long[] dims = new long[t.get("shape").size()];
                Arrays.setAll(dims, a -> t.get("shape").get(a).longValue());
                long from = t.get("data_offsets").get(0).longValue();
                long to = t.get("data_offsets").get(1).longValue();
                tensors.put(entry.getKey(), new WeightTensor(entry.getKey(), DType.valueOf(t.get("dtype").textValue()), dims,
                        MemorySegment.ofArray(bytes).asSlice(8 + headerLength + from, to - from)));
            }
        });
        return tensors;
    }
}
