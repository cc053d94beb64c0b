package org.dhsa.weights;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The vocabulary of a SentencePiece model: what each id means.
///
/// Only what decoding needs is kept; cutting text into pieces is the library's work.
///
/// @param pieces          by id
/// @param stripFirstSpace whether decoding drops the space that encoding put before the first word (not in Gemma)
/// @param unknownSurface  what an unknown piece decodes to
/// @param bos             id of the piece that begins a text, -1 for none
/// @param eos             id of the piece that ends a text, -1 for none
record SentencePieceModel(List<Piece> pieces, boolean stripFirstSpace, String unknownSurface, int bos, int eos) {

    enum Kind { NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE }

    /// @param byteValue 0 to 255 for a byte piece, -1 for every other
    record Piece(String text, Kind kind, int byteValue) {}

    /// Reads a serialised `ModelProto`. Field numbers are those of SentencePiece's own `sentencepiece_model.proto`.
    static SentencePieceModel parse(Path path, byte[] bytes) throws WeightsFormatException {
        try {
            return new Parser(path).read(new Protobuf(bytes));
        } catch (Protobuf.Malformed e) {
            throw new WeightsFormatException(path, null, "is not a SentencePiece model: " + e.getMessage(), e);
        }
    }

    private static final class Parser {

        private final Path path;
        private final List<Piece> pieces = new ArrayList<>();
        private final Map<String, Integer> ids = new HashMap<>();
        private boolean dummyPrefix = true;
        private boolean removeExtraSpaces = true;
        private String unknownSurface = " \u2047 ";
        private String bosPiece = "<s>";
        private String eosPiece = "</s>";

        Parser(Path path) {
            this.path = path;
        }

        SentencePieceModel read(Protobuf model) throws Protobuf.Malformed, WeightsFormatException {
            while (model.next()) {
                switch (model.field()) {
                    case 1 -> add(model.message());
                    case 2 -> readTrainer(model.message());
                    case 3 -> readNormalizer(model.message());
                    case 5 -> requireNoRules(model.message());
                    default -> { }
                }
            }
            if (pieces.isEmpty()) {
                throw new WeightsFormatException(path, null, "is not a SentencePiece model: it holds no pieces");
            }
            return new SentencePieceModel(List.copyOf(pieces), dummyPrefix || removeExtraSpaces, unknownSurface,
                    control(bosPiece), control(eosPiece));
        }

        private void add(Protobuf message) throws Protobuf.Malformed, WeightsFormatException {
            String text = "";
            long kind = 1;
            while (message.next()) {
                switch (message.field()) {
                    case 1 -> text = message.text();
                    case 3 -> kind = message.number();
                    default -> { }
                }
            }
            int id = pieces.size();
            if (text.isEmpty()) {
                throw new WeightsFormatException(path, null, "piece " + id + " is empty");
            }
            if (ids.put(text, id) != null) {
                throw new WeightsFormatException(path, null, "piece " + Printable.name(text) + " is there twice");
            }
            if (kind < 1 || kind > Kind.values().length) {
                throw new WeightsFormatException(path, null, "piece " + Printable.name(text) + " has unknown kind " + kind);
            }
            Kind k = Kind.values()[(int) kind - 1];
            pieces.add(new Piece(text, k, k == Kind.BYTE ? byteValue(text) : -1));
        }

        /// `<0x41>` is 0x41.
        private int byteValue(String text) throws WeightsFormatException {
            if (!text.matches("<0x[0-9A-F]{2}>")) {
                throw new WeightsFormatException(path, null, "byte piece " + Printable.name(text)
                        + " is not of the form <0x41>");
            }
            return Integer.parseInt(text.substring(3, 5), 16);
        }

        private void readTrainer(Protobuf spec) throws Protobuf.Malformed, WeightsFormatException {
            while (spec.next()) {
                switch (spec.field()) {
                    case 24 -> refuse(spec.number() != 0, "it treats white space as a suffix, which Gemma does not");
                    case 44 -> unknownSurface = spec.text();
                    case 46 -> bosPiece = spec.text();
                    case 47 -> eosPiece = spec.text();
                    default -> { }
                }
            }
        }

        private void readNormalizer(Protobuf spec) throws Protobuf.Malformed, WeightsFormatException {
            while (spec.next()) {
                switch (spec.field()) {
                    case 3 -> dummyPrefix = spec.number() != 0;
                    case 4 -> removeExtraSpaces = spec.number() != 0;
                    case 5 -> refuse(spec.number() == 0, "it does not escape white space, which Gemma does");
                    default -> { }
                }
            }
        }

        private void requireNoRules(Protobuf spec) throws Protobuf.Malformed, WeightsFormatException {
            while (spec.next()) {
                if (spec.field() == 2) {
                    refuse(spec.length() > 0, "it rewrites text after decoding, which Gemma does not");
                }
            }
        }

        private void refuse(boolean condition, String reason) throws WeightsFormatException {
            if (condition) {
                throw new WeightsFormatException(path, null, "cannot be used: " + reason);
            }
        }

        private int control(String text) {
            int id = ids.getOrDefault(text, -1);
            return id >= 0 && pieces.get(id).kind() == Kind.CONTROL ? id : -1;
        }
    }
}
