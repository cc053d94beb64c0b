package org.dhsa.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.model.WeightTensor;

/// How long a model of Gemma 2 2B shape takes to load, and how much memory: a program, not a test.
///
/// Makes a sparse checkpoint of 5.2 GB (26 layers, BF16, all zeros) in a temporary folder, loads it several times, reads
/// one row of the embedding, then scans every value twice: the first scan pays for the pages (of a sparse file, so no disk is
/// measured), the second for looking at them. If mapping works, heap and resident memory hardly grow until
/// the scan. Resident memory is read from `/proc/self/status` and left out where there is none.
public final class LoadTimeMeasurement {

    private LoadTimeMeasurement() {}

    public static void main(String[] args) throws Exception {
        Path folder = Files.createTempDirectory("gemma-2-2b-shape");
        Path file = folder.resolve("model.safetensors");
        try {
            Files.writeString(folder.resolve("config.json"), config());
            RawSafetensors.sparse(file, header(shapes()), dataBytes(shapes()));
            System.out.printf("checkpoint      %.2f GB, %d tensors%n", Files.size(file) / 1e9, shapes().size());
            System.out.printf("java            %s, %s %s%n", Runtime.version(), System.getProperty("os.name"), System.getProperty("os.arch"));
            List<Double> millis = new ArrayList<>();
            for (int run = 0; run < 7; run++) {
                long heap = heapBytes();
                long resident = residentBytes();
                long start = System.nanoTime();
                try (Gemma2Model model = Gemma2Loader.load(folder)) {
                    millis.add((System.nanoTime() - start) / 1e6);
                    WeightTensor embedding = model.weights().embedTokens();
                    embedding.rows(embedding.dim(0) - 1, embedding.dim(0));
                    if (run == 0 || run == 6) {
                        System.out.printf("load %d          %.1f ms, heap %+.1f MB, resident %+.1f MB%n", run + 1, millis.get(run),
                                (heapBytes() - heap) / 1e6, (residentBytes() - resident) / 1e6);
                    }
                    if (run == 6) {
                        scan(model, "first");
                        scan(model, "again");
                    }
                }
            }
            System.out.printf("load, median    %.1f ms%n", millis.stream().sorted().toList().get(3));
        } finally {
            Files.deleteIfExists(file);
            Files.deleteIfExists(folder.resolve("config.json"));
            Files.delete(folder);
        }
    }

    private static void scan(Gemma2Model model, String which) throws WeightsFormatException {
        long heap = heapBytes();
        long start = System.nanoTime();
        model.requireFinite(WeightCheck.Progress.SILENT);
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf("NaN scan, %s %.2f s, %.2f GB/s, heap %+.1f MB%n", which, seconds,
                model.checkpoint().shards().getFirst().fileBytes() / 1e9 / seconds, (heapBytes() - heap) / 1e6);
    }

    private static long heapBytes() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private static long residentBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        return Files.exists(status)
                ? Files.readAllLines(status).stream().filter(line -> line.startsWith("VmRSS:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).findFirst().orElse(0)
                : 0;
    }

    /// The published 2B: 26 layers, hidden 2304, 8 heads and 4 KV heads of 256, ffn 9216, vocabulary 256000.
    private static String config() {
        return """
                {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "vocab_size": 256000, "hidden_size": 2304,
                 "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
                 "head_dim": 256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
                 "sliding_window": 4096, "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50.0,
                 "final_logit_softcapping": 30.0, "hidden_activation": "gelu_pytorch_tanh", "bos_token_id": 2,
                 "eos_token_id": 1, "pad_token_id": 0}
                """;
    }

    private static Map<String, long[]> shapes() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", new long[] {256000, 2304});
        for (int i = 0; i < 26; i++) {
            String p = "model.layers." + i + ".";
            for (String norm : List.of("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")) {
                shapes.put(p + norm + ".weight", new long[] {2304});
            }
            shapes.put(p + "self_attn.q_proj.weight", new long[] {2048, 2304});
            shapes.put(p + "self_attn.k_proj.weight", new long[] {1024, 2304});
            shapes.put(p + "self_attn.v_proj.weight", new long[] {1024, 2304});
            shapes.put(p + "self_attn.o_proj.weight", new long[] {2304, 2048});
            shapes.put(p + "mlp.gate_proj.weight", new long[] {9216, 2304});
            shapes.put(p + "mlp.up_proj.weight", new long[] {9216, 2304});
            shapes.put(p + "mlp.down_proj.weight", new long[] {2304, 9216});
        }
        shapes.put("model.norm.weight", new long[] {2304});
        return shapes;
    }

    private static String header(Map<String, long[]> shapes) {
        List<String> entries = new ArrayList<>();
        long at = 0;
        for (Map.Entry<String, long[]> e : shapes.entrySet()) {
            long to = at + bytes(e.getValue());
            entries.add(RawSafetensors.entry(e.getKey(), "BF16", Arrays.toString(e.getValue()), "[" + at + "," + to + "]"));
            at = to;
        }
        return "{" + String.join(",", entries) + "}";
    }

    private static long dataBytes(Map<String, long[]> shapes) {
        return shapes.values().stream().mapToLong(LoadTimeMeasurement::bytes).sum();
    }

    private static long bytes(long[] shape) {
        long bytes = 2;
        for (long d : shape) {
            bytes *= d;
        }
        return bytes;
    }
}
