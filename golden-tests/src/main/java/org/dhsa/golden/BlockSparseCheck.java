package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.OptionalDouble;
import org.dhsa.forward.Probe;
import org.dhsa.reference.baseline.BlockSparseAttention;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;

/// Block-sparse attention: scores of blocks, chosen blocks, output.
final class BlockSparseCheck extends ReferenceFunctionCheck {

    private static final String NAME = "block-sparse-attention";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key", "value");
        int window = golden.optionalInt("W").orElse(0);
        int batches = golden.tensor("query").extent(0);
        for (int b = 0; b < batches; b++) {
            check.batch(b, batches);
            BlockSparseAttention.Input in = new BlockSparseAttention.Input(golden.tensor("query").row(b, "heads", "queryLen", "headDim"),
                    golden.tensor("key").row(b, "kvHeads", "keyLen", "headDim"), golden.tensor("value").row(b, "kvHeads", "keyLen", "headDim"),
                    golden.intOf("bs"), golden.intOf("topk"),
                    new AttentionRule(golden.doubleOf("scaling"), OptionalDouble.empty(), new Visibility(window, window > 0), 0, 0));
            BlockSparseAttention.Output out = check.call(NAME, Probe.NO_LAYER, "block_scores", () -> BlockSparseAttention.apply(in));
            check.close(NAME, Probe.NO_LAYER, "block_scores", golden.tensor("block_scores").row(b, "queryBlocks", "chunks"), out.blockScores());
            GoldenTensor indices = golden.tensor("block_indices");
            check.exact(NAME, Probe.NO_LAYER, "block_indices", "queryBlocks*budget", indices.rowInts(b),
                    out.blockIndices().stream().flatMapToInt(list -> list.stream().mapToInt(Integer::intValue)).toArray());
            check.close(NAME, Probe.NO_LAYER, "output", golden.tensor("output").row(b, "heads", "queryLen", "headDim"), out.output());
        }
        JsonNode difference = golden.results().path("max_abs_output_difference_between_tie_orders");
        if (difference.isNumber()) {
            // only masked blocks can tie and none of them is seen: one order of ties stands for all
            check.close(NAME, "max_abs_output_difference_between_tie_orders", difference.asDouble(), 0);
        }
    }
}
