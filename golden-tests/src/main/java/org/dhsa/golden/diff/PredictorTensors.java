package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import org.dhsa.golden.vector.VectorTensor;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A boundary predictor as named inputs of its stage.
final class PredictorTensors {

    private PredictorTensors() {}

    static void describe(ObjectNode config, BoundaryPredictorWeights predictor) {
        config.put("boundaryWindowSize", predictor.window());
        switch (predictor) {
            case BoundaryPredictorWeights.Attention a -> config.put("predictor", "attention").put("predictorHeads", a.attention().heads());
            case BoundaryPredictorWeights.Stack s -> config.put("predictor", "stack").put("predictorHeads", s.blocks().getFirst().attention().heads());
            case BoundaryPredictorWeights.Cnn c -> config.put("predictor", "cnn").putNull("predictorHeads");
        }
    }

    static void put(Map<String, Tensor> to, BoundaryPredictorWeights predictor) {
        switch (predictor) {
            case BoundaryPredictorWeights.Attention a -> {
                put(to, "enc.mha.", a.attention());
                put(to, "enc.norm.", a.norm());
                a.poolGate().ifPresent(gate -> put(to, "pool.gate.weight", gate));
            }
            case BoundaryPredictorWeights.Stack s -> {
                for (int n = 0; n < s.blocks().size(); n++) {
                    put(to, "enc_ls." + n + ".mha.", s.blocks().get(n).attention());
                    put(to, "enc_ls." + n + ".norm.", s.blocks().get(n).norm());
                }
                put(to, "norm.", s.sharedNorm());
                s.poolGate().ifPresent(gate -> put(to, "pool.gate.weight", gate));
            }
            case BoundaryPredictorWeights.Cnn c -> {
                put(to, "enc.0.weight", c.depthwiseWeight());
                put(to, "enc.0.bias", c.depthwiseBias());
                put(to, "enc.2.weight", c.pointwiseWeight());
                put(to, "enc.2.bias", c.pointwiseBias());
            }
        }
        put(to, "mlp.0.weight", predictor.mlp().weight0());
        put(to, "mlp.0.bias", predictor.mlp().bias0());
        put(to, "mlp.2.weight", predictor.mlp().weight2());
        put(to, "mlp.2.bias", predictor.mlp().bias2());
    }

    private static void put(Map<String, Tensor> to, String prefix, BoundaryPredictorWeights.SelfAttention a) {
        put(to, prefix + "in_proj_weight", a.inProjWeight());
        put(to, prefix + "in_proj_bias", a.inProjBias());
        put(to, prefix + "out_proj.weight", a.outProjWeight());
        put(to, prefix + "out_proj.bias", a.outProjBias());
    }

    private static void put(Map<String, Tensor> to, String prefix, BoundaryPredictorWeights.LayerNorm norm) {
        put(to, prefix + "weight", norm.weight());
        put(to, prefix + "bias", norm.bias());
    }

    private static void put(Map<String, Tensor> to, String name, WeightTensor weight) {
        to.put(name, tensor(weight));
    }

    /// A weight in its stored type, under numbered axes: stages look at a weight's extents only. The bytes stay where
    /// they are, in a mapped file as a rule.
    static Tensor tensor(WeightTensor weight) {
        Object[] axes = new Object[2 * weight.rank()];
        for (int a = 0; a < weight.rank(); a++) {
            axes[2 * a] = "axis" + a;
            axes[2 * a + 1] = Math.toIntExact(weight.dim(a));
        }
        return VectorTensor.of(Shape.of(axes), weight.dtype(), weight.bytes());
    }
}
