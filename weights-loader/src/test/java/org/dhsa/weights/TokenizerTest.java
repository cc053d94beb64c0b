package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TokenizerTest {

    private static Tokenizer tokenizer;

    @BeforeAll
    static void open() throws Exception {
        tokenizer = Tokenizer.open(Resources.path("tiny-gemma2/tokenizer.model"));
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    /// What SentencePiece itself gave.
    record Sample(String text, int[] ids, List<String> pieces, String decoded) {
        @Override
        public String toString() {
            return Printable.name(text);
        }
    }

    static Stream<Sample> samples() throws IOException {
        ObjectMapper json = new ObjectMapper();
        List<Sample> samples = new ArrayList<>();
        for (String line : Files.readAllLines(Resources.path("tiny-gemma2/tokenizer_samples.jsonl"))) {
            JsonNode node = json.readTree(line);
            samples.add(new Sample(node.get("text").textValue(), json.treeToValue(node.get("ids"), int[].class),
                    List.of(json.treeToValue(node.get("pieces"), String[].class)), node.get("decoded").textValue()));
        }
        assertThat(samples).hasSizeGreaterThan(25);
        return samples.stream();
    }

    @ParameterizedTest
    @MethodSource("samples")
    void givesWhatSentencePieceGives(Sample sample) {
        assertThat(tokenizer.encode(sample.text)).isEqualTo(sample.ids);
        assertThat(tokenizer.pieces(sample.text)).isEqualTo(sample.pieces);
        assertThat(tokenizer.decode(sample.ids)).isEqualTo(sample.decoded);
    }

    @ParameterizedTest
    @MethodSource("samples")
    void streamingGivesTheSameTextAndNeverHalfACharacter(Sample sample) {
        StreamDecoder decoder = tokenizer.streamDecoder();
        StringBuilder text = new StringBuilder();
        for (int id : sample.ids) {
            String part = decoder.accept(id);
            assertThat(part).doesNotContain("\uFFFD");
            text.append(part);
        }
        assertThat(decoder.finish()).isEmpty();
        assertThat(text).hasToString(sample.decoded);
    }

    @Test
    void bosComesExactlyOnceAndOnlyWhenAskedFor() {
        assertThat(tokenizer.encode("")).isEmpty();
        assertThat(tokenizer.encodeWithBos("")).containsExactly(tokenizer.bosId());
        assertThat(tokenizer.encodeWithBos("<bos>hello").clone()).startsWith(tokenizer.bosId())
                .satisfies(ids -> assertThat(Arrays.stream(ids).filter(id -> id == tokenizer.bosId())).hasSize(1));
    }

    @Test
    void knowsItsSpecialTokens() {
        assertThat(tokenizer.vocabSize()).isEqualTo(960);
        assertThat(tokenizer.bosId()).isEqualTo(2);
        assertThat(tokenizer.eosId()).isEqualTo(1);
        assertThat(tokenizer.pieces(2, 1)).containsExactly("<bos>", "<eos>");
    }

    @Test
    void controlTokensDecodeToNothingAndUnknownToItsMark() {
        assertThat(tokenizer.decode(2, 428, 423, 1)).isEqualTo("hello");
        assertThat(tokenizer.decode(3)).isEqualTo(" \u2047 ");
        assertThat(tokenizer.decode()).isEmpty();
    }

    @Test
    void bytesThatFormNoCharacterBecomeOneReplacementEach() {
        int[] euro = {byteId(0xe2), byteId(0x82), byteId(0xac)};
        assertThat(tokenizer.decode(euro)).isEqualTo("€");
        assertThat(tokenizer.decode(euro[0], euro[1])).isEqualTo("\uFFFD\uFFFD");
        assertThat(tokenizer.decode(euro[0], euro[1], 889)).isEqualTo("\uFFFD\uFFFDa");
        assertThat(tokenizer.decode(euro[0], euro[0], euro[1], euro[2])).isEqualTo("\uFFFD€");
        assertThat(tokenizer.decode(euro[1])).isEqualTo("\uFFFD");
        assertThat(tokenizer.decode(byteId(0xff), 889)).isEqualTo("\uFFFDa");
        assertThat(tokenizer.decode(byteId(0xc0), byteId(0x80))).as("NUL written too long").isEqualTo("\uFFFD\uFFFD");
        assertThat(tokenizer.decode(byteId(0xed), byteId(0xa0), byteId(0x80))).as("a surrogate").isEqualTo("\uFFFD\uFFFD\uFFFD");
        assertThat(tokenizer.decode(byteId(0xf4), byteId(0x90), byteId(0x80), byteId(0x80))).as("beyond Unicode").hasSize(4);
    }

    @Test
    void unfinishedCharactersAreHeldBackWhileStreaming() {
        StreamDecoder decoder = tokenizer.streamDecoder();
        assertThat(decoder.accept(byteId(0xf0))).isEmpty();
        assertThat(decoder.accept(byteId(0x9f))).isEmpty();
        assertThat(decoder.accept(byteId(0x99))).isEmpty();
        assertThat(decoder.accept(byteId(0x82))).isEqualTo("🙂");
        assertThat(decoder.accept(byteId(0xe2))).isEmpty();
        assertThat(decoder.finish()).isEqualTo("\uFFFD");
    }

    @Test
    void everyCodePointSurvivesTheRoundTrip() {
        for (int c : new int[] {0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x1f642, 0x10ffff}) {
            String text = "a" + Character.toString(c) + "b";
            assertThat(tokenizer.decode(tokenizer.encode(text))).as("U+%04X", c).isEqualTo(text);
        }
    }

    @Test
    void loneSurrogatesAreEncodedAsQuestionMarks() {
        assertThat(tokenizer.encode("a\ud83db")).isEqualTo(tokenizer.encode("a?b"));
    }

    @Test
    void longTextSurvivesTheRoundTrip() {
        String text = "The special magic number for garden is 48213. 🙂\n".repeat(500);
        assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
    }

    @Test
    void idsOutsideTheVocabularyAreRefusedAndDoNotEndTheJvm() {
        assertThatThrownBy(() -> tokenizer.decode(960)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token id 960 is outside the vocabulary of 960");
        assertThatThrownBy(() -> tokenizer.decode(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> tokenizer.piece(99999)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aFileThatIsNoSentencePieceModelIsRefusedByName(@TempDir Path folder) throws Exception {
        byte[] good = Files.readAllBytes(Resources.path("tiny-gemma2/tokenizer.model"));
        Path file = folder.resolve("tokenizer.model");
        for (byte[] bad : List.of(new byte[0], "{\"json\": true}".getBytes(), Arrays.copyOf(good, good.length / 2))) {
            Files.write(file, bad);
            assertThatThrownBy(() -> Tokenizer.open(file)).isInstanceOf(WeightsFormatException.class)
                    .hasMessageStartingWith(file.toString()).hasMessageContaining("not a SentencePiece model");
        }
        assertThatThrownBy(() -> Tokenizer.open(folder.resolve("absent.model"))).hasMessageContaining("there is no such file");
    }

    private static int byteId(int value) {
        return 7 + value;
    }
}
