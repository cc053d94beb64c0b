package org.dhsa.bug;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// `docs/bugs.md` has one paragraph for each bug of the catalogue, and none for any other.
class BugDocsTest {

    private static final String HEADING = "### ";

    private static Map<String, String> paragraphs() throws IOException {
        Map<String, String> paragraphs = new LinkedHashMap<>();
        String text = Files.readString(Path.of("../docs/bugs.md"));
        for (String part : Arrays.stream(text.split("(?m)^(?=### |## )")).filter(p -> p.startsWith(HEADING)).toList()) {
            paragraphs.put(part.lines().findFirst().orElseThrow().substring(HEADING.length()), part);
        }
        return paragraphs;
    }

    @Test
    void everyBugHasItsParagraphInTheOrderOfTheCatalogue() throws IOException {
        assertThat(List.copyOf(paragraphs().keySet())).isEqualTo(KnownBugs.all().stream().map(KnownBug::id).toList());
    }

    @Test
    void aParagraphSaysWhatTheCatalogueSays() throws IOException {
        Map<String, String> paragraphs = paragraphs();
        assertThat(KnownBugs.all()).allSatisfy(bug -> {
            String paragraph = paragraphs.get(bug.id()).replace("\\*", "*");
            assertThat(paragraph).contains("**Wrong:** " + bug.title() + ". **Right:** " + bug.remedy() + ".").contains("from level " + bug.level() + " on");
            bug.seenIn().forEach(source -> assertThat(paragraph).as("Seen in").contains(source));
            bug.stages().forEach(stage -> assertThat(paragraph).as("Shows at").contains(stage.slug()));
            assertThat(paragraph.lines().filter(line -> !line.isBlank()).count()).as("heading, what is wrong, how it shows, where").isGreaterThanOrEqualTo(4);
        });
    }
}
