package org.dhsa.golden.diff;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dhsa.golden.GoldenFormatException;

/// What a port is compared with: an export, a vector, or a recording.
interface Expected extends TensorSource, AutoCloseable {

    Path path();

    /// For people: `export of a Gemma 2 with 4 layers, 31 tokens, dhsa`.
    String description();

    Recipe recipe();

    /// Every stored tensor that a stage makes or reads, by its name.
    Map<String, KnownTensor> tensors();

    /// Other names under which a port may give a tensor.
    Map<String, String> aliases();

    /// Extents of the model, for folded axes: heads, kvHeads, headDim.
    Map<String, Integer> extents();

    /// Decoder layers; 0 where there are none.
    int layers();

    /// What no port can get wrong visibly, because of the sizes of the run; one sentence each.
    default List<String> blindSpots() {
        return List.of();
    }

    /// Names that ACTUAL may use besides, with their own axes.
    default NameMap names() {
        return NameMap.none();
    }

    @Override
    void close();

    static Expected open(Path path, Path modelOrNull) throws GoldenFormatException {
        if (!java.nio.file.Files.isDirectory(path)) {
            throw new GoldenFormatException(path, "is not a folder", "EXPECTED is an export, a vector or a recording: a folder with " + Export.INDEX + " or case.json");
        }
        if (java.nio.file.Files.isRegularFile(path.resolve(Export.INDEX))) {
            return ExportFolder.open(path, modelOrNull);
        }
        if (java.nio.file.Files.isRegularFile(path.resolve("case.json"))) {
            return CaseFolder.open(path);
        }
        throw new GoldenFormatException(path, "holds neither " + Export.INDEX + " nor case.json",
                "write an export with \"dhsa golden export\", or name one case folder");
    }
}
