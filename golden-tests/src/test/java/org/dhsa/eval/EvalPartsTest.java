package org.dhsa.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Home;
import org.dhsa.cli.Json;
import org.dhsa.weights.Tokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class EvalPartsTest {

    @Test
    void aFullDiskKeepsWhatWasMeasuredAndSaysSo(@TempDir Path folder) {
        ResultLog log = ResultLog.on(folder.resolve("r.jsonl"), new ResultLog.Appending() {
            private int lines;

            @Override
            public void append(byte[] line) throws IOException {
                if (++lines > 2) {
                    throw new IOException("No space left on device");
                }
            }

            @Override
            public void close() {}
        });
        log.add(Json.object().put("unit", "a"));
        log.add(Json.object().put("unit", "b"));
        assertThatThrownBy(() -> log.add(Json.object().put("unit", "c"))).isInstanceOf(BadInput.class)
                .hasMessageContaining("r.jsonl").hasMessageContaining("No space left on device").hasMessageContaining("2 results");
        assertThat(log.results()).hasSize(2);
    }

    /// A device that is always full, where the system has one.
    @Test
    @EnabledOnOs(value = OS.LINUX, disabledReason = "only Linux has /dev/full; aFullDiskKeepsWhatWasMeasuredAndSaysSo runs everywhere")
    void aWriteThatTheSystemRefusesIsBadInputWithItsReason() {
        assertThatThrownBy(() -> ResultLog.open(Path.of("/dev/full"), Json.object().put("seed", 1))).isInstanceOf(BadInput.class)
                .hasMessageContaining("/dev/full").hasMessageContaining("No space left on device").hasMessageContaining("0 results");
    }

    @Test
    void shortNamesHaveTheSizesOfTheModel() {
        assertThat(Contenders.spec("dhsa/sum", 64)).isEqualTo("dhsa:block=16,local=16,sinks=4,aggregation=sum");
        assertThat(Contenders.spec("dhsa/sum", 4096)).isEqualTo("dhsa:aggregation=sum");
        assertThat(Contenders.spec("dhsa", 4096)).isEqualTo("dhsa");
        assertThat(Contenders.spec("block-sparse", 4096)).isEqualTo("block-topk");
        assertThat(Contenders.spec("streaming", 4096)).as("sinks stay").isEqualTo("streaming:sinks=4");
        assertThat(Contenders.spec("dhsa:block=16", 4096)).as("what was given stays").isEqualTo("dhsa:block=16");
    }

    @Test
    void aHalfWrittenLastLineIsCutOff(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("r.jsonl");
        try (ResultLog log = ResultLog.open(file, Json.object().put("seed", 1))) {
            log.add(Json.object().put("unit", "a"));
        }
        String whole = Files.readString(file);
        Files.writeString(file, whole + "{\"unit\":\"b");
        try (ResultLog log = ResultLog.open(file, Json.object().put("seed", 1))) {
            assertThat(log.results()).hasSize(1);
            log.add(Json.object().put("unit", "c"));
        }
        assertThat(Files.readString(file)).isEqualTo(whole + "{\"unit\":\"c\"}\n");
    }

    @Test
    void anotherConfigurationIsRefusedWithTheDifference(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("r.jsonl");
        ResultLog.open(file, Json.object().put("seed", 1).put("backend", "reference")).close();
        assertThatThrownBy(() -> ResultLog.open(file, Json.object().put("seed", 2).put("backend", "reference"))).isInstanceOf(BadInput.class)
                .hasMessageContaining("seed: the file has 1, asked for is 2").hasMessageNotContaining("backend:");
    }

    @Test
    void shardsAreCountedFromZeroAndShareTheUnitsOut() {
        assertThat(Shard.parse("1/3").has(4)).isTrue();
        assertThat(Shard.parse("1/3").has(3)).isFalse();
        for (String wrong : List.of("3/3", "-1/3", "0/0", "1", "a/b", "1/2/3")) {
            assertThatThrownBy(() -> Shard.parse(wrong)).as(wrong).isInstanceOf(BadInput.class).hasMessageContaining("--shard");
        }
    }

    @Test
    void theBootstrapIntervalOfEqualValuesHasNoWidthAndOfCoinsTheKnownOne() {
        assertThat(Interval.of(new double[] {1, 1, 1})).isEqualTo(new Interval(1, 1, 1, 3));
        double[] coins = new double[400];
        for (int i = 0; i < 200; i++) {
            coins[i] = 1;
        }
        Interval half = Interval.of(coins);
        // sqrt(p q / n) * 1.96 = 0.049; 2,000 resamples know the quantile to about 0.003
        assertThat(half.mean()).isEqualTo(0.5);
        assertThat(half.high() - half.mean()).isBetween(0.042, 0.056);
        assertThat(half.mean() - half.low()).isBetween(0.042, 0.056);
    }

    @Test
    void toyPromptsFitHoldTheNeedleAtItsDepthAndRepeat() throws Exception {
        try (Tokenizer tokenizer = Tokenizer.open(Home.find().tinyModel().resolve("tokenizer.model"))) {
            ToyPrompts prompts = new ToyPrompts(tokenizer, 1);
            for (int length : List.of(64, 256, 1024)) {
                for (int depth : List.of(0, 50, 100)) {
                    NeedlePrompt prompt = prompts.prompt(length, depth, 1, 0);
                    assertThat(prompt.ids().length + 7).isBetween(length - 40, length);
                    String hay = prompt.text().substring(0, prompt.text().lastIndexOf('\n'));
                    int at = hay.indexOf(" is " + prompt.answer() + ".");
                    assertThat(at).isPositive();
                    assertThat(hay.indexOf("The special magic number") / (double) hay.length()).isCloseTo(depth / 100.0, org.assertj.core.data.Offset.offset(length > 64 ? 0.25 : 1));
                    assertThat(prompts.prompt(length, depth, 1, 0).ids()).isEqualTo(prompt.ids());
                    assertThat(prompts.prompt(length, depth, 1, 1).ids()).isNotEqualTo(prompt.ids());
                }
            }
            NeedlePrompt four = prompts.prompt(512, 25, 4, 0);
            assertThat(four.text().split("The special magic number for", -1)).hasSize(4 + 1 + 1);
        }
    }

    @Test
    void freeTextIsScoredByTheWordsOfTheAnswer() {
        NeedlePrompt prompt = new NeedlePrompt(10, 0, 1, 0, "", new int[0], 0, "eat a sandwich", new int[0]);
        assertThat(prompt.overlap(" eat a salad a")).isEqualTo(2.0 / 3);
        assertThat(prompt.overlap("")).isZero();
    }

    @Test
    void aPieceWithoutANameBelongsToThePolicyBeforeIt() {
        assertThat(Contenders.split(List.of("dense", "dhsa:block=16", "local=8", "oracle"))).containsExactly("dense", "dhsa:block=16,local=8", "oracle");
    }
}
