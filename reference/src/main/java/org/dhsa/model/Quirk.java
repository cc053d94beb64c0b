package org.dhsa.model;

/// What the authors' Gemma 2 code does that the paper or Gemma 2 does not say. One switch each; [Profile#UPSTREAM] turns
/// all of them on, [Profile#CORRECTED] none. The letters in brackets are the entries of the recordings' manifest.
public enum Quirk {
    /// No attention soft cap under DHSA (A1). Corrected: capped like dense Gemma 2.
    SOFT_CAP_DROPPED,
    /// Local layers see `window + 1` keys (A2). Corrected: `window` keys.
    WINDOW_PLUS_ONE,
    /// The instruction's first token belongs to the chunk before it (S5). Corrected: the chunk ends where the instruction starts.
    INSTRUCTION_BOUNDARY_SHIFTED,
    /// The mean, or maximum, of a partial last query block includes its zero padding (A13). Corrected: real tokens only.
    PADDED_QUERY_BLOCK,
    /// Lists shorter than the budget are filled with the last position, again and again (A8); with the first one where a
    /// partial last block may read nothing at all, because it lacks more rows than the window is wide. Corrected: the list is shorter.
    PADDED_WITH_LAST_KEY,
    /// The first entries of the sorted list are overwritten by the global tokens (A9, A10, A11). Corrected: global tokens are
    /// chosen before the others, once each.
    GLOBAL_TOKENS_SPLICED,
    /// Local tokens are the last allowed keys, which lie at the block's end, so early queries may miss themselves (A12).
    /// Corrected: every query's own position, then the `localTokens` before the block's start.
    LOCAL_TOKENS_AT_BLOCK_END,
    /// Allowed keys run to the end of a full block, beyond a partial last block's own queries (A6).
    /// Corrected: to the block's real end.
    ALLOWED_TO_FULL_BLOCK,
    /// On local layers allowed keys start at `block end − window`, so early queries cannot use their oldest keys (A7).
    /// Corrected: at the oldest key that the block's first query sees.
    WINDOW_FROM_BLOCK_END,
    /// The budget of local layers is cut to the window. Corrected: the budget counts keys per block, which may see
    /// `window + block − 1` of them; a row still sees at most `window`.
    BUDGET_CUT_TO_WINDOW,
    /// Without any candidate there are no boundaries and the authors' code fails (S1). Corrected: one chunk, or the
    /// instruction's split alone.
    NO_CANDIDATE_FAILS,
    /// When the accepted positions already fill the chunk budget one more candidate still gets in (S3). Corrected: none does.
    ONE_CANDIDATE_TOO_MANY,
    /// Without suppression the instruction position may be accepted twice (S2). Corrected: once.
    INSTRUCTION_POSITION_TWICE,
    /// Zero instruction tokens make the whole prompt dense (A15, S4). Corrected: 0 means none. As many as the prompt has, or
    /// more, make it dense in both.
    ZERO_INSTRUCTION_IS_ALL,
    /// Without a threshold the positions at the ends, filled with −100, are candidates too (S8). Corrected: never.
    FILLED_POSITIONS_ARE_CANDIDATES
}
