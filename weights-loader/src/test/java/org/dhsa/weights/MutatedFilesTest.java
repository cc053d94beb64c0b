package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.RandomDistribution;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.dhsa.model.WeightTensor;

/// Valid files with bytes changed, cut or added. Each either reads in full, within its bounds, or is refused by a
/// [WeightsFormatException] that names it: no other exception, no endless loop, no memory by a number in the file.
class MutatedFilesTest {

    /// One change: at a place given in thousandths of the file, overwrite, insert or delete a few bytes.
    record Change(Kind kind, int place, byte[] bytes) {

        enum Kind { OVERWRITE, INSERT, DELETE, CUT }

        byte[] apply(byte[] in) {
            int at = (int) ((long) place * in.length / 1000);
            int n = Math.min(bytes.length, in.length - at);
            return switch (kind) {
                case OVERWRITE -> {
                    byte[] out = in.clone();
                    System.arraycopy(bytes, 0, out, at, n);
                    yield out;
                }
                case INSERT -> join(Arrays.copyOf(in, at), bytes, Arrays.copyOfRange(in, at, in.length));
                case DELETE -> join(Arrays.copyOf(in, at), Arrays.copyOfRange(in, at + n, in.length));
                case CUT -> Arrays.copyOf(in, at);
            };
        }

        private static byte[] join(byte[]... parts) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            for (byte[] part : parts) {
                out.writeBytes(part);
            }
            return out.toByteArray();
        }

