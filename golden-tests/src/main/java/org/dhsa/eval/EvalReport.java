package org.dhsa.eval;
public final class EvalReport { public EvalReport(EvalSummary s){} public String html(){return "";} }
