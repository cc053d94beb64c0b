package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What recordings call the tensors of a trace, and in which order they keep the axes.
///
/// @param tensor name in a trace
/// @param axes   recorded axes; `a*b` are two in one
record RecordedNames(String tensor, List<String> axes) {

    private static final Pattern OF_LAYER = Pattern.compile("layers\\.(\\d+)\\.(\\w+)");
    private static final Pattern HIDDEN = Pattern.compile("hidden\\.(\\d+)");
    private static final Pattern CAPPED = Pattern.compile("(?:low\\.)?(output_softcap[\\d.]+)");

    private static final String[][] DENSE = {
        {"input_ids", "ids", "queryLen"},
        {"embeddings_scaled", "embedding.embeddings", "queryLen", "modelDim"}, {"input_layernorm", "rms-norm.inputLayernorm", "queryLen", "modelDim"},
        {"q_rope", "rotary-embedding.query", "queryLen", "heads", "headDim"}, {"k_rope", "rotary-embedding.key", "keyLen", "kvHeads", "headDim"},
        {"v", "qkv-projection.value", "keyLen", "kvHeads", "headDim"}, {"attn_context", "dense-attention.context", "queryLen", "heads*headDim"},
        {"attn_output", "output-projection.attnOutput", "queryLen", "modelDim"}, {"post_attention_layernorm", "rms-norm.postAttentionLayernorm", "queryLen", "modelDim"},
        {"pre_feedforward_layernorm", "rms-norm.preFeedforwardLayernorm", "queryLen", "modelDim"}, {"mlp_output", "feed-forward.mlpOutput", "queryLen", "modelDim"},
        {"post_feedforward_layernorm", "rms-norm.postFeedforwardLayernorm", "queryLen", "modelDim"}, {"hidden_out", "residual-add.hidden", "queryLen", "modelDim"},
        {"final_norm", "rms-norm.finalNorm", "queryLen", "modelDim"}, {"logits", "lm-head.logits", "queryLen", "vocab"}};
    private static final String[][] WHOLE = {
        {"input_ids", "ids", "queryLen"}, {"ratios", "layers.0.non-maximum-suppression.filled", "keyLen"},
        {"key_rope", "rotary-embedding.key", "kvHeads", "keyLen", "headDim"}, {"topk_indices", "top-k-selection.selectedKeys", "queryBlocks", "budget"},
        {"attn_context", "sparse-attention.context", "heads", "queryLen", "headDim"}, {"attn_output", "output-projection.attnOutput", "queryLen", "modelDim"},
        {"logits", "lm-head.logits", "queryLen", "vocab"}, {"logits_tail", "lm-head.logits", "queryLen", "vocab"}};
    private static final String[][] ATTENTION = {
        {"query", "query", "heads", "queryLen", "headDim"}, {"key", "key", "kvHeads", "keyLen", "headDim"}, {"value", "value", "kvHeads", "keyLen", "headDim"},
        {"boundaries", "boundaries", "boundaries"}, {"q_repr", "chunk-representation.queryChunks", "chunks", "headDim"},
        {"k_repr", "chunk-representation.keyChunks", "chunks", "headDim"}, {"chunk_scores", "chunk-similarity.chunkScores", "queryBlocks", "chunks"},
        {"token_scores", "upsampling.tokenScores", "queryBlocks", "keyLen"}, {"threshold", "top-k-selection.threshold", "queryBlocks"},
        {"indices_low", "top-k-selection.selectedKeys", "queryBlocks", "budget"}, {"indices", "top-k-selection.selectedKeys", "queryBlocks", "budget"},
        {"topk_indices", "top-k-selection.selectedKeys", "queryBlocks", "budget"}, {"low.topk_indices", "top-k-selection.selectedKeys", "queryBlocks", "budget"},
        {"output", "sparse-attention.context", "heads", "queryLen", "headDim"}, {"low.output", "sparse-attention.context", "heads", "queryLen", "headDim"},
        {"dense_output", "sparse-attention.context", "heads", "queryLen", "headDim"}};
    private static final String[][] BOUNDARIES = {
        {"features", "key", "kvHeads*headDim", "keyLen"}, {"key_states", "key", "kvHeads", "keyLen", "headDim"},
        {"logits", "boundary-prediction.boundaryLogits", "keyLen"}, {"raw_logits", "boundary-prediction.boundaryLogits", "keyLen"},
        {"ratios", "non-maximum-suppression.filled", "keyLen"}, {"boundaries", "non-maximum-suppression.boundaries", "boundaries"}};

    /// @param layers decoder layers
    /// @param given  whether the boundaries are an input
    /// @return empty for what belongs to no stage
    static Optional<RecordedNames> of(String family, String recorded, int layers, boolean given) {
        Matcher layer = OF_LAYER.matcher(recorded);
        String prefix = layer.matches() ? "layers." + layer.group(1) + "." : "";
        String plain = layer.matches() ? layer.group(2) : recorded;
        return switch (family) {
            case "gemma2" -> find(DENSE, prefix, plain);
            case "e2e" -> {
                Matcher hidden = HIDDEN.matcher(recorded);
                if (hidden.matches()) {
                    int n = Integer.parseInt(hidden.group(1));
                    yield Optional.of(named(n == 0 ? "embedding.embeddings" : n == layers ? "rms-norm.finalNorm" : "layers." + (n - 1) + ".residual-add.hidden", "queryLen", "modelDim"));
                }
                yield recorded.equals("boundaries") ? Optional.of(named(given ? "boundaries" : "layers.0.non-maximum-suppression.boundaries", "boundaries")) : find(WHOLE, prefix, plain);
            }
            case "predictor", "predict_boundaries" -> find(BOUNDARIES, prefix, plain);
            default -> {
                Matcher capped = CAPPED.matcher(recorded);
                yield capped.matches() ? Optional.of(named("sparse-attention." + capped.group(1), "heads", "queryLen", "headDim")) : find(ATTENTION, prefix, plain);
            }
        };
    }

    private static RecordedNames named(String tensor, String... axes) {
        List<String> all = new ArrayList<>(List.of("batch"));
        all.addAll(Arrays.asList(axes));
        return new RecordedNames(tensor, all);
    }

    private static Optional<RecordedNames> find(String[][] table, String prefix, String plain) {
        return Arrays.stream(table).filter(row -> row[0].equals(plain)).findFirst()
                .map(row -> named(prefix + row[1], Arrays.copyOfRange(row, 2, row.length)));
    }
}
