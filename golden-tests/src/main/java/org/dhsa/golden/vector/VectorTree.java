package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.negative.NegativeCorpus;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;

/// The whole published tree: writing it, and whether a copy of it is whole.
public final class VectorTree {

    public static final String VERSION = "1.2.0";
    public static final String MANIFEST_SCHEMA = "dhsa-golden-manifest/1";
    static final String MANIFEST = "manifest.json";
    private static final List<String> TEXTS = List.of("README.md", "LICENSE", "flags.json");
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /// Told while the tree is written.
    public interface Progress {
        void written(int done, int all);
    }

    private VectorTree() {}

    /// Writes every case, the texts beside them and the manifest. Equal commits give equal bytes.
    ///
    /// @param root       an empty or new folder
    /// @param commit     of the program that computes, for the manifest
    /// @param recordings of the official code, whose inputs and results are evidence
    public static void write(Path root, String commit, Path recordings, Progress progress) throws IOException, GoldenFormatException {
        Files.createDirectories(root);
        try (Stream<Path> there = Files.list(root)) {
            if (there.findAny().isPresent()) {
                throw new IllegalArgumentException(root + " is not empty: name a new folder");
            }
        }
        List<CaseDraft> drafts = CaseList.all(recordings);
        Evidence evidence = Evidence.measure(recordings);
        int done = 0;
        try (Backend reference = new ReferenceBackend(); Backend plain = OptimizedBackend.scalar(1)) {
            VectorWriter writer = new VectorWriter(reference, plain);
            Diagnoses diagnoses = new Diagnoses(reference);
            // stages first: a composite is asked only for what no stage could tell
            for (boolean composite : new boolean[] {false, true}) {
                for (CaseDraft draft : drafts) {
                    if (StageCatalog.INSTANCE.composite(draft.slug()) == composite) {
                        writer.write(draft, root, evidence.of(draft.slug()));
                        diagnoses.add(draft, VectorCase.read(root.resolve(draft.id())));
                        progress.written(++done, drafts.size());
                    }
                }
            }
            diagnoses.write(root);
        }
        for (String text : TEXTS) {
            // the resource is no page of this project: its links are right where it is copied to
            String resource = text.equals("README.md") ? "README.md.txt" : text;
            try (InputStream in = VectorTree.class.getResourceAsStream("/org/dhsa/golden/vector/" + resource)) {
                Files.copy(in, root.resolve(text));
            }
        }
        for (Map.Entry<String, byte[]> file : NegativeCorpus.files().entrySet()) {
            Path target = root.resolve("negative").resolve(file.getKey());
            Files.createDirectories(target.getParent());
            Files.write(target, file.getValue());
        }
        VectorWriter.writeJson(root.resolve(MANIFEST), manifest(root, drafts.size(), commit));
    }

    private static ObjectNode manifest(Path root, int cases, String commit) throws IOException {
        ObjectNode json = MAPPER.createObjectNode().put("schema", MANIFEST_SCHEMA).put("version", VERSION).put("licence", "Apache-2.0").put("generatorCommit", commit).put("cases", cases);
        ObjectNode files = json.putObject("files");
        for (Path file : files(root)) {
            files.put(root.relativize(file).toString().replace('\\', '/'), VectorTensor.sha256(Files.readAllBytes(file)));
        }
        return json;
    }

    private static List<Path> files(Path root) throws IOException {
        try (Stream<Path> walk = Files.walk(root)) {
            return walk.filter(Files::isRegularFile).filter(f -> !f.getFileName().toString().equals(MANIFEST)).sorted().toList();
        }
    }

    /// The version in the manifest of a tree, or of the tree that a case folder belongs to; "unversioned" if there is none.
    public static String version(Path folder) throws IOException {
        for (Path root = folder.toAbsolutePath(); root != null; root = root.getParent()) {
            Path file = root.resolve(MANIFEST);
            if (Files.isRegularFile(file)) {
                return MAPPER.readTree(file.toFile()).path("version").asText("unversioned");
            }
        }
        return "unversioned";
    }

    /// Everything that is wrong with a tree by its manifest; empty when it has none or all is well. Files that the manifest
    /// does not list are somebody's own and left alone.
    public static List<GoldenFormatException> verify(Path root) throws IOException {
        Path file = root.resolve(MANIFEST);
        if (!Files.isRegularFile(file)) {
            return List.of();
        }
        JsonNode json = MAPPER.readTree(file.toFile());
        List<GoldenFormatException> wrong = new ArrayList<>();
        if (!json.path("schema").asText().equals(MANIFEST_SCHEMA)) {
            return List.of(new GoldenFormatException(file, "has the unknown schema \"" + json.path("schema").asText() + "\"", "this program reads " + MANIFEST_SCHEMA));
        }
        for (Map.Entry<String, JsonNode> entry : json.path("files").properties()) {
            Path listed = root.resolve(entry.getKey()).normalize();
            if (!listed.startsWith(root.normalize()) || !Files.isRegularFile(listed)) {
                wrong.add(new GoldenFormatException(listed, "is missing, though " + MANIFEST + " lists it", "get the vectors again"));
            } else if (!VectorTensor.sha256(Files.readAllBytes(listed)).equals(entry.getValue().asText())) {
                wrong.add(new GoldenFormatException(listed, "does not have the sha256 that " + MANIFEST + " states", "get the vectors again"));
            }
        }
        return wrong;
    }
}
