package org.dhsa.eval.task;

import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.cli.BadInput;
import org.dhsa.weights.Tokenizer;

/// What stands around a task's text: nothing but `<bos>`, or one turn of a Gemma chat.
///
///     plain  <bos> head tail prefix
///     chat   <bos> <start_of_turn> "user\n" head tail <end_of_turn> "\n" <start_of_turn> "model\n" prefix
public final class PromptFrame {

    public static final String START_OF_TURN = "<start_of_turn>";
    public static final String END_OF_TURN = "<end_of_turn>";

    private final Tokenizer tokenizer;
    private final int startOfTurn;
    private final int endOfTurn;
    private final boolean chat;

    private PromptFrame(Tokenizer tokenizer, boolean chat, int startOfTurn, int endOfTurn) {
        this.tokenizer = tokenizer;
        this.chat = chat;
        this.startOfTurn = startOfTurn;
        this.endOfTurn = endOfTurn;
    }

    /// A prompt's tokens.
    ///
    /// @param tailTokens tokens from the tail's first one to the end, and one more, as the authors of DHSA count their question
    record Framed(String text, int[] ids, int tailTokens) {}

    public static PromptFrame plain(Tokenizer tokenizer) {
        return new PromptFrame(tokenizer, false, -1, -1);
    }

    /// @throws BadInput if the vocabulary has no turns
    public static PromptFrame chat(Tokenizer tokenizer) {
        return new PromptFrame(tokenizer, true, turn(tokenizer, START_OF_TURN), turn(tokenizer, END_OF_TURN));
    }

    private static int turn(Tokenizer tokenizer, String piece) {
        return IntStream.range(0, tokenizer.vocabSize()).filter(id -> tokenizer.piece(id).equals(piece)).findFirst().orElseThrow(() -> new BadInput(
                "--chat: the tokenizer has no " + piece + ", so this is no chat model of Gemma. Leave --chat away."));
    }

    boolean isChat() {
        return chat;
    }

    /// Tokens that end an answer here, beside the model's own.
    public Set<Integer> stopIds() {
        Set<Integer> stops = new HashSet<>();
        if (chat) {
            stops.add(endOfTurn);
        }
        return stops;
    }

    /// The tokens of one text in this frame.
    public int[] ids(String text) {
        return frame("", text, "").ids();
    }

    /// @param tail   from here on the authors' setting reads densely: what follows the context
    /// @param prefix the beginning of the answer
    Framed frame(String head, String tail, String prefix) {
        if (!chat) {
            int[] ids = tokenizer.encodeWithBos(head + tail + prefix);
            return new Framed(head + tail + prefix, ids, Math.min(ids.length, tokenizer.encode(tail + prefix).length + 1));
        }
        int[] close = {endOfTurn};
        int[] open = {startOfTurn};
        int[] end = concat(close, tokenizer.encode("\n"), open, tokenizer.encode("model\n" + prefix));
        int[] ids = concat(new int[] {tokenizer.bosId()}, open, tokenizer.encode("user\n" + head + tail), end);
        String text = "<start_of_turn>user\n" + head + tail + "<end_of_turn>\n<start_of_turn>model\n" + prefix;
        return new Framed(text, ids, Math.min(ids.length, tokenizer.encode(tail).length + end.length + 1));
    }

    private static int[] concat(int[]... parts) {
        return java.util.Arrays.stream(parts).flatMapToInt(IntStream::of).toArray();
    }
}
