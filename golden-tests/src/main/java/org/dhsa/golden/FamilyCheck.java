package org.dhsa.golden;

import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import org.dhsa.backend.Backend;

/// How the cases of one family are checked.
interface FamilyCheck {

    /// Compares everything the case holds. Throws [CaseCheck.Broken] when it cannot go on; the reason is among the comparisons.
    void check(CaseCheck check) throws GoldenFormatException, IOException;

    /// Why this backend does not compute the family, empty if it does.
    default Optional<String> notCovered(Backend backend) {
        return Optional.empty();
    }

    /// By the first part of a case's id.
    Map<String, FamilyCheck> ALL = Map.ofEntries(
            Map.entry("gemma2", new Gemma2Check()),
            Map.entry("predictor", new PredictorCheck()),
            Map.entry("predict_boundaries", new PredictBoundariesCheck()),
            Map.entry("select", new SelectCheck()),
            Map.entry("dhsa_mask", new DhsaMaskCheck()),
            Map.entry("dhsa_sdpa", new DhsaAttentionCheck()),
            Map.entry("dhsa_quirk", new DhsaAttentionCheck()),
            Map.entry("labels", new LabelsCheck()),
            Map.entry("block_sparse", new BlockSparseCheck()),
            Map.entry("topk_attention", new TopKAttentionCheck()),
            Map.entry("merge_regions", new MergeRegionsCheck()),
            Map.entry("kv", new KvCheck()),
            Map.entry("e2e", new EndToEndCheck()),
            Map.entry("minference_vertical_slash", new AttendedListsCheck(new VerticalSlashCheck(), RecordedLists::lines)),
            Map.entry("minference_block_sparse", AttendedListsCheck.whole(new MInferenceBlockCheck(), RecordedLists.blockMask("block_size_M"))),
            Map.entry("xattention", AttendedListsCheck.whole(new XAttentionCheck(), RecordedLists.blockMask("block_size"))),
            Map.entry("flexprefill", AttendedListsCheck.partly(new FlexPrefillCheck(), RecordedLists::flexPrefill, FlexPrefillCheck::estimated)),
            Map.entry("quest", new AttendedListsCheck(new QuestCheck(), RecordedLists::quest)),
            Map.entry("snapkv", new AttendedListsCheck(new SnapKvCheck(), RecordedLists::snapKv)),
            Map.entry("hub_maskers", new AttendedListsCheck(new MaskChainCheck(), RecordedLists::lastMask)),
            Map.entry("icml_masks", new AttendedListsCheck(new IcmlMasksCheck(), RecordedLists::icml)),
            Map.entry("seerattention_prefill", new AttendedListsCheck(new SeerAttentionCheck(), RecordedLists.blockMask("block_size"))),
            Map.entry("seerattention_decode", new AttendedListsCheck(new SeerAttentionCheck(), RecordedLists.none())));
}
