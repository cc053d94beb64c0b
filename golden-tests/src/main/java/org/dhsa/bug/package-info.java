/// The mistakes that ports of Gemma 2 and DHSA really make: a catalogue, a way to put each into a backend, and a way to
/// recognise one from the numbers it leaves behind.
package org.dhsa.bug;
