package org.dhsa.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/// Files that people hold for what they are not, told by how they begin. To be asked when a file is no good: a header of safetensors may
/// begin with any byte.
final class Lookalike {

    private static final String LFS = "version https://git-lfs";

    private Lookalike() {}

    /// What the file is and what to do; empty if it begins like nothing known.
    static Optional<String> of(MemorySegment file) {
        int length = (int) Math.min(LFS.length(), file.byteSize());
        String start = new String(file.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
        if (start.equals(LFS)) {
            return Optional.of("is only a pointer of Git LFS, " + file.byteSize() + " bytes that stand for the file itself; fetch it with git lfs pull, or download it again");
        }
        if (start.startsWith("GGUF")) {
            return Optional.of("is a GGUF file, which is not read here; take the model's Hugging Face folder with *.safetensors");
        }
        if (start.startsWith("PK\3\4")) {
            return Optional.of("is a zip file, as PyTorch writes them; take the model's *.safetensors, or save it with safe_serialization=True");
        }
        if (start.toLowerCase(Locale.ROOT).matches("<(!doctype|html).*")) {
            return Optional.of("is a web page, not the file; the download went wrong, perhaps for want of a login");
        }
        return Optional.empty();
    }
}
