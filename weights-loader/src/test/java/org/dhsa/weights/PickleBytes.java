package org.dhsa.weights;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// Writes pickles by hand, as `torch.save` would or never would.
final class PickleBytes {

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private String storageKey = "0";

    PickleBytes storageKey(String key) {
        storageKey = key;
        return this;
    }

    /// A dict with one float32 tensor.
    byte[] dict(String name, long elements, long offset, long[] size, long[] stride) {
        start(2).ops("}(").text(name).tensor(elements, offset, size, stride).ops("u.");
        return out.toByteArray();
    }

    /// Several float32 tensors, each in its own storage 0, 1, ...
    byte[] dict(String[] names, long[][] sizes) {
        start(2).ops("}(");
        for (int i = 0; i < names.length; i++) {
            storageKey = String.valueOf(i);
            long elements = 1;
            long[] stride = new long[sizes[i].length];
            for (int a = stride.length - 1; a >= 0; a--) {
                stride[a] = elements;
                elements *= sizes[i][a];
            }
            text(names[i]).tensor(elements, 0, sizes[i], stride);
        }
        ops("u.");
        return out.toByteArray();
    }

    /// What `torch.save(module.state_dict())` writes: an OrderedDict with `_metadata` hung on it, here of a Parameter.
    byte[] stateDictWithMetadata(String name, long rows, long columns) {
        start(2).global("collections OrderedDict").ops(")R(").text(name)
                .global("torch._utils _rebuild_parameter").ops("(")
                .tensor(rows * columns, 0, new long[] {rows, columns}, new long[] {columns, 1})
                .ops("\u0089").global("collections OrderedDict").ops(")RtRu");
        ops("}").text("_metadata").global("collections OrderedDict").ops(")R").text("").ops("}").text("version").number(1).ops("sssb.");
        return out.toByteArray();
    }

    /// The instructions of protocol 4: frame, short text, memoize, name by stack.
    byte[] protocol4Dict(String name, long elements) {
        start(4);
        out.writeBytes(new byte[] {(byte) 0x95, 0, 0, 0, 0, 0, 0, 0, 0});
        ops("}\u0094(").shortText(name).ops("\u0094");
        shortText("torch._utils").shortText("_rebuild_tensor_v2").ops("\u0093((")
                .shortText("storage").shortText("torch").shortText("FloatStorage").ops("\u0093")
                .shortText("0").shortText("cpu").number(elements).ops("tQ").number(0)
                .number(elements).ops("\u0085").number(1).ops("\u0085\u0089")
                .shortText("collections").shortText("OrderedDict").ops("\u0093)RtRu.");
        return out.toByteArray();
    }

    byte[] dictCalling(String name) {
        start(2).ops("}(").text("x").global(name).text("harmless").ops("\u0085Ru.");
        return out.toByteArray();
    }

    byte[] buildOnTensor() {
        start(2).ops("}(").text("x").tensor(6, 0, new long[] {6}, new long[] {1}).ops("}bu.");
        return out.toByteArray();
    }

    /// `depth` dicts, each holding the one before `width` times.
    byte[] sharedDicts(int depth, int width) {
        start(2).ops("}q\0");
        for (int d = 1; d <= depth; d++) {
            ops("}(");
            for (int w = 0; w < width; w++) {
                number(w).ops("h").raw(d - 1);
            }
            ops("uq").raw(d);
        }
        ops(".");
        return out.toByteArray();
    }

    private PickleBytes start(int protocol) {
        return raw(0x80).raw(protocol);
    }

    private PickleBytes tensor(long elements, long offset, long[] size, long[] stride) {
        global("torch._utils _rebuild_tensor_v2").ops("((").text("storage").global("torch FloatStorage").text(storageKey)
                .text("cpu").number(elements).ops("tQ").number(offset).ops("(");
        for (long n : size) {
            number(n);
        }
        ops("t(");
        for (long n : stride) {
            number(n);
        }
        return ops("t\u0089").global("collections OrderedDict").ops(")RtR");
    }

    private PickleBytes global(String moduleAndName) {
        ops("c");
        out.writeBytes((moduleAndName.replace(' ', '\n') + "\n").getBytes(StandardCharsets.UTF_8));
        return this;
    }

    private PickleBytes text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        out.write('X');
        out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(utf8.length).array());
        out.writeBytes(utf8);
        return this;
    }

    private PickleBytes shortText(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        raw(0x8c).raw(utf8.length);
        out.writeBytes(utf8);
        return this;
    }

    private PickleBytes number(long n) {
        raw(0x8a).raw(8);
        out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(n).array());
        return this;
    }

    /// One instruction per character.
    private PickleBytes ops(String ops) {
        ops.chars().forEach(out::write);
        return this;
    }

    private PickleBytes raw(int value) {
        out.write(value);
        return this;
    }
}
