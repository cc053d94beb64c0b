package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.backend.BackendOptions;
import org.dhsa.model.Gemma2Config;
import org.dhsa.weights.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.Command;

/// What cannot be used is refused with exit code 2, one paragraph that says where and what to do, and no file left behind.
class BadInputTest {

    @TempDir
    Path folder;

    @Test
    void aFolderWithoutConfig() throws IOException {
        Files.delete(Cli.copyOfTinyModel(folder).resolve("config.json"));
        refused(demo(), "config.json", "Hugging Face model folder");
    }

    @Test
    void aFolderThatIsNotThere() throws IOException {
        refused(generate("--model", folder.resolve("nowhere").toString()), "nowhere", "there is no such folder");
    }

    /// What people type and hold instead of a model folder.
    @Test
    void aModelThatIsNoFolderOfHuggingFace() throws IOException {
        refused(generate("--model", "google/gemma-2-2b-it"), "there is no such folder", "hf download google/gemma-2-2b-it");
        Path gguf = Files.writeString(folder.resolve("gemma.gguf"), "GGUF");
        refused(generate("--model", gguf.toString()), "gemma.gguf", "is a file", "*.safetensors", "other formats are not read");
        refused(generate("--model", folder.toString()), "config.json", "gemma.gguf is another format");
    }

    @Test
    void theCacheFolderOfADownload() throws IOException {
        Path snapshot = Cli.copyOfTinyModel(Files.createDirectories(folder.resolve("snapshots/abc")));
        refused(generate("--model", folder.toString()), "config.json", "Do you mean " + snapshot + "?");
    }

    @Test
    void aPointerInsteadOfAFile() throws IOException {
        String pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4988025760\n";
        Files.writeString(Cli.copyOfTinyModel(folder).resolve("model.safetensors"), pointer);
        refused(generate("--model", folder.toString()), "model.safetensors", "only a pointer of Git LFS", "git lfs pull");
        Files.writeString(Cli.copyOfTinyModel(folder).resolve("tokenizer.model"), pointer);
        refused(generate("--model", folder.toString()), "tokenizer.model", "only a pointer of Git LFS");
    }

