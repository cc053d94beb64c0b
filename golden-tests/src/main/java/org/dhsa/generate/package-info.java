/// From a prompt to an answer: the loop over [org.dhsa.forward.Gemma2Forward.Session], the choice of each token, and the
/// count of what attention read. Knows no command line and no file.
package org.dhsa.generate;
