package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// The harness is tested too: a backend with one broken stage turns it red, and the first divergence names that stage.
class HarnessSelfTest {

    private static CaseResult on(String id, Backend mutant) {
        return Recordings.check(Recordings.named(id), mutant).result();
    }

    /// Red, and the first divergence is this stage, layer and tensor.
    private static Comparison assertRed(String id, Backend mutant, String stage, int layer, String tensor) {
        CaseResult result = on(id, mutant);
        assertThat(result.verdict()).as(id).isIn(Verdict.FAIL, Verdict.ERROR);
        Comparison first = result.firstDivergence().orElseThrow();
        assertThat(List.of(first.stage(), first.layer(), first.tensor())).isEqualTo(List.of(stage, layer, tensor));
        return first;
    }

    private static DoubleTensor changed(Tensor tensor, int at, double value) {
        double[] data = tensor.toDouble().data().clone();
        data[at] = value;
        return DoubleTensor.of(tensor.shape(), data);
    }

    private static AttentionRule withVisibility(AttentionRule r, Visibility visibility) {
        return new AttentionRule(r.scale(), r.softCap(), visibility, r.queryStart(), r.keyStart());
    }

    private static AttentionRule withoutCap(AttentionRule r) {
        return new AttentionRule(r.scale(), OptionalDouble.empty(), r.visibility(), r.queryStart(), r.keyStart());
    }

    @Test
    void theUnbrokenDelegatePasses() {
        for (String id : List.of("gemma2/odd_softcap", "dhsa_mask/random_0", "e2e/predicted_cap", "predict_boundaries/0", "dhsa_sdpa/1")) {
            assertThat(on(id, new DelegatingBackend()).verdict()).as(id).isEqualTo(Verdict.PASS);
        }
    }

