/// The published vectors: how they are made, read and checked.
package org.dhsa.golden.vector;
