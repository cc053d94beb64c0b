package org.dhsa.policy;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.policy.IcmlBlockMask.Estimate;
import org.dhsa.policy.IcmlBlockMask.Input;
import org.dhsa.policy.IcmlBlockMask.Kind;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.tensor.DoubleTensor;

/// How the masks of [IcmlBlockMask] guess what each block is worth.
final class IcmlEstimate {

    private static final double[] NONE = {};
    private static final int[] NO_INDEX = {};

    private final Input in;
    private final IcmlBlocks blocks;
    private final DoubleTensor query;
    private final DoubleTensor key;
    private final int group;

    IcmlEstimate(Input in, IcmlBlocks blocks) {
        this.in = in;
        this.blocks = blocks;
        this.query = in.query().toDouble();
        this.key = in.key().toDouble();
        this.group = query.shape().extent("heads") / key.shape().extent("kvHeads");
    }

    Estimate head(int h) {
        return switch (in.kind()) {
            case TOPK, A -> means(h);
            case VS, VS_SAMPLE -> tokens(h);
            case VSB -> lastBlock(h);
        };
    }

    /// Every query block against every key block.
    private Estimate means(int h) {
        double[][] queries = IcmlBlocks.means(query, h, blocks.queryBounds());
        double[][] keys = IcmlBlocks.means(key, h / group, blocks.keyBounds());
        double[][] scores = new double[queries.length][keys.length];
        for (int i = 0; i < queries.length; i++) {
            for (int j = 0; j < keys.length; j++) {
                scores[i][j] = IcmlBlocks.dot(queries[i], keys[j]);
            }
        }
        return new Estimate(NONE, NONE, NO_INDEX, NO_INDEX, NONE, NONE, scores, (long) queries.length * keys.length);
    }

    /// Columns and distances of single keys, from the true weights of the last queries.
    private Estimate tokens(int h) {
        int keyLen = blocks.keyLen();
        double[] columnMass = new double[keyLen];
        double[] distanceMass = new double[keyLen];
        AttentionWeights weights = new AttentionWeights(in.query(), in.key(), in.rule());
        long products = 0;
        for (int position : lastQueries()) {
            double[] row = weights.row(h, position);
            products += row.length;
            for (int n = 0; n < row.length; n++) {
                int key = weights.first(position) - in.rule().keyStart() + n;
                columnMass[key] += row[n];
                distanceMass[position - in.rule().keyStart() - key] += row[n];
            }
        }
        int tokens = Math.min(keyLen, in.budgetCut() * in.keyBlock());
        int vertical = (int) Math.floor(tokens * in.ratio());
        int[] columns = best(columnMass, vertical);
        int[] distances = best(distanceMass, tokens - vertical);
        double[] columnScores = new double[blocks.keyBlocks()];
        for (int t : columns) {
            columnScores[t / in.keyBlock()] += columnMass[t];
        }
        double[][] scores = new double[blocks.queryBlocks()][];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = columnScores.clone();
            for (int x : distances) {
                // the x-back keys of this block's queries
                int to = blocks.lastQuery(i) - x;
                for (int j = Math.max(0, blocks.firstQuery(i) - x) / in.keyBlock(); to >= 0 && j <= Math.min(blocks.keyBlocks() - 1, to / in.keyBlock()); j++) {
                    scores[i][j] += distanceMass[x];
                }
            }
        }
        return new Estimate(columnMass, distanceMass, columns, distances, columnScores, NONE, scores, products);
    }

    /// Positions of the last queries; for vs-sample some of them at equal distances, the last one always.
    private int[] lastQueries() {
        int end = in.rule().queryStart() + query.shape().extent("queryLen");
        int rows = Math.min(in.queryBlock(), query.shape().extent("queryLen"));
        int taken = in.kind() == Kind.VS_SAMPLE ? Math.min(in.samples(), rows) : rows;
        return IntStream.rangeClosed(1, taken).map(r -> end - rows + (int) ((long) r * rows / taken) - 1).toArray();
    }

    /// The same with whole blocks: one mean of queries against the means of the keys.
    private Estimate lastBlock(int h) {
        int queryLen = query.shape().extent("queryLen");
        double[] last = IcmlBlocks.mean(query, h, Math.max(0, queryLen - in.queryBlock()), queryLen);
        double[][] keys = IcmlBlocks.means(key, h / group, blocks.keyBounds());
        int n = keys.length;
        boolean raw = in.quirks().contains(IcmlQuirk.RAW_PRODUCTS_ADDED);
        double[] z = Arrays.stream(keys).mapToDouble(k -> raw ? IcmlBlocks.dot(last, k) * in.rule().scale() : in.rule().logit(IcmlBlocks.dot(last, k))).toArray();
        if (!raw) {
            MeanAttention.softmax(z);
        }
        int vertical = (int) Math.floor(in.budgetCut() * in.ratio());
        int[] columns = best(z, vertical);
        int[] distances = Arrays.stream(best(z, in.budgetCut() - vertical)).map(j -> n - 1 - j).sorted().toArray();
        double[] columnScores = new double[n];
        for (int j : columns) {
            columnScores[j] = z[j];
        }
        boolean band = in.quirks().contains(IcmlQuirk.DISTANCE_ON_WHOLE_BAND);
        double[][] scores = new double[blocks.queryBlocks()][];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = columnScores.clone();
            for (int x : distances) {
                for (int j = Math.max(0, (band ? blocks.start(i) : blocks.recent(i)) - x); j <= blocks.recent(i) - x; j++) {
                    scores[i][j] += z[n - 1 - x];
                }
            }
        }
        return new Estimate(NONE, NONE, columns, distances, columnScores, z, scores, n);
    }

    private static int[] best(double[] values, int count) {
        boolean[] picked = IcmlCut.of(values, count, TieOrder.LOW_POSITION_FIRST).picked();
        return IntStream.range(0, values.length).filter(j -> picked[j]).toArray();
    }
}
