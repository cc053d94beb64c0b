package org.dhsa.model;

import java.util.EnumSet;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;

/// Everything that decides what DHSA computes, apart from the weights.
///
/// @param blockSize         B, queries that share one list of keys
/// @param budget            N_b, keys per query block
/// @param decodeBudget      keys a decoded token may read
/// @param localTokens       most recent keys that are always kept
/// @param globalTokens      first keys of the allowed range that are always kept
/// @param instructionTokens tokens at the end of the prompt that attend densely, empty for none
/// @param theta             a gap is a candidate if its LOGIT is above theta, empty for no threshold
/// @param nmsWindow         candidates within this distance of an accepted one are suppressed; 0 switches suppression off
/// @param chunkBeta         at most `floor(L / B) * chunkBeta` accepted positions
/// @param smoothEnds        wider margins without candidates at both ends (`2w-1` and `2w` instead of `w-1` and `w`)
/// @param aggregation       how a chunk of vectors becomes one
/// @param queryChunking     fixed query blocks, or the dynamic chunks of the keys on the query side too
/// @param shareBoundaries   boundaries of layer 0 serve all layers
/// @param shareMasks        key lists of the first local and the first global layer serve all layers of their kind
/// @param decode            how new tokens attend
/// @param tieOrder          which of equal scores is taken first
/// @param quirks            deviations of the authors' code that are switched on
public record DhsaConfig(
        int blockSize,
        int budget,
        int decodeBudget,
        int localTokens,
        int globalTokens,
        OptionalInt instructionTokens,
        OptionalDouble theta,
        int nmsWindow,
        int chunkBeta,
        boolean smoothEnds,
        Aggregation aggregation,
        QueryChunking queryChunking,
        boolean shareBoundaries,
        boolean shareMasks,
        DecodeMode decode,
        TieOrder tieOrder,
        Set<Quirk> quirks) {

    /// How the vectors of a chunk become one.
    public enum Aggregation {
        /// Plain mean (`avgpool`).
        MEAN,
        /// `sqrt(len) * mean`, the paper's length normalisation (`avgpool_norm`).
        MEAN_SQRT_LENGTH,
        /// Component-wise maximum on the query side, plain mean on the key side (`maxpool`, as published).
        MAX_ON_QUERIES
    }

    /// What shares one query representation.
    public enum QueryChunking { FIXED_BLOCKS, DYNAMIC_CHUNKS }

    /// How a new token attends after the prompt.
    public enum DecodeMode {
        /// To every key in the cache, as in the authors' code.
        DENSE,
        /// To the keys of the best chunks, as the paper states it.
        DHSA
    }

    /// Which of equal scores is taken first.
    public enum TieOrder { LOW_POSITION_FIRST, HIGH_POSITION_FIRST }

    /// The published set-up for needle tests, on the corrected profile.
    public static final DhsaConfig DEFAULT = new DhsaConfig(128, 1024, 1024, 128, 128, OptionalInt.of(64), OptionalDouble.of(1.1),
            8, 8, false, Aggregation.MEAN_SQRT_LENGTH, QueryChunking.FIXED_BLOCKS, true, false, DecodeMode.DHSA,
            TieOrder.LOW_POSITION_FIRST, Profile.CORRECTED.quirks());

    public DhsaConfig {
        atLeast("blockSize", blockSize, 1);
        atLeast("budget", budget, 1);
        atLeast("decodeBudget", decodeBudget, 1);
        atLeast("localTokens", localTokens, 0);
        atLeast("globalTokens", globalTokens, 0);
        instructionTokens.ifPresent(n -> atLeast("instructionTokens", n, 0));
        theta.ifPresent(t -> {
            if (Double.isNaN(t)) {
                throw new IllegalArgumentException("theta must be a number");
            }
        });
        atLeast("nmsWindow", nmsWindow, 0);
        atLeast("chunkBeta", chunkBeta, 0);
        quirks = Set.copyOf(quirks);
        if (!quirks.contains(Quirk.LOCAL_TOKENS_AT_BLOCK_END) && budget < blockSize) {
            throw new IllegalArgumentException("budget must be at least blockSize, because every query keeps its own position: budget "
                    + budget + ", blockSize " + blockSize + ". Raise the budget or lower the block size");
        }
    }

    private static void atLeast(String field, int value, int minimum) {
        if (value < minimum) {
            throw new IllegalArgumentException(field + " must be " + (minimum == 1 ? "positive" : "at least " + minimum) + ", was " + value);
        }
    }

    public boolean has(Quirk quirk) {
        return quirks.contains(quirk);
    }

    /// Most accepted boundary positions for a prompt: `floor(L / B) * chunkBeta`.
    public int chunkBudget(int promptLength) {
        return promptLength / blockSize * chunkBeta;
    }

    /// A copy with some fields changed: `DhsaConfig.DEFAULT.with(b -> b.budget = 2048)`.
    public DhsaConfig with(Consumer<Builder> change) {
        Builder b = new Builder(this);
        change.accept(b);
        return b.build();
    }

    /// Mutable twin of the record, for [DhsaConfig#with].
    public static final class Builder {
        public int blockSize;
        public int budget;
        public int decodeBudget;
        public int localTokens;
        public int globalTokens;
        public OptionalInt instructionTokens;
        public OptionalDouble theta;
        public int nmsWindow;
        public int chunkBeta;
        public boolean smoothEnds;
        public Aggregation aggregation;
        public QueryChunking queryChunking;
        public boolean shareBoundaries;
        public boolean shareMasks;
        public DecodeMode decode;
        public TieOrder tieOrder;
        public Set<Quirk> quirks;

        private Builder(DhsaConfig c) {
            blockSize = c.blockSize;
            budget = c.budget;
            decodeBudget = c.decodeBudget;
            localTokens = c.localTokens;
            globalTokens = c.globalTokens;
            instructionTokens = c.instructionTokens;
            theta = c.theta;
            nmsWindow = c.nmsWindow;
            chunkBeta = c.chunkBeta;
            smoothEnds = c.smoothEnds;
            aggregation = c.aggregation;
            queryChunking = c.queryChunking;
            shareBoundaries = c.shareBoundaries;
            shareMasks = c.shareMasks;
            decode = c.decode;
            tieOrder = c.tieOrder;
            quirks = c.quirks;
        }

        /// Switches one quirk on or off.
        public void quirk(Quirk quirk, boolean on) {
            EnumSet<Quirk> changed = EnumSet.noneOf(Quirk.class);
            changed.addAll(quirks);
            if (on) {
                changed.add(quirk);
            } else {
                changed.remove(quirk);
            }
            quirks = changed;
        }

        private DhsaConfig build() {
            return new DhsaConfig(blockSize, budget, decodeBudget, localTokens, globalTokens, instructionTokens, theta, nmsWindow,
                    chunkBeta, smoothEnds, aggregation, queryChunking, shareBoundaries, shareMasks, decode, tieOrder, quirks);
        }
    }
}
