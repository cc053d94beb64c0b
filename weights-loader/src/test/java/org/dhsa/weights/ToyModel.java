package org.dhsa.weights;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.tensor.DType;

/// A Gemma 2 of two layers and toy sizes, to be spoilt in one place and loaded.
final class ToyModel {

    static final ObjectMapper JSON = new ObjectMapper();

    final Map<String, long[]> shapes = new LinkedHashMap<>();
    final Map<String, byte[]> values = new LinkedHashMap<>();
    final Map<String, DType> dtypes = new LinkedHashMap<>();
    final ObjectNode config;

    ToyModel() {
        try {
            config = (ObjectNode) JSON.readTree(Resources.text("tiny-gemma2/config.json"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        config.put("vocab_size", 6).put("hidden_size", 8).put("intermediate_size", 5).put("num_hidden_layers", 2)
                .put("num_attention_heads", 4).put("num_key_value_heads", 2).put("head_dim", 6);
        shapes.put("model.embed_tokens.weight", new long[] {6, 8});
        for (int i = 0; i < 2; i++) {
            String p = "model.layers." + i + ".";
            shapes.put(p + "input_layernorm.weight", new long[] {8});
            shapes.put(p + "self_attn.q_proj.weight", new long[] {24, 8});
            shapes.put(p + "self_attn.k_proj.weight", new long[] {12, 8});
            shapes.put(p + "self_attn.v_proj.weight", new long[] {12, 8});
            shapes.put(p + "self_attn.o_proj.weight", new long[] {8, 24});
            shapes.put(p + "post_attention_layernorm.weight", new long[] {8});
            shapes.put(p + "pre_feedforward_layernorm.weight", new long[] {8});
            shapes.put(p + "mlp.gate_proj.weight", new long[] {5, 8});
            shapes.put(p + "mlp.up_proj.weight", new long[] {5, 8});
            shapes.put(p + "mlp.down_proj.weight", new long[] {8, 5});
            shapes.put(p + "post_feedforward_layernorm.weight", new long[] {8});
        }
        shapes.put("model.norm.weight", new long[] {8});
    }

    /// `config.json` and `model.safetensors`.
    Path save(Path folder) throws IOException {
        saveConfig(folder);
        SafetensorsWriter writer = new SafetensorsWriter();
        shapes.keySet().forEach(name -> add(writer, name));
        writer.write(folder.resolve("model.safetensors"));
        return folder;
    }

    /// `config.json`, two shards and an index: the second layer and the final norm are in the second shard.
    Path saveSharded(Path folder) throws IOException {
        saveConfig(folder);
        List<String> files = List.of("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
        List<SafetensorsWriter> writers = List.of(new SafetensorsWriter(), new SafetensorsWriter());
        ObjectNode index = JSON.createObjectNode();
        ObjectNode weightMap = index.putObject("weight_map");
        long total = 0;
        for (String name : shapes.keySet()) {
            int shard = name.contains("layers.1") || name.equals("model.norm.weight") ? 1 : 0;
            total += add(writers.get(shard), name);
            weightMap.put(name, files.get(shard));
        }
        index.putObject("metadata").put("total_size", total);
        for (int shard = 0; shard < 2; shard++) {
            writers.get(shard).write(folder.resolve(files.get(shard)));
        }
        Files.writeString(folder.resolve("model.safetensors.index.json"), index.toString());
        return folder;
    }

    private void saveConfig(Path folder) throws IOException {
        Files.writeString(folder.resolve("config.json"), config.toString());
    }

    private long add(SafetensorsWriter writer, String name) {
        DType dtype = dtypes.getOrDefault(name, DType.BF16);
        long elements = 1;
        for (long d : shapes.get(name)) {
            elements *= d;
        }
        byte[] bytes = values.getOrDefault(name, new byte[(int) elements * dtype.bytes()]);
        writer.add(name, dtype, shapes.get(name), bytes);
        return bytes.length;
    }
}
