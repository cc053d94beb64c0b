/// Files in, weights and configuration out.
///
/// Knows file formats (safetensors, `config.json`, SentencePiece, PyTorch `.pt`) and no stage of the model. Two rules
/// hold in every class here: a number found in a file is checked before it is used, and nothing is allocated by it.
/// What is wrong with a file is said by one checked exception, [org.dhsa.weights.WeightsFormatException].
package org.dhsa.weights;
