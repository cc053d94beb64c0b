package org.dhsa.eval;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Choice;
import org.dhsa.weights.Tokenizer;

/// Texts of different kinds, made here or read from files. The same arguments give the same text.
///
/// The made ones take their words from the toy language, so that on the small models only the *form* is foreign: nesting and punctuation of
/// code, keys and braces, columns, turns of a dialogue. Their tokenizer has no pieces for braces or Han characters and spells them byte by byte.
public final class TextKinds {

    /// Kinds that are made here, in the order of the tables.
    public static final List<String> MADE = List.of("prose", "code", "json", "tables", "dialogue", "cjk", "repeated", "random");

    private static final List<String> PEOPLE = List.of("Anna", "Peter", "Maria", "John");
    private static final List<String> CHINESE = List.of("今天", "天气", "很好", "老师", "学生", "在", "学校", "读书", "我们", "明天", "去", "山上", "看", "大海", "船", "开往", "北方", "的", "港口");
    private static final List<String> KOREAN = List.of("오늘", "날씨가", "좋다", "학생은", "책을", "읽는다", "우리는", "내일", "산에", "간다");
    private static final List<String> JAPANESE = List.of("今日は", "天気が", "いい", "先生は", "学校で", "本を", "読む", "明日", "海へ", "行く");

    private final Tokenizer tokenizer;
    private final ToyPrompts toy;
    private final long seed;
    private final Map<String, Function<Random, String>> pieces;
    private final Map<String, int[]> files = new LinkedHashMap<>();
    private final Map<String, String> fingerprints = new LinkedHashMap<>();

    /// @param texts files by the kind of text they hold, instead of or beside the made ones
    public TextKinds(Tokenizer tokenizer, long seed, Map<String, Path> texts) throws IOException {
        this.tokenizer = tokenizer;
        this.seed = seed;
        this.toy = new ToyPrompts(tokenizer, seed);
        this.pieces = Map.of("prose", r -> toy.prose(400, r) + "\n", "code", this::function, "json", r -> object(r, 0) + "\n", "tables", this::table,
                "dialogue", this::turn, "cjk", TextKinds::eastAsian);
        for (Map.Entry<String, Path> text : texts.entrySet()) {
            String content = read(text.getKey(), text.getValue());
            files.put(text.getKey(), tokenizer.encode(content));
            fingerprints.put(text.getKey(), ProsePrompts.sha256(content).substring(0, 12));
        }
    }

    private static String read(String kind, Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new BadInput("--text " + kind + "=" + file + ": there is no such file.");
        }
        try {
            String text = Files.readString(file, StandardCharsets.UTF_8);
            if (text.isBlank()) {
                throw new BadInput("--text " + kind + "=" + file + ": the file holds no text.");
            }
            return text;
        } catch (CharacterCodingException e) {
            throw new BadInput("--text " + kind + "=" + file + " is not UTF-8 text. Convert it.", e);
        }
    }

    /// What a kind is made of, so that results of different texts are never mixed.
    public String fingerprint(String kind) {
        return fingerprints.containsKey(kind) ? "file " + fingerprints.get(kind) : "made here";
    }

    /// Fails before any work if a text cannot be had.
    ///
    /// @throws BadInput naming the kind
    public void require(String kind, int length, int samples) {
        int[] file = files.get(kind);
        if (file == null && !MADE.contains(kind)) {
            throw new BadInput("--kinds: " + Choice.unknown(kind, MADE) + ". Others need a file: --text " + kind + "=FILE.");
        }
        if (file != null && file.length < (long) samples * (length - 1)) {
            throw new BadInput("--text " + kind + ": the file has " + file.length + " tokens; " + samples + " samples of " + length + " need "
                    + (long) samples * (length - 1) + ". Give a longer file, fewer --samples or a smaller --length.");
        }
    }

    /// `<bos>` and `length − 1` tokens of text. Samples of a file are its pieces in order; none overlaps another.
    public int[] ids(String kind, int length, int sample) {
        int[] ids = new int[length];
        ids[0] = tokenizer.bosId();
        int[] file = files.get(kind);
        if (file != null) {
            System.arraycopy(file, sample * (length - 1), ids, 1, length - 1);
            return ids;
        }
        Random random = new Random((seed * 1_000_003L + kind.hashCode()) * 1_000_003L + sample);
        if (kind.equals("random")) {
            // behind the pieces that mean something to the tokenizer itself
            for (int i = 1; i < length; i++) {
                ids[i] = 4 + random.nextInt(tokenizer.vocabSize() - 4);
            }
            return ids;
        }
        String sentence = kind.equals("repeated") ? " " + toy.sentence(random) : null;
        int filled = 1;
        while (filled < length) {
            int[] more = tokenizer.encode(sentence == null ? pieces.get(kind).apply(random) : sentence);
            int taken = Math.min(more.length, length - filled);
            System.arraycopy(more, 0, ids, filled, taken);
            filled += taken;
        }
        return ids;
    }

    private String word(Random random) {
        return pick(toy.words(), random);
    }

    private String function(Random random) {
        StringBuilder code = new StringBuilder("def " + word(random) + "_" + word(random) + "(" + word(random) + ", " + word(random) + "):\n");
        for (int i = 0; i < 2 + random.nextInt(3); i++) {
            code.append("    for ").append(word(random)).append(" in ").append(word(random)).append(":\n        if ").append(word(random)).append(" > ").append(random.nextInt(100))
                    .append(":\n            ").append(word(random)).append(" = ").append(word(random)).append("[").append(random.nextInt(10)).append("] + ").append(word(random)).append("\n");
        }
        return code + "    return " + word(random) + "\n\n";
    }

    private String object(Random random, int depth) {
        StringBuilder json = new StringBuilder("{");
        int fields = 3 + random.nextInt(3);
        for (int i = 0; i < fields; i++) {
            json.append(i == 0 ? "" : ", ").append('"').append(word(random)).append("\": ");
            json.append(switch (random.nextInt(depth < 2 ? 4 : 2)) {
                case 0 -> String.valueOf(random.nextInt(100_000));
                case 1 -> '"' + word(random) + '"';
                case 2 -> "[" + random.nextInt(100) + ", " + random.nextInt(100) + ", " + random.nextInt(100) + "]";
                default -> object(random, depth + 1);
            });
        }
        return json.append('}').toString();
    }

    private String table(Random random) {
        StringBuilder table = new StringBuilder("| " + word(random) + " | " + word(random) + " | " + word(random) + " |\n|---|---|---|\n");
        for (int row = 0; row < 6 + random.nextInt(8); row++) {
            table.append("| ").append(word(random)).append(" | ").append(random.nextInt(10_000)).append(" | ").append(word(random)).append(" |\n");
        }
        return table + "\n";
    }

    private String turn(Random random) {
        return pick(PEOPLE, random) + ": " + toy.sentence(random) + (random.nextInt(3) == 0 ? " " + toy.sentence(random) : "") + "\n";
    }

    private static String eastAsian(Random random) {
        int language = random.nextInt(3);
        List<String> words = List.of(CHINESE, JAPANESE, KOREAN).get(language);
        StringBuilder text = new StringBuilder();
        for (int sentence = 0; sentence < 4; sentence++) {
            int length = 4 + random.nextInt(6);
            for (int i = 0; i < length; i++) {
                text.append(pick(words, random)).append(language == 2 && i < length - 1 ? " " : "");
            }
            text.append(language == 2 ? ". " : "。");
        }
        return text.append('\n').toString();
    }

    private static String pick(List<String> words, Random random) {
        return words.get(random.nextInt(words.size()));
    }
}
