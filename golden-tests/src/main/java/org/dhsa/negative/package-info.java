/// Malformed and odd weight files with the verdict that a loader must reach, for loaders in any language.
package org.dhsa.negative;
