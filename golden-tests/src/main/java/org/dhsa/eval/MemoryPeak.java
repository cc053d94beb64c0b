package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.dhsa.backend.Backend;
import org.dhsa.backend.DeviceMemory;

/// Memory of one run.
///
/// | field | what it is |
/// |---|---|
/// | `peak_heap_bytes` | most bytes of the Java heap in use, garbage that was not collected yet among them; the sum of the peaks of its parts, so an upper bound |
/// | `off_heap_bytes` | resident after the run outside the heap and outside mapped files: tensors of native memory, threads, compiled code; Linux only |
/// | `mapped_bytes` | resident pages of mapped files after the run, the weights among them; Linux only |
/// | `device_peak_bytes` | see [DeviceMemory]; only of backends with a device |
final class MemoryPeak {

    private final List<MemoryPoolMXBean> heap;
    private final Backend backend;

    private MemoryPeak(List<MemoryPoolMXBean> heap, Backend backend) {
        this.heap = heap;
        this.backend = backend;
    }

    /// Collects garbage and begins to watch.
    static MemoryPeak begin(Backend backend) {
        List<MemoryPoolMXBean> heap = ManagementFactory.getMemoryPoolMXBeans().stream().filter(p -> p.getType() == MemoryType.HEAP).toList();
        System.gc();
        heap.forEach(MemoryPoolMXBean::resetPeakUsage);
        backend.deviceMemory().ifPresent(DeviceMemory::resetPeak);
        return new MemoryPeak(heap, backend);
    }

    void addTo(ObjectNode line) {
        line.put("peak_heap_bytes", heap.stream().mapToLong(p -> p.getPeakUsage().getUsed()).sum());
        status("RssAnon").ifPresent(anonymous -> line.put("off_heap_bytes", Math.max(0, anonymous - Runtime.getRuntime().totalMemory())));
        status("RssFile").ifPresent(mapped -> line.put("mapped_bytes", mapped));
        backend.deviceMemory().ifPresent(device -> line.put("device_peak_bytes", device.peakBytes()));
    }

    /// A field of the process's status in bytes, empty where the system does not say.
    private static OptionalLong status(String field) {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(l -> l.startsWith(field + ":"))
                    .mapToLong(l -> 1024 * Long.parseLong(l.replaceAll("\\D", ""))).findFirst();
        } catch (IOException e) {
            return OptionalLong.empty();
        }
    }
}
