package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.OptionalInt;
import org.dhsa.forward.Probe;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.H2oCache;
import org.dhsa.reference.baseline.KvCompression;
import org.dhsa.reference.baseline.PyramidKvCache;
import org.dhsa.reference.baseline.StreamingLlmCache;
import org.dhsa.tensor.DoubleTensor;

/// Compressed caches: what is kept, in which order, and the tables of how much.
final class KvCheck extends ReferenceFunctionCheck {

    private enum Method {
        H2O("h2o-cache"), PYRAMID("pyramid-kv-cache"), STREAMING("streaming-llm-cache");

        private final String slug;

        Method(String slug) {
            this.slug = slug;
        }
    }

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        Method method = method(golden);
        if (golden.has("key")) {
            check.input("query", "key", "value");
            int batches = golden.tensor("key").extent(0);
            for (int b = 0; b < batches; b++) {
                check.batch(b, batches);
                cache(check, b, method);
            }
        }
        table(check, golden.results().path("kept"), "kept", Method.PYRAMID);
        table(check, golden.results().path("h2o_kept"), "h2o_kept", Method.H2O);
    }

    /// By the official class that was run.
    private static Method method(GoldenCase golden) throws GoldenFormatException {
        String function = golden.function();
        if (function.contains("H2O")) {
            return Method.H2O;
        }
        if (function.contains("Pyramid")) {
            return Method.PYRAMID;
        }
        if (function.contains("StreamingLLM")) {
            return Method.STREAMING;
        }
        throw new GoldenFormatException(golden.folder().resolve(GoldenCase.FILE_NAME), "\"function\" names none of H2O, Pyramid and StreamingLLM: " + function,
                "leave the case out with --filter");
    }

    private static void cache(CaseCheck check, int b, Method method) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        DoubleTensor key = golden.tensor("key").row(b, "kvHeads", "keyLen", "headDim");
        KvCompression.Config config = config(golden);
        if (!golden.has("query")) {
            int length = key.shape().extent("keyLen");
            check.exact(method.slug, Probe.NO_LAYER, "kept_positions", "keyLen", golden.tensor("kept_positions").ints(),
                    check.call(method.slug, Probe.NO_LAYER, "kept_positions", () -> StreamingLlmCache.kept(length, config)));
            return;
        }
        KvCompression.Input in = new KvCompression.Input(golden.tensor("query").row(b, "heads", "queryLen", "headDim"), key,
                golden.tensor("value").row(b, "kvHeads", "keyLen", "headDim"));
        KvCompression.Output out = check.call(method.slug, Probe.NO_LAYER, "key_out", () -> switch (method) {
            case H2O -> H2oCache.apply(in, config);
            case PYRAMID -> PyramidKvCache.apply(in, pyramid(golden, config, golden.intOf("layer_idx"), golden.intOf("kernel_size"), pooling(golden)));
            case STREAMING -> StreamingLlmCache.apply(in, config);
        });
        if (golden.has("kept_positions")) {
            GoldenTensor kept = golden.tensor("kept_positions");
            check.exact(method.slug, Probe.NO_LAYER, "kept_positions", "keyLen", kept.rank() == 1 ? kept.ints() : kept.rowInts(b),
                    check.call(method.slug, Probe.NO_LAYER, "kept_positions", () -> ints(out.keptPositions())));
        }
        check.close(method.slug, Probe.NO_LAYER, "key_out", golden.tensor("key_out").row(b, "kvHeads", "keyLen", "headDim"), out.keyOut());
        check.close(method.slug, Probe.NO_LAYER, "value_out", golden.tensor("value_out").row(b, "kvHeads", "keyLen", "headDim"), out.valueOut());
    }

    /// `{"L": 48, "layer": 0, "kept": 28}`, or `{"L": 16, "raises": "RuntimeError"}` where the official code fails.
    private static void table(CaseCheck check, JsonNode rows, String result, Method method) throws GoldenFormatException {
        for (JsonNode row : rows) {
            int length = row.get("L").asInt();
            KvCompression.Config config = config(check.golden());
            String name = "results." + result + " L=" + length + (row.has("layer") ? " layer=" + row.get("layer").asInt() : "");
            int kept;
            try {
                kept = method == Method.H2O ? H2oCache.keptCount(length, config) : PyramidKvCache.keptCount(length,
                        pyramid(check.golden(), config, row.path("layer").asInt(), 1, PyramidKvCache.Pooling.AVERAGE));
            } catch (IllegalStateException failsAsUpstreamDoes) {
                kept = -1;
            }
            check.exact(method.slug, Probe.NO_LAYER, name, "value", new int[] {row.has("raises") ? -1 : row.get("kept").asInt()}, new int[] {kept});
        }
    }

    private static KvCompression.Config config(GoldenCase golden) throws GoldenFormatException {
        return new KvCompression.Config(golden.intOf("window_size"), golden.intOf("max_capacity_prompt"), flag(golden, "headwise_selection"),
                flag(golden, "use_global_score"), flag(golden, "is_sliding"), Profile.UPSTREAM);
    }

    private static PyramidKvCache.Pyramid pyramid(GoldenCase golden, KvCompression.Config config, int layer, int kernelSize,
                                                  PyramidKvCache.Pooling pooling) throws GoldenFormatException {
        OptionalInt beta = golden.optionalInt("beta");
        return new PyramidKvCache.Pyramid(config, golden.intOf("num_hidden_layers"), layer, kernelSize, pooling,
                beta.orElseThrow(() -> golden.wrongField("beta", "an integer")));
    }

    private static PyramidKvCache.Pooling pooling(GoldenCase golden) throws GoldenFormatException {
        return switch (golden.textOf("pooling")) {
            case "avgpool" -> PyramidKvCache.Pooling.AVERAGE;
            case "maxpool" -> PyramidKvCache.Pooling.MAX;
            default -> throw golden.wrongField("pooling", "avgpool or maxpool");
        };
    }
}
