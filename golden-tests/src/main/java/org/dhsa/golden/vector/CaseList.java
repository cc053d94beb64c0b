package org.dhsa.golden.vector;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.Shape;

/// All drafts, in walking order of their stages.
final class CaseList {

    private final List<CaseDraft> drafts = new ArrayList<>();
    private final Set<String> ids = new HashSet<>();
    private String since = "1.0.0";

    /// @param recordings of the official code, some of whose inputs are cases too
    static List<CaseDraft> all(Path recordings) throws GoldenFormatException, IOException {
        CaseList list = new CaseList();
        Gemma2Cases.add(list);
        AttentionCases.add(list);
        BoundaryCases.add(list);
        SelectionCases.add(list);
        SparseCases.add(list);
        ModelCases.add(list);
        ChainCases.add(list);
        GenerationCases.add(list);
        RecordedCases.add(list, recordings);
        PolicyCases.add(list);
        return list.drafts;
    }

    CaseDraft gemma2(String slug, String name, String level, String comment) {
        return add(new CaseDraft("gemma2", slug, name, level, comment));
    }

    CaseDraft dhsa(String slug, String name, String level, String comment) {
        return add(new CaseDraft("dhsa", slug, name, level, comment));
    }

    CaseDraft policy(String policy, String name, String comment) {
        return add(new CaseDraft(StageCatalog.POLICIES, policy, name, "P", comment));
    }

    /// Release of the vectors in which the cases after this call came.
    void since(String version) {
        since = version;
    }

    private CaseDraft add(CaseDraft draft) {
        if (!ids.add(draft.id())) {
            throw new IllegalStateException("two cases are called " + draft.id());
        }
        drafts.add(draft.since(since));
        return draft;
    }

    /// Parameters in order: name, value, name, value.
    static Map<String, Object> parameters(Object... namesAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            map.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return map;
    }

    static Shape tokens(int queryLen, int modelDim) {
        return Shape.of("queryLen", queryLen, "modelDim", modelDim);
    }

    static Shape queries(int heads, int queryLen, int headDim) {
        return Shape.of("heads", heads, "queryLen", queryLen, "headDim", headDim);
    }

    static Shape keys(int kvHeads, int keyLen, int headDim) {
        return Shape.of("kvHeads", kvHeads, "keyLen", keyLen, "headDim", headDim);
    }

    static Shape matrix(String rows, int r, String columns, int c) {
        return Shape.of(rows, r, columns, c);
    }
}
