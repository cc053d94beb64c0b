package org.dhsa.eval.task;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.dhsa.eval.Prompt;
import org.dhsa.eval.ToyLanguage;
import org.dhsa.weights.Tokenizer;

/// RULER's needle tasks in the language of the tiny models; its other tasks as they are published, in English.
///
/// * Several keys are asked for one after the other, as in the models' training: question, answer, next question. The right answer
///   stands before the next question, so that one wrong value does not spoil the others.
/// * Several values of one key, and keys or values that are UUIDs, were never trained. They are said in the same words and judged by
///   what is generated: one value at best of several.
public final class ToyRulerPrompts implements TaskPrompts {

    /// Blank, five digits, full stop.
    private static final int ANSWER_TOKENS = 7;
    private static final int FREE_TOKENS = 60;
    private static final int PARAGRAPH = 5;

    private final Tokenizer tokenizer;
    private final long seed;
    private final TaskPrompts english;
    private final ToyLanguage language = new ToyLanguage();

    /// @param english makes the tasks that are no needle tasks
    public ToyRulerPrompts(Tokenizer tokenizer, long seed, TaskPrompts english) {
        this.tokenizer = tokenizer;
        this.seed = seed;
        this.english = english;
    }

    @Override
    public String fingerprint() {
        return "toy language; " + english.fingerprint();
    }

    @Override
    public TaskPrompt prompt(RulerTask task, int length, int sample) {
        if (task.needles() == null) {
            return english.prompt(task, length, sample);
        }
        RulerTask.Needles shape = task.needles();
        Random random = new Random(TaskPrompts.seed(seed, task, length, sample));
        Iterator<String> keys = keys(shape.keyKind(), random);
        List<String> asked = new ArrayList<>();
        List<List<String>> values = new ArrayList<>();
        List<String> needles = new ArrayList<>();
        for (int k = 0; k < shape.keys(); k++) {
            String key = keys.next();
            List<String> own = IntStream.range(0, shape.values()).mapToObj(v -> value(shape.valueKind(), random)).toList();
            own.forEach(value -> needles.add(language.needle(key, value)));
            if (k < shape.queries()) {
                asked.add(key);
                values.add(own);
            }
        }
        Collections.shuffle(needles, random);
        Haystack hay = new Haystack(units(shape, keys, random), needles, " ", random);
        String question = "\n" + language.question(asked.getFirst());
        int questionTokens = tokenizer.encode(question).length;
        if (!task.inToyLanguage()) {
            List<String> wanted = values.getFirst();
            return Fit.most(length - FREE_TOKENS, 0, Integer.MAX_VALUE - 1, n -> {
                String text = hay.text(n) + question;
                return new TaskPrompt(text, tokenizer.encodeWithBos(text), questionTokens, new int[0], new int[0], FREE_TOKENS, Set.of(), said -> Scorers.matchAll(said, wanted));
            }, p -> p.ids().length, task.slug(), FREE_TOKENS);
        }
        int[] answer = tokenizer.encode(" " + values.getFirst().getFirst());
        int[] judged = new int[answer.length];
        for (int q = 1; q < asked.size(); q++) {
            // the full stop of the answer before, a new line, the next question
            int[] next = tokenizer.encode("." + "\n" + language.question(asked.get(q)));
            int[] more = tokenizer.encode(" " + values.get(q).getFirst());
            int value = q;
            judged = IntStream.concat(IntStream.of(judged), IntStream.concat(IntStream.generate(() -> Prompt.NOT_JUDGED).limit(next.length),
                    IntStream.generate(() -> value).limit(more.length))).toArray();
            answer = IntStream.concat(IntStream.of(answer), IntStream.concat(IntStream.of(next), IntStream.of(more))).toArray();
        }
        int[] answerIds = answer;
        int[] answerValues = judged;
        int answerTokens = answerIds.length + 1;
        return Fit.most(length - answerTokens, 0, Integer.MAX_VALUE - 1, n -> {
            String text = hay.text(n) + question;
            return new TaskPrompt(text, tokenizer.encodeWithBos(text), questionTokens, answerIds, answerValues, ANSWER_TOKENS, Set.of(), said -> 0);
        }, p -> p.ids().length, task.slug(), answerTokens);
    }

    /// Endless: the words that needles were trained with, each once, and made-up ones after them.
    private Iterator<String> keys(RulerTask.Kind kind, Random random) {
        List<String> words = new ArrayList<>(language.keys());
        Collections.shuffle(words, random);
        Iterator<String> trained = words.iterator();
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return kind == RulerTask.Kind.UUIDS || trained.hasNext();
            }

            @Override
            public String next() {
                return kind == RulerTask.Kind.UUIDS ? RulerPrompts.uuid(random) : trained.next();
            }
        };
    }

    private static String value(RulerTask.Kind kind, Random random) {
        return kind == RulerTask.Kind.UUIDS ? RulerPrompts.uuid(random) : String.valueOf(10_000 + random.nextInt(90_000));
    }

    private Supplier<Haystack.Unit> units(RulerTask.Needles shape, Iterator<String> keys, Random random) {
        Supplier<Haystack.Unit> prose = prose(random);
        return switch (shape.hay()) {
            case ESSAY -> prose;
            case NOISE -> {
                List<Haystack.Unit> same = IntStream.range(0, PARAGRAPH).mapToObj(i -> prose.get()).toList();
                yield counted(i -> new Haystack.Unit(separator(i), same.get(i % PARAGRAPH).text()));
            }
            case NEEDLES -> counted(i -> keys.hasNext() ? new Haystack.Unit(separator(i), language.needle(keys.next(), value(shape.valueKind(), random))) : prose.get());
        };
    }

    private static String separator(int unit) {
        return unit % PARAGRAPH == 0 ? "\n" : " ";
    }

    private static Supplier<Haystack.Unit> counted(java.util.function.IntFunction<Haystack.Unit> units) {
        int[] next = {0};
        return () -> units.apply(next[0]++);
    }

    /// Paragraphs of one topic each, 3 to 8 sentences.
    private Supplier<Haystack.Unit> prose(Random random) {
        return new Supplier<>() {
            private String topic = "";
            private int left;

            @Override
            public Haystack.Unit get() {
                boolean begins = left == 0;
                if (begins) {
                    topic = language.topic(topic, random);
                    left = 3 + random.nextInt(6);
                }
                left--;
                return new Haystack.Unit(begins ? "\n" : " ", language.sentence(topic, random));
            }
        };
    }
}
