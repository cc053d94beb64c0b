package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// Every `.cl` resource stands alone.
class KernelFilesTest {

    private static List<String> slugs() throws IOException {
        try (var files = Files.list(Path.of("src/main/resources/org/dhsa/opencl"))) {
            return files.map(f -> f.getFileName().toString()).filter(n -> n.endsWith(".cl")).map(n -> n.replace(".cl", "")).sorted().collect(Collectors.toList());
        }
    }

    @Test
    void everyKernelCompilesAloneWithoutTunables() throws IOException {
        OpenClContext context = Device.context();
        try {
            assertThat(slugs()).hasSizeGreaterThanOrEqualTo(8);
            for (String slug : slugs()) {
                OpenClProgram.build(context, slug, Map.of()).close();
            }
        } finally {
            Device.close(context);
        }
    }

    @Test
    void everyHeaderSaysWhatIsReadAndWrittenAndNamesItsTwin() throws IOException {
        for (String slug : slugs()) {
            String source = OpenClProgram.source(slug);
            String header = source.split("\n(#|__kernel)", 2)[0];
            assertThat(header).as(slug).containsIgnoringCase("layout").containsIgnoringCase("twin").contains("read").contains("overwritten").contains("=");
            assertThat(source).as(slug + " includes nothing").doesNotContain("#include");
        }
    }

    /// A product and a sum in one expression are fused or not as the compiler likes, unless that is switched off.
    @Test
    void noCompilerDecidesWhatIsFused() throws IOException {
        for (String slug : slugs()) {
            String source = OpenClProgram.source(slug);
            String body = Pattern.compile("/\\*.*?\\*/|//[^\n]*", Pattern.DOTALL).matcher(source).replaceAll("");
            // these only move, compare or add
            if (!List.of("residual-add", "copy-rows", "top-k-selection", "upsampling").contains(slug)) {
                assertThat(body).as(slug).contains("#pragma OPENCL FP_CONTRACT OFF");
            }
        }
    }
}
