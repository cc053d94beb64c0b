package org.dhsa.golden.diff;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.bug.KnownBugs;
import org.dhsa.bug.StageRun;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Recordings and composite vectors as EXPECTED.
class ExpectedKindsTest {

    private static final Path VECTORS = Dumps.ROOT.resolve("golden-tests/golden/v1");
    private static final Path RECORDINGS = Dumps.ROOT.resolve("golden-tests/recordings");

    @TempDir
    private Path temp;

    private static DiffResult diff(Path expected, Path actual, boolean everyStage) throws Exception {
        return GoldenDiff.of(expected, actual, new GoldenDiff.Options(Optional.empty(), Optional.empty(), Optional.empty(), everyStage), s -> { }).result();
    }

    private DiffResult diff(Path expected, Map<String, DoubleTensor> actual) throws Exception {
        return diff(expected, Dumps.write(temp.resolve("dump.safetensors"), actual), false);
    }

    @ParameterizedTest
    @ValueSource(strings = {"dhsa_mask/random_1", "dhsa_mask/tiefree_3", "dhsa_sdpa/1", "dhsa_sdpa/2", "dhsa_quirk/instruction_zero", "dhsa_quirk/global_sliding",
        "predictor/attn_1", "predictor/cnn_4", "predict_boundaries/0", "e2e/predicted_cap_shared_masks", "e2e/uniform_nocap", "gemma2/odd_softcap"})
    void aRecordingAgreesWithItselfAndEveryStageWithTheReference(String id) throws Exception {
        Path folder = RECORDINGS.resolve(id);
        DiffResult result = diff(folder, folder.resolve(id.startsWith("gemma2") ? "expected.safetensors" : "tensors.safetensors"), true);
        assertThat(result.exitCode()).as(new DiffText(result).text()).isZero();
        assertThat(result.compared()).isPositive();
        assertThat(result.results()).as("judged alone, too").anyMatch(r -> !r.alone().isEmpty());
        assertThat(result.results()).allMatch(r -> r.aloneNote().isEmpty());
        assertThat(result.missing()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"dhsa_mask/random_0, mean-not-sqrt, chunk-representation.keyChunks", "dhsa_sdpa/0, future-tokens-used, sparse-attention.context",
        "predict_boundaries/0, pad-not-attended, boundary-prediction.boundaryLogits", "predictor/attn_0, predictor-residual, boundary-prediction.boundaryLogits",
        "e2e/uniform_cap, softcap-dropped, layers.0.sparse-attention.context"})
    void theMistakeIsNamedFromARecording(String id, String bug, String tensor) throws Exception {
        Path folder = RECORDINGS.resolve(id);
        Map<String, DoubleTensor> port = new LinkedHashMap<>();
        try (Expected expected = Expected.open(folder, null)) {
            for (TraceNode node : expected.recipe().nodes()) {
                TensorSource soFar = overlay(port, expected);
                StageCall call;
                try {
                    call = expected.recipe().call(node, soFar);
                } catch (GoldenFormatException e) {
                    continue;
                }
                Map<String, Tensor> out = KnownBugs.byId(bug).orElseThrow().run(new StageRun(call.slug(), call.config(), call.inputs()), new ReferenceBackend(), 0);
                node.outputs().forEach((component, name) -> port.put(name, out.get(component).toDouble()));
            }
            port.keySet().retainAll(expected.tensors().keySet());
        }
        DiffResult result = diff(folder, port);
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.findings().getFirst().worst().name()).as(new DiffText(result).text()).isEqualTo(tensor);
        assertThat(result.findings().getFirst().diagnosis().bugs()).as(new DiffText(result).text()).contains(bug);
    }

    private static TensorSource overlay(Map<String, DoubleTensor> first, Expected expected) {
        return new TensorSource() {
            @Override
            public DoubleTensor tensor(String name) throws GoldenFormatException {
                DoubleTensor own = first.get(name);
                return own == null ? expected.tensor(name) : own;
            }

            @Override
            public Tensor weight(String name) throws GoldenFormatException {
                return expected.weight(name);
            }
        };
    }

    @ParameterizedTest
    @CsvSource({"kv/h2o_0, kv", "labels/ratio_0, labels", "select/ties, select", "block_sparse/0, block_sparse", "topk_attention/0, topk_attention", "gemma2/decode, decode steps",
        "dhsa_mask/random_2, batch of 2", "e2e/model, weights"})
    void whatIsNoRowOfStagesIsRefusedWithAWord(String id, String word) {
        assertThatThrownBy(() -> Expected.open(RECORDINGS.resolve(id), null)).isInstanceOf(GoldenFormatException.class).hasMessageContaining(word);
    }

    private static Map<String, DoubleTensor> port(Path vector, org.dhsa.backend.Backend backend) throws Exception {
        VectorCase golden = VectorCase.read(vector);
        Map<String, DoubleTensor> seen = new LinkedHashMap<>();
        org.dhsa.golden.vector.StageRunner.run(backend, golden.slug(), golden.config(), golden.inputs()).forEach((name, value) -> {
            if (golden.expected().containsKey(name)) {
                seen.put(name, value.toDouble());
            }
        });
        return seen;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma2/decoder-layer/layer-2", "gemma2/dense-model/four-layers", "dhsa/dhsa-model/shared-masks", "dhsa/dhsa-model/upstream", "dhsa/dhsa-model/all-instruction",
        "dhsa/selection-chain/dynamic-chunks-instruction", "dhsa/sparse-chain/avgpool", "dhsa/generation/small-window", "gemma2/generation/cap-bites"})
    void aFloat32ProgramAgreesWithAComposite(String id) throws Exception {
        Path folder = VECTORS.resolve(id);
        try (OptimizedBackend scalar = OptimizedBackend.scalar(1)) {
            DiffResult result = diff(folder, port(folder, scalar));
            assertThat(result.exitCode()).as(new DiffText(result).text()).isZero();
            assertThat(result.missing()).isZero();
            assertThat(result.unused()).isEmpty();
        }
    }

    @ParameterizedTest
    @CsvSource({"gemma2/decoder-layer/local, gelu-on-up, layers.0.feed-forward.mlpOutput", "gemma2/dense-model/four-layers, window-minus-one, layers.0.dense-attention.context",
        "gemma2/dense-model/four-layers, final-cap-missing, lm-head.logits", "dhsa/dhsa-model/four-layers, keys-before-rope, layers.0.boundary-prediction.boundaryLogits",
        "dhsa/selection-chain/global, mean-not-sqrt, chunk-representation.keyChunks", "dhsa/sparse-chain/instruction, future-tokens-used, sparse-attention.context",
        "dhsa/generation/sparse-steps, embed-scale-missing, promptLogits"})
    void theStageAndTheMistakeAreNamedFromAComposite(String id, String bug, String tensor) throws Exception {
        Path folder = VECTORS.resolve(id);
        VectorCase golden = VectorCase.read(folder);
        Map<String, DoubleTensor> seen = new LinkedHashMap<>();
        KnownBugs.byId(bug).orElseThrow().run(new StageRun(golden.slug(), golden.config(), golden.inputs()), new ReferenceBackend(), 0).forEach((name, value) -> {
            if (golden.expected().containsKey(name)) {
                seen.put(name, value.toDouble());
            }
        });
        DiffResult result = diff(folder, seen);
        assertThat(result.exitCode()).isEqualTo(1);
        DiffResult.Finding finding = result.findings().getFirst();
        assertThat(finding.diagnosis().bugs()).as(new DiffText(result).text()).contains(bug);
        assertThat(finding.worst().name()).as(new DiffText(result).text()).isEqualTo(tensor);
    }

    @Test
    void aPortsOwnInputsOfAStageAreUsedToJudgeIt() throws Exception {
        Path folder = VECTORS.resolve("gemma2/dense-model/two-layers");
        Map<String, DoubleTensor> port = port(folder, KnownBugs.byId("softcap-dropped").orElseThrow().inject(new ReferenceBackend()));
        Map<String, DoubleTensor> entrance = new LinkedHashMap<>();
        List<String> given = List.of("query", "key", "value");
        given.forEach(name -> {
            DoubleTensor own = port.get("layers.0." + name);
            entrance.put("layers.0.dense-attention." + name, DoubleTensor.of(own.shape(), java.util.Arrays.stream(own.data()).map(v -> 3 * v).toArray()));
        });
        try (Expected expected = Expected.open(folder, null)) {
            TraceNode node = expected.recipe().producer("layers.0.dense-attention.context").orElseThrow();
            Map<String, DoubleTensor> in = new LinkedHashMap<>();
            node.inputs().forEach((component, name) -> in.put(name, entrance.get("layers.0.dense-attention." + component)));
            entrance.put("layers.0.context", expected.recipe().call(node, overlay(in, expected)).on(new ReferenceBackend()).get("context"));
        }
        DiffResult result = diff(folder, entrance);
        assertThat(result.unused()).isEmpty();
        NodeResult attention = result.results().stream().filter(r -> r.node().stage() == org.dhsa.stage.Stage.DENSE_ATTENTION && r.node().layer() == 0).findFirst().orElseThrow();
        assertThat(attention.compared()).as("not what the vector has").anyMatch(TensorDiff::differs);
        assertThat(attention.alone()).as("but what its own inputs make it").isNotEmpty().noneMatch(TensorDiff::differs);
        assertThat(attention.bridged()).isEmpty();
    }
}
