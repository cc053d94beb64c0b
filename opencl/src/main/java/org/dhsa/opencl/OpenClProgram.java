package org.dhsa.opencl;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_program;

/// One `.cl` resource compiled for a device with its tunables.
final class OpenClProgram implements AutoCloseable {

    private final OpenClContext context;
    private final String slug;
    private final Map<String, Integer> tunables;
    private final cl_program handle;
    private final Map<String, OpenClKernel> kernels = new HashMap<>();

    private OpenClProgram(OpenClContext context, String slug, Map<String, Integer> tunables, cl_program handle) {
        this.context = context;
        this.slug = slug;
        this.tunables = Map.copyOf(tunables);
        this.handle = handle;
    }

    /// Where sub-groups are asked for that the device's are no multiples of, smaller ones are tried, and then none; so too where the compiler
    /// does not take them.
    ///
    /// @throws OpenClException with the compiler's own words if it refuses
    static OpenClProgram build(OpenClContext context, String slug, Map<String, Integer> tunables) {
        return build(context, slug, source(slug), tunables);
    }

    static OpenClProgram build(OpenClContext context, String slug, String source, Map<String, Integer> tunables) {
        if (tunables.containsKey(SubGroups.TUNABLE)) {
            for (int size : SubGroups.candidates(context.device(), slug, tunables.get(SubGroups.TUNABLE))) {
                Map<String, Integer> tried = new HashMap<>(tunables);
                tried.put(SubGroups.TUNABLE, size);
                try {
                    OpenClProgram program = compile(context, slug, source, tried);
                    if (size == 0 || SubGroups.keep(program.handle, context.device(), size)) {
                        return program;
                    }
                    program.close();
                } catch (OpenClException refused) {
                    if (size == 0) {
                        throw refused;
                    }
                }
            }
        }
        return compile(context, slug, source, tunables);
    }

    private static OpenClProgram compile(OpenClContext context, String slug, String source, Map<String, Integer> tunables) {
        String device = context.device().name();
        int[] status = new int[1];
        cl_program program = CL.clCreateProgramWithSource(context.handle(), 1, new String[] {source}, new long[] {source.getBytes(StandardCharsets.UTF_8).length}, status);
        OpenClException.check(status[0], "clCreateProgramWithSource of " + slug + ".cl", device);
        String options = tunables.entrySet().stream().sorted(Map.Entry.comparingByKey()).map(e -> "-D " + e.getKey() + "=" + e.getValue())
                .collect(Collectors.joining(" ", "-cl-std=" + (tunables.getOrDefault(SubGroups.TUNABLE, 0) > 0 ? context.device().languageWithSubGroups() : "CL1.2") + " ", ""));
        cl_device_id[] devices = {context.device().id()};
        int built = SignalHandlers.kept(() -> CL.clBuildProgram(program, 1, devices, options.strip(), null, null));
        if (built != CL.CL_SUCCESS) {
            String log = log(program, devices[0]);
            CL.clReleaseProgram(program);
            throw new OpenClException("clBuildProgram of " + slug + ".cl (" + options.strip() + ") failed with " + OpenClException.name(built) + " on " + device
                    + System.lineSeparator() + log);
        }
        return new OpenClProgram(context, slug, tunables, program);
    }

    /// Text of the resource `/org/dhsa/opencl/SLUG.cl`.
    static String source(String slug) {
        try (InputStream in = OpenClProgram.class.getResourceAsStream("/org/dhsa/opencl/" + slug + ".cl")) {
            if (in == null) {
                throw new OpenClException("there is no kernel resource " + slug + ".cl in this version");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String log(cl_program program, cl_device_id device) {
        long[] size = new long[1];
        if (CL.clGetProgramBuildInfo(program, device, CL.CL_PROGRAM_BUILD_LOG, 0, null, size) != CL.CL_SUCCESS || size[0] == 0) {
            return "(no build log)";
        }
        byte[] bytes = new byte[Math.toIntExact(size[0])];
        CL.clGetProgramBuildInfo(program, device, CL.CL_PROGRAM_BUILD_LOG, bytes.length, Pointer.to(bytes), null);
        return new String(bytes, StandardCharsets.UTF_8).replace("\0", "").strip();
    }

    /// Items that put their values together through sub-groups; 0 in a plain program.
    int subGroup() {
        return tunables.getOrDefault(SubGroups.TUNABLE, 0);
    }

    /// Value of a tunable this program was built with.
    int tunable(String name) {
        Integer value = tunables.get(name);
        if (value == null) {
            throw new OpenClException(slug + ".cl was built without a value for " + name);
        }
        return value;
    }

    OpenClKernel kernel(String name) {
        return kernels.computeIfAbsent(name, n -> {
            int[] status = new int[1];
            cl_kernel kernel = CL.clCreateKernel(handle, n, status);
            OpenClException.check(status[0], "clCreateKernel of " + n + " in " + slug + ".cl", context.device().name());
            return new OpenClKernel(context, slug + ".cl/" + n, kernel);
        });
    }

    @Override
    public void close() {
        kernels.values().forEach(OpenClKernel::close);
        kernels.clear();
        CL.clReleaseProgram(handle);
    }
}
