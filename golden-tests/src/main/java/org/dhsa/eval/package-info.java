/// The evaluation harness: needle prompts, runs of selection policies on them, results that outlive a killed process,
/// paired statistics and the report.
package org.dhsa.eval;
