package org.dhsa.opencl;

import org.jocl.CL;

/// An OpenCL call that failed: which call, with what status, for which kernel on which device, and what the compiler said.
public final class OpenClException extends RuntimeException {

    private static final long serialVersionUID = 1;

    OpenClException(String message) {
        super(message);
    }

    /// @param what  the call, and the kernel or buffer it was for: `clBuildProgram of rms-norm.cl`
    /// @param where name of the device
    static void check(int status, String what, String where) {
        if (status != CL.CL_SUCCESS) {
            throw new OpenClException(what + " failed with " + name(status) + " on " + where);
        }
    }

    /// `CL_INVALID_KERNEL_ARGS (-52)`.
    static String name(int status) {
        return CL.stringFor_errorCode(status) + " (" + status + ")";
    }

    static OpenClException outOfMemory(long asked, long held, long available, String limit, String where) {
        return new OpenClException(String.format("out of device memory on %s: asked for %,d bytes, %,d are in use, %,d are available (%s). "
                + "What to do: a shorter prompt, or --max-device-memory with what the device can give, so that the prompt is read in parts",
                where, asked, held, available, limit));
    }
}
