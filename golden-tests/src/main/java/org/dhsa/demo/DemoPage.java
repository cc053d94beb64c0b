package org.dhsa.demo;
public record DemoPage(DemoResult demo, int layer) { public String html() { return "<html></html>"; } }
