package org.dhsa.weights;

import ai.djl.sentencepiece.SpTokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// Text to token ids and back, by a `tokenizer.model` of SentencePiece.
///
/// **Encoding** is SentencePiece itself, through the native library inside DJL's jar. No network; the library is unpacked
/// once to DJL's cache folder (`.djl.ai` in the home folder, or the environment variable `DJL_CACHE_DIR`).
/// **Decoding** is done here, from the vocabulary in the model file. Two reasons, both found by test: DJL hands decoded
/// text over as the JVM's *modified* UTF-8, which spoils every character beyond U+FFFF and cuts the text at NUL; and an id
/// outside the vocabulary ends the whole JVM there, while it is an `IllegalArgumentException` here.
/// **Pitfall** control pieces are never made from text: `<bos>` typed by a user is five harmless pieces, and `<bos>` as a
/// token decodes to nothing. Lone surrogates, which no UTF-8 can hold, are encoded as `?`.
///
/// Safe for use by several threads.
public final class Tokenizer implements AutoCloseable {

    private static final long MAX_FILE_BYTES = 256L << 20;

    private final SentencePieceModel model;
    private final SpTokenizer library;

    private Tokenizer(SentencePieceModel model, SpTokenizer library) {
        this.model = model;
        this.library = library;
    }

    /// @throws WeightsFormatException if the file is absent or no SentencePiece model
    /// @throws IOException            if the file cannot be read or the native library cannot be loaded
    public static Tokenizer open(Path tokenizerModel) throws IOException, WeightsFormatException {
        Json.requireFile(tokenizerModel);
        if (Files.size(tokenizerModel) > MAX_FILE_BYTES) {
            throw new WeightsFormatException(tokenizerModel, null, "has " + Files.size(tokenizerModel)
                    + " bytes, too many for a SentencePiece model");
        }
        byte[] bytes = Files.readAllBytes(tokenizerModel);
        Optional<String> lookalike = Lookalike.of(MemorySegment.ofArray(bytes));
        if (lookalike.isPresent()) {
            throw new WeightsFormatException(tokenizerModel, null, lookalike.get());
        }
        SentencePieceModel model = SentencePieceModel.parse(tokenizerModel, bytes);
        return new Tokenizer(model, load(tokenizerModel, bytes));
    }

    private static SpTokenizer load(Path path, byte[] bytes) throws IOException, WeightsFormatException {
        try {
            return new SpTokenizer(bytes);
        } catch (LinkageError | IllegalStateException e) {
            throw new IOException("the SentencePiece library cannot be loaded on this machine ("
                    + System.getProperty("os.name") + ", " + System.getProperty("os.arch")
                    + "); it needs a writable cache folder, which DJL_CACHE_DIR can name", e);
        } catch (RuntimeException e) {
            throw new WeightsFormatException(path, null, "SentencePiece refuses this model: " + e.getMessage(), e);
        }
    }

    /// Ids of a text, without bos or eos.
    public int[] encode(String text) {
        return text.isEmpty() ? new int[0] : library.getProcessor().encode(text);
    }

    /// Ids of a text after exactly one bos, whatever the text says.
    ///
    /// @throws IllegalStateException if the model has no bos piece
    public int[] encodeWithBos(String text) {
        if (model.bos() < 0) {
            throw new IllegalStateException("this tokenizer has no bos piece");
        }
        int[] ids = encode(text);
        int[] out = new int[ids.length + 1];
        out[0] = model.bos();
        System.arraycopy(ids, 0, out, 1, ids.length);
        return out;
    }

    /// The text of these ids; control tokens give nothing.
    ///
    /// @throws IllegalArgumentException if an id is outside the vocabulary
    public String decode(int... ids) {
        StreamDecoder decoder = streamDecoder();
        StringBuilder out = new StringBuilder();
        for (int id : ids) {
            out.append(decoder.accept(id));
        }
        return out.append(decoder.finish()).toString();
    }

    /// A decoder for text that grows token by token.
    public StreamDecoder streamDecoder() {
        return new StreamDecoder(model);
    }

    /// The piece of one id as it stands in the vocabulary: `▁wor`, `<0xE2>`, `<bos>`.
    ///
    /// @throws IllegalArgumentException if the id is outside the vocabulary
    public String piece(int id) {
        if (id < 0 || id >= vocabSize()) {
            throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + vocabSize());
        }
        return model.pieces().get(id).text();
    }

    public List<String> pieces(int... ids) {
        return Arrays.stream(ids).mapToObj(this::piece).toList();
    }

    public List<String> pieces(String text) {
        return pieces(encode(text));
    }

    public int vocabSize() {
        return model.pieces().size();
    }

    /// Id of `<bos>`, -1 if the model has none.
    public int bosId() {
        return model.bos();
    }

    /// Id of `<eos>`, -1 if the model has none.
    public int eosId() {
        return model.eos();
    }

    @Override
    public void close() {
        library.close();
    }
}
