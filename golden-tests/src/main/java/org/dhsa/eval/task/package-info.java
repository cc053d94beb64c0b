/// The published long-context tasks, RULER and LongBench: their prompts, made or read, and their scorers.
package org.dhsa.eval.task;
