package org.dhsa.golden.diff;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.bug.KnownBugs;
import org.dhsa.cli.Main;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.weights.SafetensorsWriter;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// From a prompt to a named mistake: an export of the small model against dumps with mistakes in them.
class GoldenDiffTest {

    @TempDir
    private static Path temp;
    private static Path dense;
    private static Path dhsa;

    @BeforeAll
    static void exports() {
        dense = Dumps.export(temp.resolve("dense"));
        dhsa = Dumps.export(temp.resolve("dhsa"), Dumps.DHSA);
    }

    private static DiffResult diff(Path export, Path actual, String names, DType dtype) throws Exception {
        return GoldenDiff.of(export, actual, new GoldenDiff.Options(Optional.empty(), Optional.ofNullable(names), Optional.ofNullable(dtype), false), s -> { }).result();
    }

    private static DiffResult diff(Path export, Path actual) throws Exception {
        return diff(export, actual, null, null);
    }

    private Path port(Path export, String... bugs) throws Exception {
        return Dumps.write(temp.resolve(String.join("+", bugs) + ".safetensors"), Dumps.port(export, bugs));
    }

    @Test
    void anHonestFloat32ProgramAgrees() throws Exception {
        for (Path export : List.of(dense, dhsa)) {
            DiffResult result = diff(export, Dumps.write(temp.resolve("float32.safetensors"), Dumps.float32(export)));
            assertThat(result.differs()).as(new DiffText(result).text()).isFalse();
            assertThat(result.missing()).isZero();
            assertThat(result.compared()).isGreaterThan(50);
        }
    }

