package org.dhsa.policy;

import java.util.EnumSet;
import java.util.Set;

/// What the block masks of the authors' ICML 2026 code do that nobody would ask for: one switch each. The numbers are the entries of
/// `MANIFEST-icml_masks.md`; those that are missing here are no rules of a mask (I4 follows from I3; I13 to I16 are about patching models and cutting prompts).
public enum IcmlQuirk {
    /// `topk` lets future blocks compete, and nothing is forced (I1). Corrected: only blocks that the queries see, their own first.
    FUTURE_BLOCKS_COMPETE,
    /// Of the key blocks on the diagonal only the last one is forced in `a` and `vs` (I2). Corrected: all of them.
    ONLY_LAST_DIAGONAL_BLOCK,
    /// `vs` and `vsb` read the first ⌈budget / queryBlock⌉ rows and the last one densely (I3). Corrected: rows that fit the budget only.
    DENSE_PREFIX_AND_LAST_ROW,
    /// In `vsb` forced blocks are still there to be picked, so a row may keep fewer blocks than its budget (I5). Corrected: each place goes to another block.
    FORCED_BLOCKS_PICKED_AGAIN,
    /// `vsb` adds raw dot products, so a chosen block with a negative score ranks below one that nothing points to (I6). Corrected: softmax weights.
    RAW_PRODUCTS_ADDED,
    /// `vsb` spreads a distance over the whole diagonal band (I7). Corrected: it is counted from the last block of the band alone.
    DISTANCE_ON_WHOLE_BAND,
    /// The first block is forced even where the budget is used up by the diagonal (I8). Corrected: the diagonal goes first; it alone may exceed the budget.
    SINK_EXCEEDS_BUDGET,
    /// Prompts are filled up with zero rows that enter block means and the last query block (I9). Corrected: partial blocks.
    ZERO_PADDED,
    /// The budget is ⌊(1 − (1 − density)) · blocks⌋ in floating point, sometimes one block less than asked for (I10). Corrected: ⌊density · blocks⌋.
    BUDGET_ROUNDED_TWICE,
    /// With more keys than queries, rows are placed from key 0 (I11). Corrected: at the end of the keys.
    ROWS_FROM_KEY_ZERO,
    /// A budget of 0, and outside `topk` a negative one, is served as 0 (I12). Corrected: refused.
    EMPTY_BUDGET_SERVED;

    /// All of them: parity with the published code.
    public static final Set<IcmlQuirk> UPSTREAM = Set.copyOf(EnumSet.allOf(IcmlQuirk.class));
}
