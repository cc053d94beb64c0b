package org.dhsa.weights;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.dhsa.model.WeightTensor;

/// The tensors of a PyTorch `.pt` file, read without executing anything of it.
///
/// Both formats of `torch.save` are read: the zip (PyTorch 1.6 and later) and the older stream. What is read is a dict of
/// tensors, or dicts inside dicts, whose keys are joined by a dot (`model_state_dict.mlp.0.weight`); numbers and texts
/// beside them are passed over. What a pickle may say is a closed list, see [Pickle].
///
///     zip     NAME/data.pkl · NAME/data/0 · NAME/data/1 · ... · NAME/version       entries stored, never compressed
///     stream  magic · protocol 1001 · machine · the object · storage keys, each a pickle; then per key: elements (8 bytes), values
///
/// Everything is on the heap and nothing stays open. A tensor is made contiguous when it is asked for; one that repeats
/// elements (an expanded view) is refused, because it could claim more memory than the file has.
public final class TorchCheckpoint {

    /// A predictor has a few megabytes; whole models are published as safetensors.
    static final long MAX_FILE_BYTES = 1L << 30;

    private static final byte[] ZIP_MAGIC = {'P', 'K', 3, 4};
    private static final byte[] STREAM_MAGIC = {(byte) 0x80, 2, (byte) 0x8a, 10, 0x6c, (byte) 0xfc, (byte) 0x9c, 0x46, (byte) 0xf9,
        0x20, 0x6a, (byte) 0xa8, 0x50, 0x19, '.'};

    private final Path path;
    private final Map<String, Pickle.Tensor> tensors;
    private final Map<String, byte[]> storages;

    private TorchCheckpoint(Path path, Map<String, Pickle.Tensor> tensors, Map<String, byte[]> storages) {
        this.path = path;
        this.tensors = tensors;
        this.storages = storages;
    }

