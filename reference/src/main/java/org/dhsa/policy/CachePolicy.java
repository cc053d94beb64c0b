package org.dhsa.policy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.H2oCache;
import org.dhsa.reference.baseline.KvCompression;
import org.dhsa.reference.baseline.PyramidKvCache;
import org.dhsa.reference.baseline.StreamingLlmCache;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// Caches that are thinned out once, after a dense prompt: they save memory and time while decoding, none in the prompt.
///
///     keys(token) = kept keys of the prompt ∪ all keys since, inside the window on a local layer
///     h2o             kept = top_{budget − window}( Σ over heads, last window queries of a(h, i, ·) ) ∪ last window
///     streaming-cache kept = first window ∪ last budget − window
///     pyramidkv       as h2o, scores averaged along the positions; the budget falls from layer to layer, its mean is about `budget`
///     snapkv          as pyramidkv with one budget for all layers; the heads of a group choose together, groups for themselves
///
/// **Source** H2O (arXiv 2306.14048), StreamingLLM (arXiv 2309.17453), PyramidKV (arXiv 2406.02069), SnapKV (arXiv 2404.14469), in the form that the
/// DHSA authors compare with; the maths is in `org.dhsa.reference.baseline`. **Unit** a key. **Budget** keys kept of the prompt, per layer.
/// **Cost of selecting** the logits of the last `window` queries, once.
/// **Simplified** scores are plain softmax weights with scale 1/√headDim and no soft cap, as there. Nothing is evicted after the prompt. H2O
/// proper adds up scores over all steps and evicts at each; SnapKV proper lets every query head keep its own copy of its keys.
///
/// @param budget keys kept of the prompt
/// @param window last queries of the prompt that score, whose own keys are kept; for streaming-cache the number of sinks
/// @param kernel odd width of the smoothing (pyramidkv, snapkv)
/// @param beta   how steep the pyramid is (pyramidkv)
public record CachePolicy(Kind kind, int budget, int window, int kernel, int beta) implements SelectionPolicy {

    /// Which keys stay.
    public enum Kind {
        H2O, STREAMING_CACHE, PYRAMIDKV, SNAPKV;

        public String slug() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    public CachePolicy {
        Lists.positive("window", window);
        Lists.positive("kernel", kernel);
        Lists.positive("beta", beta);
        if (kernel % 2 == 0) {
            throw new IllegalArgumentException("kernel must be odd, was " + kernel);
        }
        if (budget <= 2 * window) {
            throw new IllegalArgumentException("budget must exceed twice the window, were " + budget + " and " + window
                    + ": raise the budget or lower the window");
        }
    }

    @Override
    public String name() {
        return kind.slug() + ":budget=" + budget + switch (kind) {
            case H2O -> ",window=" + window;
            case STREAMING_CACHE -> ",sinks=" + window;
            case PYRAMIDKV -> ",window=" + window + ",kernel=" + kernel + ",beta=" + beta;
            case SNAPKV -> ",window=" + window + ",kernel=" + kernel;
        };
    }

    @Override
    public Selector open(int[] promptIds) {
        Map<Integer, List<int[]>> keptByLayer = new HashMap<>();
        int[] promptLength = new int[1];
        return layer -> {
            if (!layer.decoding()) {
                keptByLayer.put(layer.layer(), kept(layer));
                promptLength[0] = layer.end();
                LayerSelection dense = DensePolicy.everything(layer);
                return new LayerSelection(dense.perHead(), layer.heads(), flops(layer));
            }
            List<KeySelection> perHead = new ArrayList<>();
            for (int[] kept : keptByLayer.get(layer.layer())) {
                int[] keys = IntStream.concat(IntStream.of(kept), IntStream.range(promptLength[0], layer.end()))
                        .filter(j -> j >= layer.firstVisible(layer.start())).toArray();
                perHead.add(new KeySelection(QueryBlocks.single(layer.start()), List.of(Lists.byPosition(keys))));
            }
            return new LayerSelection(perHead, layer.heads(), 0);
        };
    }

    /// Positions kept, ascending: one list for all heads, or one per query head.
    private List<int[]> kept(LayerState layer) {
        int length = layer.end();
        if (length <= budget) {
            return List.of(IntStream.range(0, length).toArray());
        }
        KvCompression.Input in = new KvCompression.Input(layer.query(), layer.key(), layer.key());
        return switch (kind) {
            case H2O -> List.of(ascending(H2oCache.apply(in, config(budget - window, false)).keptPositions()));
            case STREAMING_CACHE -> List.of(StreamingLlmCache.kept(length, config(budget - window, false)));
            case PYRAMIDKV -> List.of(ascending(PyramidKvCache.apply(in, pyramid(config(budget, false), layer.layers(), layer.layer())).keptPositions()));
            case SNAPKV -> PyramidKvCache.apply(in, pyramid(config(budget, true), 1, 0)).keptByHead().stream().map(CachePolicy::ascending).toList();
        };
    }

    private KvCompression.Config config(int capacity, boolean headwise) {
        return new KvCompression.Config(window, capacity, headwise, false, false, Profile.CORRECTED);
    }

    private PyramidKvCache.Pyramid pyramid(KvCompression.Config config, int layers, int layer) {
        return new PyramidKvCache.Pyramid(config, layers, layer, kernel, PyramidKvCache.Pooling.AVERAGE, beta);
    }

    private static int[] ascending(List<Integer> positions) {
        return positions.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /// The logits of the last queries against all keys.
    private long flops(LayerState layer) {
        return kind == Kind.STREAMING_CACHE || layer.end() <= budget ? 0 : 2L * window * layer.end() * layer.headDim() * layer.heads();
    }
}
