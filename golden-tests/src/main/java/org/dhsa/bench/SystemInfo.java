package org.dhsa.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.dhsa.optimized.OptimizedBackend;

/// What a figure means nothing without: processor, memory, operating system, JDK, kernels, commit, date.
public record SystemInfo(String cpu, int cores, long memoryBytes, String os, String jdk, String kernels, String commit, LocalDate date, Optional<String> openBlasCoreType) {

    /// @param root    the checkout
    /// @param ignored a file of the checkout whose changes do not make it dirty: the one the figures are written to
    public static SystemInfo of(Path root, Optional<Path> ignored) {
        return new SystemInfo(cpuModel(), Runtime.getRuntime().availableProcessors(), memory(),
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " " + System.getProperty("os.arch"),
                System.getProperty("java.runtime.version") + " (" + System.getProperty("java.vendor") + ")", kernelDescription(),
                commit(root, ignored), LocalDate.now(ZoneOffset.UTC), openBlasCore());
    }

    /// The kernels that OpenBLAS was told to use.
    static Optional<String> openBlasCore() {
        return Optional.ofNullable(System.getenv("OPENBLAS_CORETYPE")).filter(v -> !v.isBlank());
    }

    /// One line, for people.
    public String line(List<Integer> threads) {
        return cpu + ", " + cores + (cores == 1 ? " core" : " cores") + ", " + Math.round(memoryBytes / 0x1p30) + " GiB; " + os + "; JDK " + jdk + "; " + kernels + "; "
                + threads.stream().map(String::valueOf).collect(Collectors.joining(" and ")) + (threads.equals(List.of(1)) ? " thread" : " threads")
                + openBlasCoreType.map(t -> "; OPENBLAS_CORETYPE=" + t).orElse("") + "; commit " + commit + "; " + date;
    }

    private static String kernelDescription() {
        try (OptimizedBackend backend = new OptimizedBackend(1)) {
            String all = backend.description();
            return all.substring(0, all.lastIndexOf(','));
        }
    }

    private static long memory() {
        return java.lang.management.ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean os ? os.getTotalMemorySize() : 0;
    }

    private static String cpuModel() {
        try {
            Path linux = Path.of("/proc/cpuinfo");
            if (Files.isReadable(linux)) {
                return modelName(Files.readAllLines(linux)).orElse(System.getProperty("os.arch"));
            }
        } catch (IOException e) {
            // the architecture will have to do
        }
        return run(Path.of("").toAbsolutePath(), "sysctl", "-n", "machdep.cpu.brand_string").filter(s -> !s.isBlank()).orElse(System.getProperty("os.arch"));
    }

    /// A virtual machine may hide the name; then family, model and stepping are added.
    static Optional<String> modelName(List<String> cpuinfo) {
        Optional<String> name = value(cpuinfo, "model name");
        Optional<String> model = value(cpuinfo, "model");
        boolean vague = name.isPresent() && name.get().matches("Intel\\(R\\) Xeon\\(R\\) Processor|AMD EPYC|.*QEMU.*");
        return vague && model.isPresent() ? Optional.of(name.get() + " (family " + value(cpuinfo, "cpu family").orElse("?") + ", model " + model.get() + ", stepping "
                + value(cpuinfo, "stepping").orElse("?") + ")") : name;
    }

    private static Optional<String> value(List<String> cpuinfo, String key) {
        return cpuinfo.stream().filter(l -> l.contains(":") && l.substring(0, l.indexOf(':')).strip().equals(key)).findFirst()
                .map(l -> l.substring(l.indexOf(':') + 1).strip());
    }

    private static String commit(Path root, Optional<Path> ignored) {
        Optional<String> commit = run(root, "git", "rev-parse", "--short=12", "HEAD");
        String except = ignored.map(f -> root.relativize(f.toAbsolutePath().normalize()).toString()).filter(f -> !f.startsWith("..")).orElse("");
        Optional<String> changes = except.isEmpty() ? run(root, "git", "status", "--porcelain")
                : run(root, "git", "status", "--porcelain", "--", ".", ":(exclude)" + except);
        return commit.map(c -> c + (changes.filter(String::isBlank).isPresent() ? "" : "-dirty")).orElse("unknown");
    }

    /// What a program prints; empty if it is not there or fails.
    private static Optional<String> run(Path folder, String... command) {
        try {
            Process process = new ProcessBuilder(command).directory(folder.toFile()).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0 ? Optional.of(out) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
