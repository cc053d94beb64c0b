package org.dhsa.reference.labels;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference.Rules;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Boundaries as the attention of a layer itself draws them: the labels that a boundary predictor learns.
///
///     queries, keys → mean attention → mass ratio → threshold and suppression → {0, L} ∪ {p + 1}
///
/// **Shapes** query `[heads, queryLen, headDim]`, key `[kvHeads, keyLen, headDim]` (read), ratios `[keyLen]` (new).
/// **Reading** the authors' way: always smooth ends; even layers count at most 4096 rows; the same greedy choice as at inference,
/// but on ratios.
/// **Golden** `labels/boundaries_0` (suppression and instruction), `_1` (neither), `_2` (no causal mask).
/// **Pitfall** theta is a ratio here (1.1) and a logit at inference. Keys of a grouped model must be read per group; the
/// authors' code as shipped fails on them, and on its last line for every model.
public final class LabelBoundaries {

    /// Rows that count on even, local layers, whatever the model's window is.
    public static final int LOCAL_SPAN = 4096;

    private LabelBoundaries() {}

    /// @param query  `[heads, queryLen, headDim]`
    /// @param key    `[kvHeads, keyLen, headDim]`
    /// @param rule   how the attention is computed
    /// @param masked with the rule's causal mask and window; false shows every key to every query
    /// @param window w
    /// @param span   most rows that count, empty for all
    /// @param rules  how ratios become accepted positions
    public record Input(Tensor query, Tensor key, AttentionRule rule, boolean masked, int window, OptionalInt span, Rules rules) {

        /// The authors' way.
        ///
        /// @param layer             even layers are local
        /// @param chunkBudget       most accepted positions (`num_chunks`)
        /// @param theta             a boundary's ratio is above it; empty for none
        /// @param nmsWindow         0 for no suppression
        /// @param instructionTokens the position `L − instructionTokens` is accepted first
        public static Input upstream(Tensor query, Tensor key, boolean masked, int layer, int window, int chunkBudget,
                                     OptionalDouble theta, int nmsWindow, OptionalInt instructionTokens) {
            int length = key.shape().extent("keyLen");
            OptionalInt instruction = instructionTokens.isPresent() ? OptionalInt.of(length - instructionTokens.getAsInt()) : OptionalInt.empty();
            return new Input(query, key, MeanAttention.upstreamRule(query.shape().extent("headDim")), masked, window,
                    layer % 2 == 0 ? OptionalInt.of(LOCAL_SPAN) : OptionalInt.empty(),
                    Rules.upstream(theta, nmsWindow, chunkBudget, instruction, TieOrder.LOW_POSITION_FIRST));
        }
    }

    /// @param ratios     `[keyLen]`
    /// @param boundaries chunk starts, 0 first and L last
    public record Output(DoubleTensor ratios, Boundaries boundaries) {}

    public static Output apply(Input in) {
        DoubleTensor attention = MeanAttention.of(in.query(), in.key(), in.rule(), in.masked());
        DoubleTensor ratios = AttentionMassRatio.apply(new AttentionMassRatio.Input(attention, in.window(), in.span(), true)).ratio();
        int[] accepted = NonMaximumSuppressionReference.accept(ratios.data(), in.rules());
        if (accepted.length == 0 && in.rules().emptyWithoutCandidates()) {
            throw new IllegalStateException("no ratio is above theta " + in.rules().theta()
                    + ": the authors' code fails here; lower theta or use rules without emptyWithoutCandidates");
        }
        return new Output(ratios, NonMaximumSuppressionReference.boundaries(accepted, ratios.data().length));
    }
}
