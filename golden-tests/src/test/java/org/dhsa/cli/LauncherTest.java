package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The script `./dhsa` on a machine made of a few tools and no Java.
class LauncherTest {

    private static final List<String> TOOLS = List.of("bash", "sh", "dirname", "readlink", "sed", "head", "cat", "grep", "tail", "find", "mkdir", "rm", "ln", "mv", "uname", "env");

    @TempDir
    Path folder;

    private Path script;

    @BeforeEach
    void machineWithoutJava() throws IOException {
        script = Home.find().root().resolve("dhsa");
        assumeTrue(Files.isExecutable(Path.of("/bin/bash")), "needs /bin/bash");
        Path bin = Files.createDirectory(folder.resolve("bin"));
        for (String tool : TOOLS) {
            for (String place : List.of("/usr/bin/", "/bin/")) {
                if (Files.isExecutable(Path.of(place + tool)) && !Files.exists(bin.resolve(tool))) {
                    Files.createSymbolicLink(bin.resolve(tool), Path.of(place + tool));
                }
            }
        }
    }

    @Test
    void withoutAnyJdkItSaysWhatIsNeededAndWhereToGetIt() throws Exception {
        Cli.Result result = run(script, Map.of("DHSA_JDK_PLACES", folder.resolve("nothing").toString()), "demo");
        assertThat(result.err()).contains("JDK of version 25 or newer", "none was found", "JAVA_HOME", "Adoptium");
        assertThat(result.out()).isEmpty();
        assertThat(result.code()).isEqualTo(2);
    }

    @Test
    void anOldJdkIsNamedAndNotUsed() throws Exception {
        fakeJdk("places/jdk-17", "17.0.9");
        Cli.Result result = run(script, Map.of("DHSA_JDK_PLACES", folder.resolve("places").toString()), "demo");
        assertThat(result.err()).contains("JDK 17 in " + folder.resolve("places/jdk-17"));
        assertThat(result.code()).isEqualTo(2);
    }

    @Test
    void aRuntimeWithoutCompilerIsNoJdk() throws Exception {
        Path jdk = fakeJdk("places/jre-25", "25");
        Files.delete(jdk.resolve("bin/javac"));
        assertThat(run(script, Map.of("DHSA_JDK_PLACES", folder.resolve("places").toString()), "demo").code()).isEqualTo(2);
    }

    @Test
    void helpOfTestNeedsNoJdk() throws Exception {
        Cli.Result result = run(script, Map.of("DHSA_JDK_PLACES", folder.toString()), "test", "--help");
        assertThat(result.out()).contains("Usage: ./dhsa test", "--require");
        assertThat(result.code()).isZero();
    }

    @Test
    void testRefusesWhatItDoesNotKnow() throws Exception {
        Cli.Result result = run(script, Map.of("DHSA_JDK_PLACES", folder.toString()), "test", "--requires", "opencl");
        assertThat(result.err()).contains("--requires", "--require BACKEND");
        assertThat(result.code()).isEqualTo(2);
    }

