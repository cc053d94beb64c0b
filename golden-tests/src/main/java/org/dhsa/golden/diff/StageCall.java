package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.golden.vector.StageRunner;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// A stage, or a composite of stages, with its parameters and inputs, under the names of the vectors' contract.
record StageCall(String slug, ObjectNode config, Map<String, Tensor> inputs) {

    /// Outputs by their name in the contract.
    Map<String, DoubleTensor> on(Backend backend) {
        Map<String, DoubleTensor> outputs = new LinkedHashMap<>();
        StageRunner.run(backend, slug, config, inputs).forEach((name, tensor) -> outputs.put(name, tensor.toDouble()));
        return outputs;
    }
}
