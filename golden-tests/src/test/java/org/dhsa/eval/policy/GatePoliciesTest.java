package org.dhsa.eval.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.dhsa.model.GateWeights;
import org.dhsa.model.Gemma2Config;
import org.dhsa.policy.BudgetRule;
import org.dhsa.policy.IcmlBlockMask;
import org.dhsa.policy.IcmlMaskPolicy;
import org.dhsa.policy.IcmlQuirk;
import org.dhsa.weights.GateLoader;
import org.dhsa.weights.SafetensorsWriter;
import org.dhsa.weights.WeightsFormatException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The names of the gated policies, and files of gates, good and bad.
class GatePoliciesTest {

    private static final Gemma2Config MODEL = new Gemma2Config(17, 12, 10, 2, 4, 2, 4, 512, 1e-6, 10000, 8, 6, OptionalDouble.of(50), OptionalDouble.of(30), 2, List.of(1), 0);

    private static final Map<String, long[]> SEER = Map.of("mask_linear_q.weight", new long[] {4, 4, 6}, "mask_linear_k.weight", new long[] {2, 12, 6});
    private static final Map<String, long[]> VS = Map.of("inner.weight", new long[] {3, 8}, "inner.bias", new long[] {3}, "outer.weight", new long[] {2, 3});
    private static final Map<String, long[]> LEARNED = Map.of("local_weight", new long[] {4, 15, 3}, "context_weight", new long[] {4, 32, 3}, "input_bias", new long[] {4, 3},
            "output_weight", new long[] {4, 3}, "output_bias", new long[] {4}, "budget_bias", new long[] {4, 5});

    @TempDir
    Path folder;

