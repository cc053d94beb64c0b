/// Rules of selection: which keys each query may read. DHSA, its ablations, and what it is compared with, all behind
/// [org.dhsa.policy.SelectionPolicy]. Knows no file and no command line.
package org.dhsa.policy;
