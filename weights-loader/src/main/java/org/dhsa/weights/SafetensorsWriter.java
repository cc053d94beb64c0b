package org.dhsa.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.tensor.DType;

/// Writes safetensors files whose every tensor is aligned to its element size.
///
/// The header is padded with spaces to a multiple of 8 and the widest dtypes come first; tensors of one width keep the
/// order in which they were added, so equal input gives equal bytes. The file is written beside the target and moved
/// over it in one step: whoever reads the target sees the old file or the whole new one.
///
/// {@snippet :
/// new SafetensorsWriter()
///         .metadata("format", "pt")
///         .addF32("bias", new float[] {1, 2, 3}, 3)
///         .write(Path.of("toy.safetensors"));
/// }
public final class SafetensorsWriter {

    private static final int PIECE_BYTES = 1 << 20;

    private record Part(String name, DType dtype, long[] dims, MemorySegment bytes) {}

    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Part> parts = new LinkedHashMap<>();

    public SafetensorsWriter metadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    /// Adds a tensor by its little-endian bytes, which are read when the file is written.
    ///
    /// @throws IllegalArgumentException if the name is empty, reserved or used twice, or the bytes do not fit dtype and dims
    public SafetensorsWriter add(String name, DType dtype, long[] dims, MemorySegment bytes) {
        if (name.isEmpty() || name.equals("__metadata__")) {
            throw new IllegalArgumentException("a tensor cannot be called \"" + name + "\"");
        }
        long need = dtype.bytes();
        for (long d : dims) {
            if (d < 0) {
                throw new IllegalArgumentException(name + ": a dimension must not be negative, was " + d);
            }
            need = Math.multiplyExact(need, d);
        }
        if (bytes.byteSize() != need) {
            throw new IllegalArgumentException(name + ": " + dtype + " " + Arrays.toString(dims) + " needs " + need
                    + " bytes, got " + bytes.byteSize());
        }
        if (parts.putIfAbsent(name, new Part(name, dtype, dims.clone(), bytes)) != null) {
            throw new IllegalArgumentException("tensor " + name + " is added twice");
        }
        return this;
    }

    public SafetensorsWriter add(String name, DType dtype, long[] dims, byte[] bytes) {
        return add(name, dtype, dims, MemorySegment.ofArray(bytes));
    }

    /// The bytes between position and limit.
    public SafetensorsWriter add(String name, DType dtype, long[] dims, ByteBuffer bytes) {
        return add(name, dtype, dims, MemorySegment.ofBuffer(bytes));
    }

    public SafetensorsWriter addF64(String name, double[] values, long... dims) {
        ByteBuffer b = littleEndian(values.length, DType.F64);
        b.asDoubleBuffer().put(values);
        return add(name, DType.F64, dims, b);
    }

    public SafetensorsWriter addF32(String name, float[] values, long... dims) {
        ByteBuffer b = littleEndian(values.length, DType.F32);
        b.asFloatBuffer().put(values);
        return add(name, DType.F32, dims, b);
    }

    public SafetensorsWriter addI64(String name, long[] values, long... dims) {
        ByteBuffer b = littleEndian(values.length, DType.I64);
        b.asLongBuffer().put(values);
        return add(name, DType.I64, dims, b);
    }

    public SafetensorsWriter addBool(String name, boolean[] values, long... dims) {
        ByteBuffer b = littleEndian(values.length, DType.BOOL);
        for (int i = 0; i < values.length; i++) {
            b.put(i, (byte) (values[i] ? 1 : 0));
        }
        return add(name, DType.BOOL, dims, b);
    }

    private static ByteBuffer littleEndian(int elements, DType dtype) {
        return ByteBuffer.allocate(Math.multiplyExact(elements, dtype.bytes())).order(ByteOrder.LITTLE_ENDIAN);
    }

    /// Writes the file, replacing what is there. On failure the target is untouched and nothing is left beside it.
    public void write(Path target) throws IOException {
        List<Part> ordered = new ArrayList<>(parts.values());
        ordered.sort(Comparator.comparingInt((Part p) -> p.dtype.bytes()).reversed());
        byte[] header = header(ordered);
        Path temporary = target.resolveSibling("." + target.getFileName() + "." + Long.toHexString(System.nanoTime()) + ".part");
        try {
            try (FileChannel out = FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
                ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length);
                writeFully(out, length);
                writeFully(out, ByteBuffer.wrap(header));
                for (Part part : ordered) {
                    writeSegment(out, part.bytes);
                }
                out.force(true);
            }
            move(temporary, target);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private byte[] header(List<Part> ordered) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart("__metadata__");
                for (Map.Entry<String, String> entry : metadata.entrySet()) {
                    json.writeStringField(entry.getKey(), entry.getValue());
                }
                json.writeEndObject();
            }
            long offset = 0;
            for (Part part : ordered) {
                json.writeObjectFieldStart(part.name);
                json.writeStringField("dtype", part.dtype.name());
                json.writeFieldName("shape");
                json.writeArray(part.dims, 0, part.dims.length);
                json.writeFieldName("data_offsets");
                json.writeArray(new long[] {offset, offset += part.bytes.byteSize()}, 0, 2);
                json.writeEndObject();
            }
            json.writeEndObject();
        }
        while (bytes.size() % 8 != 0) {
            bytes.write(' ');
        }
        return bytes.toByteArray();
    }

    private static void writeSegment(FileChannel out, MemorySegment bytes) throws IOException {
        byte[] piece = new byte[(int) Math.min(PIECE_BYTES, bytes.byteSize())];
        for (long at = 0; at < bytes.byteSize(); at += piece.length) {
            int n = (int) Math.min(piece.length, bytes.byteSize() - at);
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, piece, 0, n);
            writeFully(out, ByteBuffer.wrap(piece, 0, n));
        }
    }

    private static void writeFully(FileChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }

    private static void move(Path temporary, Path target) throws IOException {
        try {
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
