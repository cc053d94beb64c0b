package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.dhsa.model.DhsaConfig;

/// What a run cannot show, however wrong a port is there: a window that is longer than the prompt, a selection that takes everything.
public final class BlindSpots {

    private BlindSpots() {}

    /// @param chunks chunks of layer 0; empty where they are not known
    /// @return one sentence each; none if the run has no such spot, as far as its sizes tell
    public static List<String> of(ForwardTrace.Setting setting, OptionalInt chunks) {
        List<String> spots = new ArrayList<>();
        int length = setting.length();
        int window = setting.config().slidingWindow();
        if (length <= window) {
            spots.add("the window of the local layers: " + length + " tokens fit into its " + window + ", so no window, one that is off by one, and layers that slide in the wrong places "
                    + "all look right; take a prompt of more than " + window + " tokens");
        }
        setting.dhsa().ifPresent(dhsa -> selection(dhsa, length, chunks, spots));
        return spots;
    }

    private static void selection(DhsaConfig dhsa, int length, OptionalInt chunks, List<String> spots) {
        int sparse = Math.max(0, length - dhsa.instructionTokens().orElse(0));
        if (sparse == 0) {
            spots.add("anything sparse: the instruction of " + dhsa.instructionTokens().orElse(0) + " tokens is the whole prompt; take a longer prompt or a shorter instruction");
        } else if (sparse <= dhsa.budget()) {
            spots.add("the selection: the budget of " + dhsa.budget() + " keys holds all that the " + sparse + " sparse rows can see, so nothing is ever left out; take a longer prompt or a smaller budget");
        } else if (chunks.isPresent() && chunks.getAsInt() == 1) {
            spots.add("the chunks: the prompt is a single one, so all its keys score the same; take a longer prompt, or a lower theta");
        }
    }
}
