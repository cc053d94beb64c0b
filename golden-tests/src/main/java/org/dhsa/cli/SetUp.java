package org.dhsa.cli;

import java.util.OptionalInt;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;

/// Where the DHSA options start from when the user says nothing.
///
/// @param name for people
public record SetUp(String name, DhsaConfig config) {

    /// Blocks, windows and budgets in proportion to a model whose sliding window is 64 tokens.
    public static final SetUp SMALL = new SetUp("small model (block 16, budget 128)", DhsaConfig.DEFAULT.with(b -> {
        b.blockSize = 16;
        b.budget = 128;
        b.decodeBudget = 128;
        b.localTokens = 16;
        b.globalTokens = 4;
        b.instructionTokens = OptionalInt.of(32);
    }));

    /// The published set-up for needle tests.
    public static final SetUp PUBLISHED = new SetUp("published, needle in a haystack (block 128, budget 1024)", DhsaConfig.DEFAULT);

    /// A window below 1024 tokens is no released Gemma 2; the published budget would read everything there.
    public static SetUp of(Gemma2Config config) {
        return config.slidingWindow() < 1024 ? SMALL : PUBLISHED;
    }
}
