package org.dhsa.weights;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Safetensors files as bytes, with nothing checked: what a broken writer, a bad download or an attacker would leave.
final class RawSafetensors {

    private RawSafetensors() {}

    /// A file whose length field is true.
    static byte[] file(String header, int dataBytes) {
        return file(header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    static byte[] file(byte[] header, int dataBytes) {
        return withLength(header.length, header, dataBytes);
    }

    /// A file whose length field says anything.
    static byte[] withLength(long length, byte[] header, int dataBytes) {
        return ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length).put(header).array();
    }

    /// `"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}`.
    static String entry(String name, String dtype, String shape, String offsets) {
        return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
    }

    /// One entry and its data.
    static byte[] one(String dtype, String shape, String offsets, int dataBytes) {
        return file("{" + entry("w", dtype, shape, offsets) + "}", dataBytes);
    }

    /// A header and then zeros that take no room on the disk.
    static void sparse(Path target, String header, long dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        Files.write(target, withLength(json.length, json, 0));
        try (RandomAccessFile file = new RandomAccessFile(target.toFile(), "rw")) {
            file.setLength(8 + json.length + dataBytes);
        }
    }
}