    /// Held to the accuracy of FP64, until it says what it computes in.
    @Test
    void aFloat32ProgramThatDumpsFloat64IsToldToSaySo() throws Exception {
        SafetensorsWriter writer = new SafetensorsWriter();
        double[] wide = Dumps.float32(dense).get("layers.0.qkv-projection.value").data();
        writer.addF64("layers.0.qkv-projection.value", wide, 2, 80, 64);
        Path dump = temp.resolve("wide.safetensors");
        writer.write(dump);
        DiffResult result = diff(dense, dump);
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.notes().getFirst()).contains("stored as F64").contains("--dtype f32");
        DiffResult said = diff(dense, dump, null, DType.F32);
        assertThat(said.exitCode()).isZero();
        assertThat(said.notes()).isEmpty();
    }

    @Test
    void whatTheRunCannotShowIsSaid() throws Exception {
        Path shortRun = temp.resolve("short");
        int code = Main.commandLine().setOut(new PrintWriter(new StringWriter())).execute("golden", "export", "--tokens", "2,200,300", "--layers", "0", "--no-baseline", "--out", shortRun.toString());
        assertThat(code).isZero();
        DiffResult blind = diff(shortRun, Dumps.write(temp.resolve("wrong-window.safetensors"), Dumps.port(shortRun, "layers-swapped")));
        assertThat(blind.exitCode()).isZero();
        assertThat(new DiffText(blind).text()).contains("Same: ").contains("This run cannot show the window of the local layers: 3 tokens fit into its 64");
        for (Path longRun : List.of(dense, dhsa)) {
            try (Expected expected = Expected.open(longRun, null)) {
                assertThat(expected.blindSpots()).isEmpty();
            }
        }
    }

    @Test
    void theStageTheLayersAndTheMistakeAreNamed() throws Exception {
        DiffResult result = diff(dense, port(dense, "window-plus-one"));
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.findings()).hasSize(1);
        DiffResult.Finding finding = result.findings().getFirst();
        assertThat(finding.worst().name()).isEqualTo("layers.0.dense-attention.context");
        assertThat(finding.worst().index()).contains("heads=").contains("queryLen=");
        assertThat(finding.layers()).containsExactly(0, 2);
        assertThat(finding.diagnosis().bugs()).containsExactly("window-plus-one");
        assertThat(result.consequences()).as("the output projection is right by itself").anyMatch(r -> r.node().role().equals("attnOutput"));
    }

    @Test
    void twoMistakesAtDifferentStagesAreBothNamed() throws Exception {
        DiffResult result = diff(dhsa, port(dhsa, "mean-not-sqrt", "gelu-erf"));
        assertThat(result.findings()).extracting(f -> f.diagnosis().bugs()).containsExactly(List.of("mean-not-sqrt"), List.of("gelu-erf"));
        assertThat(result.findings().get(1).first().cause()).isEqualTo(NodeResult.Cause.OWN);
        assertThat(new DiffText(result).text()).contains("A second, independent divergence: layer 0, feed-forward");
    }

    @Test
    void callsWhereTheStageIsRightTellMistakesApart() throws Exception {
        assertThat(diff(dhsa, port(dhsa, "sqrt-of-query-only")).findings().getFirst().diagnosis().bugs()).containsExactly("sqrt-of-query-only");
    }

    @Test
    void anotherOrderOfEqualScoresIsANearTieAndWhatFollowsFromItIsNoDifference() throws Exception {
        DiffResult result = diff(dhsa, port(dhsa, "tie-order"));
        assertThat(result.nearTies()).isPositive();
        assertThat(result.consequences()).isNotEmpty();
        assertThat(result.exitCode()).isZero();
    }

    @Test
    void aMistakeInAStageThatWasNotDumpedIsFoundBehindIt() throws Exception {
        Map<String, DoubleTensor> tensors = Dumps.port(dense, "rope-interleaved");
        Path sparse = Dumps.write(temp.resolve("sparse.safetensors"), tensors, name -> name.contains("rotary") ? null : name);
        DiffResult result = diff(dense, sparse);
        DiffResult.Finding finding = result.findings().getFirst();
        assertThat(finding.worst().name()).isEqualTo("layers.0.dense-attention.context");
        assertThat(finding.first().bridged()).extracting(TraceNode::role).containsExactlyInAnyOrder("query", "key");
        assertThat(finding.diagnosis().bugs()).containsExactly("rope-interleaved");
        assertThat(result.missing()).isEqualTo(8);
    }

    @Test
    void aChangeThatIsNoKnownMistakeIsUnknown() throws Exception {
        Map<String, DoubleTensor> tensors = Dumps.port(dense);
        double[] values = tensors.get("layers.1.feed-forward.mlpOutput").data().clone();
        values[5] += 3;
        tensors.put("layers.1.feed-forward.mlpOutput", DoubleTensor.of(tensors.get("layers.1.feed-forward.mlpOutput").shape(), values));
        DiffResult result = diff(dense, Dumps.write(temp.resolve("one-value.safetensors"), tensors));
        assertThat(result.findings().getFirst().worst().index()).isEqualTo("[queryLen=0, modelDim=5]");
        assertThat(result.findings().getFirst().diagnosis().bugs()).isEmpty();
        assertThat(result.findings().getFirst().diagnosis().lines().getFirst()).startsWith("unknown");
    }

    @Test
    void namesAndLayoutsOfTransformersAreUnderstood() throws Exception {
        Map<String, DoubleTensor> port = Dumps.port(dense, "gelu-erf");
        Map<String, DoubleTensor> hf = new LinkedHashMap<>();
        port.forEach((name, value) -> {
            String l = name.replaceAll("layers\\.(\\d+)\\..*", "$1");
            if (name.endsWith("qkv-projection.query")) {
                hf.put("model.layers." + l + ".self_attn.q_proj", folded(value));
            } else if (name.endsWith("mlpOutput")) {
                hf.put("model.layers." + l + ".mlp", value);
            } else if (name.endsWith("residual-add.hidden")) {
                hf.put("hidden_states." + (Integer.parseInt(l) + 1), value);
            } else if (name.endsWith("preFeedforwardLayernorm")) {
                hf.put("model.layers." + l + ".pre_feedforward_layernorm", value);
            }
        });
        hf.remove("hidden_states.4");
        DiffResult result = diff(dense, Dumps.write(temp.resolve("hf.safetensors"), hf), "hf", null);
        assertThat(result.unused()).isEmpty();
        assertThat(result.compared()).isEqualTo(15);
        assertThat(result.findings()).extracting(f -> f.worst().name()).containsExactly("layers.0.feed-forward.mlpOutput");
        assertThat(result.findings().getFirst().diagnosis().bugs()).containsExactly("gelu-erf");
    }

    /// `[heads, tokens, headDim]` to `[tokens, heads*headDim]`.
    private static DoubleTensor folded(DoubleTensor x) {
        int heads = x.shape().extent(0);
        int tokens = x.shape().extent(1);
        int dim = x.shape().extent(2);
        double[] flat = Layout.permuted(x.data(), new int[] {heads, tokens, dim}, new int[] {1, 0, 2});
        return DoubleTensor.of(org.dhsa.tensor.Shape.of("a", tokens, "b", heads * dim), flat);
    }

    @Test
    void bfloat16IsAllowedItsOwnRounding() throws Exception {
        Map<String, DoubleTensor> rounded = new LinkedHashMap<>();
        Dumps.port(dense).forEach((name, x) -> {
            double[] values = x.data().clone();
            for (int i = 0; i < values.length && !Export.isWhole(name); i++) {
                values[i] = Float.intBitsToFloat(Float.floatToRawIntBits((float) values[i]) & 0xffff0000);
            }
            rounded.put(name, DoubleTensor.of(x.shape(), values));
        });
        Path file = Dumps.write(temp.resolve("bf16.safetensors"), rounded);
        assertThat(diff(dense, file).differs()).isTrue();
        assertThat(diff(dense, file, null, DType.BF16).differs()).isFalse();
    }

    @Test
    void aTraceIsTheForwardPass() throws Exception {
        for (Path export : List.of(dense, dhsa)) {
            try (Expected expected = Expected.open(export, null)) {
                for (TraceNode node : expected.recipe().nodes()) {
                    Map<String, DoubleTensor> again = expected.recipe().call(node, expected).on(new ReferenceBackend());
                    node.outputs().forEach((component, name) -> {
                        try {
                            assertThat(again.get(component).data()).as(name).isEqualTo(expected.tensor(name).data());
                        } catch (org.dhsa.golden.GoldenFormatException e) {
                            throw new AssertionError(e);
                        }
                    });
                }
            }
        }
    }

    @Test
    void aVectorAndARecordingCanBeExpectedToo() throws Exception {
        Path folder = Dumps.ROOT.resolve("golden-tests/golden/v1/gemma2/dense-attention/cap-bites");
        try (Expected expected = Expected.open(folder, null)) {
            assertThat(diff(folder, Dumps.write(temp.resolve("vector.safetensors"), Map.of("context", expected.tensor("context")))).exitCode()).isZero();
            StageCall call = expected.recipe().call(expected.recipe().nodes().getFirst(), expected);
            DoubleTensor uncapped = call.on(KnownBugs.byId("softcap-dropped").orElseThrow().inject(new ReferenceBackend())).get("context");
            DiffResult result = diff(folder, Dumps.write(temp.resolve("uncapped.safetensors"), Map.of("context", uncapped)));
            assertThat(result.exitCode()).isEqualTo(1);
            assertThat(result.findings().getFirst().diagnosis().bugs()).containsExactly("softcap-dropped");
        }
        Path recording = Dumps.ROOT.resolve("golden-tests/recordings/gemma2/base_f32");
        assertThat(diff(recording, recording.resolve("expected.safetensors")).exitCode()).isZero();
    }
}
