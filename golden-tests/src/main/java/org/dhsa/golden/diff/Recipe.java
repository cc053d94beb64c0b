package org.dhsa.golden.diff;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.golden.GoldenFormatException;

/// How the tensors of a comparison hang together, and how a stage is computed from some of them.
interface Recipe {

    /// In the order of the computation.
    List<TraceNode> nodes();

    /// Which call makes a tensor; empty for what is given.
    Optional<TraceNode> producer(String tensor);

    /// The stage with its parameters and inputs out of these tensors.
    StageCall call(TraceNode node, TensorSource from) throws GoldenFormatException;

    /// All of it as one call.
    ///
    /// @param tensors name in the contract of the composite, and the tensor
    record Whole(StageCall call, Map<String, String> tensors) {}

    /// All of it as one call, for mistakes that no stage alone shows; empty where it cannot be called so.
    default Optional<Whole> whole() {
        return Optional.empty();
    }
}
