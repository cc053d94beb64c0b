package org.dhsa.spark;

import org.dhsa.eval.EngineProvider;
import org.dhsa.eval.SweepEngine;

/// `--engine spark`.
public final class SparkEngineProvider implements EngineProvider {

    @Override
    public String name() {
        return "spark";
    }

    @Override
    public SweepEngine open(Request request) {
        return SparkEngine.connect(request);
    }
}
