package org.dhsa.weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;

/// Loads a Hugging Face folder of Gemma 2: `config.json`, one or many safetensors files, `tokenizer.model`.
///
/// {@snippet :
/// try (Gemma2Model model = Gemma2Loader.load(Path.of("gemma-2-2b"))) {
///     model.requireFinite(WeightCheck.Progress.SILENT);
///     WeightTensor q = model.weights().layers().getFirst().qProj();   // [heads * headDim, modelDim]
/// }
/// }
///
/// **Pitfall** a checkpoint may carry `lm_head.weight` although Gemma 2 ties its head: it is accepted only if it is,
/// bit for bit, the embedding.
public final class Gemma2Loader {

    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String HEAD = "lm_head.weight";
    private static final Set<DType> READABLE = Set.of(DType.F64, DType.F32, DType.F16, DType.BF16);

    private final Checkpoint checkpoint;
    private final Set<String> used = new LinkedHashSet<>();

    private Gemma2Loader(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    /// Reads the configuration, maps the weights and checks each against the other.
    ///
    /// No weight is read, so loading takes the time of opening the files; call [Gemma2Model#requireFinite] to look at
    /// the values.
    ///
    /// @throws WeightsFormatException naming file, tensor and what was expected if a file is missing or malformed, or a
    ///                                tensor is missing, unexpected, or of the wrong shape or type
    public static Gemma2Model load(Path folder) throws IOException, WeightsFormatException {
        ModelFolder.require(folder);
        Gemma2ConfigReader.Result read = Gemma2ConfigReader.inspect(folder.resolve(Gemma2ConfigReader.CONFIG));
        Checkpoint checkpoint = Checkpoint.open(folder);
        try {
            Gemma2Weights weights = new Gemma2Loader(checkpoint).weights(read.config());
            List<String> warnings = new ArrayList<>(read.warnings());
            warnings.addAll(checkpoint.warnings());
            return new Gemma2Model(folder, read.config(), weights, checkpoint, warnings);
        } catch (Throwable e) {
            checkpoint.close();
            throw e;
        }
    }

    private Gemma2Weights weights(Gemma2Config c) throws WeightsFormatException {
        long d = c.hiddenSize();
        WeightTensor embedding = weight(EMBEDDING, c.vocabSize(), d);
        List<Gemma2Weights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            layers.add(layer("model.layers." + i + ".", c));
        }
        WeightTensor norm = weight("model.norm.weight", d);
        requireTiedHead(embedding);
        requireNothingElse(c);
        return new Gemma2Weights(embedding, layers, norm).require(c);
    }

    private Gemma2Weights.Layer layer(String prefix, Gemma2Config c) throws WeightsFormatException {
        long d = c.hiddenSize();
        long q = (long) c.numAttentionHeads() * c.headDim();
        long kv = (long) c.numKeyValueHeads() * c.headDim();
        long f = c.intermediateSize();
        return new Gemma2Weights.Layer(
                weight(prefix + "input_layernorm.weight", d),
                weight(prefix + "self_attn.q_proj.weight", q, d),
                weight(prefix + "self_attn.k_proj.weight", kv, d),
                weight(prefix + "self_attn.v_proj.weight", kv, d),
                weight(prefix + "self_attn.o_proj.weight", d, q),
                weight(prefix + "post_attention_layernorm.weight", d),
                weight(prefix + "pre_feedforward_layernorm.weight", d),
                weight(prefix + "mlp.gate_proj.weight", f, d),
                weight(prefix + "mlp.up_proj.weight", f, d),
                weight(prefix + "mlp.down_proj.weight", d, f),
                weight(prefix + "post_feedforward_layernorm.weight", d));
    }

    private WeightTensor weight(String name, long... expected) throws WeightsFormatException {
        if (!checkpoint.has(name)) {
            throw new WeightsFormatException(checkpoint.source(), name, "is missing, expected " + Arrays.toString(expected)
                    + " by config.json" + nearby(name));
        }
        used.add(name);
        WeightTensor weight = checkpoint.tensor(name);
        if (!Arrays.equals(weight.dims(), expected)) {
            throw new WeightsFormatException(checkpoint.fileOf(name), name, "expected shape " + Arrays.toString(expected)
                    + " by config.json, got " + Arrays.toString(weight.dims()));
        }
        if (!READABLE.contains(weight.dtype())) {
            throw new WeightsFormatException(checkpoint.fileOf(name), name, "expected BF16, F16, F32 or F64, got "
                    + weight.dtype() + ": quantised weights cannot be read");
        }
        return weight;
    }

    private String nearby(String name) {
        List<String> near = NearNames.near(name, checkpoint.names());
        return near.isEmpty() ? "" : "; near names: " + Printable.list(near, 3);
    }

    private void requireTiedHead(WeightTensor embedding) throws WeightsFormatException {
        if (!checkpoint.has(HEAD)) {
            return;
        }
        used.add(HEAD);
        WeightTensor head = checkpoint.tensor(HEAD);
        if (head.dtype() != embedding.dtype() || !Arrays.equals(head.dims(), embedding.dims())
                || head.bytes().mismatch(embedding.bytes()) != -1) {
            throw new WeightsFormatException(checkpoint.fileOf(HEAD), HEAD,
                    "differs from " + EMBEDDING + "; Gemma 2 uses the embedding as its head, so this is another model");
        }
    }

    private void requireNothingElse(Gemma2Config c) throws WeightsFormatException {
        List<String> extra = new ArrayList<>(checkpoint.names());
        extra.removeAll(used);
        if (!extra.isEmpty()) {
            String others = extra.size() == 1 ? "" : " (and " + (extra.size() - 1) + " more)";
            throw new WeightsFormatException(checkpoint.fileOf(extra.getFirst()), extra.getFirst(), "is unexpected" + others
                    + ": a Gemma 2 of " + c.numHiddenLayers() + " layers by config.json has no such weight");
        }
    }
}
