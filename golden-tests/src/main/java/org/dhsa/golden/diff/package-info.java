/// A port's own intermediates against the reference's: export, comparison, what follows from what, and the report.
package org.dhsa.golden.diff;
