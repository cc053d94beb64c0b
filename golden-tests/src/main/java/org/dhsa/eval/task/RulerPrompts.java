package org.dhsa.eval.task;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;

/// RULER's prompts in English, by its published templates and sizes (arXiv 2404.06654).
///
/// The random numbers and the word lists are this project's own, so the prompts are like RULER's and not the same. A prompt is filled up
/// to the largest haystack that fits with the answer's tokens, `<bos>` counted.
public final class RulerPrompts implements TaskPrompts {

    /// Below this length RULER takes smaller counts for its common words.
    private static final int LONG = 4096;
    private static final int COMMON_WORDS = 10;
    private static final int CODED_LETTERS = 6;
    /// ζ(2), the sum of 1 / k².
    private static final double ZETA_2 = Math.PI * Math.PI / 6;

    private static final JsonNode RULER = load();
    private static final List<String> ADJECTIVES = words("adjectives");
    private static final List<String> NOUNS = words("nouns");
    private static final List<String> WORDS = new ArrayList<>(new TreeSet<>(java.util.stream.Stream.of(ADJECTIVES, NOUNS, words("verbs")).flatMap(List::stream).toList()));

    private final PromptFrame frame;
    private final long seed;
    private final List<String> essays;
    private final QaFile qa;
    private final String fingerprint;

    /// @param essays sentences of prose, empty if there are none
    /// @param qa     null if there is none
    /// @param source which prose and which questions, for [#fingerprint()]
    public RulerPrompts(PromptFrame frame, long seed, List<String> essays, QaFile qa, String source) {
        this.frame = frame;
        this.seed = seed;
        this.essays = essays;
        this.qa = qa;
        this.fingerprint = source + (frame.isChat() ? ", chat" : "");
    }

