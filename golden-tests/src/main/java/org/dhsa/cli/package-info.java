/// The command line. Commands read options, call the other packages and print; what they compute is elsewhere.
///
/// Exit codes: 0 good, 1 a comparison failed, 2 bad input.
package org.dhsa.cli;
