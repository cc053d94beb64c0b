package org.dhsa.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Generator;
import org.dhsa.generate.Probes;
import org.dhsa.generate.Sampler;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.StreamDecoder;
import org.dhsa.weights.Tokenizer;

/// The runs of the demonstration. Each opens its own backend and session, so that several may run at once.
///
/// @param backends opens a backend
public record Demo(Gemma2Model model, Tokenizer tokenizer, EmbeddingScale scale, Supplier<Backend> backends, DemoPrompt prompt, int maxNewTokens) {

    /// Told how far a run is.
    public interface Watcher {
        void layerDone(int layer, int layers);

        void newToken(int count);

        void done();

        /// Is told and says nothing.
        Watcher NONE = new Watcher() {
            @Override
            public void layerDone(int layer, int layers) {}

            @Override
            public void newToken(int count) {}

            @Override
            public void done() {}
        };
    }

    /// The same demonstration on another backend.
    public Demo on(Supplier<Backend> others) {
        return new Demo(model, tokenizer, scale, others, prompt, maxNewTokens);
    }

    public Callable<AttentionRun> dense(Watcher watcher) {
        return () -> run("Dense attention", "every token reads all before it", new AttentionMode.Dense(), watcher);
    }

    public Callable<AttentionRun> dhsa(AttentionMode.Dhsa mode, Watcher watcher) {
        OptionalInt tail = mode.config().instructionTokens();
        String note = tail.isPresent() && tail.getAsInt() > 0
                ? "the last " + tail.getAsInt() + " tokens, with the question, read everything, as in the authors' setting; new tokens are sparse"
                : "every token is sparse, the question too";
        return () -> run("DHSA", mode.config().decode() == DhsaConfig.DecodeMode.DHSA ? note
                : note.replace("new tokens are sparse", "new tokens are dense"), mode, watcher);
    }

    public Callable<AttentionRun> strict(AttentionMode.Dhsa mode, Watcher watcher) {
        DhsaConfig config = mode.config().with(b -> b.instructionTokens = OptionalInt.empty());
        return () -> run("DHSA, strict", "no dense tokens at all: the question is sparse too",
                new AttentionMode.Dhsa(config, mode.predictor(), mode.boundaries()), watcher);
    }

    private AttentionRun run(String title, String note, AttentionMode mode, Watcher watcher) {
        AttentionCount count = new AttentionCount();
        Optional<Trace> trace = mode instanceof AttentionMode.Dhsa ? Optional.of(new Trace()) : Optional.empty();
        Probe progress = new Probe() {
            private boolean promptRead;

            @Override
            public void layerDone(int layer, int layers) {
                if (!promptRead) {
                    watcher.layerDone(layer, layers);
                }
                promptRead |= layer == layers - 1;
            }
        };
        try (Backend backend = backends.get()) {
            Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), backend, scale);
            int[] made = {0};
            Generator.Result result = Generator.run(
                    forward.open(mode, trace.isPresent() ? Probes.all(count, trace.get(), progress) : Probes.all(count, progress)),
                    prompt.ids(), maxNewTokens, model.config().eosTokenIds(), Sampler.greedy(), id -> watcher.newToken(++made[0]));
            watcher.done();
            String answer = tokenizer.decode(result.answer());
            Optional<DhsaConfig> config = mode instanceof AttentionMode.Dhsa d ? Optional.of(d.config()) : Optional.empty();
            return new AttentionRun(title, note, config, result, answer, texts(result.answer()),
                    prompt.expected().map(expected -> answer.strip().startsWith(expected)), count, trace);
        }
    }

    private List<String> texts(int[] ids) {
        StreamDecoder decoder = tokenizer.streamDecoder();
        List<String> texts = new ArrayList<>();
        for (int id : ids) {
            texts.add(decoder.accept(id));
        }
        return texts;
    }
}
