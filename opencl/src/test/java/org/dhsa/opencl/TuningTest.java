package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What the tuner keeps, and what is believed of it later.
class TuningTest {

    @TempDir
    Path folder;

    @Test
    void theTunersChoiceIsKeptAndUsed() throws IOException {
        OpenClDevice device = Device.any();
        TuningFile file = new TuningFile(folder.resolve("deep/er"), device);
        List<String> said = new ArrayList<>();
        OpenClTuner.Result result = OpenClTuner.tune(device, file, 96, said::add);
        assertThat(said.stream().map(line -> line.split(" ")[0])).contains("matrix-product", "rms-norm", "dense-attention", "sparse-attention", "boundary-prediction",
                "chunk-similarity", "top-k-selection");
        assertThat(result.choices()).hasSizeGreaterThanOrEqualTo(8).allSatisfy(c -> assertThat(c.seconds()).isPositive());
        Tuning read = file.read(why -> {
            throw new AssertionError(why);
        }).orElseThrow();
        for (OpenClTuner.Choice choice : result.choices()) {
            assertThat(read.of(choice.program())).containsAllEntriesOf(choice.chosen());
        }
        try (var files = Files.list(folder.resolve("deep/er"))) {
            assertThat(files.toList()).as("no temporary file is left").containsExactly(file.path());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{", "{\"version\": 2}", "{\"version\": 1, \"device\": \"another\", \"driver\": \"DRIVER\"}",
        "{\"version\": 1, \"device\": \"DEVICE\", \"driver\": \"older\"}",
        "{\"version\": 1, \"device\": \"DEVICE\", \"driver\": \"DRIVER\", \"tunables\": {\"rms-norm\": {\"WG\": 3}}}",
        "{\"version\": 1, \"device\": \"DEVICE\", \"driver\": \"DRIVER\", \"tunables\": {\"rms-norm\": {\"WG\": \"1 -D x=y\"}}}",
        "{\"version\": 1, \"device\": \"DEVICE\", \"driver\": \"DRIVER\", \"tunables\": {\"no-such-program\": {\"WG\": 1}}}",
        "{\"version\": 1, \"device\": \"DEVICE\", \"driver\": \"DRIVER\", \"tunables\": {\"dense-attention\": {\"KEY_BLOCK\": 32}}}"})
    void aBrokenFileIsIgnoredWithAWarning(String text) throws IOException {
        OpenClDevice device = Device.any();
        TuningFile file = new TuningFile(folder, device);
        Files.writeString(file.path(), text.replace("DEVICE", device.name()).replace("DRIVER", device.driver()));
        List<String> warnings = new ArrayList<>();
        assertThat(file.read(warnings::add)).isEmpty();
        assertThat(warnings).singleElement().asString().contains(file.path().toString(), "./dhsa backends --tune");
    }

    @Test
    void aGoodFileIsRead() throws IOException {
        OpenClDevice device = Device.any();
        TuningFile file = new TuningFile(folder, device);
        assertThat(file.read(why -> {
            throw new AssertionError(why);
        })).isEmpty();
        file.write(new Tuning(Map.of("rms-norm", Map.of("WG", 32))));
        assertThat(file.read(why -> {
            throw new AssertionError(why);
        }).orElseThrow().of("rms-norm")).isEqualTo(Map.of("WG", 32));
    }

    /// 32 KB of local memory is all that many GPUs have.
    @Test
    void tilesOfAttentionFitTheLocalMemory() {
        OpenClDevice d = Device.any();
        for (int kilobytes : new int[] {32, 48}) {
            OpenClDevice gpu = new OpenClDevice(d.index(), d.platform(), d.platformVersion(), d.name(), d.version(), d.driver(), OpenClDevice.Kind.GPU, d.computeUnits(),
                    d.globalBytes(), d.maxBufferBytes(), kilobytes << 10, d.maxWorkGroup(), d.maxSubGroups(), d.extensions(), d.platformId(), d.id());
            Map<String, Integer> t = TuningDefaults.of(gpu).of(DeviceAttention.DENSE);
            int queries = t.get("ROWS_PER_ITEM") * t.get("TILE_ROWS");
            int scores = 32 * (queries + 4 + t.get("KEY_BLOCK") + 4);
            int bytes = 4 * (Math.max(scores, 16 * 256) + t.get("KEY_BLOCK") * (queries + 4) + queries * 16 + t.get("KEY_BLOCK"));
            assertThat(bytes).as("%s KB, as dense-attention.cl counts at 256 channels", kilobytes).isLessThanOrEqualTo(kilobytes << 10).isGreaterThan(kilobytes << 9);
            assertThat(TuningDefaults.of(gpu).of(DeviceAttention.SPARSE)).isEqualTo(t);
        }
    }

    @Test
    void theFolderIsTheUsersCache() {
        assertThat(TuningFile.folder("/var/cache/me", "/home/me")).isEqualTo(Path.of("/var/cache/me/dhsa-java/opencl"));
        assertThat(TuningFile.folder(null, "/home/me")).isEqualTo(Path.of("/home/me/.cache/dhsa-java/opencl"));
        assertThat(TuningFile.folder("relative", "/home/me")).isEqualTo(Path.of("/home/me/.cache/dhsa-java/opencl"));
    }

    /// A choice that the file refuses later would be lost; one that is not believed is never tried.
    @Test
    void everyDefaultAndEveryCandidateIsAllowed() {
        for (OpenClDevice.Kind kind : OpenClDevice.Kind.values()) {
            for (OpenClTuner.Trial trial : OpenClTuner.trials(kind, 64)) {
                trial.candidates().forEach(candidate -> candidate.forEach((tunable, value) ->
                        assertThat(TuningDefaults.allows(trial.program(), tunable, value)).as("%s %s=%s", trial.program(), tunable, value).isTrue()));
                assertThat(TuningDefaults.of(kind).of(trial.program())).as("the first candidate of %s is the default", trial.program())
                        .containsAllEntriesOf(trial.candidates().getFirst());
            }
            TuningDefaults.of(kind).byProgram().forEach((program, values) -> values.forEach((tunable, value) -> {
                if (!List.of("TILING", "KEY_BLOCK", "SPLIT").contains(tunable)) {
                    assertThat(TuningDefaults.allows(program, tunable, value)).as("%s %s=%s", program, tunable, value).isTrue();
                }
            }));
        }
    }
}
