package org.dhsa.docs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The Markdown files of the repository, cut into what can be checked.
final class Documents {

    static final Path ROOT = root();
    static final Path RECORDINGS = ROOT.resolve("golden-tests/recordings");

    private static final Pattern FENCE = Pattern.compile("^\\s*```(\\S*)\\s*$");
    private static final Pattern LINK = Pattern.compile("\\[[^\\]]*]\\(([^)\\s]+)\\)");
    private static final Pattern HEADING = Pattern.compile("^(#{1,6})\\s+(.*?)\\s*$");
    private static final Pattern ANCHOR = Pattern.compile("<a id=\"([^\"]+)\">");

    private Documents() {}

    /// A fenced block.
    ///
    /// @param language what stands behind the fence, empty for nothing
    record Code(String language, String text, int line) {}

    record Heading(int level, String text) {}

    record Link(String target, int line) {}

    /// One file, or a text that stands for one.
    record Document(Path path, String text) {

        String name() {
            return path.startsWith(ROOT) ? ROOT.relativize(path).toString().replace('\\', '/') : path.toString();
        }

        List<Code> codes() {
            List<Code> codes = new ArrayList<>();
            String language = null;
            StringBuilder block = new StringBuilder();
            int start = 0;
            int number = 0;
            for (String line : text.split("\n", -1)) {
                number++;
                Matcher fence = FENCE.matcher(line);
                if (!fence.matches()) {
                    block.append(line).append('\n');
                } else if (language == null) {
                    language = fence.group(1);
                    start = number + 1;
                    block.setLength(0);
                } else {
                    codes.add(new Code(language, block.toString(), start));
                    language = null;
                }
            }
            return codes;
        }

        List<Code> codes(String language) {
            return codes().stream().filter(c -> c.language().equals(language)).toList();
        }

        /// The lines outside fenced blocks; those inside are empty.
        List<String> prose() {
            List<String> lines = new ArrayList<>();
            boolean inside = false;
            for (String line : text.split("\n", -1)) {
                boolean fence = FENCE.matcher(line).matches();
                lines.add(inside || fence ? "" : line);
                inside ^= fence;
            }
            return lines;
        }

        List<Heading> headings() {
            return prose().stream().map(HEADING::matcher).filter(Matcher::matches)
                    .map(m -> new Heading(m.group(1).length(), m.group(2))).toList();
        }

        List<Link> links() {
            List<Link> links = new ArrayList<>();
            List<String> lines = prose();
            for (int n = 0; n < lines.size(); n++) {
                Matcher m = LINK.matcher(lines.get(n));
                while (m.find()) {
                    links.add(new Link(m.group(1), n + 1));
                }
            }
            return links;
        }

        /// Names that `#name` may lead to: headings as they are commonly made into anchors, and explicit ones.
        Set<String> anchors() {
            Set<String> anchors = new LinkedHashSet<>();
            headings().forEach(h -> anchors.add(h.text().toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N}\\-_ ]", "").replace(' ', '-')));
            Matcher m = ANCHOR.matcher(text);
            while (m.find()) {
                anchors.add(m.group(1));
            }
            return anchors;
        }

        /// The text from a heading of level two to the next.
        String section(String heading) {
            int from = text.indexOf("\n## " + heading + "\n");
            if (from < 0) {
                return "";
            }
            int to = text.indexOf("\n## ", from + 1);
            return text.substring(from, to < 0 ? text.length() : to);
        }
    }

    static Document read(Path path) {
        return new Document(path, text(path));
    }

    static Document doc(String relative) {
        return read(ROOT.resolve(relative));
    }

    static String text(Path path) {
        try {
            return Files.readString(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Every Markdown file that we write; recordings and models are evidence, and build output is neither.
    static List<Document> all() {
        return files(ROOT, ".md").filter(p -> !p.startsWith(RECORDINGS) && !p.startsWith(ROOT.resolve("golden-tests/models")))
                .map(Documents::read).toList();
    }

    /// Files by their ending, without hidden folders and build output.
    static Stream<Path> files(Path folder, String ending) {
        try {
            List<Path> found;
            try (Stream<Path> walk = Files.walk(folder)) {
                found = walk.filter(p -> p.toString().endsWith(ending))
                        .filter(p -> Stream.of(ROOT.relativize(p).toString().split("[/\\\\]"))
                                .noneMatch(part -> part.startsWith(".") || part.equals("target") || part.equals("out")))
                        .sorted().toList();
            }
            return found.stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path root() {
        String given = System.getProperty("dhsa.root");
        Path folder = Path.of(given != null ? given : "").toAbsolutePath().normalize();
        while (folder != null && !Files.isDirectory(folder.resolve("docs/stages"))) {
            folder = folder.getParent();
        }
        if (folder == null) {
            throw new IllegalStateException("docs/stages is in no folder above " + given);
        }
        return folder;
    }
}
