package org.dhsa.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.junit.jupiter.api.Test;

class AttentionCountTest {

    private static final Path TINY = Path.of(System.getProperty("dhsa.root", ".")).resolve("golden-tests/models/tiny-gemma2");
    private static final int TOKENS = 40;

    @Test
    void aPromptReadInPartsIsAllPrompt() throws Exception {
        try (Gemma2Model model = Gemma2Loader.load(TINY)) {
            AttentionCount whole = count(model, TOKENS);
            assertThat(count(model, 16).byLayer()).isEqualTo(whole.byLayer());
            long heads = model.config().numAttentionHeads();
            assertThat(whole.globalPrompt().read()).isEqualTo(2 * heads * TOKENS * (TOKENS + 1) / 2);
            assertThat(whole.globalDecoded().read()).isEqualTo(2 * heads * (TOKENS + 1));
        }
    }

    private static AttentionCount count(Gemma2Model model, int part) {
        AttentionCount count = new AttentionCount();
        int[] ids = IntStream.range(5, 5 + TOKENS).toArray();
        try (Backend backend = new OptimizedBackend(1)) {
            Gemma2Forward.Session session = new Gemma2Forward(model.config(), model.weights(), backend, EmbeddingScale.EXACT)
                    .open(new AttentionMode.Dense(), Probes.all(count));
            for (int from = 0; from < TOKENS; from += part) {
                session.prefill(Arrays.copyOfRange(ids, from, Math.min(TOKENS, from + part)));
            }
            session.decode(7);
        }
        return count;
    }
}
