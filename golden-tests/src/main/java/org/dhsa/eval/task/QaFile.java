package org.dhsa.eval.task;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.dhsa.cli.BadInput;

/// Questions for RULER's question answering: one JSON object per line,
///
///     {"question": "Who …?", "answers": ["Ada", "Ada Lovelace"], "documents": ["the text that holds the answer", …]}
///
/// The documents of all other questions are the distractors of this one. SQuAD and HotpotQA, which RULER uses, can be brought into
/// this form: `documents` are the paragraphs of the question.
///
/// @param documents   all documents of the file, each once
/// @param fingerprint of the file
public record QaFile(List<Question> questions, List<String> documents, List<String> broken, String fingerprint) {

    /// One question.
    public record Question(String question, List<String> answers, List<String> documents) {}

    /// @throws BadInput if there is no file, or no good line in it
    public static QaFile read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new BadInput("--qa: there is no file " + file + ". It holds one JSON object per line with question, answers and documents; see docs/eval-tasks.md.");
        }
        JsonLines<Question> lines = JsonLines.read(file, (object, line) -> new Question(JsonLines.text(object, "question"), JsonLines.texts(object, "answers"),
                JsonLines.texts(object, "documents")));
        if (lines.items().isEmpty()) {
            throw new BadInput("--qa: " + file + " holds no question" + (lines.broken().isEmpty() ? ": it is empty" : ". " + lines.broken().getFirst()) + ".");
        }
        Set<String> documents = new LinkedHashSet<>();
        lines.items().forEach(q -> documents.addAll(q.documents()));
        return new QaFile(lines.items(), List.copyOf(documents), lines.broken(), lines.sha256().substring(0, 12));
    }
}
