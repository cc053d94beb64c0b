package org.dhsa.golden;

import java.io.IOException;
import java.util.List;
import org.dhsa.forward.Probe;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;

/// A recording of how another method selects keys: on the reference the selection itself, on any other backend attention over the recorded lists.
///
/// Policies choose in FP64, in code that all backends share. What a backend computes of such a method is attention over its lists, which is compared with FP64 attention over the
/// same lists, or with the output where the recording holds one; and the means of blocks and their dot products, which some methods score by. Where a method scores by nothing
/// else, its whole selection is compared too. Everything that was recorded beyond that is named as not covered.
final class AttendedListsCheck implements FamilyCheck {

    private static final ReferenceBackend REFERENCE = new ReferenceBackend();

    private final ReferenceFunctionCheck selection;
    private final RecordedLists.Reader lists;
    private final Scores scores;

    /// What stages of the backend compute of the selection.
    interface Scores {
        void check(CaseCheck check) throws GoldenFormatException, IOException;
    }

    private AttendedListsCheck(ReferenceFunctionCheck selection, RecordedLists.Reader lists, Scores scores) {
        this.selection = selection;
        this.lists = lists;
        this.scores = scores;
    }

    /// Of a method that scores by nothing that a backend computes.
    AttendedListsCheck(ReferenceFunctionCheck selection, RecordedLists.Reader lists) {
        this(selection, lists, check -> {});
    }

    /// Of a method that scores by stages of the backend alone.
    static AttendedListsCheck whole(ReferenceFunctionCheck selection, RecordedLists.Reader lists) {
        return new AttendedListsCheck(selection, lists, selection::check);
    }

    static AttendedListsCheck partly(ReferenceFunctionCheck selection, RecordedLists.Reader lists, Scores scores) {
        return new AttendedListsCheck(selection, lists, scores);
    }

    @Override
    public void check(CaseCheck check) throws GoldenFormatException, IOException {
        if (check.backend().name().equals(ReferenceBackend.NAME)) {
            selection.check(check);
            return;
        }
        List<RecordedLists.Attended> all = check.golden().has("query") ? lists.read(check.golden()) : List.of();
        if (all.isEmpty()) {
            check.notCovered("no queries and keys are recorded that a backend could attend with; only the backend " + ReferenceBackend.NAME + " computes what is");
            return;
        }
        for (String input : List.of("query", "key", "value")) {
            if (check.golden().has(input)) {
                check.input(input);
            }
        }
        for (int n = 0; n < all.size(); n++) {
            check.batch(n, all.size());
            attend(check, all.get(n));
        }
        check.batch(0, 1);
        scores.check(check);
        if (!check.forgotten().isEmpty()) {
            check.excuseRest(CaseResult.SELECTION_NOT_COVERED);
        }
    }

    /// Every head for itself, as each has its own lists.
    private static void attend(CaseCheck check, RecordedLists.Attended a) throws GoldenFormatException {
        String tensor = a.expected() == null ? "attention over " + a.source() : "output";
        DoubleTensor[] expected = new DoubleTensor[a.perHead().size()];
        DoubleTensor[] actual = new DoubleTensor[expected.length];
        int[] pairs = new int[expected.length];
        int[] read = new int[expected.length];
        for (int h = 0; h < expected.length; h++) {
            KeySelection own = a.perHead().get(h);
            SparseAttention.Input in = input(a, h, own);
            SparseAttention.Output right = REFERENCE.sparseAttention().apply(in);
            SparseAttention.Output ours = check.apply(Stage.SPARSE_ATTENTION, Probe.NO_LAYER, tensor, () -> in, check.backend().sparseAttention());
            expected[h] = right.context().toDouble();
            actual[h] = ours.context().toDouble();
            pairs[h] = Math.toIntExact(right.pairsRead());
            read[h] = Math.toIntExact(ours.pairsRead());
        }
        check.close(Stage.SPARSE_ATTENTION, Probe.NO_LAYER, tensor, a.expected() == null ? DoubleTensor.join(List.of(expected), "heads") : a.expected(),
                DoubleTensor.join(List.of(actual), "heads"));
        check.exact(Stage.SPARSE_ATTENTION.slug(), Probe.NO_LAYER, "pairs read over " + a.source(), "heads", pairs, read);
    }

    private static SparseAttention.Input input(RecordedLists.Attended a, int head, KeySelection own) {
        int keyHead = head * a.key().shape().extent("kvHeads") / a.query().shape().extent("heads");
        return new SparseAttention.Input(a.query().slice("heads", head, head + 1), a.key().slice("kvHeads", keyHead, keyHead + 1), a.value().slice("kvHeads", keyHead, keyHead + 1),
                own, a.rule());
    }
}
