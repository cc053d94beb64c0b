package org.dhsa.golden.port;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.VectorTensor;

/// The vectors as one file, for who takes them without this repository.
///
///     dhsa-golden-VERSION/ CONTRACT.md  schema/...  v1/...  SHA256SUMS
///
/// `SHA256SUMS` has one line per file, `digest  path`, as `sha256sum -c` reads it. Order, times, owners and rights are
/// fixed, so equal vectors give equal bytes as long as the JDK's compression is the same.
public final class VectorArchive {

    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final LocalDateTime TIME = LocalDateTime.of(1980, 1, 1, 0, 0);
    private static final int BLOCK = 512;

    private final String name;
    private final TreeMap<String, byte[]> files;

    private VectorArchive(String name, TreeMap<String, byte[]> files) {
        this.name = name;
        this.files = files;
    }

    /// Reads a tree and checks it against its manifest.
    ///
    /// @param vectors a folder with a `manifest.json`; `CONTRACT.md` and `schema` beside it come along
    /// @throws GoldenFormatException if there is no manifest, or a file is missing or not what the manifest says
    public static VectorArchive of(Path vectors) throws GoldenFormatException, IOException {
        Path manifest = vectors.resolve("manifest.json");
        if (!Files.isRegularFile(manifest)) {
            throw new GoldenFormatException(vectors, "holds no manifest.json", "name the folder of the vectors, such as golden-tests/golden/v1");
        }
        JsonNode json = read(manifest);
        String version = json.path("version").asText();
        if (!version.matches("\\d+\\.\\d+\\.\\d+")) {
            throw new GoldenFormatException(manifest, "states the version \"" + version + "\"", "a version is three numbers, such as 1.0.0");
        }
        TreeMap<String, byte[]> files = new TreeMap<>();
        Path root = vectors.toAbsolutePath().normalize();
        add(files, root, root.getFileName() + "/");
        requireListed(root, json.path("files"), files);
        if (Files.isRegularFile(root.resolveSibling("CONTRACT.md"))) {
            files.put("CONTRACT.md", Files.readAllBytes(root.resolveSibling("CONTRACT.md")));
        }
        if (Files.isDirectory(root.resolveSibling("schema"))) {
            add(files, root.resolveSibling("schema"), "schema/");
        }
        StringBuilder sums = new StringBuilder();
        files.forEach((path, bytes) -> sums.append(VectorTensor.sha256(bytes)).append("  ").append(path).append('\n'));
        files.put("SHA256SUMS", sums.toString().getBytes(StandardCharsets.UTF_8));
        return new VectorArchive("dhsa-golden-" + version, files);
    }

    private static JsonNode read(Path manifest) throws GoldenFormatException, IOException {
        try {
            return MAPPER.readTree(manifest.toFile());
        } catch (JsonProcessingException e) {
            throw new GoldenFormatException(manifest, "is no JSON: " + e.getOriginalMessage(), "get the vectors again");
        }
    }

    private static void requireListed(Path root, JsonNode listed, Map<String, byte[]> files) throws GoldenFormatException {
        for (Map.Entry<String, JsonNode> entry : listed.properties()) {
            byte[] bytes = files.get(root.getFileName() + "/" + entry.getKey());
            if (bytes == null) {
                throw new GoldenFormatException(root.resolve(entry.getKey()), "is missing, though manifest.json lists it", "get the vectors again");
            }
            if (!VectorTensor.sha256(bytes).equals(entry.getValue().asText())) {
                throw new GoldenFormatException(root.resolve(entry.getKey()), "does not have the sha256 that manifest.json states", "get the vectors again");
            }
        }
    }

    private static void add(Map<String, byte[]> files, Path folder, String prefix) throws IOException {
        try (Stream<Path> walk = Files.walk(folder)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                files.put(prefix + folder.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
            }
        }
    }

    /// `dhsa-golden-1.0.0`, the folder in the archive.
    public String name() {
        return name;
    }

    /// Paths in the archive without the folder, `SHA256SUMS` among them.
    public List<String> paths() {
        return List.copyOf(files.keySet());
    }

    /// Writes `.zip` or `.tar.gz` by the name's end, beside its place first and then moved there.
    ///
    /// @throws IllegalArgumentException for another ending
    public void write(Path target) throws IOException {
        String file = target.getFileName().toString();
        boolean zip = file.endsWith(".zip");
        if (!zip && !file.endsWith(".tar.gz") && !file.endsWith(".tgz")) {
            throw new IllegalArgumentException("The archive " + target + " must end in .tar.gz, .tgz or .zip.");
        }
        Path unfinished = Files.createTempFile(target.toAbsolutePath().getParent(), "." + file, ".part");
        try {
            try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(unfinished))) {
                if (zip) {
                    writeZip(out);
                } else {
                    writeTar(out);
                }
            }
            unfinished.toFile().setReadable(true, false);
            try {
                Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (AtomicMoveNotSupportedException e) {
                Files.move(unfinished, target, StandardCopyOption.REPLACE_EXISTING);
            }
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }

    private void writeZip(OutputStream out) throws IOException {
        ZipOutputStream zip = new ZipOutputStream(out, StandardCharsets.UTF_8);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            ZipEntry entry = new ZipEntry(name + "/" + file.getKey());
            entry.setTimeLocal(TIME);
            zip.putNextEntry(entry);
            zip.write(file.getValue());
            zip.closeEntry();
        }
        zip.finish();
    }

    private void writeTar(OutputStream out) throws IOException {
        GZIPOutputStream gzip = new GZIPOutputStream(out);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            gzip.write(tarHeader(name + "/" + file.getKey(), file.getValue().length));
            gzip.write(file.getValue());
            gzip.write(new byte[(BLOCK - file.getValue().length % BLOCK) % BLOCK]);
        }
        gzip.write(new byte[2 * BLOCK]);
        gzip.finish();
    }

    /// POSIX ustar: name, mode, uid, gid, size, time, checksum, type, ..., prefix.
    private static byte[] tarHeader(String path, int size) {
        int cut = 0;
        if (path.length() > 100) {
            cut = path.indexOf('/', path.length() - 101);
            if (cut < 0 || cut > 155) {
                throw new IllegalStateException(path + " is too long for an archive");
            }
        }
        ByteArrayOutputStream header = new ByteArrayOutputStream(BLOCK);
        field(header, cut == 0 ? path : path.substring(cut + 1), 100);
        field(header, "0000644", 8);
        field(header, "0000000", 8);
        field(header, "0000000", 8);
        field(header, "%011o".formatted(size), 12);
        field(header, "%011o".formatted(315_532_800), 12);
        field(header, "        0", 9);
        field(header, "", 100);
        field(header, "ustar", 6);
        field(header, "00", 2);
        field(header, "", 80);
        field(header, path.substring(0, cut), 155);
        field(header, "", 12);
        byte[] block = header.toByteArray();
        int sum = 0;
        for (byte b : block) {
            sum += Byte.toUnsignedInt(b);
        }
        byte[] checksum = "%06o\0 ".formatted(sum).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(checksum, 0, block, 148, checksum.length);
        return block;
    }

    private static void field(ByteArrayOutputStream header, String text, int width) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        header.writeBytes(bytes);
        header.writeBytes(new byte[width - bytes.length]);
    }
}
