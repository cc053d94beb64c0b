package org.dhsa.eval;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.dhsa.cli.BadInput;
import org.dhsa.weights.Tokenizer;

/// Needle prompts in prose, by the published protocol: text files as the haystack, one needle about San Francisco moved back
/// to the nearest sentence end, the question at the end, the answer judged by the words it holds.
///
/// The wording of needle, question and frame is that of the protocol, so that results can be set beside published ones.
public final class ProsePrompts implements PromptSource {

    static final String NEEDLE = "\nThe best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day.\n";
    static final String ANSWER = "eat a sandwich and sit in Dolores Park on a sunny day.";
    static final String FRAME = "<|im_start|> This is a very long story book: <book> ";
    static final String QUESTION = "Based on the content of the book, Question: The best thing to do in San Francisco is: \nAnswer:";
    static final int NEW_TOKENS = 30;

    private final Tokenizer tokenizer;
    private final List<String> files;
    private final String fingerprint;

    /// @param folder holds `.txt` files, read in the order of their names
    /// @throws BadInput if there is no text
    public ProsePrompts(Tokenizer tokenizer, Path folder) throws IOException {
        this.tokenizer = tokenizer;
        Prose prose = Prose.read(folder);
        files = prose.files();
        fingerprint = prose.fingerprint();
    }

    @Override
    public String fingerprint() {
        return fingerprint;
    }

    @Override
    public NeedlePrompt prompt(int length, int depth, int needles, int sample) {
        if (needles != 1) {
            throw new BadInput("--needles: the published protocol for prose has one needle, " + needles + " were asked for.");
        }
        int[] frame = tokenizer.encodeWithBos(FRAME);
        int[] needle = tokenizer.encode(NEEDLE);
        int[] tail = tokenizer.encode(" </book>.\n " + QUESTION);
        int room = length - frame.length - needle.length - tail.length - NEW_TOKENS;
        if (room < 0) {
            throw new BadInput("--lengths: " + length + " tokens are too few for the frame, the needle and " + NEW_TOKENS + " new tokens; the least is "
                    + (length - room) + ".");
        }
        int[] hay = haystack(room, sample);
        int at = depth >= 100 ? hay.length : sentenceEnd(hay, (int) ((long) hay.length * depth / 100));
        int[] context = new int[hay.length + needle.length];
        System.arraycopy(hay, 0, context, 0, at);
        System.arraycopy(needle, 0, context, at, needle.length);
        System.arraycopy(hay, at, context, at + needle.length, hay.length - at);
        String text = FRAME + tokenizer.decode(context) + " </book>.\n " + QUESTION;
        int[] ids = tokenizer.encodeWithBos(text);
        return new NeedlePrompt(length, depth, 1, sample, text, ids, tokenizer.encode(QUESTION).length + 1, ANSWER, new int[0]);
    }

    /// The first `room` tokens of all files, beginning with file number `sample`, again from the start if they do not suffice.
    private int[] haystack(int room, int sample) {
        int[] hay = new int[room];
        int filled = 0;
        for (int f = sample; filled < room; f++) {
            int[] more = tokenizer.encode(files.get(f % files.size()) + "\n");
            int taken = Math.min(more.length, room - filled);
            System.arraycopy(more, 0, hay, filled, taken);
            filled += taken;
        }
        return hay;
    }

    /// The nearest position at or before `at` that follows a token with a full stop.
    private int sentenceEnd(int[] hay, int at) {
        int end = at;
        while (end > 0 && !tokenizer.piece(hay[end - 1]).endsWith(".")) {
            end--;
        }
        return end;
    }

    public static String sha256(String text) {
        return sha256(text.getBytes(StandardCharsets.UTF_8));
    }

    public static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
