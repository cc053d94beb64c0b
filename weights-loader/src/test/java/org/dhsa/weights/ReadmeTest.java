package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.WeightTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The examples of the README are lines of this file, so they compile, and they run.
class ReadmeTest {

    private static final Path MODULE = Path.of(System.getProperty("dhsa.root"), "weights-loader");

    @TempDir
    Path folder;

    @Test
    void loadingAModel() throws Exception {
        ToyModel toy = new ToyModel();
        toy.config.put("vocab_size", 960);
        toy.shapes.put("model.embed_tokens.weight", new long[] {960, 8});
        toy.save(folder);
        Files.copy(Resources.path("tiny-gemma2/tokenizer.model"), folder.resolve("tokenizer.model"));
        try (Gemma2Model model = Gemma2Loader.load(Path.of(folder.toString()))) {
            model.warnings().forEach(System.err::println);
            model.requireFinite(WeightCheck.Progress.SILENT);                  // reads every value once; optional
            int[] ids = model.tokenizer().encodeWithBos("The special magic number is");
            WeightTensor q = model.weights().layers().getFirst().qProj();      // [heads * headDim, modelDim], still BF16
            double[] firstRow = q.rows(0, 1);                                  // widened exactly, only this row
            assertThat(ids).startsWith(2);
            assertThat(firstRow).hasSize(8);
        }
    }

    @Test
    void loadingABoundaryPredictor() throws Exception {
        BoundaryPredictorWeights predictor = BoundaryPredictorLoader.load(
                Resources.path("pt-samples/boundary_predictor.pt"), OptionalInt.of(8), OptionalInt.of(4));   // heads, window
        assertThat(predictor.channels()).isEqualTo(128);
    }

    @Test
    void everyLineOfAnExampleStandsInThisFile() throws Exception {
        String source = Files.readString(MODULE.resolve("src/test/java/org/dhsa/weights/ReadmeTest.java"))
                .replace("folder.toString()", "\"gemma-2-2b\"").replace("Resources.path(\"pt-samples/", "Path.of(\"");
        List<String> here = source.lines().map(String::strip).toList();
        Matcher blocks = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(MODULE.resolve("README.md")));
        int lines = 0;
        while (blocks.find()) {
            for (String line : blocks.group(1).lines().map(String::strip).toList()) {
                assertThat(here).contains(line);
                lines++;
            }
        }
        assertThat(lines).isGreaterThan(7);
    }
}
