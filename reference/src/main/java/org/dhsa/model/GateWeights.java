package org.dhsa.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// Weights of a learned selection rule, one part for each layer of the model it was trained for.
public sealed interface GateWeights {

    /// `seerattention`: as messages and options call the kind.
    String kind();

    /// Layers that it has weights for.
    int layerCount();

    /// Checks every tensor against a model.
    ///
    /// @throws IllegalArgumentException naming tensor, axis, what is expected and what was found
    void requireFit(int layers, int heads, int kvHeads, int headDim);

    private static void requireLayers(GateWeights gate, int layers) {
        if (gate.layerCount() != layers) {
            throw new IllegalArgumentException("a " + gate.kind() + " gate for " + gate.layerCount() + " layers, expected " + layers + ", the layers of the model");
        }
    }

    /// @param axes name and expected extent in turn; an extent of −1 takes any
    private static void require(WeightTensor tensor, Object... axes) {
        if (tensor.rank() != axes.length / 2) {
            throw new IllegalArgumentException("tensor " + tensor.name() + ": expected " + axes.length / 2 + " axes, found " + Arrays.toString(tensor.dims()));
        }
        for (int a = 0; a < tensor.rank(); a++) {
            long expected = ((Number) axes[2 * a + 1]).longValue();
            if (expected >= 0 && tensor.dim(a) != expected) {
                throw new IllegalArgumentException("tensor " + tensor.name() + ": axis " + axes[2 * a] + " is " + tensor.dim(a) + ", expected " + expected
                        + "; found the shape " + Arrays.toString(tensor.dims()));
            }
        }
    }

    /// How a block of rows becomes one vector: SeerAttention joins several.
    enum Pool {
        MAX, MIN, AVG;

        /// `Qavg_Kmaxminavg`, part `K`: max, min, avg in the order written.
        static List<Pool> parse(String type, char part) {
            List<Pool> pools = new ArrayList<>();
            for (String word : type.split("_")) {
                if (!word.isEmpty() && word.charAt(0) == part) {
                    String rest = word.substring(1);
                    while (!rest.isEmpty()) {
                        String left = rest;
                        Pool pool = Arrays.stream(values()).filter(p -> left.startsWith(p.name().toLowerCase(java.util.Locale.ROOT))).findFirst()
                                .orElseThrow(() -> new IllegalArgumentException("gate type must look like Qavg_Kmaxminavg, was " + type));
                        pools.add(pool);
                        rest = rest.substring(3);
                    }
                }
            }
            if (pools.isEmpty()) {
                throw new IllegalArgumentException("gate type must look like Qavg_Kmaxminavg, was " + type);
            }
            return pools;
        }
    }

    /// SeerAttention (arXiv 2410.13276): pooled queries and keys through one linear map per head.
    ///
    /// @param layers per layer
    /// @param type   pooling of queries and keys, `Qavg_Kmaxminavg`
    /// @param block  rows per block, on both sides
    /// @param rotate the pooled vectors are turned to the position of their block's start
    /// @param theta  base of that rotation
    record SeerAttention(List<Layer> layers, String type, int block, boolean rotate, double theta) implements GateWeights {

        /// @param query `[heads, in, hidden]`, absent where the pooled query is used as it is
        /// @param key   `[heads, in, hidden]` then, else `[kvHeads, in, hidden]`; `in` are the pooled kinds joined
        public record Layer(Optional<WeightTensor> query, WeightTensor key) {}

        public SeerAttention {
            layers = List.copyOf(layers);
            if (block <= 0) {
                throw new IllegalArgumentException("block of a gate must be positive, was " + block);
            }
            Pool.parse(type, 'Q');
            Pool.parse(type, 'K');
        }

        public List<Pool> queryPools() {
            return Pool.parse(type, 'Q');
        }

        public List<Pool> keyPools() {
            return Pool.parse(type, 'K');
        }

        @Override
        public String kind() {
            return "seerattention";
        }

        @Override
        public int layerCount() {
            return layers.size();
        }

