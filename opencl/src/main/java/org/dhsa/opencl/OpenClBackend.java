package org.dhsa.opencl;

import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.DeviceMemory;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Stage;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.tensor.Tensor;

/// FP32 on an OpenCL device: tensors, weights and the KV cache live there, and the host reads back what it is asked for.
///
/// Non-maximum suppression is serial by nature and short, so it runs on the host, borrowed from the reference. Not for
/// several threads at once.
public final class OpenClBackend implements Backend {

    public static final String NAME = "opencl";

    private static final int MIN_TILE = 16;

    private final OpenClContext context;
    private final MatrixProduct product;
    private final OpenClRotaryEmbedding rotaryEmbedding;
    private final DeviceAttention attention;
    private final DeviceBoundaries boundaries;
    private final ReferenceBackend host = new ReferenceBackend();
    private final boolean bf16Cache;

    /// Takes the context over and closes it. The cache is FP32.
    OpenClBackend(OpenClContext context) {
        this(context, BackendOptions.KvType.F32);
    }

    /// Takes the context over and closes it.
    OpenClBackend(OpenClContext context, BackendOptions.KvType kv) {
        this.context = context;
        this.bf16Cache = kv == BackendOptions.KvType.BF16;
        this.product = new MatrixProduct(context);
        this.rotaryEmbedding = new OpenClRotaryEmbedding(context);
        this.attention = new DeviceAttention(context);
        this.boundaries = new DeviceBoundaries(context);
    }

    OpenClContext context() {
        return context;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Set<Stage> ownStages() {
        return EnumSet.complementOf(EnumSet.of(Stage.NON_MAXIMUM_SUPPRESSION));
    }

    @Override
    public Precision precision() {
        return Precision.FP32;
    }

    @Override
    public Embedding embedding() {
        return new OpenClEmbedding(context);
    }

    @Override
    public RmsNorm rmsNorm() {
        return new OpenClRmsNorm(context);
    }

    @Override
    public QkvProjection qkvProjection() {
        return new OpenClQkvProjection(context, product);
    }

    @Override
    public RotaryEmbedding rotaryEmbedding() {
        return rotaryEmbedding;
    }

    @Override
    public DenseAttention denseAttention() {
        return new OpenClDenseAttention(attention);
    }

    @Override
    public BoundaryPrediction boundaryPrediction() {
        return new OpenClBoundaryPrediction(context, product);
    }

    @Override
    public NonMaximumSuppression nonMaximumSuppression() {
        return host.nonMaximumSuppression();
    }

    @Override
    public ChunkRepresentation chunkRepresentation() {
        return new OpenClChunkRepresentation(context, boundaries);
    }

    @Override
    public ChunkSimilarity chunkSimilarity() {
        return new OpenClChunkSimilarity(context);
    }

    @Override
    public Upsampling upsampling() {
        return new OpenClUpsampling(context, boundaries);
    }

    @Override
    public TopKSelection topKSelection() {
        return new OpenClTopKSelection(context, boundaries);
    }

    @Override
    public SparseAttention sparseAttention() {
        return new OpenClSparseAttention(attention);
    }

    @Override
    public OutputProjection outputProjection() {
        return new OpenClOutputProjection(context, product);
    }

    @Override
    public ResidualAdd residualAdd() {
        return new OpenClResidualAdd(context);
    }

    @Override
    public FeedForward feedForward() {
        return new OpenClFeedForward(context, product);
    }

    @Override
    public LmHead lmHead() {
        return new OpenClLmHead(context, product);
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return new OpenClLayerCache(context, kvHeads, headDim, kind, bf16Cache);
    }

    /// What the weights and the cache leave, shared out among the tensors that live at once in a layer.
    @Override
    public int promptTile(Gemma2Config config, long weightBytes, int tokens, int capacity) {
        return tile(config, tokens, room(config, weightBytes, capacity));
    }

    /// The whole prompt's hidden states lie there up to three times (what goes in, the tiles of what comes out, and these joined) beside the
    /// attention's results, or once beside the queries twice and the keys and values of the layer while its cache grows.
    @Override
    public int rowTile(Gemma2Config config, long weightBytes, int tokens, int capacity) {
        long hidden = 4L * config.hiddenSize();
        long queries = 4L * config.numAttentionHeads() * config.headDim();
        long room = room(config, weightBytes, capacity);
        // a prompt that fits as it is needs no tiles
        return tile(config, tokens, room) == tokens ? tokens
                : tile(config, tokens, room - tokens * Math.max(3 * hidden + queries, hidden + 2 * queries + 9 * kvRow(config) / 4));
    }

    /// Bytes of a key and a value.
    private long kvRow(Gemma2Config config) {
        return 2L * (bf16Cache ? 2 : 4) * config.numKeyValueHeads() * config.headDim();
    }

    /// Bytes that the weights and the cache leave.
    private long room(Gemma2Config config, long weightBytes, int capacity) {
        long cache = 0;
        for (int l = 0; l < config.numHiddenLayers(); l++) {
            // a global layer grows by a quarter and is moved; a local one keeps up to two windows and what is being read
            long rows = config.layerKind(l) instanceof LayerKind.Local(int window) ? Math.min(capacity, 3L * window) : capacity;
            cache += kvRow(config) * (rows + rows / 4);
        }
        long limit = context.pool().limit();
        return limit - limit / 16 - weightBytes - weightBytes / 16 - cache;
    }

    /// Tokens whose tensors of a layer fit.
    private static int tile(Gemma2Config config, int tokens, long room) {
        long perToken = 4L * (8L * config.hiddenSize() + 3L * config.numAttentionHeads() * config.headDim() + 4L * config.numKeyValueHeads() * config.headDim());
        long fits = Math.max(MIN_TILE, room / perToken / MIN_TILE * MIN_TILE);
        return (int) Math.min(tokens, fits);
    }

    @Override
    public Tensor rows(Tensor x, int from, int to) {
        return DeviceTensor.of(context, x).rows(from, to);
    }

    @Override
    public Tensor keyRows(Tensor keys, int from, int to) {
        return keys instanceof DeviceBf16Tensor half && half.context() == context ? half.keyRows(from, to) : DeviceTensor.of(context, keys).keyRows(from, to);
    }

    @Override
    public Tensor join(List<Tensor> parts, String axis) {
        return DeviceTensor.join(context, parts, axis);
    }

    @Override
    public Optional<DeviceMemory> deviceMemory() {
        return Optional.of(context.pool());
    }

    @Override
    public void finish() {
        context.finish();
    }

    @Override
    public void close() {
        context.close();
    }
}