    private static JsonNode load() {
        try (InputStream in = RulerPrompts.class.getResourceAsStream("ruler.json")) {
            return Json.MAPPER.readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> words(String field) {
        return List.of(RULER.path(field).asText().split(" "));
    }

    @Override
    public String fingerprint() {
        return fingerprint;
    }

    @Override
    public TaskPrompt prompt(RulerTask task, int length, int sample) {
        Random random = new Random(TaskPrompts.seed(seed, task, length, sample));
        return switch (task) {
            case VT -> variables(length, random);
            case CWE -> commonWords(length, random);
            case FWE -> frequentWords(length, random);
            case QA -> questions(length, sample, random);
            default -> needles(task, length, random);
        };
    }

    // ---- needles

    private TaskPrompt needles(RulerTask task, int length, Random random) {
        RulerTask.Needles shape = task.needles();
        JsonNode said = RULER.path("tasks").path("niah");
        Set<String> used = new HashSet<>();
        List<String> keys = new ArrayList<>();
        List<String> needles = new ArrayList<>();
        List<String> answers = new ArrayList<>();
        for (int k = 0; k < shape.keys(); k++) {
            String key = fresh(shape.keyKind(), used, random);
            keys.add(key);
            for (int v = 0; v < shape.values(); v++) {
                String value = fresh(shape.valueKind(), used, random);
                needles.add(needle(shape.valueKind(), key, value));
                if (k < shape.queries()) {
                    answers.add(value);
                }
            }
        }
        Collections.shuffle(needles, random);
        Haystack hay = new Haystack(units(task, used, random), needles, shape.hay() == RulerTask.Hay.ESSAY ? " " : "\n", random);
        List<String> asked = keys.subList(0, shape.queries());
        String query = asked.size() == 1 ? asked.getFirst() : String.join(", ", asked.subList(0, asked.size() - 1)) + ", and " + asked.getLast();
        boolean one = answers.size() == 1;
        String kind = one ? plural(shape.valueKind()).replaceFirst("s$", "") : plural(shape.valueKind());
        String template = said.path(one ? "templateOfOne" : "template").asText().replace("{kind}", kind).replace("{query}", query);
        String prefix = said.path(one ? "answerPrefixOfOne" : "answerPrefix").asText().replace("{kind}", kind).replace("{query}", query);
        return fit(task, length, 1, Integer.MAX_VALUE - 2, template, prefix, hay::text, r -> Scorers.matchAll(r, answers));
    }

    private Supplier<Haystack.Unit> units(RulerTask task, Set<String> used, Random random) {
        RulerTask.Needles shape = task.needles();
        return switch (shape.hay()) {
            case NOISE -> () -> new Haystack.Unit("\n", RULER.path("noise").asText());
            case NEEDLES -> () -> new Haystack.Unit("\n", needle(shape.valueKind(), fresh(shape.keyKind(), used, random), fresh(shape.valueKind(), used, random)));
            case ESSAY -> {
                if (essays.isEmpty()) {
                    throw new BadInput("--haystack: " + task.slug() + " hides its needles in prose. Name a folder of .txt files with --haystack, or leave the task out with --tasks.");
                }
                int[] next = {0};
                yield () -> new Haystack.Unit(" ", essays.get(next[0]++ % essays.size()));
            }
        };
    }

    private static String needle(RulerTask.Kind kind, String key, String value) {
        return RULER.path("needle").asText().replace("{kind}", plural(kind)).replace("{key}", key).replace("{value}", value);
    }

    private static String plural(RulerTask.Kind kind) {
        return kind.name().toLowerCase(java.util.Locale.ROOT);
    }

    private static String fresh(RulerTask.Kind kind, Set<String> used, Random random) {
        String value;
        do {
            value = switch (kind) {
                case WORDS -> pick(ADJECTIVES, random) + "-" + pick(NOUNS, random);
                case NUMBERS -> String.valueOf(1_000_000 + random.nextInt(9_000_000));
                case UUIDS -> uuid(random);
            };
            // when every pair of words is used, pairs come again
        } while (!used.add(value) && used.size() < ADJECTIVES.size() * NOUNS.size());
        return value;
    }

    static String uuid(Random random) {
        long version4 = random.nextLong() & 0xffff_ffff_ffff_0fffL | 0x4000L;
        return new UUID(version4, random.nextLong() & 0x3fff_ffff_ffff_ffffL | 0x8000_0000_0000_0000L).toString();
    }

    private static String pick(List<String> list, Random random) {
        return list.get(random.nextInt(list.size()));
    }

    // ---- variable tracking

    private TaskPrompt variables(int length, Random random) {
        int hops = 4;
        List<String> example = variableNames(hops + 1, 3, random);
        String exampleValue = number(random);
        String shown = fill("vt", exampleValue, hops + 1, chain(example, exampleValue, random).text(5)) + prefix("vt", exampleValue, hops + 1)
                + " " + String.join(" ", example) + "\n\n";
        List<String> names = variableNames(hops + 1, 5, random);
        String value = number(random);
        Haystack hay = chain(names, value, random);
        return fit(RulerTask.VT, length, hops + 1, Integer.MAX_VALUE - 2, shown + RULER.path("tasks").path("vt").path("template").asText().replace("{query}", value), prefix("vt", value, hops + 1),
                hay::text, r -> Scorers.matchAll(r, names));
    }

    /// Assignments in their order, lines of noise between them.
    private static Haystack chain(List<String> names, String value, Random random) {
        List<String> lines = new ArrayList<>(List.of("VAR " + names.getFirst() + " = " + value));
        for (int i = 1; i < names.size(); i++) {
            lines.add("VAR " + names.get(i) + " = VAR " + names.get(i - 1) + " ");
        }
        return Haystack.inOrder(() -> new Haystack.Unit("\n", RULER.path("noise").asText()), lines, "\n", random);
    }

    private static List<String> variableNames(int count, int letters, Random random) {
        Set<String> names = new LinkedHashSet<>();
        while (names.size() < count) {
            names.add(letters(letters, 'A', random));
        }
        return List.copyOf(names);
    }

    private static String number(Random random) {
        return String.valueOf(10_000 + random.nextInt(90_000));
    }

    private static String letters(int count, char first, Random random) {
        return IntStream.range(0, count).mapToObj(i -> String.valueOf((char) (first + random.nextInt(26)))).collect(Collectors.joining());
    }

    // ---- common words

    private TaskPrompt commonWords(int length, Random random) {
        boolean isLong = length >= LONG;
        List<String> example = wordList(COMMON_WORDS + (isLong ? 30 : 10), random);
        List<String> exampleAnswer = example.subList(0, COMMON_WORDS);
        long order = random.nextLong();
        String shown = fill("cwe", "", 0, numbered(example, isLong ? 10 : 3, isLong ? 3 : 1, order)) + prefix("cwe", "", 0) + " " + list(exampleAnswer) + "\n";
        List<String> words = wordList(WORDS.size(), random);
        List<String> answers = words.subList(0, COMMON_WORDS);
        return fit(RulerTask.CWE, length, 0, ADJECTIVES.size() * NOUNS.size(), shown + RULER.path("tasks").path("cwe").path("template").asText(), prefix("cwe", "", 0),
                n -> numbered(atLeast(words, COMMON_WORDS + n), isLong ? 30 : 6, isLong ? 3 : 1, order), r -> Scorers.matchAll(r, answers));
    }

    private static List<String> wordList(int count, Random random) {
        List<String> words = new ArrayList<>(WORDS);
        Collections.shuffle(words, random);
        return words.subList(0, count);
    }

    /// The first `count` words; where the list ends, pairs of an adjective and a noun.
    private static List<String> atLeast(List<String> words, int count) {
        List<String> all = new ArrayList<>(words.subList(0, Math.min(count, words.size())));
        for (int i = 0; all.size() < count; i++) {
            all.add(ADJECTIVES.get(i / NOUNS.size()) + "-" + NOUNS.get(i % NOUNS.size()));
        }
        return all;
    }

    /// `1. word 2. word …`: the first ten often, the others seldom, shuffled.
    private static String numbered(List<String> words, int often, int seldom, long order) {
        List<String> all = new ArrayList<>();
        for (int w = 0; w < words.size(); w++) {
            all.addAll(Collections.nCopies(w < COMMON_WORDS ? often : seldom, words.get(w)));
        }
        Collections.shuffle(all, new Random(order));
        return list(all);
    }

    private static String list(List<String> words) {
        return IntStream.range(0, words.size()).mapToObj(i -> (i + 1) + ". " + words.get(i)).collect(Collectors.joining(" "));
    }

    // ---- frequent words

    private TaskPrompt frequentWords(int length, Random random) {
        int vocabulary = Math.max(5, (length - newTokens("fwe")) / 50);
        Set<String> made = new LinkedHashSet<>();
        while (made.size() < vocabulary) {
            made.add(letters(CODED_LETTERS, 'a', random));
        }
        List<String> words = new ArrayList<>(made);
        // The most frequent one is noise.
        words.set(0, "...");
        List<String> answers = List.copyOf(words.subList(1, 4));
        long order = random.nextLong();
        // From 32 words on the third is more frequent than the fourth.
        return fit(RulerTask.FWE, length, 32, Integer.MAX_VALUE - 2, RULER.path("tasks").path("fwe").path("template").asText(), prefix("fwe", "", 0), n -> coded(words, n, order),
                r -> Scorers.matchAll(r, answers));
    }

    /// Word k, from 1, stands ⌊n / (k² ζ(2))⌋ times.
    private static String coded(List<String> words, int n, long order) {
        List<String> text = new ArrayList<>();
        for (int k = 1; k <= words.size(); k++) {
            text.addAll(Collections.nCopies((int) (n / (k * (double) k * ZETA_2)), words.get(k - 1)));
        }
        Collections.shuffle(text, new Random(order));
        return String.join(" ", text);
    }

    // ---- questions

    private TaskPrompt questions(int length, int sample, Random random) {
        QaFile.Question question = qa.questions().get(sample % qa.questions().size());
        List<String> distractors = new ArrayList<>(qa.documents());
        distractors.removeAll(question.documents());
        Collections.shuffle(distractors, random);
        long order = random.nextLong();
        return fit(RulerTask.QA, length, 0, distractors.size(), RULER.path("tasks").path("qa").path("template").asText().replace("{query}", question.question()), prefix("qa", "", 0), n -> {
            List<String> documents = new ArrayList<>(question.documents());
            documents.addAll(distractors.subList(0, n));
            Collections.shuffle(documents, new Random(order));
            return IntStream.range(0, documents.size()).mapToObj(i -> "Document " + (i + 1) + ":\n" + documents.get(i)).collect(Collectors.joining("\n\n"));
        }, r -> Scorers.matchPart(r, question.answers()));
    }

    // ---- all

    private interface Context {
        String of(int units);
    }

    private TaskPrompt fit(RulerTask task, int length, int least, int limit, String template, String prefix, Context context, ToDoubleFunction<String> scorer) {
        int newTokens = newTokens(section(task));
        // The last one: an example before it has a context of its own.
        int at = template.lastIndexOf("{context}");
        String before = template.substring(0, at);
        String after = template.substring(at + "{context}".length());
        return Fit.most(length - newTokens, least, limit, n -> TaskPrompt.free(frame.frame(before + context.of(n).replace(". \n", ".\n"), after, prefix), newTokens, frame.stopIds(), scorer),
                p -> p.ids().length, task.slug(), newTokens);
    }

    private static String section(RulerTask task) {
        return task.needles() == null ? task.slug() : "niah";
    }

    private static int newTokens(String section) {
        return RULER.path("tasks").path(section).path("newTokens").asInt();
    }

    private static String fill(String section, String query, int count, String context) {
        return RULER.path("tasks").path(section).path("template").asText().replace("{query}", query).replace("{count}", String.valueOf(count)).replace("{context}", context);
    }

    private static String prefix(String section, String query, int count) {
        return RULER.path("tasks").path(section).path("answerPrefix").asText().replace("{query}", query).replace("{count}", String.valueOf(count));
    }
}
