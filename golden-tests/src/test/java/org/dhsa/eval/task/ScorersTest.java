package org.dhsa.eval.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dhsa.cli.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Every expected score is worked out by hand beside it.
class ScorersTest {

    @Test
    void wordsAreComparedWithoutCasePunctuationAndArticles() {
        assertThat(Scorers.normalised("  The A-team's  an \"Apple\"!\tIT\u00a0is")).isEqualTo("ateams apple it is");
        // an article beside a letter of another script is part of a word
        assertThat(Scorers.normalised("thé a_the 12a")).isEqualTo("thé athe 12a");
    }

    @Test
    void tokenF1CountsRepeatedWordsAsOftenAsBothHaveThem() {
        // response: red red blue; truth: red green red red: 2 the same, 2/3 and 2/4
        assertThat(Scorers.tokenF1("Red, red blue", "red green red red")).isCloseTo(2 * (2.0 / 3) * 0.5 / (2.0 / 3 + 0.5), within(1e-15));
        assertThat(Scorers.tokenF1("the", "the")).isZero();
        assertThat(Scorers.tokenF1("x", "")).isZero();
    }

    @Test
    void numbersAreCountedWhole() {
        assertThat(Scorers.count("7, 17 or 7", "7")).isEqualTo(2.0 / 3);
        assertThat(Scorers.count("seven", "7")).isZero();
        assertThat(Scorers.retrieval("Paragraph 3 or 4", "Paragraph 4")).isEqualTo(0.5);
        assertThatThrownBy(() -> Scorers.retrieval("4", "4")).hasMessageContaining("must name a paragraph");
    }

    @Test
    void classesInsideTheRightOneDoNotCountUnlessTheyFollowARemovedOne() {
        List<String> classes = List.of("City", "Other", "Other city", "Human");
        assertThat(Scorers.classification("Human or City", "Human", classes)).isEqualTo(0.5);
        assertThat(Scorers.classification("Other city", "Other city", classes)).isEqualTo(1);
        assertThat(Scorers.classification("Other city", "City", classes)).isZero();
        // "a" is removed, so "b" is not looked at and stays: a right answer counts a half
        assertThat(Scorers.classification("a b ab", "ab", List.of("a", "b", "ab"))).isEqualTo(0.5);
    }

    @Test
    void codeIsTheFirstLineThatIsNoCommentByItsEditDistance() {
        // "x = 1" and "x = 2": 4 of 5 characters in common, 2 * 4 / 10
        assertThat(Scorers.codeSimilarity("\n# a comment\n```\nx = 1\ny", "x = 2")).isEqualTo(0.8);
        assertThat(Scorers.codeSimilarity("abc", "abc")).isEqualTo(1);
        assertThat(Scorers.codeSimilarity("// nothing", "abc")).isZero();
        // 2 * 1 / 3 in whole percent
        assertThat(Scorers.codeSimilarity("a", "ab")).isEqualTo(0.67);
    }

    @Test
    void rougeTakesTheUnionOfCommonSubsequencesAndCountsAWordOnce() {
        // the example of the ROUGE paper: w1 w2 and w1 w3 w5, together 4 of 5; the response has 8 different words
        double precision = 4.0 / 8;
        double recall = 4.0 / 5;
        assertThat(RougeL.f("w1 w2 w6 w7 w8. w1 w3 w8 w9 w5", "w1 w2 w3 w4 w5")).isCloseTo(2 * precision * recall / (precision + recall + 1e-8), within(1e-15));
        // a b a b is {a, b}: everything in common
        assertThat(RougeL.f("a b a b", "a b")).isCloseTo(1, within(1e-7));
        // "one two three" against "three two one": one word in common; the blank after the full stop is a word of its own in the response
        assertThat(RougeL.f("one two\nthree. ", "three two one.")).isCloseTo(2 * (1.0 / 4) * (1.0 / 3) / (1.0 / 4 + 1.0 / 3 + 1e-8), within(1e-15));
        assertThat(RougeL.f("", "a")).isZero();
    }

    @Test
    void needlesAreFoundWhateverTheirCase() {
        assertThat(Scorers.matchAll("it is ABC and 12.", List.of("abc", "12", "13", "x"))).isEqualTo(0.5);
        assertThat(Scorers.matchPart("in paris", List.of("London", "Paris"))).isEqualTo(1);
        assertThat(Scorers.matchPart("in Rome", List.of("London", "Paris"))).isZero();
    }

    @Test
    void theBestOfSeveralAnswersCountsAndFewShotTasksAreJudgedByTheirFirstLine() {
        assertThat(LongBenchTask.of("hotpotqa").score("Ada Lovelace", List.of("nobody", "Lovelace", "Ada"), List.of())).isCloseTo(2.0 / 3, within(1e-15));
        assertThat(LongBenchTask.of("triviaqa").score("\n\nParis\nQuestion: more", List.of("Paris"), List.of())).isEqualTo(1);
        assertThat(LongBenchTask.of("hotpotqa").score("Paris\nQuestion: more", List.of("Paris"), List.of())).isEqualTo(0.5);
    }

    @Test
    void recordedScoresAreComparedAndWhatDiffersIsNamed(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("r.json"), """
                {"qa_f1": [{"prediction": "The cat", "truth": "cat", "normalized": "cat", "qa_f1": 1.0}, {"prediction": "dog", "truth": "cat", "qa_f1": 0.5},
                           {"prediction": "A dog", "truth": "dog", "normalized": "a dog", "qa_f1": 1.0}],
                 "count": [{"prediction": "5 or 6", "truth": 5, "count_score": 0.5}]}""");
        ScorerRecordings checked = ScorerRecordings.check(file);
        assertThat(checked.agreed()).containsEntry("qa_f1", 1).containsEntry("count", 1);
        assertThat(checked.wrong()).containsExactly("qa_f1[1]: recorded 0.5, here 0.0", "qa_f1[2]: normalised \"a dog\", here \"dog\"");
        Files.writeString(file, "{\"bleu\": []}");
        assertThatThrownBy(() -> ScorerRecordings.check(file)).isInstanceOf(BadInput.class).hasMessageContaining("bleu");
    }
}
