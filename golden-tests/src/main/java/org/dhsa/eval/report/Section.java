package org.dhsa.eval.report;

/// A part of the page.
///
/// @param title its heading, plain text
/// @param intro how to read it, plain text; may be empty
/// @param html  its body
public record Section(String title, String intro, String html) {}
