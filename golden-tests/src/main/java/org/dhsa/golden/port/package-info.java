/// What ports in other languages need from here: an archive of the vectors, a run of a foreign program, a table of results.
package org.dhsa.golden.port;
