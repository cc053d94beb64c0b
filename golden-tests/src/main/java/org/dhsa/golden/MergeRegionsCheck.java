package org.dhsa.golden;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.forward.Probe;
import org.dhsa.reference.baseline.MergeRegions;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;

/// Attention merged to chunks and spread out again.
final class MergeRegionsCheck extends ReferenceFunctionCheck {

    private static final String NAME = "merge-regions";
    private static final Pattern MERGED = Pattern.compile("merged_causal([01])");

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("attention", "boundaries");
        int batches = golden.tensor("attention").extent(0);
        for (int b = 0; b < batches; b++) {
            check.batch(b, batches);
            int[] starts = golden.tensor("boundaries").rowInts(b);
            Boundaries boundaries = check.call("boundaries", Probe.NO_LAYER, "boundaries", () -> Boundaries.of(starts));
            DoubleTensor attention = golden.tensor("attention").row(b, "queryLen", "keyLen");
            for (GoldenTensor tensor : golden.tensors().values()) {
                Matcher kind = MERGED.matcher(tensor.name());
                if (kind.matches()) {
                    boolean causal = kind.group(1).equals("1");
                    DoubleTensor merged = tensor.row(b, "queryBlocks", "chunks");
                    check.close(NAME, Probe.NO_LAYER, tensor.name(), merged,
                            check.call(NAME, Probe.NO_LAYER, tensor.name(), () -> MergeRegions.merge(attention, boundaries, causal)));
                    String unmerged = "un" + tensor.name();
                    check.close(NAME, Probe.NO_LAYER, unmerged, golden.tensor(unmerged).row(b, "queryLen", "keyLen"),
                            check.call(NAME, Probe.NO_LAYER, unmerged, () -> MergeRegions.unmerge(merged, boundaries, causal)));
                }
            }
        }
    }
}