        @Override
        public String toString() {
            return kind + " at " + place + " " + Arrays.toString(bytes);
        }
    }

    private static Path folder;
    private static byte[] safetensors;
    private static byte[] zip;
    private static byte[] stream;
    private static byte[] sentencePiece;

    @BeforeContainer
    static void makeFiles() throws IOException {
        folder = Files.createTempDirectory("mutated");
        Path path = folder.resolve("good");
        new SafetensorsWriter().metadata("format", "pt").addF64("a", new double[] {1, 2, 3}, 3).addF32("b", new float[6], 2, 3)
                .addBool("c", new boolean[] {true}, 1).addI64("d", new long[] {5}, 1).write(path);
        safetensors = Files.readAllBytes(path);
        zip = Files.readAllBytes(TorchFiles.zip(folder, new PickleBytes().stateDictWithMetadata("w", 2, 3), 6));
        stream = Files.readAllBytes(Resources.path("pt-samples/legacy_format_small.pt"));
        sentencePiece = Files.readAllBytes(Resources.path("tiny-gemma2/tokenizer.model"));
    }

    @AfterContainer
    static void deleteFiles() throws IOException {
        try (var all = Files.list(folder)) {
            for (Path path : all.toList()) {
                Files.delete(path);
            }
        }
        Files.delete(folder);
    }

    @Provide
    Arbitrary<List<Change>> changes() {
        Arbitrary<byte[]> anyBytes = Arbitraries.bytes().array(byte[].class).ofMinSize(1).ofMaxSize(8);
        Arbitrary<byte[]> telling = Arbitraries.of("{", "}", "[", "]", ",", ":", "\"", "-", "0", "9", "99999999999", "1e9", "null", "F64",
                "U8", "[[[[[[[[[[", "\u0000", "(t", "R", "b.", "c", "Q").map(String::getBytes);
        Arbitrary<byte[]> ones = Arbitraries.of(new byte[] {-1, -1, -1, -1}, new byte[] {-1, -1, -1, -1, -1, -1, -1, 127}, new byte[8]);
        // most places are in the first half, where headers and pickles are
        Arbitrary<Integer> place = Arbitraries.oneOf(
                Arbitraries.integers().between(0, 500).withDistribution(RandomDistribution.uniform()),
                Arbitraries.integers().between(0, 999).withDistribution(RandomDistribution.uniform()));
        return Combinators.combine(Arbitraries.of(Change.Kind.class), place, Arbitraries.oneOf(anyBytes, telling, ones))
                .as(Change::new).list().ofMinSize(1).ofMaxSize(4);
    }

    @Property(tries = 3000, seed = "20240627")
    void safetensors(@ForAll("changes") List<Change> changes) throws IOException {
        Path path = write("mutated.safetensors", safetensors, changes);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            long bytes = 0;
            for (String name : file.names()) {
                bytes += readAll(file.tensor(name));
            }
            assertThat(bytes + file.headerBytes() + 8).isEqualTo(file.fileBytes());
        } catch (WeightsFormatException e) {
            assertThat(e).hasMessageStartingWith(path.toString());
        }
    }

    @Property(tries = 2000, seed = "20240628")
    void torchZip(@ForAll("changes") List<Change> changes) throws IOException {
        readTorch(write("mutated.pt", zip, changes));
    }

    /// The zip's checksum would hide the pickle from most changes, so here it is made to fit.
    @Property(tries = 3000, seed = "20240629")
    void torchPickle(@ForAll("changes") List<Change> changes) throws IOException {
        byte[] pickle = new PickleBytes().stateDictWithMetadata("w", 2, 3);
        for (Change change : changes) {
            pickle = change.apply(pickle);
        }
        Path path = TorchFiles.zip(folder, pickle, 6);
        readTorch(path);
        Files.delete(path);
    }

    @Property(tries = 1500, seed = "20240630")
    void torchStream(@ForAll("changes") List<Change> changes) throws IOException {
        readTorch(write("mutated-stream.pt", stream, changes));
    }

    @Property(tries = 500, seed = "20240701")
    void tokenizerModel(@ForAll("changes") List<Change> changes) throws IOException {
        Path path = write("mutated.model", sentencePiece, changes);
        try (Tokenizer tokenizer = Tokenizer.open(path)) {
            tokenizer.decode(tokenizer.encode("hello 🙂 12"));
        } catch (WeightsFormatException e) {
            assertThat(e).hasMessageStartingWith(path.toString());
        }
    }

    @Property(tries = 300, seed = "20240702")
    void whatIsWrittenIsReadBack(@ForAll("tensors") List<double[]> tensors) throws Exception {
        Path path = folder.resolve("round-trip.safetensors");
        SafetensorsWriter writer = new SafetensorsWriter();
        for (int i = 0; i < tensors.size(); i++) {
            writer.addF64("t" + i, tensors.get(i), tensors.get(i).length);
        }
        writer.write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            for (int i = 0; i < tensors.size(); i++) {
                assertThat(file.tensor("t" + i).widen()).isEqualTo(tensors.get(i));
            }
        }
    }

    @Provide
    Arbitrary<List<double[]>> tensors() {
        return Arbitraries.doubles().array(double[].class).ofMaxSize(20).list().ofMaxSize(6);
    }

    private static void readTorch(Path path) throws IOException {
        try {
            TorchCheckpoint checkpoint = TorchCheckpoint.read(path);
            for (String name : checkpoint.names()) {
                assertThat(readAll(checkpoint.tensor(name))).isLessThanOrEqualTo(Files.size(path));
            }
        } catch (WeightsFormatException e) {
            assertThat(e).hasMessageStartingWith(path.toString());
        }
        try {
            BoundaryPredictorLoader.load(path, OptionalInt.of(8), OptionalInt.of(4));
        } catch (WeightsFormatException e) {
            assertThat(e).hasMessageStartingWith(path.toString());
        }
    }

    /// Reads every element and returns the number of bytes.
    private static long readAll(WeightTensor t) {
        boolean readable = switch (t.dtype()) {
            case F64, F32, F16, BF16, I64, I32, U8, BOOL -> true;
            case I16, I8, U64, U32, U16, F8_E4M3, F8_E5M2 -> false;
        };
        if (readable) {
            for (long i = 0; i < t.elements(); i++) {
                t.get(i);
            }
        }
        return t.elements() * t.dtype().bytes();
    }

    private static Path write(String name, byte[] good, List<Change> changes) throws IOException {
        byte[] bytes = good;
        for (Change change : changes) {
            bytes = change.apply(bytes);
        }
        return Files.write(folder.resolve(name), bytes);
    }
}
