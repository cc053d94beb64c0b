package org.dhsa.eval.measure;

import java.util.Map;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Stage;

/// A policy with a clock. Together with the clock of every stage it splits the time of attention into its parts.
public final class TimedPolicy implements SelectionPolicy {

    private final SelectionPolicy inner;
    private long nanos;

    public TimedPolicy(SelectionPolicy inner) {
        this.inner = inner;
    }

    /// Where the time of a pass went, in nanoseconds. The parts add up to the whole.
    ///
    /// @param predict boundary prediction and non-maximum suppression
    /// @param score   pooling, chunk similarity, upsampling
    /// @param select  the ranking, and whatever else a policy does that is no stage (an oracle's attention, say)
    /// @param attend  dense and sparse attention
    /// @param other   all other stages, and what is no stage: the cache, views of tensors
    public record Split(long predict, long score, long select, long attend, long other) {

        /// All but `other`: what attention costs with everything that chooses its keys.
        public long attention() {
            return predict + score + select + attend;
        }
    }

    /// @param stages nanoseconds of every stage of the same pass
    /// @param whole  nanoseconds of the pass
    public Split split(Map<Stage, Long> stages, long whole) {
        long predict = sum(stages, Stage.BOUNDARY_PREDICTION, Stage.NON_MAXIMUM_SUPPRESSION);
        long score = sum(stages, Stage.CHUNK_REPRESENTATION, Stage.CHUNK_SIMILARITY, Stage.UPSAMPLING);
        long attend = sum(stages, Stage.DENSE_ATTENTION, Stage.SPARSE_ATTENTION);
        long select = Math.max(stages.getOrDefault(Stage.TOP_K_SELECTION, 0L), nanos - predict - score);
        return new Split(predict, score, select, attend, whole - predict - score - select - attend);
    }

    private static long sum(Map<Stage, Long> stages, Stage... which) {
        long sum = 0;
        for (Stage stage : which) {
            sum += stages.getOrDefault(stage, 0L);
        }
        return sum;
    }

    public void reset() {
        nanos = 0;
    }

    @Override
    public String name() {
        return inner.name();
    }

    @Override
    public AttentionRule attentionRule(AttentionRule gemma, boolean decoding) {
        return inner.attentionRule(gemma, decoding);
    }

    @Override
    public Selector open(int[] promptIds) {
        Selector selector = inner.open(promptIds);
        return new Selector() {
            @Override
            public LayerSelection select(LayerState layer) {
                long begun = System.nanoTime();
                LayerSelection selection = selector.select(layer);
                nanos += System.nanoTime() - begun;
                return selection;
            }

            @Override
            public void observe(LayerState layer) {
                long begun = System.nanoTime();
                selector.observe(layer);
                nanos += System.nanoTime() - begun;
            }
        };
    }
}