        @Override
        public void requireFit(int layerCount, int heads, int kvHeads, int headDim) {
            requireLayers(this, layerCount);
            for (Layer layer : layers) {
                if (layer.query().isPresent()) {
                    require(layer.query().get(), "heads", heads, "in", queryPools().size() * headDim, "hidden", -1);
                    require(layer.key(), "kvHeads", kvHeads, "in", keyPools().size() * headDim, "hidden", layer.query().get().dim(2));
                } else {
                    require(layer.key(), "heads", heads, "in", keyPools().size() * headDim, "hidden", queryPools().size() * headDim);
                }
            }
        }
    }

    /// VSPrefill (arXiv 2603.04460): a network of two layers reads each key and value and says how much its column and its distance are worth.
    ///
    /// @param layers per layer
    record VsPrefill(List<Layer> layers) implements GateWeights {

        /// @param inner     `[hidden, 2 headDim]`, on key and value joined
        /// @param innerBias `[hidden]`
        /// @param outer     `[2, hidden]`: column first, then distance
        public record Layer(WeightTensor inner, WeightTensor innerBias, WeightTensor outer) {}

        public VsPrefill {
            layers = List.copyOf(layers);
        }

        @Override
        public String kind() {
            return "vsprefill";
        }

        @Override
        public int layerCount() {
            return layers.size();
        }

        @Override
        public void requireFit(int layerCount, int heads, int kvHeads, int headDim) {
            requireLayers(this, layerCount);
            for (Layer layer : layers) {
                require(layer.inner(), "hidden", -1, "in", 2 * headDim);
                require(layer.innerBias(), "hidden", layer.inner().dim(0));
                require(layer.outer(), "outputs", 2, "hidden", layer.inner().dim(0));
            }
        }
    }

    /// The learned masks of the later DHSA code (arXiv 2510.24606v2): a correction of a block's score by a small network, and a table of budgets.
    ///
    /// @param layers per layer
    /// @param bound  the correction is at most this
    record LearnedTopK(List<Layer> layers, double bound) implements GateWeights {

        /// Segments of a query block and of a key block.
        public static final int QUERY_SEGMENTS = 4;
        public static final int KEY_SEGMENTS = 2;
        /// Products of segments.
        public static final int PAIRS = QUERY_SEGMENTS * KEY_SEGMENTS;
        /// Features of a pair of blocks: the products, their summary and spread, and three of the position.
        public static final int LOCAL = PAIRS + 7;
        /// Features of a row: mean, spread, first and last of every product.
        public static final int CONTEXT = 4 * PAIRS;

        /// @param local     `[heads, LOCAL, hidden]`
        /// @param context   `[heads, CONTEXT, hidden]`
        /// @param innerBias `[heads, hidden]`
        /// @param outer     `[heads, hidden]`
        /// @param outerBias `[heads]`
        /// @param budgets   `[heads, buckets]` logits by depth of the query, for the dynamic mask
        public record Layer(WeightTensor local, WeightTensor context, WeightTensor innerBias, WeightTensor outer, WeightTensor outerBias,
                            Optional<WeightTensor> budgets) {}

        public LearnedTopK {
            layers = List.copyOf(layers);
            if (!(bound > 0)) {
                throw new IllegalArgumentException("residual bound must be positive, was " + bound);
            }
        }

        @Override
        public String kind() {
            return "learned-topk";
        }

        @Override
        public int layerCount() {
            return layers.size();
        }

        @Override
        public void requireFit(int layerCount, int heads, int kvHeads, int headDim) {
            requireLayers(this, layerCount);
            for (Layer layer : layers) {
                require(layer.local(), "heads", heads, "features", LOCAL, "hidden", -1);
                long hidden = layer.local().dim(2);
                require(layer.context(), "heads", heads, "features", CONTEXT, "hidden", hidden);
                require(layer.innerBias(), "heads", heads, "hidden", hidden);
                require(layer.outer(), "heads", heads, "hidden", hidden);
                require(layer.outerBias(), "heads", heads);
                layer.budgets().ifPresent(b -> require(b, "heads", heads, "buckets", -1));
            }
        }
    }
}
