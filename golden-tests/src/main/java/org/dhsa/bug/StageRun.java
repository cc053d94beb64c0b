package org.dhsa.bug;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.dhsa.backend.Backend;
import org.dhsa.golden.vector.StageRunner;
import org.dhsa.tensor.Tensor;

/// A stage, or a composite of stages, with its inputs: what a backend is asked to compute.
///
/// Names and parameters are those of `golden/schema/stages.json`.
///
/// @param config parameters; those that only a bug wants to know (`slidingWindow` of a global layer's attention,
///               `numAttentionHeads`, `ropeTheta`, `promptLength`) may stand beside them
public record StageRun(String slug, JsonNode config, Map<String, Tensor> inputs) {

    public StageRun {
        inputs = Map.copyOf(inputs);
    }

    /// Outputs by name, in the order in which they arise.
    public Map<String, Tensor> on(Backend backend) {
        return StageRunner.run(backend, slug, config, inputs);
    }

    StageRun withInput(String name, UnaryOperator<Tensor> change) {
        if (!inputs.containsKey(name)) {
            return this;
        }
        Map<String, Tensor> changed = new LinkedHashMap<>(inputs);
        changed.computeIfPresent(name, (n, tensor) -> change.apply(tensor));
        return new StageRun(slug, config, changed);
    }

    StageRun withConfig(Consumer<ObjectNode> change) {
        ObjectNode changed = config.deepCopy();
        change.accept(changed);
        return new StageRun(slug, changed, inputs);
    }

    BugContext context() {
        OptionalInt prompt = inputs.containsKey("ids") ? OptionalInt.of(Math.toIntExact(inputs.get("ids").shape().elements())) : integer("promptLength");
        JsonNode theta = config.get("ropeTheta");
        return new BugContext(integer("slidingWindow"), integer("numAttentionHeads"),
                theta != null && theta.isNumber() ? theta.doubleValue() : BugContext.DEFAULT.ropeTheta(), prompt);
    }

    private OptionalInt integer(String name) {
        JsonNode value = config.get(name);
        return value != null && value.canConvertToInt() ? OptionalInt.of(value.intValue()) : OptionalInt.empty();
    }
}