    private Path write(String name, Map<String, long[]> tensors, int layers, Map<String, String> metadata) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        Random random = new Random(5);
        for (int l = 0; l < layers; l++) {
            for (Map.Entry<String, long[]> tensor : tensors.entrySet()) {
                int count = Math.toIntExact(LongStream.of(tensor.getValue()).reduce(1, (a, b) -> a * b));
                writer.addF64("model.layers." + l + ".attn_gate." + tensor.getKey(), random.doubles(count, -1, 1).toArray(), tensor.getValue());
            }
        }
        Path file = folder.resolve(name);
        writer.write(file);
        return file;
    }

    private PolicyResources all() throws IOException, WeightsFormatException {
        return new PolicyResources(Optional.empty(), Set.of(), List.of(GateLoader.load(write("seer.safetensors", SEER, 2, Map.of("block_size", "16", "rope_theta", "5000")), MODEL),
                GateLoader.load(write("vs.safetensors", VS, 2, Map.of()), MODEL),
                GateLoader.load(write("learned.safetensors", LEARNED, 2, Map.of("residual_bound", "0.5")), MODEL)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"seerattention", "seerattention:nz-ratio=0.3,own=gate,last=dense", "seerattention:budget=64,rule=top-p,mass=0.8", "vsprefill", "vsprefill:budget=40,block=1",
        "icml-learned", "icml-learned:budget=96,block=32,key-block=16,budgets=dynamic", "icml-learned:budgets=dynamic,rule=top-p", "icml-vs-sample:budget=64,samples=32", "icml-vsb:density=0.5,ratio=0.25,profile=upstream",
        "icml-a:rule=water-filling", "block-topk:rule=per-layer,mass=0.7", "dhsa:chunking=fixed-8,rule=top-p"})
    void aPolicysNameMakesItAgain(String spec) throws IOException, WeightsFormatException {
        PolicyResources resources = all();
        String name = PolicyRegistry.create(spec, resources).name();
        assertThat(PolicyRegistry.create(name, resources)).isEqualTo(PolicyRegistry.create(spec, resources));
        assertThat(PolicyRegistry.create(PolicyRegistry.withBudget(spec, 64), resources).name()).contains("budget=64");
    }

    @Test
    void parametersReachThePolicy() {
        assertThat(PolicyRegistry.create("icml-vs:density=0.25,block=64,key-block=16,ratio=0.75,profile=upstream,rule=top-p,mass=0.5", PolicyResources.NONE)).isEqualTo(
                new IcmlMaskPolicy(IcmlBlockMask.Kind.VS, 0, 0.25, 64, 16, 0.75, 64, IcmlQuirk.UPSTREAM, new BudgetRule(BudgetRule.Kind.TOP_P, 0.5)));
    }

    @Test
    void aGateKeepsWhatItsFileSays() throws IOException, WeightsFormatException {
        GateWeights.SeerAttention gate = all().gate("seerattention", GateWeights.SeerAttention.class);
        assertThat(List.of(gate.block(), gate.theta(), gate.rotate(), gate.type(), gate.layerCount())).containsExactly(16, 5000.0, true, "Qavg_Kmaxminavg", 2);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', value = {
        "icml-vss | unknown policy \"icml-vss\"; near names: icml-vs, icml-vsb",
        "seerattenton | near names: seerattention",
        "icml-vs:budget=4,density=0.5 | icml-vs: give budget or density, not both",
        "icml-vs:density=2 | icml-vs: density must be above 0 and at most 1, was 2.0",
        "icml-topk:ratio=0.5 | unknown parameter of icml-topk \"ratio\"",
        "icml-vs:ratio=1.5 | ratio must be between 0 and 1, was 1.5",
        "block-topk:rule=topp | rule must be one of static, top-p, water-filling, per-layer, was topp",
        "block-topk:rule=top-p,mass=2 | block-topk: mass must be above 0 and at most 1, was 2.0",
        "block-topk:mass=0.5 | mass belongs to rule=top-p and rule=per-layer, not to rule=static",
        "dhsa:chunking=fixed-8,profile=upstream,rule=top-p | rule=top-p needs profile=corrected",
        "seerattention | seerattention: needs a trained gate: name its file with --gate FILE"})
    void whatIsWrongIsNamed(String spec, String message) {
        assertThatIllegalArgumentException().isThrownBy(() -> PolicyRegistry.create(spec, PolicyResources.NONE)).withMessageContaining(message);
    }

    @Test
    void aGateOfTheWrongShapeIsRefusedByTensorAndAxis() throws IOException {
        Path file = write("wrong.safetensors", Map.of("mask_linear_q.weight", new long[] {4, 4, 6}, "mask_linear_k.weight", new long[] {2, 8, 6}), 2, Map.of());
        assertThatThrownBy(() -> GateLoader.load(file, MODEL)).isInstanceOf(WeightsFormatException.class).hasMessageContaining("wrong.safetensors")
                .hasMessageContaining("tensor model.layers.0.attn_gate.mask_linear_k.weight: axis in is 8, expected 12; found the shape [2, 8, 6]");
    }

    @Test
    void aGateForAnotherNumberOfLayersIsRefused() throws IOException {
        Path file = write("short.safetensors", VS, 1, Map.of());
        assertThatThrownBy(() -> GateLoader.load(file, MODEL)).hasMessageContaining("a vsprefill gate for 1 layers, expected 2, the layers of the model");
    }

    @Test
    void whatIsMissingOrUnknownIsNamed() throws IOException {
        Path none = write("none.safetensors", Map.of("norm.weight", new long[] {3}), 1, Map.of());
        assertThatThrownBy(() -> GateLoader.load(none, MODEL)).hasMessageContaining("is no known gate").hasMessageContaining("norm.weight");
        Path more = write("more.safetensors", Map.of("inner.weight", new long[] {3, 8}, "hidden_weight", new long[] {3}), 2, Map.of());
        assertThatThrownBy(() -> GateLoader.load(more, MODEL)).hasMessageContaining("tensor model.layers.0.attn_gate.hidden_weight: is unexpected");
        Path less = write("less.safetensors", Map.of("inner.weight", new long[] {3, 8}), 2, Map.of());
        assertThatThrownBy(() -> GateLoader.load(less, MODEL)).hasMessageContaining("tensor layers.0.inner.bias: is missing");
        Path bound = write("bound.safetensors", LEARNED, 2, Map.of());
        assertThatThrownBy(() -> GateLoader.load(bound, MODEL)).hasMessageContaining("metadata residual_bound must be a positive number, is missing");
    }
}
