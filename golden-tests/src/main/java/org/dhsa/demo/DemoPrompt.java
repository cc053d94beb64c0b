package org.dhsa.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dhsa.weights.StreamDecoder;
import org.dhsa.weights.Tokenizer;

/// A prompt, where its question and its needle stand, and the answer that is right.
///
/// @param tokens   text of each token; joined they are the prompt (the first one, `<bos>`, is empty)
/// @param question tokens of the last line
/// @param needle   tokens of the sentence to be found
/// @param value    tokens of the answer inside the needle
/// @param expected the right answer
/// @param origin   where the prompt comes from, for people
public record DemoPrompt(String text, int[] ids, List<String> tokens, Span question, Optional<Span> needle, Optional<Span> value,
                         Optional<String> expected, String origin) {

    /// Tokens `[from, to)`.
    public record Span(int from, int to) {
        public int length() {
            return to - from;
        }
    }

    /// @param needle   a piece of the prompt, or empty
    /// @param expected looked for inside the needle
    public static DemoPrompt of(String text, Tokenizer tokenizer, Optional<String> needle, Optional<String> expected, String origin) {
        int[] ids = tokenizer.encodeWithBos(text);
        List<String> tokens = new ArrayList<>();
        StreamDecoder decoder = tokenizer.streamDecoder();
        for (int id : ids) {
            tokens.add(decoder.accept(id));
        }
        tokens.set(tokens.size() - 1, tokens.getLast() + decoder.finish());
        // The tokenizer may put a blank before the text; positions are searched in what it really reads.
        String read = String.join("", tokens);
        int lastLine = read.lastIndexOf('\n') + 1;
        Span question = span(tokens, lastLine, read.length());
        int needleAt = needle.map(read::indexOf).orElse(-1);
        Optional<Span> needleSpan = needleAt < 0 ? Optional.empty() : Optional.of(span(tokens, needleAt, needleAt + needle.get().length()));
        int valueAt = needleAt < 0 ? -1 : expected.map(e -> needle.get().indexOf(e)).orElse(-1);
        Optional<Span> value = valueAt < 0 ? needleSpan
                : Optional.of(span(tokens, needleAt + valueAt, needleAt + valueAt + expected.orElseThrow().length()));
        return new DemoPrompt(text, ids, List.copyOf(tokens), question, needleSpan, value, expected, origin);
    }

    /// Tokens that overlap the characters `[from, to)`.
    private static Span span(List<String> tokens, int from, int to) {
        int first = -1;
        int last = -1;
        int at = 0;
        for (int t = 0; t < tokens.size(); t++) {
            int end = at + tokens.get(t).length();
            if (end > from && at < to) {
                first = first < 0 ? t : first;
                last = t;
            }
            at = end;
        }
        return first < 0 ? new Span(tokens.size(), tokens.size()) : new Span(first, last + 1);
    }

    public String textOf(Span span) {
        return textOf(span.from(), span.to());
    }

    public String textOf(int from, int to) {
        return String.join("", tokens.subList(from, to));
    }
}
