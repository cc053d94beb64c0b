package org.dhsa.weights;

import java.util.Arrays;

/// Turns token ids into text as they arrive.
///
/// A character outside the vocabulary is spelled in byte pieces, one token per UTF-8 byte. Its bytes are held back until
/// they form the character, so that whoever prints the text never prints half of one. Bytes that cannot become a
/// character give U+FFFD each, as SentencePiece itself does.
///
/// The text of all calls to [#accept(int)] and of the last call, [#finish()], joined, is [Tokenizer#decode(int...)].
/// Not safe for use by several threads.
public final class StreamDecoder {

    private static final char REPLACEMENT = '\uFFFD';

    private final SentencePieceModel model;
    private byte[] held = new byte[4];
    private int heldCount;
    private boolean nothingYet = true;

    StreamDecoder(SentencePieceModel model) {
        this.model = model;
    }

    /// The text that is certain after this token; empty for a control token and for an unfinished character.
    ///
    /// @throws IllegalArgumentException if the id is outside the vocabulary
    public String accept(int id) {
        if (id < 0 || id >= model.pieces().size()) {
            throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + model.pieces().size());
        }
        SentencePieceModel.Piece piece = model.pieces().get(id);
        StringBuilder out = new StringBuilder();
        if (piece.kind() == SentencePieceModel.Kind.BYTE) {
            if (heldCount == held.length) {
                held = Arrays.copyOf(held, 2 * heldCount);
            }
            held[heldCount++] = (byte) piece.byteValue();
            drain(out, false);
        } else {
            drain(out, true);
            out.append(surface(piece, nothingYet && out.isEmpty()));
        }
        nothingYet &= out.isEmpty();
        return out.toString();
    }

    /// What is still held when the text ends; U+FFFD for every byte of an unfinished character.
    public String finish() {
        StringBuilder out = new StringBuilder();
        drain(out, true);
        nothingYet = true;
        return out.toString();
    }

    private String surface(SentencePieceModel.Piece piece, boolean first) {
        return switch (piece.kind()) {
            case CONTROL -> "";
            case UNKNOWN -> model.unknownSurface();
            case NORMAL, USER_DEFINED, UNUSED, BYTE -> {
                String text = piece.text().replace('\u2581', ' ');
                yield first && model.stripFirstSpace() && text.startsWith(" ") ? text.substring(1) : text;
            }
        };
    }

    /// Moves whole characters from the held bytes to the text.
    ///
    /// @param end whether no further byte can come, so that an unfinished character is a wrong one
    private void drain(StringBuilder out, boolean end) {
        int at = 0;
        while (at < heldCount) {
            int length = length(held[at]);
            int present = Math.min(length, heldCount - at);
            boolean plausible = length > 0 && trailing(at + 1, at + present);
            if (plausible && present < length && !end) {
                break;
            }
            int codePoint = plausible && present == length ? codePoint(at, length) : -1;
            if (codePoint >= 0) {
                out.appendCodePoint(codePoint);
                at += length;
            } else {
                out.append(REPLACEMENT);
                at++;
            }
        }
        System.arraycopy(held, at, held, 0, heldCount - at);
        heldCount -= at;
    }

    /// Bytes of a character by its first byte, 0 if none begins so.
    private static int length(byte first) {
        int b = first & 0xff;
        return b < 0x80 ? 1 : (b & 0xe0) == 0xc0 ? 2 : (b & 0xf0) == 0xe0 ? 3 : (b & 0xf8) == 0xf0 ? 4 : 0;
    }

    private boolean trailing(int from, int to) {
        for (int i = from; i < to; i++) {
            if ((held[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        return true;
    }

    /// The code point, -1 if it is written too long, is a surrogate, or is beyond Unicode.
    private int codePoint(int at, int length) {
        int value = length == 1 ? held[at] : held[at] & (0x7f >> length);
        for (int i = 1; i < length; i++) {
            value = value << 6 | held[at + i] & 0x3f;
        }
        int smallest = switch (length) {
            case 1 -> 0;
            case 2 -> 0x80;
            case 3 -> 0x800;
            default -> 0x10000;
        };
        boolean good = value >= smallest && value <= Character.MAX_CODE_POINT && (value < 0xd800 || value > 0xdfff);
        return good ? value : -1;
    }
}
