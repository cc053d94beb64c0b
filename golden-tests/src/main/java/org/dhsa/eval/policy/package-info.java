/// Names and parameters of selection policies: from `dhsa:budget=256,block=32` to a [org.dhsa.policy.SelectionPolicy] and back.
/// The policies themselves are maths and live in the module `reference`.
package org.dhsa.eval.policy;
