package org.dhsa.golden.diff;

import org.dhsa.golden.GoldenFormatException;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DoubleTensor;

/// Where the inputs of a stage come from.
interface TensorSource {

    DoubleTensor tensor(String name) throws GoldenFormatException;

    WeightTensor weight(String name) throws GoldenFormatException;
}
