package org.dhsa.tensor;

/// Numbers with named axes. Open on purpose: every backend brings its own storage (double array, float array, device
/// buffer); what they share is the shape and the way back to FP64.
public interface Tensor {

    Shape shape();

    /// The same values in FP64. Widening is exact; a [DoubleTensor] returns itself, every other tensor a copy.
    DoubleTensor toDouble();
}
