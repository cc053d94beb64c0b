package org.dhsa.negative;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.dhsa.cli.Json;

/// Writes the corpus: `golden-tests/golden/v1/negative`, the same bytes every time.
///
///     java -cp golden-tests/target/classes:golden-tests/target/lib/* org.dhsa.negative.NegativeCorpus FOLDER
public final class NegativeCorpus {

    /// Schema of `cases.json`.
    public static final String SCHEMA = "dhsa-negative/1";

    private NegativeCorpus() {}

    public static void main(String[] args) throws IOException {
        if (args.length != 1) {
            System.err.println("Usage: NegativeCorpus FOLDER");
            System.exit(2);
        }
        Path folder = Path.of(args[0]);
        for (Map.Entry<String, byte[]> file : files().entrySet()) {
            Path target = folder.resolve(file.getKey());
            Files.createDirectories(target.getParent());
            Files.write(target, file.getValue());
        }
        System.out.println(all().size() + " cases, " + files().size() + " files in " + folder);
    }

    static List<NegativeCase> all() {
        List<NegativeCase> cases = new ArrayList<>(SafetensorsCases.all());
        cases.addAll(OddSafetensorsCases.all());
        cases.addAll(IndexCases.all());
        cases.addAll(ConfigCases.all());
        Set<String> ids = new LinkedHashSet<>();
        cases.forEach(c -> {
            if (!ids.add(c.id())) {
                throw new IllegalStateException("two cases are called " + c.id());
            }
        });
        return cases.stream().map(Leniency::note).toList();
    }

    /// Every file of the corpus by its path, `cases.json` and `README.md` among them.
    public static Map<String, byte[]> files() {
        Map<String, byte[]> files = new TreeMap<>();
        all().forEach(c -> files.putAll(c.files()));
        files.put("cases.json", Bytes.utf8(Json.pretty(list()) + "\n"));
        files.put("README.md", readme());
        return files;
    }

    private static byte[] readme() {
        try (InputStream in = NegativeCorpus.class.getResourceAsStream("README.txt")) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ObjectNode list() {
        ObjectNode root = Json.object().put("schema", SCHEMA);
        root.put("crossCheck", Leniency.READER);
        ObjectNode rules = root.putObject("rules");
        Rules.ALL.forEach((id, rule) -> rules.putObject(id).put("text", rule.text()).put("source", rule.source()));
        for (NegativeCase c : all()) {
            ObjectNode node = root.withArray("cases").addObject().put("id", c.id()).put("kind", c.kind()).put("open", c.open())
                    .put("verdict", c.accept() ? "accept" : "refuse").put("rule", c.rule()).put("note", c.note());
            c.files().keySet().forEach(node.putArray("files")::add);
            if (!c.accept()) {
                node.put("names", c.names()).put("keyword", c.keyword());
            }
            if (!c.lenient().isEmpty()) {
                node.put("lenient", c.lenient());
            }
            if (c.accept() && c.kind().equals("safetensors")) {
                ObjectNode expect = node.putObject("expect");
                c.expect().forEach(expect::set);
            }
        }
        return root;
    }
}
