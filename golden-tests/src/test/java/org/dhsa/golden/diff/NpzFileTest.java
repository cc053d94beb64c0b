package org.dhsa.golden.diff;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.dhsa.golden.GoldenFormatException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NpzFileTest {

    @TempDir
    private Path temp;

    private static byte[] npy(String descr, boolean fortran, String shape, byte[] data) throws IOException {
        String header = "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
        header += " ".repeat((64 - (11 + header.length()) % 64) % 64) + "\n";
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (byte) header.length(), (byte) (header.length() >> 8)});
        out.write(header.getBytes(StandardCharsets.US_ASCII));
        out.write(data);
        return out.toByteArray();
    }

    private Path npz(byte[]... arrays) throws IOException {
        Path file = temp.resolve("dump.npz");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            for (int i = 0; i < arrays.length; i++) {
                zip.putNextEntry(new ZipEntry("x" + i + ".npy"));
                zip.write(arrays[i]);
            }
        }
        return file;
    }

    private static byte[] floats(ByteOrder order, float... values) {
        ByteBuffer b = ByteBuffer.allocate(4 * values.length).order(order);
        b.asFloatBuffer().put(values);
        return b.array();
    }

    @Test
    void typesByteOrderAndAxisOrderAreRead() throws Exception {
        byte[] half = {0, 0x3c, 0, (byte) 0xc0};
        byte[] brain = {(byte) 0x80, 0x3f, 0, (byte) 0xc0};
        Path file = npz(npy("<f4", false, "(2, 3)", floats(ByteOrder.LITTLE_ENDIAN, 1, 2, 3, 4, 5, 6)),
                npy("<f4", true, "(2, 3)", floats(ByteOrder.LITTLE_ENDIAN, 1, 4, 2, 5, 3, 6)),
                npy(">f4", false, "(2,)", floats(ByteOrder.BIG_ENDIAN, 1.5f, -2)),
                npy("<f2", false, "(2,)", half), npy("<V2", false, "(2,)", brain), npy("|i1", false, "(2,)", new byte[] {-1, 7}), npy("|b1", false, "()", new byte[] {1}));
        try (Dump dump = Dump.open(file)) {
            assertThat(dump.tensors().get("x0").values()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(dump.tensors().get("x1").values()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(dump.tensors().get("x2").values()).containsExactly(1.5, -2);
            assertThat(dump.tensors().get("x3").values()).containsExactly(1, -2);
            assertThat(dump.tensors().get("x4").values()).containsExactly(1, -2);
            assertThat(dump.tensors().get("x5").values()).containsExactly(-1, 7);
            assertThat(dump.tensors().get("x6").values()).containsExactly(1);
        }
    }

    @Test
    void whatIsNoPlainArrayIsRefused() throws Exception {
        assertThatThrownBy(() -> Dump.open(npz(npy("|O", false, "(2,)", new byte[2])))).isInstanceOf(GoldenFormatException.class).hasMessageContaining("|O");
        assertThatThrownBy(() -> Dump.open(npz("nonsense".getBytes(StandardCharsets.UTF_8)))).isInstanceOf(GoldenFormatException.class).hasMessageContaining("does not start");
        Path cut = npz(npy("<f4", false, "(9,)", new byte[8]));
        try (Dump dump = Dump.open(cut)) {
            assertThatThrownBy(() -> dump.tensors().get("x0").values()).hasMessageContaining("8 of 36 bytes");
        }
        Path text = Files.writeString(temp.resolve("dump.npz"), "not a zip");
        assertThatThrownBy(() -> Dump.open(text)).isInstanceOf(GoldenFormatException.class).hasMessageContaining("no .npz file");
    }
}