    @Test
    void tooLittleMemoryIsSaidWithWhatToDo() {
        Cli.Result result = Cli.run(Main.commandLine().addSubcommand(new Hungry()), "hungry");
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).startsWith("dhsa: There is not enough memory: Java may use ").contains("DHSA_JAVA_OPTS=-Xmx").doesNotContain("\tat ", "%s");
        // 13 global layers keep 8192 rows, 13 local ones 4096; a row is 2 * 4 * 256 values of 2 bytes
        Gemma2Config gemma2b = new Gemma2Config(256000, 2304, 9216, 26, 8, 4, 256, 8192, 1e-6, 10000, 4096, 256, OptionalDouble.of(50), OptionalDouble.of(30), 2, List.of(1), 0);
        assertThat(HeapLimit.cacheBytes(gemma2b, 8192, BackendOptions.KvType.BF16)).isEqualTo(13 * (8192 + 4096) * 4096L);
        assertThat(HeapLimit.exceeded(gemma2b, 8192, BackendOptions.KvType.F32)).contains("8192 tokens alone take 1.3 GB", "--kv bf16").doesNotContain("%s");
    }

    @Command(name = "hungry")
    private static final class Hungry implements Runnable {
        @Override
        public void run() {
            throw new OutOfMemoryError("Java heap space");
        }
    }

    @Test
    void aSizeOfDeviceMemoryThatIsNone() throws IOException {
        for (String size : new String[] {"much", "-1", "0", "6 g", "1.5g", "99999999999g"}) {
            refused(generate("--max-device-memory", size), "--max-device-memory", "like 6g", size);
        }
    }

    /// A limit that nobody keeps is worse than none.
    @Test
    void aLimitOfDeviceMemoryWhereItWouldDoNothing() throws IOException {
        refused(generate("--max-device-memory", "6g", "--backend", "optimized"), "--max-device-memory", "optimized", "--backend opencl");
        refused(Cli.run("demo", "--max-device-memory", "6g", "--out", folder.toString()), "demo", "whole tensors", "--max-device-memory", "generate");
        refused(Cli.run("golden", "export", "--out", folder.resolve("trace").toString(), "--max-device-memory", "6g"), "golden export", "whole tensors", "--max-device-memory");
    }

    @Test
    void aLlamaCheckpoint() throws IOException {
        replaceInConfig("\"gemma2\"", "\"llama\"");
        refused(demo(), "config.json", "model_type", "llama", "Gemma 2");
    }

    @Test
    void aMissingShard() throws IOException {
        Files.delete(Cli.copyOfTinyModel(folder).resolve("model.safetensors"));
        Files.writeString(folder.resolve("model.safetensors.index.json"), """
                {"metadata": {}, "weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors"}}""");
        refused(demo(), "model-00002-of-00002.safetensors", "this shard is missing", "download it again");
    }

    @Test
    void aTruncatedFile() throws IOException {
        Path weights = Cli.copyOfTinyModel(folder).resolve("model.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
            file.setLength(file.length() / 2);
        }
        refused(demo(), "model.safetensors");
    }

    @Test
    void aWeightThatIsNotANumber() throws IOException {
        Path weights = Cli.copyOfTinyModel(folder).resolve("model.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
            file.seek(file.length() - 2);
            file.write(new byte[] {(byte) 0xc0, 0x7f});
        }
        refused(demo(), "model.safetensors", "tensor model.", "NaN", "at index", "damaged");
    }

    @Test
    void anEmptyPrompt() throws IOException {
        refused(Cli.run("generate", ""), "The prompt is empty", "--prompt-file");
        Files.writeString(folder.resolve("empty.txt"), "\n");
        refused(Cli.run("generate", "--prompt-file", folder.resolve("empty.txt").toString()), "The prompt is empty");
        Files.delete(folder.resolve("empty.txt"));
        refused(Cli.run("generate"), "There is no prompt", "--prompt-file");
    }

    @Test
    void aPromptFileThatIsNotThere() throws IOException {
        refused(Cli.run("generate", "--prompt-file", folder.resolve("none.txt").toString()), "--prompt-file", "none.txt");
    }

    @Test
    void aPromptLongerThanTheModelIsOnlyWarnedAbout() throws IOException {
        replaceInConfig("\"max_position_embeddings\": 4096", "\"max_position_embeddings\": 100");
        Cli.Result result = Cli.run("generate", "--model", folder.toString(), "--max-new-tokens", "2", Cli.PROMPT);
        assertThat(result.code()).isZero();
        assertThat(result.err()).contains("warning:", "115 tokens", "100 (max_position_embeddings)", "Going on");
        assertThat(result.out()).isNotBlank();
    }

    @ParameterizedTest
    @CsvSource({"--budget, 0", "--budget, -5", "--decode-budget, 0", "--block-size, 0", "--local-tokens, -1", "--global-tokens, -1", "--chunk-beta, -1"})
    void aNumberOutOfRangeIsSaidWithItsOption(String option, String value) throws IOException {
        refused(generate("--attention", "dhsa", option, value), option + " must be", "was " + value);
    }

    @Test
    void aBudgetSmallerThanTheBlock() throws IOException {
        refused(generate("--attention", "dhsa", "--budget", "8"), "--budget must be at least --block-size", "Raise the budget");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "--attention          | dens      | did you mean dense?",
        "--profile            | upstrem   | did you mean upstream?",
        "--backend            | refrence  | did you mean reference?",
        "--aggregation        | men       | did you mean mean?",
        "--query-chunking     | blocks    | fixed-blocks, dynamic-chunks",
        "--decode             | dnse      | did you mean dense?",
        "--embedding-scale    | bf17      | did you mean bf16-rounded?",
        "--quirk              | windw-plus-one=on | did you mean window-plus-one?",
        "--quirk              | windw=on  | did you mean window-plus-one?",
        "--quirk              | window-plus-one=maybe | on or off",
        "--boundaries         | uniform:x | uniform:16",
        "--boundaries         | guessed   | predicted or uniform:N",
        "--theta              | high      | a number or none",
        "--instruction-tokens | all       | a number or none",
        "--top-p              | 1.5       | at most 1",
        "--temperature        | -1        | 0 (greedy) or a positive number",
        "--max-new-tokens     | 0         | must be positive",
        "--budget             | many      | is not an int"})
    void anOptionValueThatIsNotKnown(String option, String value, String remedy) throws IOException {
        boolean attention = option.equals("--attention");
        refused(Cli.run("generate", attention ? "--no-bos" : "--attention=dhsa", option, value, "some text"), option, remedy);
    }

    @Test
    void anOptionThatIsNotKnown() throws IOException {
        refused(Cli.run("generate", "--bugdet", "64", "text"), "--bugdet", "--budget", "./dhsa generate --help");
        refused(Cli.run("generrate"), "generrate", "generate");
    }

    @Test
    void aPredictorOfTheWrongWidth() throws IOException {
        int c = 64;
        Path file = folder.resolve("narrow.safetensors");
        new SafetensorsWriter()
                .addF32("enc.mha.in_proj_weight", new float[3 * c * c], 3 * c, c).addF32("enc.mha.in_proj_bias", new float[3 * c], 3 * c)
                .addF32("enc.mha.out_proj.weight", new float[c * c], c, c).addF32("enc.mha.out_proj.bias", new float[c], c)
                .addF32("enc.norm.weight", new float[c], c).addF32("enc.norm.bias", new float[c], c)
                .addF32("mlp.0.weight", new float[8 * (4 * c + 1)], 8, 4 * c + 1).addF32("mlp.0.bias", new float[8], 8)
                .addF32("mlp.2.weight", new float[8], 1, 8).addF32("mlp.2.bias", new float[1], 1)
                .write(file);
        Cli.Result result = generate("--attention", "dhsa", "--predictor", file.toString(), "--predictor-heads", "8", "--predictor-window", "4");
        Files.delete(file);
        refused(result, "narrow.safetensors", "64 channels", "the model has 128", "--predictor");
    }

    @Test
    void noPredictorForSparseGeneration() throws IOException {
        Cli.copyOfTinyModel(folder);
        Files.delete(folder.resolve("boundary_predictor.safetensors"));
        refused(generate("--model", folder.toString(), "--attention", "dhsa"), "no boundary predictor", "--predictor FILE", "--boundaries uniform:16");
    }

    @Test
    void anOutputFolderThatCannotBe() throws IOException {
        Path file = Files.writeString(folder.resolve("a-file"), "here first");
        Cli.Result result = Cli.run("demo", "--sample", "0", "--out", file.resolve("pages").toString());
        assertThat(Files.readString(file)).isEqualTo("here first");
        refused(result, "a-file", "--out");
        assertThat(Cli.files(folder)).containsExactly(file);
    }

    @Test
    void aSampleOrLayerThatIsNotThere() throws IOException {
        refused(Cli.run("demo", "--sample", "99", "--out", folder.toString()), "--sample", "0 to 19");
        refused(Cli.run("demo", "--layer", "4", "--out", folder.toString()), "--layer", "0 to 3");
    }

    @Test
    void aNeedleThatThePromptDoesNotHold() throws IOException {
        Path prompt = Files.writeString(folder.resolve("prompt.txt"), "One line.\nAnd a question?");
        refused(Cli.run("demo", "--prompt-file", prompt.toString(), "--needle", "Another line.", "--out", folder.toString()), "--needle", "Another line.");
    }

    @Test
    void theStackTraceIsPrintedOnlyWhenAskedFor() {
        String[] bad = {"generate", "--model", folder.toString(), "text"};
        assertThat(Cli.run(bad).err()).doesNotContain("\tat ");
        assertThat(Cli.run("generate", "--debug", "--model", folder.toString(), "text").err()).contains("\tat org.dhsa");
    }

    private Cli.Result demo() {
        return Cli.run("demo", "--model", folder.toString(), "--sample", "0", "--out", folder.toString());
    }

    private static Cli.Result generate(String... options) {
        String[] args = new String[options.length + 2];
        args[0] = "generate";
        System.arraycopy(options, 0, args, 1, options.length);
        args[args.length - 1] = "The ferry reached the harbor.";
        return Cli.run(args);
    }

    private void replaceInConfig(String text, String other) throws IOException {
        Path config = Cli.copyOfTinyModel(folder).resolve("config.json");
        String changed = Files.readString(config).replace(text, other);
        assertThat(changed).contains(other);
        Files.writeString(config, changed);
    }

    private void refused(Cli.Result result, String... said) throws IOException {
        assertThat(result.err()).contains(said).startsWith("dhsa: ").doesNotContain("\tat ");
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.out()).isEmpty();
        assertThat(Cli.files(folder)).noneMatch(file -> file.toString().endsWith(".html") || file.toString().endsWith(".tmp"));
    }
}
