/// The demonstration: one long prompt read by dense attention and by DHSA, what each read, and the page that shows it.
package org.dhsa.demo;
