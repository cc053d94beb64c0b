/// What a selection is worth: mass kept, recall, regret, output error, divergence of the next token, and exact counts of work.
package org.dhsa.eval.measure;
