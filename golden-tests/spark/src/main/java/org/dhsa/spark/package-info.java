/// Runs the cells of a sweep on Apache Spark. Not part of the usual build; see `docs/sweeps.md`.
package org.dhsa.spark;
