package org.dhsa.weights;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.dhsa.model.WeightTensor;

/// One safetensors file, mapped read-only. Nothing is copied: a tensor is a view of the mapped bytes.
///
/// Opening reads the header and no value, so a file of 5 GB opens as fast as one of 5 KB. Offsets are `long`: a tensor
/// may exceed 2 GiB and a file 10 GiB. Every dtype is listed; which ones can be read as numbers says [WeightTensor].
/// Values are not judged here: a BOOL byte other than 0 reads as 1, and NaN is found by [WeightCheck].
///
/// {@snippet :
/// try (SafetensorsFile file = SafetensorsFile.open(Path.of("model.safetensors"))) {
///     double first = file.tensor("model.norm.weight").get(0);
/// }
/// }
///
/// **Lifetime** tensors are valid until [#close()]; reading one afterwards is an `IllegalStateException`, not a crash.
/// **Pitfall** do not shorten a file while it is mapped: the operating system then fails the read (`InternalError`).
public final class SafetensorsFile implements AutoCloseable {

    private final Path path;
    private final Arena arena;
    private final MemorySegment file;
    private final SafetensorsHeader header;

    private SafetensorsFile(Path path, Arena arena, MemorySegment file, SafetensorsHeader header) {
        this.path = path;
        this.arena = arena;
        this.file = file;
        this.header = header;
    }

    /// Maps the file and checks its header.
    ///
    /// @throws WeightsFormatException if there is no such file or the header is malformed in any way
    /// @throws IOException            if the file is there and cannot be read
    public static SafetensorsFile open(Path path) throws IOException, WeightsFormatException {
        Json.requireFile(path);
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new SafetensorsFile(path, arena, file, SafetensorsHeader.parse(path, file));
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    public Path path() {
        return path;
    }

    /// The free-form `__metadata__`, in file order.
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /// Names by rising offset.
    public List<String> names() {
        return List.copyOf(header.entries().keySet());
    }

    public boolean has(String name) {
        return header.entries().containsKey(name);
    }

    /// A read-only view of one tensor.
    ///
    /// @throws WeightsFormatException if there is none of that name; the message lists the nearest names
    public WeightTensor tensor(String name) throws WeightsFormatException {
        SafetensorsHeader.Entry e = header.entries().get(name);
        if (e == null) {
            throw new WeightsFormatException(path, name, NearNames.missing(name, header.entries().keySet()));
        }
        long data = SafetensorsHeader.PREFIX_BYTES + header.headerBytes();
        return new WeightTensor(name, e.dtype(), e.dims(), file.asSlice(data + e.from(), e.to() - e.from()));
    }

    /// Bytes of the JSON header with its padding.
    public long headerBytes() {
        return header.headerBytes();
    }

    public long fileBytes() {
        return file.byteSize();
    }

    /// Ends the mapping. Closing twice is harmless.
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    @Override
    public String toString() {
        return path + " (" + header.entries().size() + " tensors, " + fileBytes() + " bytes)";
    }
}
