package org.dhsa.golden.diff;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.dhsa.model.Gemma2Config;
import org.dhsa.stage.Stage;

/// A folder whose tensors hang together as a [ForwardTrace].
abstract class TracedFolder implements Expected {

    private final Path path;
    private final ForwardTrace trace;
    private final Map<String, KnownTensor> tensors = new LinkedHashMap<>();

    TracedFolder(Path path, ForwardTrace trace) {
        this.path = path;
        this.trace = trace;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public ForwardTrace recipe() {
        return trace;
    }

    @Override
    public Map<String, KnownTensor> tensors() {
        return tensors;
    }

    /// `layers.0.inputLayernorm` for `layers.0.rms-norm.inputLayernorm`, as the vectors of whole models have it.
    @Override
    public Map<String, String> aliases() {
        Map<String, String> aliases = new LinkedHashMap<>();
        for (TraceNode node : trace.nodes()) {
            for (String name : node.tensors()) {
                boolean unrotated = node.stage() == Stage.QKV_PROJECTION && !name.endsWith(".value");
                if (!unrotated) {
                    aliases.put((node.layer() < 0 ? "" : "layers." + node.layer() + ".") + name.substring(name.lastIndexOf('.') + 1), name);
                }
            }
        }
        return aliases;
    }

    @Override
    public Map<String, Integer> extents() {
        Gemma2Config c = trace.setting().config();
        return Map.of("heads", c.numAttentionHeads(), "kvHeads", c.numKeyValueHeads(), "headDim", c.headDim(), "modelDim", c.hiddenSize());
    }

    @Override
    public int layers() {
        return trace.setting().config().numHiddenLayers();
    }
}
