package org.dhsa.reference.gemma;

import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.LmHead;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Logits over the vocabulary.
///
///     z = cap · tanh(E x / cap)
///
/// **Shapes** x `[queryLen, modelDim]` (read), table `[vocab, modelDim]` (read), result `[queryLen, vocab]` (new).
/// **Reading** the embedding is the output matrix too, without the √modelDim; the cap never changes which token is largest.
/// **Golden** `gemma2/odd_softcap`, tensor `logits`: the largest is 29.99997, so a missing cap shows.
/// **Pitfall** greedy text hides a missing final cap; sampling and scoring do not.
public final class LmHeadReference implements LmHead {

    @Override
    public Output apply(Input in) {
        int tokens = in.x().shape().extent("queryLen");
        double[] logits = Linear.apply(in.x().toDouble().data(), tokens, in.table());
        in.softCap().ifPresent(cap -> {
            for (int i = 0; i < logits.length; i++) {
                logits[i] = cap * Math.tanh(logits[i] / cap);
            }
        });
        return new Output(DoubleTensor.of(Shape.of("queryLen", tokens, "vocab", Math.toIntExact(in.table().dim(0))), logits));
    }
}
