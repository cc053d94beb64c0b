package org.dhsa.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;

/// A Gemma 2 folder of a real shape with made-up BF16 weights, for measuring time and memory without real weights.
///
/// Values come from SplitMix64, uniform in ±√(3 / fan-in), so that activations neither vanish nor overflow. The text it
/// generates means nothing.
public final class SyntheticCheckpoint {

    /// The published shapes.
    public enum Size {
        S2B(2304, 9216, 26, 8, 4, 256, 256),
        S9B(3584, 14336, 42, 16, 8, 256, 256),
        S27B(4608, 36864, 46, 32, 16, 128, 144);

        final int hidden;
        final int ffn;
        final int layers;
        final int heads;
        final int kvHeads;
        final int headDim;
        final int queryPreAttnScalar;

        Size(int hidden, int ffn, int layers, int heads, int kvHeads, int headDim, int queryPreAttnScalar) {
            this.hidden = hidden;
            this.ffn = ffn;
            this.layers = layers;
            this.heads = heads;
            this.kvHeads = kvHeads;
            this.headDim = headDim;
            this.queryPreAttnScalar = queryPreAttnScalar;
        }

        /// `2b`, `9b`, `27b`.
        @Override
        public String toString() {
            return name().substring(1).toLowerCase(java.util.Locale.ROOT);
        }

        public int layers() {
            return layers;
        }
    }

    private static final ObjectMapper MAPPER = new ObjectMapper();

    private SyntheticCheckpoint() {}

    /// Bytes that the weights of a checkpoint take.
    public static long bytes(Size size, int layers, int vocab) {
        return tensors(size, layers, vocab).values().stream().mapToLong(SyntheticCheckpoint::elements).sum() * 2;
    }

    /// Writes `config.json` and `model.safetensors`; the file appears whole or not at all.
    ///
    /// @param tokenizer copied beside the model; its ids must be below `vocab`
    /// @param progress  told the tensor and the share that is done
    public static void write(Path folder, Size size, int layers, int vocab, Path tokenizer, BiConsumer<String, Double> progress) throws IOException {
        Files.createDirectories(folder);
        Path target = folder.resolve("model.safetensors");
        Path temporary = Files.createTempFile(folder, ".model", ".tmp");
        try {
            writeTensors(temporary, tensors(size, layers, vocab), progress);
            temporary.toFile().setReadable(true, false);
            Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        MAPPER.writerWithDefaultPrettyPrinter().writeValue(folder.resolve("config.json").toFile(), config(size, layers, vocab));
        Files.copy(tokenizer, folder.resolve("tokenizer.model"), StandardCopyOption.REPLACE_EXISTING);
    }

    private static Map<String, long[]> tensors(Size s, int layers, int vocab) {
        Map<String, long[]> tensors = new LinkedHashMap<>();
        long q = (long) s.heads * s.headDim;
        long kv = (long) s.kvHeads * s.headDim;
        tensors.put("model.embed_tokens.weight", new long[] {vocab, s.hidden});
        for (int l = 0; l < layers; l++) {
            String layer = "model.layers." + l + ".";
            tensors.put(layer + "input_layernorm.weight", new long[] {s.hidden});
            tensors.put(layer + "self_attn.q_proj.weight", new long[] {q, s.hidden});
            tensors.put(layer + "self_attn.k_proj.weight", new long[] {kv, s.hidden});
            tensors.put(layer + "self_attn.v_proj.weight", new long[] {kv, s.hidden});
            tensors.put(layer + "self_attn.o_proj.weight", new long[] {s.hidden, q});
            tensors.put(layer + "post_attention_layernorm.weight", new long[] {s.hidden});
            tensors.put(layer + "pre_feedforward_layernorm.weight", new long[] {s.hidden});
            tensors.put(layer + "mlp.gate_proj.weight", new long[] {s.ffn, s.hidden});
            tensors.put(layer + "mlp.up_proj.weight", new long[] {s.ffn, s.hidden});
            tensors.put(layer + "mlp.down_proj.weight", new long[] {s.hidden, s.ffn});
            tensors.put(layer + "post_feedforward_layernorm.weight", new long[] {s.hidden});
        }
        tensors.put("model.norm.weight", new long[] {s.hidden});
        return tensors;
    }

    private static long elements(long[] dims) {
        long product = 1;
        for (long d : dims) {
            product *= d;
        }
        return product;
    }

    private static void writeTensors(Path file, Map<String, long[]> tensors, BiConsumer<String, Double> progress) throws IOException {
        Map<String, Object> header = new LinkedHashMap<>();
        header.put("__metadata__", Map.of("format", "pt"));
        long at = 0;
        for (Map.Entry<String, long[]> tensor : tensors.entrySet()) {
            long bytes = 2 * elements(tensor.getValue());
            header.put(tensor.getKey(), Map.of("dtype", "BF16", "shape", tensor.getValue(), "data_offsets", new long[] {at, at + bytes}));
            at += bytes;
        }
        String json = MAPPER.writeValueAsString(header);
        byte[] text = (json + " ".repeat((8 - json.length() % 8) % 8)).getBytes(StandardCharsets.UTF_8);
        try (Arena arena = Arena.ofShared();
             FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, 8 + text.length + at, arena);
            mapped.set(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0, text.length);
            MemorySegment.copy(text, 0, mapped, ValueLayout.JAVA_BYTE, 8, text.length);
            long offset = 8L + text.length;
            long done = 0;
            for (Map.Entry<String, long[]> tensor : tensors.entrySet()) {
                progress.accept(tensor.getKey(), (double) done / at);
                long count = elements(tensor.getValue());
                boolean norm = tensor.getValue().length == 1;
                double scale = norm ? 0.1 : Math.sqrt(3.0 / tensor.getValue()[1]);
                fill(mapped, offset + done, count, scale, tensor.getKey().hashCode());
                done += 2 * count;
            }
        }
    }

