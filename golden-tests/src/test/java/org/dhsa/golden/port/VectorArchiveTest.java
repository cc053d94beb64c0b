package org.dhsa.golden.port;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.dhsa.golden.GoldenFormatException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The archive of a small tree: what is in it, that it is the same twice, and that a damaged tree is not packed.
class VectorArchiveTest {

    private static final String LONG = "family/stage/" + "a-case-with-a-long-name-".repeat(5) + "/case.json";

    @TempDir
    private Path folder;
    private Path tree;

    @BeforeEach
    void makeATree() throws Exception {
        tree = Files.createDirectories(folder.resolve("golden/v1"));
        write("README.md", "read me\n");
        write("family/stage/one/case.json", "{}");
        write(LONG, "{\"long\": true}");
        write("negative/cases.json", "{}");
        Files.writeString(folder.resolve("golden/CONTRACT.md"), "contract");
        ObjectNode manifest = new ObjectMapper().createObjectNode().put("schema", "dhsa-golden-manifest/1").put("version", "1.2.3");
        for (String file : new String[] {"README.md", "family/stage/one/case.json", LONG}) {
            manifest.withObject("/files").put(file, sha256(Files.readAllBytes(tree.resolve(file))));
        }
        write("manifest.json", manifest.toString());
    }

    @Test
    void zipAndTarHoldTheSameFilesAndTrueSums() throws Exception {
        Map<String, String> zip = unzip(pack("vectors.zip"));
        assertThat(untar(pack("vectors.tar.gz"))).isEqualTo(zip);
        String root = "dhsa-golden-1.2.3/";
        assertThat(zip.keySet()).containsExactlyInAnyOrder(root + "CONTRACT.md", root + "SHA256SUMS", root + "v1/README.md", root + "v1/" + LONG,
                root + "v1/family/stage/one/case.json", root + "v1/manifest.json", root + "v1/negative/cases.json");
        assertThat(zip.get(root + "SHA256SUMS").lines()).hasSize(6).allSatisfy(line -> {
            String[] parts = line.split("  ", 2);
            assertThat(sha256(zip.get(root + parts[1]).getBytes(StandardCharsets.UTF_8))).isEqualTo(parts[0]);
        });
    }

    @Test
    void theBytesAreTheSameTwice() throws Exception {
        for (String ending : new String[] {".zip", ".tar.gz"}) {
            byte[] first = Files.readAllBytes(pack("a" + ending));
            Files.setLastModifiedTime(tree.resolve("README.md"), java.nio.file.attribute.FileTime.fromMillis(1));
            assertThat(Files.readAllBytes(pack("b" + ending))).isEqualTo(first);
        }
    }

    @Test
    void aDamagedTreeIsNotPacked() throws Exception {
        write("README.md", "other\n");
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> VectorArchive.of(tree)).withMessageContaining("README.md").withMessageContaining("sha256");
        Files.delete(tree.resolve("README.md"));
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> VectorArchive.of(tree)).withMessageContaining("README.md").withMessageContaining("is missing");
        write("manifest.json", "{");
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> VectorArchive.of(tree)).withMessageContaining("is no JSON");
        write("manifest.json", "{\"version\": \"new\"}");
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> VectorArchive.of(tree)).withMessageContaining("\"new\"");
        Files.delete(tree.resolve("manifest.json"));
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> VectorArchive.of(tree)).withMessageContaining("no manifest.json");
    }

    @Test
    void anotherEndingIsRefusedAndNothingIsWritten() throws Exception {
        assertThatIllegalArgumentException().isThrownBy(() -> pack("vectors.rar")).withMessageContaining(".tar.gz");
        assertThat(folder.toFile().list()).containsExactly("golden");
    }

    private Path pack(String name) throws IOException, GoldenFormatException {
        VectorArchive.of(tree).write(folder.resolve(name));
        return folder.resolve(name);
    }

    private void write(String name, String text) throws IOException {
        Files.createDirectories(tree.resolve(name).getParent());
        Files.writeString(tree.resolve(name), text);
    }

    private static Map<String, String> unzip(Path file) throws IOException {
        Map<String, String> files = new TreeMap<>();
        try (ZipInputStream in = new ZipInputStream(Files.newInputStream(file))) {
            for (ZipEntry e = in.getNextEntry(); e != null; e = in.getNextEntry()) {
                files.put(e.getName(), new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
        return files;
    }

    private static Map<String, String> untar(Path file) throws IOException {
        Map<String, String> files = new TreeMap<>();
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(Files.readAllBytes(file)))) {
            byte[] header = in.readNBytes(512);
            while (header[0] != 0) {
                String prefix = text(header, 345, 155);
                int size = Integer.parseInt(text(header, 124, 12), 8);
                files.put((prefix.isEmpty() ? "" : prefix + "/") + text(header, 0, 100), new String(in.readNBytes(size), StandardCharsets.UTF_8));
                in.readNBytes((512 - size % 512) % 512);
                header = in.readNBytes(512);
            }
        }
        return files;
    }

    private static String text(byte[] header, int from, int width) {
        String field = new String(header, from, width, StandardCharsets.UTF_8);
        return field.indexOf(0) < 0 ? field : field.substring(0, field.indexOf(0));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
