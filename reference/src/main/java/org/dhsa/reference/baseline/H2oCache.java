package org.dhsa.reference.baseline;

import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.KvCompression.Config;
import org.dhsa.reference.baseline.KvCompression.Input;
import org.dhsa.reference.baseline.KvCompression.Output;

/// H2O, heavy hitters: the past keys that the last queries looked at most, then the window.
///
///     kept = ascending( top_cap( Σ over heads of score ) ) ++ last windowSize
///
/// **Shapes** query `[heads, queryLen, headDim]`, key and value `[kvHeads, keyLen, headDim]` (read), results
/// `[kvHeads, cap + window, headDim]` (new).
/// **Reading** a prompt shorter than cap stays whole.
/// **Golden** `kv/h2o_0` to `kv/h2o_3`, `kv/pyramid_budgets` table `h2o_kept`.
/// **Pitfall** the "maximum" is exceeded by the window. Between cap and cap + window the authors ask for more past keys than there
/// are and fail; corrected, everything is kept. Headwise selection in a grouped model averages unlike tokens (`kv/h2o_3`).
public final class H2oCache {

    private H2oCache() {}

    public static Output apply(Input in, Config config) {
        int length = in.length();
        int heads = in.heads();
        if (keptCount(length, config) == length) {
            return KvCompression.gather(in, KvCompression.everyHead(heads, IntStream.range(0, length)));
        }
        int past = length - config.windowSize();
        List<List<Integer>> chosen = KvCompression.choose(KvCompression.scores(in, config), config.maxCapacityPrompt(), config,
                in.key().shape().extent("kvHeads"));
        return KvCompression.gather(in, chosen.stream().map(best -> Stream.concat(best.stream().sorted(),
                IntStream.range(past, length).boxed()).toList()).toList());
    }

    /// Tokens kept of a prompt of this length.
    ///
    /// @throws IllegalStateException upstream, if the prompt is at least cap but less than cap + window long
    public static int keptCount(int length, Config config) {
        int most = config.maxCapacityPrompt() + config.windowSize();
        if (config.profile() == Profile.UPSTREAM && length >= config.maxCapacityPrompt() && length < most) {
            throw new IllegalStateException("the authors' H2O fails for prompts of " + config.maxCapacityPrompt() + " to " + (most - 1)
                    + " tokens, this one has " + length + "; the corrected profile keeps all of them");
        }
        return Math.min(length, most);
    }
}
