package org.dhsa.golden.diff;

import java.util.List;
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

    /// All of it as one call, where only the first inputs are known; empty where each stage can be called by itself.
    default Optional<StageCall> whole() {
        return Optional.empty();
    }
}
