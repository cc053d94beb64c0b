package org.dhsa.reference.baseline;

import java.util.stream.IntStream;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.KvCompression.Config;
import org.dhsa.reference.baseline.KvCompression.Input;
import org.dhsa.reference.baseline.KvCompression.Output;

/// StreamingLLM: attention sinks and the recent past, whatever is in them.
///
///     kept = first windowSize ++ last cap
///
/// **Shapes** as [H2oCache]; nothing is scored.
/// **Reading** a prompt shorter than cap stays whole.
/// **Golden** `kv/streamingllm_0`, `kv/streamingllm_overlap`.
/// **Pitfall** of the two sizes, the window is the number of sinks here. Between cap and cap + window the two parts overlap and the
/// authors store tokens twice; corrected, everything is kept once.
public final class StreamingLlmCache {

    private StreamingLlmCache() {}

    public static Output apply(Input in, Config config) {
        return KvCompression.gather(in, KvCompression.everyHead(in.heads(), IntStream.of(kept(in.length(), config))));
    }

    /// Positions kept of a prompt of this length, in cache order.
    public static int[] kept(int length, Config config) {
        int recent = config.maxCapacityPrompt();
        int sinks = config.windowSize();
        boolean whole = length < recent || config.profile() == Profile.CORRECTED && length <= recent + sinks;
        return whole ? IntStream.range(0, length).toArray()
                : IntStream.concat(IntStream.range(0, sinks), IntStream.range(length - recent, length)).toArray();
    }
}
