package org.dhsa.stage;

import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.tensor.Tensor;

/// One logit per position: does a chunk end here?
///
/// The feature of a position is its post-rotary keys of all KV heads laid end to end. Position p is judged from the tokens
/// `p-w+1 .. p` on its left and `p+1 .. p+w` on its right; outside the sequence stand zeros, and they take part.
public interface BoundaryPrediction extends StageOp<BoundaryPrediction.Input, BoundaryPrediction.Output> {

    /// @param key `[kvHeads, keyLen, headDim]`, after the rotary embedding
    record Input(Tensor key, BoundaryPredictorWeights predictor) {
        public Input {
            key.shape().require("kvHeads", "keyLen", "headDim");
            int channels = key.shape().extent("kvHeads") * key.shape().extent("headDim");
            if (channels != predictor.channels()) {
                throw new IllegalArgumentException("the boundary predictor was made for " + predictor.channels()
                        + " channels (kvHeads * headDim), the model has " + channels
                        + ": use the predictor that belongs to this model");
            }
        }
    }

    /// @param logits `[keyLen]`, before the ends are filled
    record Output(Tensor logits) {}
}