    @Test
    void poclIsInstalledWhereThatMayBeDone() throws Exception {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "packages are only installed on Linux");
        Path checkout = builtCheckout("checkout");
        Path asked = folder.resolve("asked.txt");
        tool("id", "echo 0");
        tool("apt-get", "printf '%s ' \"$@\" >>" + asked);
        Map<String, String> bare = Map.of("DHSA_JDK_PLACES", folder.toString(), "OCL_ICD_VENDORS", folder.resolve("nothing").toString());
        Cli.Result result = run(checkout.resolve("dhsa"), bare, "test", "--install-opencl");
        assertThat(result.err()).contains("installing PoCL", "JDK of version 25 or newer");
        assertThat(Files.readString(asked)).isEqualTo("-q update -q -y install pocl-opencl-icd ocl-icd-opencl-dev ");
        // without a terminal nobody is asked, and nothing is installed
        Files.delete(asked);
        assertThat(run(checkout.resolve("dhsa"), bare, "test").err()).doesNotContain("PoCL");
        assertThat(asked).doesNotExist();
        tool("id", "echo 1000");
        result = run(checkout.resolve("dhsa"), bare, "test", "--install-opencl", "--require", "opencl");
        assertThat(result.err()).contains("PoCL cannot be installed", "needs root", "apt install pocl-opencl-icd");
        assertThat(asked).doesNotExist();
        tool("id", "echo 0");
        tool("apt-get", "echo no space left; exit 100");
        result = run(checkout.resolve("dhsa"), bare, "test", "--install-opencl");
        assertThat(result.err()).contains("could not be installed", "no space left", "Going on without OpenCL");
    }

    private void tool(String name, String body) throws IOException {
        Path file = Files.writeString(folder.resolve("bin").resolve(name), "#!/bin/bash\n" + body + "\n");
        assertThat(file.toFile().setExecutable(true)).isTrue();
    }

    @Test
    void aBuiltCheckoutRunsFromAnywhereThroughASymlinkAndWithBlanksInItsPath() throws Exception {
        Path checkout = builtCheckout("a folder/with blanks");
        Path link = Files.createSymbolicLink(folder.resolve("shortcut"), checkout.resolve("dhsa"));
        Path jdk = fakeJdk("my jdks/jdk 26", "26");
        Cli.Result result = run(link, Map.of("JAVA_HOME", jdk.toString()), "generate", "two words");
        assertThat(result.err()).isEmpty();
        assertThat(result.code()).isZero();
        // large pages are asked for only where the system grants them
        assertThat(result.out().lines().filter(l -> !l.equals("-XX:+UseTransparentHugePages"))).containsExactly("--some-flag", "-XX:MaxRAMPercentage=50", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8",
                "-Ddhsa.root=" + checkout.toRealPath(), "-cp",
                checkout.toRealPath().resolve("golden-tests/target/classes") + ":" + checkout.toRealPath().resolve("golden-tests/target/lib") + "/*",
                "org.dhsa.cli.Main", "generate", "two words");
    }

    @Test
    void sparkIsOnTheClassPathOnlyForTheEngineThatNeedsIt() throws Exception {
        Path checkout = builtCheckout("checkout");
        Path spark = Files.createDirectories(checkout.resolve("golden-tests/spark"));
        Files.writeString(spark.resolve("pom.xml"), "<spark.flags>--spark-flag</spark.flags>\n");
        Files.createDirectories(spark.resolve("src/main"));
        Files.createDirectories(spark.resolve("target/classes"));
        Files.createDirectories(spark.resolve("target/jars"));
        Files.writeString(checkout.resolve("target/spark.stamp"), "");
        Map<String, String> jdk = Map.of("JAVA_HOME", fakeJdk("jdk", "25").toString());
        for (String[] asked : new String[][] {{"eval", "quick", "--engine", "spark"}, {"eval", "quick", "--engine=spark"}}) {
            Cli.Result result = run(checkout.resolve("dhsa"), jdk, asked);
            assertThat(result.code()).as(result.err()).isZero();
            assertThat(result.out().lines()).contains("--some-flag", "--spark-flag").anyMatch(l -> l.endsWith("golden-tests/spark/target/jars/*"));
        }
        for (String[] asked : new String[][] {{"eval", "quick", "--engine", "local"}, {"generate", "spark"}}) {
            assertThat(run(checkout.resolve("dhsa"), jdk, asked).out()).doesNotContain("spark-flag", "spark/target");
        }
    }

    @Test
    void theUsualPlacesAreSearchedPastAJdkThatIsTooOld() throws Exception {
        Path checkout = builtCheckout("checkout");
        fakeJdk("places/a-17", "17.0.9");
        fakeJdk("places/mac.jdk/Contents/Home", "25.0.1");
        Cli.Result result = run(checkout.resolve("dhsa"), Map.of("JAVA_HOME", fakeJdk("old", "21").toString(),
                "DHSA_JDK_PLACES", folder.resolve("empty") + ":" + folder.resolve("places")), "backends");
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out()).endsWith("backends\n");
    }

    /// As much of a checkout as the script looks at, with nothing left to build.
    private Path builtCheckout(String name) throws IOException {
        Path checkout = Files.createDirectories(folder.resolve(name));
        Files.copy(script, checkout.resolve("dhsa"));
        assertThat(checkout.resolve("dhsa").toFile().setExecutable(true)).isTrue();
        Files.writeString(checkout.resolve("pom.xml"), "<jvm.flags>--some-flag</jvm.flags>\n");
        Files.createDirectories(checkout.resolve("golden-tests/target/classes"));
        Files.createDirectories(checkout.resolve("golden-tests/target/lib"));
        Files.createDirectories(checkout.resolve("target"));
        Files.writeString(checkout.resolve("target/build.stamp"), "");
        return checkout;
    }

    /// A folder that looks like a JDK; its `java` prints its arguments.
    private Path fakeJdk(String name, String version) throws IOException {
        Path jdk = folder.resolve(name);
        Files.createDirectories(jdk.resolve("bin"));
        for (String tool : List.of("java", "javac")) {
            Path file = Files.writeString(jdk.resolve("bin").resolve(tool), "#!/bin/bash\nprintf '%s\\n' \"$@\"\n");
            assertThat(file.toFile().setExecutable(true)).isTrue();
        }
        Files.writeString(jdk.resolve("release"), "IMPLEMENTOR=\"Nobody\"\nJAVA_VERSION=\"" + version + "\"\n");
        return jdk;
    }

    private Cli.Result run(Path launcher, Map<String, String> environment, String... args) throws Exception {
        ProcessBuilder builder = new ProcessBuilder();
        builder.command().add(launcher.toString());
        builder.command().addAll(List.of(args));
        builder.directory(folder.toFile());
        Map<String, String> clean = new HashMap<>(environment);
        clean.put("PATH", folder.resolve("bin").toString());
        clean.put("HOME", folder.toString());
        clean.put("LANG", "C.UTF-8");
        builder.environment().clear();
        builder.environment().putAll(clean);
        Path out = folder.resolve("out.txt");
        Path err = folder.resolve("err.txt");
        Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return new Cli.Result(process.exitValue(), Files.readString(out), Files.readString(err));
    }
}
