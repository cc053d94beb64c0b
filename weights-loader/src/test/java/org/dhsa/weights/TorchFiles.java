package org.dhsa.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Zip files around hand-written pickles.
final class TorchFiles {

    private TorchFiles() {}

    /// `data.pkl` and one float32 storage with the values 0, 1, 2, ...
    static Path zip(Path folder, byte[] pickle, int elements) throws IOException {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("m/data.pkl", pickle);
        entries.put("m/data/0", floats(elements));
        entries.put("m/version", "3\n".getBytes());
        return zipOf(folder, entries);
    }

    static Path zipOf(Path folder, Map<String, byte[]> entries) throws IOException {
        return write(folder, entries, ZipEntry.STORED);
    }

    static Path deflatedZip(Path folder, byte[] pickle, int elements) throws IOException {
        return write(folder, Map.of("m/data.pkl", pickle, "m/data/0", floats(elements)), ZipEntry.DEFLATED);
    }

    private static Path write(Path folder, Map<String, byte[]> entries, int method) throws IOException {
        Path file = Files.createTempFile(folder, "made", ".pt");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            for (Map.Entry<String, byte[]> e : entries.entrySet()) {
                ZipEntry entry = new ZipEntry(e.getKey());
                entry.setMethod(method);
                if (method == ZipEntry.STORED) {
                    CRC32 crc = new CRC32();
                    crc.update(e.getValue());
                    entry.setSize(e.getValue().length);
                    entry.setCrc(crc.getValue());
                }
                zip.putNextEntry(entry);
                zip.write(e.getValue());
                zip.closeEntry();
            }
        }
        return file;
    }

    static byte[] floats(int count) {
        ByteBuffer b = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            b.putFloat(i);
        }
        return b.array();
    }

    static int indexOf(byte[] bytes, byte[] part) {
        for (int i = 0; i + part.length <= bytes.length; i++) {
            if (Arrays.equals(bytes, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
        throw new IllegalArgumentException("not found");
    }
}