    @Test
    void aWindowOfOneKeyMoreIsSeenInTheMask() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public DenseAttention denseAttention() {
                return in -> super.denseAttention().apply(new DenseAttention.Input(in.query(), in.key(), in.value(),
                        withVisibility(in.rule(), new Visibility(in.rule().visibility().window(), true))));
            }
        };
        Comparison first = assertRed("gemma2/odd_softcap", mutant, "dense-attention", 0, "layers.0.attn_visible");
        assertThat(first.worstIndex()).as("query 8 is the first with a key too old for its window of 8").isEqualTo("[queryLen=8, keyLen=0]");
        assertRed("gemma2/decode", mutant, "lm-head", -1, "step_logits");
    }

    @Test
    void aWindowOfOneKeyLessUnderSparseAttentionIsSeenInTheOutput() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public SparseAttention sparseAttention() {
                return in -> super.sparseAttention().apply(new SparseAttention.Input(in.query(), in.key(), in.value(), in.selection(),
                        withVisibility(in.rule(), new Visibility(in.rule().visibility().window(), false))));
            }
        };
        assertRed("dhsa_sdpa/2", mutant, "sparse-attention", -1, "output");
        assertRed("e2e/uniform_cap", mutant, "sparse-attention", 0, "layers.0.attn_context");
    }

    @Test
    void aDroppedAttentionCapIsSeen() {
        Backend dense = new DelegatingBackend() {
            @Override
            public DenseAttention denseAttention() {
                return in -> super.denseAttention().apply(new DenseAttention.Input(in.query(), in.key(), in.value(), withoutCap(in.rule())));
            }
        };
        assertRed("gemma2/odd_softcap", dense, "dense-attention", 0, "layers.0.attn_logits");
        Backend sparse = new DelegatingBackend() {
            @Override
            public SparseAttention sparseAttention() {
                return in -> super.sparseAttention().apply(new SparseAttention.Input(in.query(), in.key(), in.value(), in.selection(), withoutCap(in.rule())));
            }
        };
        assertRed("dhsa_sdpa/1", sparse, "sparse-attention", -1, "output_softcap5");
        assertRed("e2e/predicted_cap", sparse, "sparse-attention", 0, "layers.0.attn_context");
    }

    @Test
    void aDroppedFinalCapIsSeen() {
        assertRed("gemma2/odd_softcap", new DelegatingBackend() {
            @Override
            public LmHead lmHead() {
                return in -> super.lmHead().apply(new LmHead.Input(in.x(), in.table(), OptionalDouble.empty()));
            }
        }, "lm-head", -1, "logits");
    }

    @Test
    void exchangedListsOfKeysAreSeen() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public TopKSelection topKSelection() {
                return in -> {
                    KeySelection selection = super.topKSelection().apply(in).selection();
                    List<KeySelection.BlockSelection> blocks = new ArrayList<>(selection.blocks());
                    Collections.swap(blocks, blocks.size() - 1, blocks.size() - 2);
                    return new TopKSelection.Output(new KeySelection(selection.queryBlocks(), blocks));
                };
            }
        };
        assertRed("dhsa_mask/tiefree_0", mutant, "top-k-selection", -1, "block_mask");
        assertRed("dhsa_sdpa/1", mutant, "top-k-selection", -1, "indices_before_global");
        assertRed("e2e/predicted_cap", mutant, "top-k-selection", 0, "layers.0.topk_indices");
    }

    @Test
    void equalScoresTakenLastFirstAreANearTieWhereOnlyTheListsAreComparedAndRedWhereTheyAreUsed() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public TopKSelection topKSelection() {
                return in -> super.topKSelection().apply(new TopKSelection.Input(in.tokenScores(), in.queryBlocks(), in.visibility(), in.budget(),
                        in.config().with(c -> c.tieOrder = c.tieOrder == DhsaConfig.TieOrder.LOW_POSITION_FIRST
                                ? DhsaConfig.TieOrder.HIGH_POSITION_FIRST : DhsaConfig.TieOrder.LOW_POSITION_FIRST)));
            }
        };
        CaseResult lists = on("dhsa_mask/random_0", mutant);
        assertThat(lists.verdict()).isEqualTo(Verdict.NEAR_TIE);
        assertThat(lists.firstDivergence().orElseThrow().note()).contains("equal score");
        assertThat(on("dhsa_mask/tiefree_0", mutant).verdict()).isEqualTo(Verdict.PASS);
        CaseResult whole = on("e2e/predicted_cap", mutant);
        assertThat(whole.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(whole.firstDivergence().orElseThrow().stage()).isEqualTo("top-k-selection");
    }

    @Test
    void aNanBehindTheMaskIsSeen() {
        // weights times values with a NaN among the values that the mask hides: 0 · NaN is NaN
        Comparison first = assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public DenseAttention denseAttention() {
                return in -> {
                    DenseAttention.Output out = super.denseAttention().apply(in);
                    return new DenseAttention.Output(changed(out.context(), 0, Double.NaN), out.pairsRead());
                };
            }
        }, "dense-attention", 0, "layers.0.attn_visible");
        assertThat(first.worstIndex()).isEqualTo("[queryLen=0, keyLen=0]");
    }

    @Test
    void aDroppedSquareRootIsSeen() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public ChunkRepresentation chunkRepresentation() {
                return in -> super.chunkRepresentation().apply(new ChunkRepresentation.Input(in.states(), in.segments(),
                        in.states().shape().name(0).equals("kvHeads") ? ChunkRepresentation.Pooling.MEAN : in.pooling(), in.padTo()));
            }
        };
        assertRed("dhsa_mask/random_0", mutant, "chunk-representation", -1, "k_repr");
        // layer 0 has no choice there: its budget is its window
        assertRed("e2e/predicted_cap", mutant, "top-k-selection", 1, "layers.1.topk_indices");
    }

    @Test
    void anErrorOfOneInAMillionIsSeen() {
        assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public FeedForward feedForward() {
                return in -> {
                    Tensor y = super.feedForward().apply(in).hidden();
                    return new FeedForward.Output(changed(y, 17, y.toDouble().data()[17] + 1e-6));
                };
            }
        }, "feed-forward", 0, "layers.0.mlp_output");
    }

    @Test
    void aSingleNanIsSeen() {
        Comparison first = assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public RmsNorm rmsNorm() {
                return in -> new RmsNorm.Output(changed(super.rmsNorm().apply(in).normed(), 65, Double.NaN));
            }
        }, "rms-norm", 0, "layers.0.input_layernorm");
        assertThat(first.worstIndex()).isEqualTo("[queryLen=1, modelDim=1]");
        assertThat(first.note()).contains("non-finite");
    }

    @Test
    void aWrongShapeIsSeenAndNotBlamedOnTheRecording() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public Upsampling upsampling() {
                return in -> {
                    DoubleTensor scores = super.upsampling().apply(in).tokenScores().toDouble();
                    int rows = scores.shape().extent(0);
                    int keys = scores.shape().extent(1);
                    return new Upsampling.Output(scores.reshape(Shape.of("queryBlocks", keys, "keyLen", rows)));
                };
            }
        };
        assertThat(assertRed("dhsa_mask/random_0", mutant, "upsampling", -1, "token_to_chunk").note()).contains("shape");
        assertThat(on("e2e/predicted_cap", mutant).verdict()).isIn(Verdict.FAIL, Verdict.ERROR);
    }

    @Test
    void aStageThatThrowsIsAnErrorOfThatStage() {
        Comparison first = assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public OutputProjection outputProjection() {
                return in -> {
                    throw new UnsupportedOperationException("not on this device");
                };
            }
        }, "output-projection", 0, "layers.0.attn_output");
        assertThat(first.verdict()).isEqualTo(Verdict.ERROR);
        assertThat(first.note()).contains("not on this device");
    }

    @Test
    void theRoundedEmbeddingFactorIsSeenWhereItIsNotWhole() {
        assertRed("gemma2/odd_softcap", new DelegatingBackend() {
            @Override
            public Embedding embedding() {
                return in -> super.embedding().apply(new Embedding.Input(in.ids(), in.table(), EmbeddingScale.BF16_ROUNDED));
            }
        }, "embedding", -1, "embeddings_scaled");
    }

    @Test
    void keysAndValuesExchangedAreSeen() {
        assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public QkvProjection qkvProjection() {
                return in -> {
                    QkvProjection.Output out = super.qkvProjection().apply(in);
                    return new QkvProjection.Output(out.query(), out.value(), out.key());
                };
            }
        }, "qkv-projection", 0, "layers.0.v");
    }

    @Test
    void aWrongQueryProjectionIsNotBlamedOnTheRotation() {
        assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public QkvProjection qkvProjection() {
                return in -> {
                    QkvProjection.Output out = super.qkvProjection().apply(in);
                    return new QkvProjection.Output(changed(out.query(), 3, 0), out.key(), out.value());
                };
            }
        }, "qkv-projection", 0, "layers.0.q_rope");
    }

    @Test
    void aRotationThatStartsOnePositionLateIsSeen() {
        assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public RotaryEmbedding rotaryEmbedding() {
                return in -> super.rotaryEmbedding().apply(new RotaryEmbedding.Input(in.x(), in.startPosition() + 1, in.theta()));
            }
        }, "rotary-embedding", 0, "layers.0.q_rope");
    }

    @Test
    void aResidualLeftOutIsSeen() {
        assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public ResidualAdd residualAdd() {
                return in -> new ResidualAdd.Output(in.branch());
            }
        }, "residual-add", 0, "layers.0.hidden_out");
    }

    @Test
    void headsConcatenatedInTheWrongOrderAreSeen() {
        assertRed("gemma2/base_f32", new DelegatingBackend() {
            @Override
            public OutputProjection outputProjection() {
                return in -> {
                    DoubleTensor context = in.context().toDouble();
                    int head = context.data().length / context.shape().extent("heads");
                    double[] turned = new double[context.data().length];
                    System.arraycopy(context.data(), 0, turned, head, turned.length - head);
                    System.arraycopy(context.data(), turned.length - head, turned, 0, head);
                    return super.outputProjection().apply(new OutputProjection.Input(DoubleTensor.of(context.shape(), turned), in.oProj()));
                };
            }
        }, "output-projection", 0, "layers.0.attn_output");
    }

    @Test
    void aPredictorThatMissesTheLastPositionIsSeen() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public BoundaryPrediction boundaryPrediction() {
                return in -> {
                    Tensor logits = super.boundaryPrediction().apply(in).logits();
                    return new BoundaryPrediction.Output(changed(logits, logits.shape().extent(0) - 1, 0));
                };
            }
        };
        assertRed("predictor/cnn_4", mutant, "boundary-prediction", -1, "logits");
        assertRed("predict_boundaries/2", mutant, "boundary-prediction", -1, "raw_logits");
    }

    @Test
    void aSuppressionWindowOfOneLessIsSeen() {
        Backend mutant = new DelegatingBackend() {
            @Override
            public NonMaximumSuppression nonMaximumSuppression() {
                return in -> super.nonMaximumSuppression().apply(new NonMaximumSuppression.Input(in.logits(), in.window(), in.chunkBudget(),
                        in.config().with(c -> c.nmsWindow = Math.max(0, c.nmsWindow - 1))));
            }
        };
        assertRed("predict_boundaries/1", mutant, "non-maximum-suppression", -1, "boundaries");
        assertThat(on("select/distinct", mutant).firstDivergence().orElseThrow().stage()).isEqualTo("non-maximum-suppression");
    }

    @Test
    void scaledSimilaritiesAreSeenThoughNoRankingChanges() {
        assertRed("dhsa_mask/tiefree_0", new DelegatingBackend() {
            @Override
            public ChunkSimilarity chunkSimilarity() {
                return in -> {
                    DoubleTensor scores = super.chunkSimilarity().apply(in).chunkScores().toDouble();
                    return new ChunkSimilarity.Output(DoubleTensor.of(scores.shape(), Arrays.stream(scores.data()).map(x -> x / 4).toArray()));
                };
            }
        }, "chunk-similarity", -1, "chunk_scores");
    }

    @Test
    void boundariesThatBelongToTheChunkBeforeThemAreSeen() {
        assertRed("dhsa_mask/random_0", new DelegatingBackend() {
            @Override
            public Upsampling upsampling() {
                return in -> {
                    int[] starts = in.boundaries().toArray();
                    for (int b = 1; b < starts.length - 1; b++) {
                        starts[b]++;
                    }
                    return super.upsampling().apply(new Upsampling.Input(in.chunkScores(), Boundaries.of(starts)));
                };
            }
        }, "upsampling", -1, "token_to_chunk");
    }

    @Test
    void aFamilyThatTheBackendDoesNotComputeIsNotCovered() {
        CaseResult result = on("kv/h2o_0", new DelegatingBackend());
        assertThat(result.verdict()).isEqualTo(Verdict.NOT_COVERED);
        assertThat(result.comparisons()).isEmpty();
        assertThat(result.message()).contains("only the backend reference");
    }
}
