/// What attention and everything around it costs on paper: operations, bytes, memory, for any length, model and policy.
package org.dhsa.eval.cost;
