package org.dhsa.golden.diff;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.model.WeightTensor;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.WeightsFormatException;

/// The tensors that a program dumped: one `.safetensors`, `.npz` or `.npy` file, or a folder of them.
///
/// Headers are read when it is opened, values one tensor at a time.
final class Dump implements AutoCloseable {

    private final Path path;
    private final Map<String, DumpTensor> tensors = new LinkedHashMap<>();
    private final List<SafetensorsFile> open = new ArrayList<>();

    private Dump(Path path) {
        this.path = path;
    }

    /// @throws GoldenFormatException if there is nothing, or a file in it is broken; no file is left open then
    static Dump open(Path path) throws GoldenFormatException {
        Dump dump = new Dump(path);
        try {
            if (Files.isDirectory(path)) {
                dump.readFolder();
            } else if (Files.isRegularFile(path)) {
                dump.readFile(path);
            } else {
                throw new GoldenFormatException(path, "is not there", "name a folder, or a .safetensors, .npz or .npy file");
            }
            if (dump.tensors.isEmpty()) {
                throw new GoldenFormatException(path, "holds no tensor", "dump .safetensors, .npz or .npy files there");
            }
            return dump;
        } catch (Throwable e) {
            dump.close();
            throw e;
        }
    }

    private void readFolder() throws GoldenFormatException {
        List<Path> files;
        try (Stream<Path> all = Files.walk(path)) {
            files = all.filter(Files::isRegularFile).filter(f -> isTensorFile(f.getFileName().toString())).sorted().toList();
        } catch (IOException e) {
            throw new GoldenFormatException(path, "cannot be read: " + e.getMessage(), "", e);
        }
        for (Path file : files) {
            readFile(file);
        }
    }

    private static boolean isTensorFile(String name) {
        return name.endsWith(".safetensors") || name.endsWith(".npz") || name.endsWith(".npy");
    }

    private void readFile(Path file) throws GoldenFormatException {
        String name = file.getFileName().toString();
        if (name.endsWith(".npz")) {
            for (DumpTensor tensor : NpzFile.readNpz(file)) {
                add(tensor);
            }
        } else if (name.endsWith(".npy")) {
            add(NpzFile.readNpy(file, name.substring(0, name.length() - 4)));
        } else if (name.endsWith(".safetensors")) {
            readSafetensors(file);
        } else {
            throw new GoldenFormatException(file, "is no .safetensors, .npz or .npy file", "dump the tensors in one of these formats");
        }
    }

    private void readSafetensors(Path file) throws GoldenFormatException {
        try {
            SafetensorsFile mapped = SafetensorsFile.open(file);
            open.add(mapped);
            for (String name : mapped.names()) {
                WeightTensor tensor = mapped.tensor(name);
                add(new DumpTensor(name, file, tensor.dtype(), tensor.dims(), false, () -> tensor.bytes().asByteBuffer()));
            }
        } catch (WeightsFormatException e) {
            throw new GoldenFormatException(file, e.getMessage().replace(file + ": ", ""), "dump it again", e);
        } catch (IOException e) {
            throw new GoldenFormatException(file, "cannot be read: " + e.getMessage(), "", e);
        }
    }

    private void add(DumpTensor tensor) throws GoldenFormatException {
        DumpTensor other = tensors.putIfAbsent(tensor.name(), tensor);
        if (other != null) {
            throw new GoldenFormatException(tensor.file(), "tensor " + tensor.name() + " also stands in " + other.file(), "one name, one tensor");
        }
    }

    Path path() {
        return path;
    }

    /// By name, in the order of the files.
    Map<String, DumpTensor> tensors() {
        return tensors;
    }

    @Override
    public void close() {
        open.forEach(SafetensorsFile::close);
    }
}
