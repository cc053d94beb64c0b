package org.dhsa.eval;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.dhsa.cli.BadInput;
import org.dhsa.weights.Tokenizer;

/// Needle prompts in the language of the tiny models: paragraphs of one topic each, 3 to 8 sentences, with
/// `The special magic number for {key} is {value}.` at a sentence's end.
///
/// The grammar is that of the models' training; the random numbers are this class's own, so no prompt is one that was
/// trained on except by chance.
public final class ToyPrompts implements PromptSource {

    private static final int SHORTEST_SENTENCE = 12;
    /// Blank, five digits, full stop.
    private static final int ANSWER_TOKENS = 7;

    private final Tokenizer tokenizer;
    private final long seed;
    private final ToyLanguage language = new ToyLanguage();

    /// One sentence and its paragraph.
    private record Line(int paragraph, String text) {}

    public ToyPrompts(Tokenizer tokenizer, long seed) {
        this.tokenizer = tokenizer;
        this.seed = seed;
    }

    @Override
    public String fingerprint() {
        return "toy language";
    }

    @Override
    public NeedlePrompt prompt(int length, int depth, int needles, int sample) {
        Random random = new Random(((seed * 1_000_003L + length) * 1_000_003L + depth) * 1_000_003L + needles * 10_007L + sample);
        List<String> keys = new ArrayList<>(language.keys());
        if (needles > keys.size()) {
            throw new BadInput("--needles: there are " + keys.size() + " keys in the toy language, " + needles + " were asked for.");
        }
        Collections.shuffle(keys, random);
        List<String> sentences = new ArrayList<>();
        String answer = "";
        for (int i = 0; i < needles; i++) {
            String value = String.valueOf(10_000 + random.nextInt(90_000));
            answer = i == 0 ? value : answer;
            sentences.add(language.needle(keys.get(i), value));
        }
        String question = language.question(keys.getFirst());
        int questionTokens = tokenizer.encode("\n" + question).length;
        int room = length - questionTokens - ANSWER_TOKENS - 1 - sentences.stream().mapToInt(this::tokens).sum();
        if (room < 0) {
            throw new BadInput("--lengths: " + length + " tokens are too few for a question, an answer and " + needles
                    + (needles == 1 ? " needle" : " needles") + "; the least is " + (length - room) + ".");
        }
        String text;
        int[] ids;
        List<Line> hay = haystack(room, random);
        List<Double> depths = new ArrayList<>(List.of(depth / 100.0));
        for (int i = 1; i < needles; i++) {
            depths.add(random.nextDouble());
        }
        do {
            text = join(hay, sentences, depths) + "\n" + question;
            ids = tokenizer.encodeWithBos(text);
            hay = hay.isEmpty() ? hay : hay.subList(0, hay.size() - 1);
        } while (ids.length + ANSWER_TOKENS > length && !hay.isEmpty());
        int[] answerIds = tokenizer.encode(" " + answer);
        return new NeedlePrompt(length, depth, needles, sample, text, ids, questionTokens, answer, answerIds);
    }

    private List<Line> haystack(int room, Random random) {
        List<Line> lines = new ArrayList<>();
        int left = room;
        String last = "";
        for (int paragraph = 0; left >= SHORTEST_SENTENCE; paragraph++) {
            String topic = language.topic(last, random);
            last = topic;
            int sentences = 3 + random.nextInt(6);
            for (int s = 0; s < sentences; s++) {
                String sentence = language.sentence(topic, random);
                int tokens = tokens(sentence);
                if (tokens > left) {
                    return lines;
                }
                left -= tokens;
                lines.add(new Line(paragraph, sentence));
            }
        }
        return lines;
    }

    /// Needle n stands before sentence `round(depth * sentences)`, in that sentence's paragraph; at the very end it joins the last one.
    private static String join(List<Line> hay, List<String> needles, List<Double> depths) {
        StringBuilder text = new StringBuilder();
        int paragraph = 0;
        for (int i = 0; i <= hay.size(); i++) {
            if (i < hay.size() && hay.get(i).paragraph() != paragraph) {
                text.append('\n');
                paragraph = hay.get(i).paragraph();
            }
            for (int n = 0; n < needles.size(); n++) {
                if (Math.round(depths.get(n) * hay.size()) == i) {
                    append(text, needles.get(n));
                }
            }
            if (i < hay.size()) {
                append(text, hay.get(i).text());
            }
        }
        return text.toString();
    }

    private static void append(StringBuilder text, String sentence) {
        text.append(text.isEmpty() || text.charAt(text.length() - 1) == '\n' ? "" : " ").append(sentence);
    }

    private int tokens(String sentence) {
        return tokenizer.encode(" " + sentence).length;
    }
}
