package org.dhsa.golden.diff;

import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Where the inputs of a stage come from.
interface TensorSource {

    DoubleTensor tensor(String name) throws GoldenFormatException;

    /// In its stored type.
    Tensor weight(String name) throws GoldenFormatException;
}
