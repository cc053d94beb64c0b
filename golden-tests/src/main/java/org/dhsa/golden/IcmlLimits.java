package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.policy.IcmlBlockMask.Kind;
import org.dhsa.policy.IcmlBlockMask;
import org.dhsa.policy.IcmlBlocks;
import org.dhsa.policy.IcmlQuirk;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// `icml_masks/limits`: calls with degenerate arguments, what they gave or that they failed. Their states are not recorded, and none of the
/// answers depends on them: any states will do.
final class IcmlLimits {

    private static final String NAME = "icml-block-mask";
    private static final int FAILS = -1;

    private IcmlLimits() {}

    static void check(CaseCheck check, JsonNode rows) throws GoldenFormatException {
        for (JsonNode row : rows) {
            String call = row.get("call").asText();
            int[] expected = row.has("raises") ? new int[] {FAILS} : row.get("result").isArray() ? PredictBoundariesCheck.ints(row.get("result"))
                    : new int[] {row.get("result").isInt() ? row.get("result").asInt() : 0};
            int heads = check.golden().intOf("H");
            int dim = check.golden().intOf("D");
            int[] actual;
            try {
                actual = call.startsWith("block size check") ? patchEntry(call) : mask(call, heads, dim, row.path("result").isArray());
            } catch (IllegalArgumentException refused) {
                actual = new int[] {FAILS};
            }
            check.exact(NAME, Probe.NO_LAYER, "results.rows " + call, "value", expected, actual);
        }
    }

    private static int[] patchEntry(String call) {
        IcmlBlocks.requirePublishedSizes(number(call, "q_block (\\d+)").orElseThrow(), number(call, "k_block (\\d+)").orElseThrow());
        return new int[] {0};
    }

    /// The number of kept blocks, or the shape of the mask with the batch before it.
    private static int[] mask(String call, int heads, int dim, boolean shape) {
        Kind kind = Arrays.stream(Kind.values()).filter(k -> call.startsWith(k.slug() + ":")).findFirst().orElseThrow();
        int length = number(call, "L=(\\d+)").orElse(256);
        boolean none = call.contains("no block sizes");
        int queryBlock = none ? 0 : number(call, "(?:q_block|block_size) (\\d+)").orElse(128);
        int keyBlock = none ? 0 : number(call, "(?:k_block|block_size) (\\d+)").orElse(32);
        Matcher ratio = Pattern.compile("ratio ([\\d.]+)").matcher(call);
        Random random = new Random(1);
        DoubleTensor states = DoubleTensor.of(Shape.of("heads", heads, "queryLen", length, "headDim", dim), random.doubles((long) heads * length * dim, -1, 1).toArray());
        IcmlBlockMask.Output out = IcmlBlockMask.apply(new IcmlBlockMask.Input(kind, states,
                DoubleTensor.of(Shape.of("kvHeads", heads, "keyLen", length, "headDim", dim), states.data()),
                new AttentionRule(1 / Math.sqrt(dim), OptionalDouble.empty(), new Visibility(0, false), 0, 0), length, queryBlock, keyBlock,
                number(call, "topk_blocks (-?\\d+)").orElse(2), ratio.find() ? Double.parseDouble(ratio.group(1)) : 0.5, 1, IcmlQuirk.UPSTREAM,
                TieOrder.LOW_POSITION_FIRST));
        return shape ? new int[] {1, out.heads().size(), out.blocks().queryBlocks(), out.blocks().keyBlocks()}
                : new int[] {out.heads().stream().flatMap(h -> Arrays.stream(h.mask())).flatMapToInt(row -> Arrays.stream(IcmlMasksCheck.ints(row))).sum()};
    }

    private static OptionalInt number(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        return matcher.find() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }
}