    /// Whether a file begins like something `torch.save` writes.
    static boolean looksLikeOne(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            byte[] start = in.readNBytes(STREAM_MAGIC.length);
            return startsWith(start, ZIP_MAGIC) || startsWith(start, STREAM_MAGIC)
                    || file.getFileName().toString().matches(".*\\.(pt|pth|bin)");
        }
    }

    /// Reads the file.
    ///
    /// @throws WeightsFormatException if it is malformed, holds no tensors, or asks for anything but tensors
    public static TorchCheckpoint read(Path file) throws IOException, WeightsFormatException {
        Json.requireFile(file);
        if (Files.size(file) > MAX_FILE_BYTES) {
            throw new WeightsFormatException(file, null, "has " + Files.size(file)
                    + " bytes; a PyTorch file of more than 1 GiB is not read, save it as safetensors");
        }
        byte[] start;
        try (var in = Files.newInputStream(file)) {
            start = in.readNBytes(STREAM_MAGIC.length);
        }
        if (startsWith(start, ZIP_MAGIC)) {
            return readZip(file);
        }
        if (startsWith(start, STREAM_MAGIC)) {
            return readStream(file);
        }
        throw new WeightsFormatException(file, null, "is not what torch.save writes: it begins neither like a zip file nor "
                + "like PyTorch's older stream format");
    }

    /// Names in the order in which they were saved.
    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }

    public boolean has(String name) {
        return tensors.containsKey(name);
    }

    /// One tensor, contiguous and row-major whatever its strides in the file.
    ///
    /// @throws WeightsFormatException if there is none of that name, or it reaches outside its storage or repeats elements
    public WeightTensor tensor(String name) throws WeightsFormatException {
        Pickle.Tensor t = tensors.get(name);
        if (t == null) {
            throw new WeightsFormatException(path, name, NearNames.missing(name, tensors.keySet()));
        }
        byte[] storage = storages.get(t.storage().key());
        if (storage == null) {
            throw new WeightsFormatException(path, name, "its storage " + Printable.name(t.storage().key()) + " is missing");
        }
        int width = t.storage().dtype().bytes();
        long available = storage.length / width;
        if (t.storage().elements() != available || storage.length % width != 0) {
            throw new WeightsFormatException(path, name, "its storage claims " + t.storage().elements() + " elements of "
                    + t.storage().dtype() + ", but has " + storage.length + " bytes");
        }
        long elements = requireInside(name, t, available);
        MemorySegment values = isContiguous(t)
                ? MemorySegment.ofArray(storage).asSlice(elements == 0 ? 0 : t.offset() * width, elements * width)
                : MemorySegment.ofArray(gather(storage, t, (int) elements, width));
        return new WeightTensor(name, t.storage().dtype(), t.size(), values);
    }

    /// Checks that the view stays inside its storage and returns its number of elements.
    private long requireInside(String name, Pickle.Tensor t, long available) throws WeightsFormatException {
        try {
            long elements = 1;
            long bytes = t.storage().dtype().bytes();
            for (long n : t.size()) {
                elements = Math.multiplyExact(elements, n);
                bytes = Math.multiplyExact(bytes, n);
            }
            long last = t.offset();
            for (int a = 0; elements > 0 && a < t.size().length; a++) {
                last = Math.addExact(last, Math.multiplyExact(t.size()[a] - 1, t.stride()[a]));
            }
            if (elements > 0 && last >= available) {
                throw new WeightsFormatException(path, name, "reaches element " + last + " of a storage of " + available);
            }
            if (elements > available) {
                throw new WeightsFormatException(path, name, "repeats elements: " + elements + " out of a storage of " + available
                        + "; save it with .contiguous()");
            }
            return elements;
        } catch (ArithmeticException e) {
            throw new WeightsFormatException(path, name, "its size " + Arrays.toString(t.size()) + " overflows 64 bits", e);
        }
    }

    private static boolean isContiguous(Pickle.Tensor t) {
        long expected = 1;
        for (int a = t.size().length - 1; a >= 0; a--) {
            if (t.size()[a] != 1 && t.stride()[a] != expected) {
                return false;
            }
            expected *= t.size()[a];
        }
        return true;
    }

    private static byte[] gather(byte[] storage, Pickle.Tensor t, int elements, int width) {
        byte[] out = new byte[elements * width];
        long[] index = new long[t.size().length];
        long source = t.offset();
        for (int i = 0; i < elements; i++) {
            System.arraycopy(storage, (int) source * width, out, i * width, width);
            for (int a = index.length - 1; a >= 0; a--) {
                source += t.stride()[a];
                if (++index[a] < t.size()[a]) {
                    break;
                }
                source -= t.size()[a] * t.stride()[a];
                index[a] = 0;
            }
        }
        return out;
    }

    // ---- the dict of tensors

    private static Map<String, Pickle.Tensor> flatten(Path path, Object root) throws WeightsFormatException {
        if (!(root instanceof Pickle.Dict dict)) {
            throw new WeightsFormatException(path, null, "holds no dict of tensors; save model.state_dict()");
        }
        Flattening flattening = new Flattening(path);
        flattening.add("", dict, 0);
        if (flattening.tensors.isEmpty()) {
            throw new WeightsFormatException(path, null, "holds no tensors; save model.state_dict()");
        }
        return flattening.tensors;
    }

    /// Tensors by name; dicts inside dicts are joined by a dot. A dict may contain itself or be shared a thousand times,
    /// so depth, steps and lengths are limited.
    private static final class Flattening {

        private static final int MAX_DEPTH = 16;
        private static final int MAX_STEPS = 1_000_000;
        private static final int MAX_NAME_LENGTH = 1_000;

        private final Path path;
        private final Map<String, Pickle.Tensor> tensors = new LinkedHashMap<>();
        private int steps;

        Flattening(Path path) {
            this.path = path;
        }

        void add(String prefix, Pickle.Dict dict, int depth) throws WeightsFormatException {
            for (Map.Entry<Object, Object> entry : dict.entries.entrySet()) {
                String key = String.valueOf(entry.getKey());
                if (++steps > MAX_STEPS || depth == MAX_DEPTH || prefix.length() + key.length() > MAX_NAME_LENGTH) {
                    throw new WeightsFormatException(path, null, "nests its dicts too deep, too often or under too long names");
                }
                if (entry.getValue() instanceof Pickle.Dict inner) {
                    add(prefix + key + ".", inner, depth + 1);
                } else if (entry.getValue() instanceof Pickle.Tensor tensor && tensors.put(prefix + key, tensor) != null) {
                    throw new WeightsFormatException(path, prefix + key, "is there twice");
                }
            }
        }
    }

    // ---- zip

    private static TorchCheckpoint readZip(Path path) throws IOException, WeightsFormatException {
        try (ZipFile zip = new ZipFile(path.toFile())) {
            ZipEntry program = onlyPickle(path, zip);
            String folder = program.getName().substring(0, program.getName().length() - "data.pkl".length());
            requireLittleEndian(path, zip, folder);
            Map<String, Pickle.Tensor> tensors = flatten(path, new Pickle(path, bytes(path, zip, program), 0).load());
            Map<String, byte[]> storages = new HashMap<>();
            long total = 0;
            for (Pickle.Tensor tensor : tensors.values()) {
                String key = tensor.storage().key();
                if (storages.containsKey(key)) {
                    continue;
                }
                ZipEntry entry = key.matches("[A-Za-z0-9_-]{1,100}") ? zip.getEntry(folder + "data/" + key) : null;
                if (entry == null) {
                    throw new WeightsFormatException(path, null, "storage " + Printable.name(key) + " is missing from the zip");
                }
                byte[] storage = bytes(path, zip, entry);
                storages.put(key, storage);
                total += storage.length;
                if (total > Files.size(path)) {
                    throw new WeightsFormatException(path, null, "zip entries overlap: they hold more than the file");
                }
            }
            return new TorchCheckpoint(path, tensors, storages);
        } catch (ZipException | EOFException e) {
            throw new WeightsFormatException(path, null, "is a damaged or incomplete zip file"
                    + (e.getMessage() == null ? "" : ": " + Printable.name(e.getMessage())), e);
        } catch (IllegalArgumentException e) {
            throw new WeightsFormatException(path, null, "is a damaged zip file: " + Printable.name(String.valueOf(e.getMessage())), e);
        }
    }

    private static ZipEntry onlyPickle(Path path, ZipFile zip) throws WeightsFormatException {
        ZipEntry found = null;
        for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
            ZipEntry entry = all.nextElement();
            if (entry.getName().matches("[^/\\\\]+/constants\\.pkl")) {
                throw new WeightsFormatException(path, null, "is a TorchScript program, not a state dict; save model.state_dict()");
            }
            if (entry.getName().matches("[^/\\\\]+/data\\.pkl")) {
                if (found != null) {
                    throw new WeightsFormatException(path, null, "holds more than one data.pkl");
                }
                found = entry;
            }
        }
        if (found == null) {
            throw new WeightsFormatException(path, null, "is a zip file without data.pkl, so not what torch.save writes");
        }
        return found;
    }

    private static void requireLittleEndian(Path path, ZipFile zip, String folder) throws IOException, WeightsFormatException {
        ZipEntry order = zip.getEntry(folder + "byteorder");
        if (order != null && !Arrays.equals(bytes(path, zip, order), new byte[] {'l', 'i', 't', 't', 'l', 'e'})) {
            throw new WeightsFormatException(path, null, "was saved on a big-endian machine; save it on a little-endian one");
        }
    }

    /// The bytes of a stored entry. `torch.save` never compresses, so a compressed entry is refused: its size would be a
    /// claim, while a stored entry cannot be larger than the file.
    private static byte[] bytes(Path path, ZipFile zip, ZipEntry entry) throws IOException, WeightsFormatException {
        if (entry.getMethod() != ZipEntry.STORED || entry.getSize() != entry.getCompressedSize()
                || entry.getSize() < 0 || entry.getSize() > Files.size(path)) {
            throw new WeightsFormatException(path, null, "zip entry " + Printable.name(entry.getName())
                    + " is compressed or larger than the file; torch.save stores entries as they are");
        }
        byte[] bytes;
        try (var in = zip.getInputStream(entry)) {
            bytes = in.readNBytes((int) entry.getSize());
        }
        CRC32 crc = new CRC32();
        crc.update(bytes);
        if (bytes.length != entry.getSize() || crc.getValue() != entry.getCrc()) {
            throw new WeightsFormatException(path, null, "zip entry " + Printable.name(entry.getName())
                    + " is damaged: its checksum does not match");
        }
        return bytes;
    }

    // ---- stream

    private static TorchCheckpoint readStream(Path path) throws IOException, WeightsFormatException {
        byte[] bytes = Files.readAllBytes(path);
        Pickle protocol = new Pickle(path, bytes, STREAM_MAGIC.length);
        if (!Long.valueOf(1001).equals(protocol.load())) {
            throw new WeightsFormatException(path, null, "is a PyTorch stream of unknown version, expected 1001");
        }
        Pickle machine = new Pickle(path, bytes, protocol.end());
        if (!(machine.load() instanceof Pickle.Dict info) || !Boolean.TRUE.equals(info.entries.get("little_endian"))) {
            throw new WeightsFormatException(path, null, "was saved on a big-endian machine; save it on a little-endian one");
        }
        Pickle object = new Pickle(path, bytes, machine.end());
        Map<String, Pickle.Tensor> tensors = flatten(path, object.load());
        Pickle keys = new Pickle(path, bytes, object.end());
        if (!(keys.load() instanceof Pickle.Items list)) {
            throw new WeightsFormatException(path, null, "is damaged: the list of storages is missing");
        }
        return new TorchCheckpoint(path, tensors, readStreamStorages(path, bytes, keys.end(), object.storages(), list.items));
    }

    private static Map<String, byte[]> readStreamStorages(Path path, byte[] bytes, int from, Map<String, Pickle.Storage> wanted,
                                                          List<Object> keys) throws WeightsFormatException {
        Map<String, byte[]> storages = new HashMap<>();
        int at = from;
        for (Object key : keys) {
            Pickle.Storage storage = key instanceof String text ? wanted.get(text) : null;
            if (storage == null) {
                throw new WeightsFormatException(path, null, "holds a storage that belongs to no tensor");
            }
            if (bytes.length - at < 8) {
                throw new WeightsFormatException(path, null, "is cut short before storage " + Printable.name(storage.key()));
            }
            long elements = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(at);
            at += 8;
            long left = bytes.length - at;
            if (elements != storage.elements() || elements > left / storage.dtype().bytes()) {
                throw new WeightsFormatException(path, null, "storage " + Printable.name(storage.key()) + " has " + elements
                        + " elements, expected " + storage.elements() + "; " + left + " bytes are left in the file");
            }
            int length = (int) elements * storage.dtype().bytes();
            if (storages.put(storage.key(), Arrays.copyOfRange(bytes, at, at + length)) != null) {
                throw new WeightsFormatException(path, null, "storage " + Printable.name(storage.key()) + " is there twice");
            }
            at += length;
        }
        if (at != bytes.length) {
            throw new WeightsFormatException(path, null, (bytes.length - at) + " trailing bytes follow the last storage");
        }
        return storages;
    }

    private static boolean startsWith(byte[] bytes, byte[] start) {
        return bytes.length >= start.length && Arrays.equals(bytes, 0, start.length, start, 0, start.length);
    }
}