    /// Values of one tensor; pieces of a million, each with its own seed, side by side.
    private static void fill(MemorySegment mapped, long offsetBytes, long count, double scale, long seed) {
        int piece = 1 << 20;
        IntStream.range(0, Math.toIntExact((count + piece - 1) / piece)).parallel().forEach(p -> {
            long state = seed * 0x9E3779B97F4A7C15L + p;
            for (long i = (long) p * piece; i < Math.min(count, (p + 1L) * piece); i++) {
                state += 0x9E3779B97F4A7C15L;
                long z = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
                z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
                z ^= z >>> 31;
                float value = (float) (scale * ((z >> 40) * 0x1p-23));
                mapped.set(ValueLayout.JAVA_SHORT_UNALIGNED, offsetBytes + 2 * i, (short) (Float.floatToRawIntBits(value) >>> 16));
            }
        });
    }

    private static Map<String, Object> config(Size s, int layers, int vocab) {
        Map<String, Object> c = new LinkedHashMap<>();
        c.put("architectures", new String[] {"Gemma2ForCausalLM"});
        c.put("model_type", "gemma2");
        c.put("hidden_size", s.hidden);
        c.put("intermediate_size", s.ffn);
        c.put("num_hidden_layers", layers);
        c.put("num_attention_heads", s.heads);
        c.put("num_key_value_heads", s.kvHeads);
        c.put("head_dim", s.headDim);
        c.put("vocab_size", vocab);
        c.put("max_position_embeddings", 131072);
        c.put("rms_norm_eps", 1e-6);
        c.put("rope_theta", 10000.0);
        c.put("sliding_window", 4096);
        c.put("query_pre_attn_scalar", s.queryPreAttnScalar);
        c.put("attn_logit_softcapping", 50.0);
        c.put("final_logit_softcapping", 30.0);
        c.put("hidden_act", "gelu_pytorch_tanh");
        c.put("hidden_activation", "gelu_pytorch_tanh");
        c.put("attention_bias", false);
        c.put("attention_dropout", 0.0);
        c.put("tie_word_embeddings", true);
        c.put("bos_token_id", 2);
        c.put("eos_token_id", 1);
        c.put("pad_token_id", 0);
        c.put("torch_dtype", "bfloat16");
        return c;
    }
}
