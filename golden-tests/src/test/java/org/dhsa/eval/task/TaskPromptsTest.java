package org.dhsa.eval.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Home;
import org.dhsa.eval.Prompt;
import org.dhsa.weights.Tokenizer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TaskPromptsTest {

    private static final List<String> PROSE = List.of("The ship sailed past the reef.", "Nobody saw it go.", "Rain fell on the hills.");
    private static Tokenizer tokenizer;

    @BeforeAll
    static void open() throws Exception {
        tokenizer = Tokenizer.open(Home.find().tinyModel().resolve("tokenizer.model"));
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private static RulerPrompts english(QaFile qa) {
        return new RulerPrompts(PromptFrame.plain(tokenizer), 1, PROSE, qa, "test");
    }

    private static int count(String text, String part) {
        return text.split(Pattern.quote(part), -1).length - 1;
    }

    @Test
    void everyTaskFitsItsLengthNearlyFillsItAndRepeats(@TempDir Path folder) throws Exception {
        Path questions = Files.writeString(folder.resolve("qa.jsonl"), Arrays.asList("red", "green", "blue", "white", "black").stream().map(colour ->
                "{\"question\": \"Which colour is it?\", \"answers\": [\"" + colour + "\"], \"documents\": [\"" + ("The door is " + colour + ". ").repeat(12) + "\"]}\n").collect(Collectors.joining()));
        RulerPrompts english = english(QaFile.read(questions));
        ToyRulerPrompts toy = new ToyRulerPrompts(tokenizer, 1, english);
        for (RulerTask task : RulerTask.values()) {
            for (TaskPrompts prompts : task.needles() == null ? List.of(english) : List.of(english, toy)) {
                TaskPrompt prompt = prompts.prompt(task, 2000, 0);
                int length = prompt.ids().length + (prompt.free() ? prompt.newTokens() : prompt.answerIds().length);
                assertThat(length).as(task + " " + prompts.fingerprint()).isBetween(task == RulerTask.QA ? 600 : 1700, 2000);
                assertThat(prompt.questionTokens()).isLessThan(prompt.ids().length / 2);
                assertThat(prompts.prompt(task, 2000, 0).ids()).isEqualTo(prompt.ids());
                assertThat(prompts.prompt(task, 2000, 1).ids()).isNotEqualTo(prompt.ids());
            }
        }
        assertThatThrownBy(() -> english.prompt(RulerTask.CWE, 300, 0)).isInstanceOf(BadInput.class).hasMessageContaining("300 tokens are too few for cwe").hasMessageContaining("the least is");
    }

    @Test
    void theRightAnswerStandsInThePromptAndScoresOne() {
        RulerPrompts english = english(null);
        String single = english.prompt(RulerTask.NIAH_SINGLE_2, 2000, 0).text();
        assertThat(single).startsWith("A special magic number is hidden").contains("\nWhat is the special magic number for ").endsWith(" mentioned in the provided text is");
        TaskPrompt four = english.prompt(RulerTask.NIAH_MULTIQUERY, 2000, 0);
        assertThat(count(four.text(), "One of the special magic numbers for")).isEqualTo(4);
        String values = Pattern.compile("is: (\\d{7})\\.").matcher(four.text()).results().map(m -> m.group(1)).collect(Collectors.joining(" "));
        assertThat(four.score(values)).isEqualTo(1);
        assertThat(four.score(values.substring(0, 15))).isEqualTo(0.5);
        TaskPrompt valued = english.prompt(RulerTask.NIAH_MULTIVALUE, 2000, 0);
        assertThat(Pattern.compile("numbers for (\\S+) is:").matcher(valued.text()).results().map(m -> m.group(1)).distinct()).hasSize(1);
        assertThat(english.prompt(RulerTask.NIAH_MULTIKEY_1, 2000, 0).score(values)).isZero();
    }

    @Test
    void aChainOfVariablesIsAssignedInOrder() {
        TaskPrompt prompt = english(null).prompt(RulerTask.VT, 2500, 0);
        String main = prompt.text().substring(prompt.text().lastIndexOf("Memorize and track"));
        List<String> left = Pattern.compile("VAR (\\w+) = (?:VAR )?(\\w+)").matcher(main).results().map(m -> m.group(1) + "<" + m.group(2)).toList();
        assertThat(left).hasSize(5);
        for (int i = 1; i < 5; i++) {
            assertThat(left.get(i).split("<")[1]).isEqualTo(left.get(i - 1).split("<")[0]);
        }
        assertThat(main).endsWith("5 variables are assigned the value " + left.getFirst().split("<")[1] + ", they are: ");
        assertThat(prompt.score(left.stream().map(l -> l.split("<")[0]).collect(Collectors.joining(", ")))).isEqualTo(1);
    }

    @Test
    void commonWordsAreMoreOftenThanAnyOtherAndFrequentOnesComeByRank() {
        TaskPrompt common = english(null).prompt(RulerTask.CWE, 3000, 0);
        String list = common.text().substring(common.text().lastIndexOf("Memorize the ones"));
        var counts = Pattern.compile("\\d+\\. ([a-z-]+)").matcher(list).results().collect(Collectors.groupingBy(m -> m.group(1), Collectors.counting()));
        List<String> often = counts.entrySet().stream().filter(e -> e.getValue() == 6).map(java.util.Map.Entry::getKey).toList();
        assertThat(often).hasSize(10);
        assertThat(counts.values().stream().filter(c -> c != 6)).isNotEmpty().allMatch(c -> c == 1);
        assertThat(common.score(String.join(" ", often))).isEqualTo(1);

        TaskPrompt frequent = english(null).prompt(RulerTask.FWE, 2000, 0);
        String coded = frequent.text().substring(frequent.text().indexOf("coded words. ") + 13, frequent.text().indexOf("\nQuestion"));
        var ranked = Arrays.stream(coded.split(" ")).collect(Collectors.groupingBy(w -> w, Collectors.counting())).entrySet().stream()
                .sorted(java.util.Map.Entry.<String, Long>comparingByValue().reversed()).toList();
        assertThat(ranked.getFirst().getKey()).isEqualTo("...");
        assertThat(ranked.get(3).getValue()).isGreaterThan(ranked.get(4).getValue());
        assertThat(frequent.score(ranked.get(1).getKey() + ranked.get(2).getKey() + ranked.get(3).getKey())).isEqualTo(1);
    }

    @Test
    void theToyLanguageAsksSeveralKeysOneAfterTheOther() {
        ToyRulerPrompts toy = new ToyRulerPrompts(tokenizer, 1, english(null));
        TaskPrompt prompt = toy.prompt(RulerTask.NIAH_MULTIQUERY, 512, 0);
        StringBuilder judged = new StringBuilder();
        int last = 0;
        for (int i = 0; i < prompt.answerIds().length; i++) {
            int value = prompt.answerValues()[i];
            if (value != Prompt.NOT_JUDGED) {
                judged.append(value == last ? "" : ";").append(tokenizer.decode(prompt.answerIds()[i]));
                last = value;
            }
        }
        String[] values = judged.toString().replace(" ", "").split(";");
        assertThat(values).hasSize(4).allMatch(v -> v.matches("\\d{5}"));
        String whole = prompt.text() + tokenizer.decode(prompt.answerIds());
        for (String value : values) {
            // in the needle and in the answer, behind the same key
            assertThat(Pattern.compile("for (\\w+) is " + value).matcher(whole).results().map(m -> m.group(1)).distinct()).hasSize(1);
            assertThat(count(whole, value)).isEqualTo(2);
        }
        String needles = toy.prompt(RulerTask.NIAH_MULTIKEY_2, 512, 0).text();
        assertThat(count(needles, "The special magic number for")).isGreaterThan(20);
        String four = toy.prompt(RulerTask.NIAH_MULTIVALUE, 512, 0).text();
        assertThat(Pattern.compile("number for (\\w+)").matcher(four).results().map(m -> m.group(1)).distinct()).hasSize(1);
    }

    @Test
    void longPromptsAreCutInTheMiddleAndKeepTheirQuestion() {
        LongBenchTask task = LongBenchTask.of("hotpotqa");
        String context = "The ship sailed past the reef. ".repeat(200);
        LongBenchTask.Example example = new LongBenchTask.Example(1, "FIRST " + context + " LAST", "Who sailed?", List.of("x"), List.of());
        PromptFrame plain = PromptFrame.plain(tokenizer);
        TaskPrompt whole = task.prompt(example, 100_000, 32, tokenizer, plain, plain);
        assertThat(whole.text()).contains("FIRST", "LAST");
        TaskPrompt cut = task.prompt(example, 700, 32, tokenizer, plain, plain);
        assertThat(cut.ids().length).isBetween(690, 710);
        assertThat(cut.text()).startsWith("Answer the question").contains("FIRST").endsWith("Question: Who sailed?\nAnswer:");
        assertThat(cut.questionTokens()).isEqualTo(whole.questionTokens());
        assertThat(whole.text()).startsWith(cut.text().substring(0, 300)).endsWith(cut.text().substring(cut.text().length() - 300));
    }

    @Test
    void brokenLinesAreNamedAndTheRestGoesOn(@TempDir Path folder) throws Exception {
        byte[] notUtf8 = {'{', (byte) 0xff, '}', '\n'};
        Path file = folder.resolve("trec.jsonl");
        Files.write(file, """
                {"context": "c", "input": "i", "answers": ["a"], "all_classes": ["a", "b"]}
                {"context": "c", "input": "i"
                {"context": "c", "answers": ["a"], "all_classes": ["a"]}
                {"context": "c", "input": "i", "answers": "a", "all_classes": ["a"]}
                {"context": "c", "input": "i", "answers": ["a"], "all_classes": null}
                [1]

                """.getBytes(StandardCharsets.UTF_8));
        Files.write(file, notUtf8, java.nio.file.StandardOpenOption.APPEND);
        LongBenchData data = LongBenchData.read(folder, List.of(LongBenchTask.of("trec")));
        assertThat(data.examples().get(LongBenchTask.of("trec"))).hasSize(1);
        assertThat(data.broken()).hasSize(6).allMatch(b -> b.contains("trec.jsonl, line "));
        assertThat(data.broken().get(0)).contains("line 2: this is no JSON");
        assertThat(data.broken().get(1)).contains("line 3: the field \"input\" is missing");
        assertThat(data.broken().get(2)).contains("line 4: the field \"answers\" must be an array");
        assertThat(data.broken().get(3)).contains("line 5: the field \"all_classes\"");
        assertThat(data.broken().get(4)).contains("line 6: this is no JSON object");
        assertThat(data.broken().get(5)).contains("line 8: this is no UTF-8 text");
        assertThatThrownBy(() -> LongBenchData.read(folder, List.of(LongBenchTask.of("qasper")))).isInstanceOf(BadInput.class).hasMessageContaining("no file for qasper");
        assertThatThrownBy(() -> LongBenchTask.of("hotpot")).isInstanceOf(BadInput.class).hasMessageContaining("near names: hotpotqa");
    }

    @Test
    void theElevenTasksOfThePaperHaveTheirPublishedLengths() {
        assertThat(LongBenchTask.ofThePaper().stream().map(t -> t.name() + " " + t.newTokens())).containsExactly("narrativeqa 128", "qasper 128", "multifieldqa_en 64", "hotpotqa 32", "2wikimqa 32",
                "musique 32", "gov_report 512", "qmsum 512", "multi_news 512", "triviaqa 32", "samsum 128");
        assertThat(LongBenchTask.all()).hasSize(16).allMatch(t -> t.template().contains("{context}"));
    }
}
