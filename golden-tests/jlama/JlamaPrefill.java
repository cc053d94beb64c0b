import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.gemma2.Gemma2Config;
import com.github.tjake.jlama.model.gemma2.Gemma2Model;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.safetensors.prompt.PromptSupport;
import com.github.tjake.jlama.safetensors.tokenizer.Tokenizer;
import com.github.tjake.jlama.safetensors.tokenizer.TokenizerModel;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import com.github.tjake.jlama.util.PhysicalCoreExecutor;
import java.io.File;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/// Prefill of Jlama on the checkpoint that the benches use: one line `seconds=…` per prompt. Started by `./dhsa bench
/// prefill` as a JVM of its own, with Jlama's libraries on the class path.
///
/// Arguments: model folder, tokens, threads, prompts that are not told, prompts that are.
public final class JlamaPrefill {

    private JlamaPrefill() {}

    /// The prompt is token ids already, so no tokenizer is needed.
    private static final class NoTokenizer implements Tokenizer {
        @Override
        public List<String> tokenize(String sentence) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long[] encode(String sentence) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String decode(long id) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String decode(long[] ids) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<PromptSupport> promptSupport() {
            return Optional.empty();
        }

        @Override
        public TokenizerModel getModel() {
            throw new UnsupportedOperationException();
        }
    }

    public static void main(String[] args) throws Exception {
        File folder = new File(args[0]);
        int tokens = Integer.parseInt(args[1]);
        int unmeasured = Integer.parseInt(args[3]);
        int measured = Integer.parseInt(args[4]);
        PhysicalCoreExecutor.overrideThreadCount(Integer.parseInt(args[2]));
        ObjectMapper mapper = JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS).build();
        Gemma2Config config = mapper.readValue(new File(folder, "config.json"), Gemma2Config.class);
        config.setWorkingDirectory(new File(System.getProperty("java.io.tmpdir")));
        System.out.println("operations=" + TensorOperationsProvider.get().name());
        try (AbstractModel model = new Gemma2Model(config, SafeTensorSupport.loadWeights(folder), new NoTokenizer(), DType.F32, DType.BF16, Optional.empty())) {
            int[] ids = new SplittableRandom(7).ints(tokens, 0, config.vocabularySize).toArray();
            for (int pass = 0; pass < unmeasured + measured; pass++) {
                EmptyCache cache = new EmptyCache(model);
                long begun = System.nanoTime();
                AbstractTensor hidden = model.batchForward(ids, 0, cache.buffer);
                double seconds = (System.nanoTime() - begun) / 1e9;
                hidden.close();
                cache.close();
                if (pass >= unmeasured) {
                    System.out.println("seconds=" + seconds);
                }
            }
        }
    }

    /// A cache that is empty at the start of every prompt.
    private record EmptyCache(KvBufferCache all, KvBufferCache.KvBuffer buffer) {
        EmptyCache(AbstractModel model) {
            this(new com.github.tjake.jlama.tensor.KvBufferCache(model));
        }

        private EmptyCache(KvBufferCache all) {
            this(all, all.getEphemeralKvBuffer());
        }

        void close() {
            buffer.close();
            all.close();
        }
    }
}
