package org.dhsa.weights;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.tensor.DType;

/// A pickle interpreter that can build the contents of a PyTorch checkpoint and nothing else.
///
/// A pickle is a program: it may name any function of Python and have it called. This interpreter has no means to call
/// anything. It knows a closed list of names (storage types, `_rebuild_tensor_v2`, `OrderedDict`, a few more), each with
/// its own few lines of Java that make plain data; any other name ends the reading, before and whether or not it would
/// have been called.
///
/// Values are [String], [Long], [Double], [Boolean], [BigInteger], [None], [Tuple], [Items], [Dict], [Storage] and
/// [Tensor]. Containers may contain themselves; nothing here walks them. The interpreter takes memory in proportion to
/// the bytes of the pickle, whatever numbers they spell.
final class Pickle {

    enum None { NONE }

    record Tuple(Object[] items) {}

    static final class Items {
        final List<Object> items = new ArrayList<>();
    }

    static final class Dict {
        final Map<Object, Object> entries = new LinkedHashMap<>();
    }

    /// @param elements what the pickle claims; compared with the bytes that are there when the storage is read
    record Storage(DType dtype, String key, long elements) {}

    /// A strided view: element `[i, j, ...]` is element `offset + i*stride[0] + j*stride[1] + ...` of the storage.
    record Tensor(Storage storage, long offset, long[] size, long[] stride) {}

    /// A name out of the closed list.
    private record Name(String text) {}

    private static final Object MARK = new Object();

    /// More axes than any tensor of PyTorch can have; a tuple is shared for free, its copies are not.
    private static final int MAX_RANK = 64;

    private static final Map<String, DType> STORAGES = Map.of(
            "torch.DoubleStorage", DType.F64, "torch.FloatStorage", DType.F32, "torch.HalfStorage", DType.F16,
            "torch.BFloat16Storage", DType.BF16, "torch.LongStorage", DType.I64, "torch.IntStorage", DType.I32,
            "torch.ShortStorage", DType.I16, "torch.CharStorage", DType.I8, "torch.ByteStorage", DType.U8,
            "torch.BoolStorage", DType.BOOL);

    private static final String ORDERED_DICT = "collections.OrderedDict";
    private static final String TENSOR = "torch._utils._rebuild_tensor_v2";
    private static final String PARAMETER = "torch._utils._rebuild_parameter";
    private static final String SIZE = "torch.Size";

    private final Path path;
    private final byte[] bytes;
    private final List<Object> stack = new ArrayList<>();
    private final Map<Long, Object> memo = new HashMap<>();
    private final Map<String, Storage> storages = new LinkedHashMap<>();
    private int at;

    /// @param from where the pickle begins
    Pickle(Path path, byte[] bytes, int from) {
        this.path = path;
        this.bytes = bytes;
        this.at = from;
    }

    /// Where the next byte after the pickle is.
    int end() {
        return at;
    }

    /// Every storage that was referred to, by key.
    Map<String, Storage> storages() {
        return storages;
    }

    /// Runs to STOP and returns the one value that was built.
    Object load() throws WeightsFormatException {
        while (true) {
            int op = nextByte();
            switch (op) {
                case '.' -> {
                    return pop();
                }
                case 0x80 -> requireProtocol(nextByte());
                case 0x95 -> skip(8);
                case '(' -> push(MARK);
                case '0' -> pop();
                case '1' -> popToMark();
                case '2' -> push(peek());
                case 'N' -> push(None.NONE);
                case 0x88 -> push(true);
                case 0x89 -> push(false);
                case 'K' -> push((long) nextByte());
                case 'M' -> push((long) (nextByte() | nextByte() << 8));
                case 'J' -> push((long) nextInt());
                case 0x8a -> push(nextInteger(nextByte()));
                case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(nextLong())));
                case 'X' -> push(text(nextUnsignedInt()));
                case 0x8c -> push(text(nextByte()));
                case 0x8d -> push(text(nextLong()));
                case 'T' -> push(text(nextUnsignedInt()));
                case 'U' -> push(text(nextByte()));
                case ')' -> push(new Tuple(new Object[0]));
                case 't' -> push(new Tuple(popToMark().toArray()));
                case 0x85 -> push(tuple(1));
                case 0x86 -> push(tuple(2));
                case 0x87 -> push(tuple(3));
                case ']' -> push(new Items());
                case 'a' -> append(List.of(pop()));
                case 'e' -> append(popToMark());
                case '}' -> push(new Dict());
                case 's' -> setItems(reversedPair());
                case 'u' -> setItems(popToMark());
                case 'q' -> memo.put((long) nextByte(), peek());
                case 'r' -> memo.put(nextUnsignedInt(), peek());
                case 0x94 -> memo.put((long) memo.size(), peek());
                case 'h' -> push(remembered(nextByte()));
                case 'j' -> push(remembered(nextUnsignedInt()));
                case 'c' -> push(name(line() + "." + line()));
                case 0x93 -> push(stackName());
                case 'R' -> push(reduce());
                case 'b' -> build();
                case 'Q' -> push(storage(pop()));
                default -> throw wrong("uses pickle instruction " + shown(op) + ", which no state dict needs: refused, nothing was called");
            }
        }
    }

    private void requireProtocol(int protocol) throws WeightsFormatException {
        if (protocol < 2 || protocol > 5) {
            throw wrong("is written in pickle protocol " + protocol + ", expected 2 to 5");
        }
    }

    private static String shown(int op) {
        return op > ' ' && op < 0x7f ? "'" + (char) op + "'" : String.format("0x%02x", op);
    }

    // ---- names and what they make

    /// The only names there are. Anything else ends the reading.
    private Name name(String text) throws WeightsFormatException {
        if (STORAGES.containsKey(text)) {
            return new Name(text);
        }
        return switch (text) {
            case ORDERED_DICT, TENSOR, PARAMETER, SIZE -> new Name(text);
            default -> throw wrong("asks to call or load " + Printable.name(text)
                    + ", which is no part of a state dict: refused, nothing was called. If you trust the file, load it in "
                    + "PyTorch and save its state dict as safetensors");
        };
    }

    private Name stackName() throws WeightsFormatException {
        Object second = pop();
        Object first = pop();
        if (first instanceof String module && second instanceof String member) {
            return name(module + "." + member);
        }
        throw wrong("names something by values that are no text");
    }

    private Object reduce() throws WeightsFormatException {
        Object arguments = pop();
        Object callable = pop();
        if (!(callable instanceof Name name) || !(arguments instanceof Tuple tuple)) {
            throw wrong("asks to call a value that is no function: refused, nothing was called");
        }
        Object[] a = tuple.items();
        return switch (name.text()) {
            case ORDERED_DICT -> a.length == 0 ? new Dict() : fail("an OrderedDict that is not built item by item");
            case TENSOR -> tensor(a);
            case PARAMETER -> a.length == 3 && a[0] instanceof Tensor t ? t : fail("a parameter that wraps no tensor");
            case SIZE -> a.length == 1 && a[0] instanceof Tuple size ? size : fail("a torch.Size that is no tuple");
            default -> throw wrong("asks to call " + name.text() + ": refused, nothing was called");
        };
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`.
    private Tensor tensor(Object[] a) throws WeightsFormatException {
        if (a.length < 6 || a.length > 7 || !(a[0] instanceof Storage storage) || !(a[1] instanceof Long offset)) {
            throw wrong("rebuilds a tensor from unexpected arguments");
        }
        long[] size = longs(a[2]);
        long[] stride = longs(a[3]);
        if (size.length != stride.length || offset < 0) {
            throw wrong("rebuilds a tensor with " + size.length + " sizes, " + stride.length + " strides and offset " + offset);
        }
        return new Tensor(storage, offset, size, stride);
    }

    private long[] longs(Object value) throws WeightsFormatException {
        if (!(value instanceof Tuple tuple) || tuple.items().length > MAX_RANK) {
            throw wrong("gives a tensor a size or stride that is no tuple of at most " + MAX_RANK + " numbers");
        }
        long[] out = new long[tuple.items().length];
        for (int i = 0; i < out.length; i++) {
            if (!(tuple.items()[i] instanceof Long n) || n < 0) {
                throw wrong("gives a tensor a size or stride that is not a whole number, 0 or greater");
            }
            out[i] = n;
        }
        return out;
    }

    /// `('storage', type, key, location, elements)`, in the older stream format with a sixth item, `None`.
    private Storage storage(Object id) throws WeightsFormatException {
        Object[] a = id instanceof Tuple t ? t.items() : new Object[0];
        if (a.length == 6 && a[5] != None.NONE) {
            throw wrong("holds a view of a storage in the way of PyTorch before 0.4; load and save it again with a newer PyTorch");
        }
        if (a.length < 5 || a.length > 6 || !"storage".equals(a[0]) || !(a[1] instanceof Name type)
                || !STORAGES.containsKey(type.text()) || !(a[2] instanceof String key) || !(a[4] instanceof Long elements)
                || elements < 0) {
            throw wrong("refers to something other than a tensor's storage");
        }
        Storage storage = new Storage(STORAGES.get(type.text()), key, elements);
        storages.put(key, storage);
        return storage;
    }

    /// `state_dict()` hangs version numbers on its OrderedDict; they are dropped. Anything else has no state to set.
    private void build() throws WeightsFormatException {
        Object state = pop();
        if (!(peek() instanceof Dict) || !(state instanceof Dict)) {
            throw wrong("sets the state of an object: refused, nothing was called");
        }
    }

    private <T> T fail(String problem) throws WeightsFormatException {
        throw wrong("holds " + problem);
    }

    // ---- containers

    private Tuple tuple(int count) throws WeightsFormatException {
        Object[] items = new Object[count];
        for (int i = count - 1; i >= 0; i--) {
            items[i] = pop();
        }
        return new Tuple(items);
    }

    private void append(List<Object> values) throws WeightsFormatException {
        if (!(peek() instanceof Items list)) {
            throw wrong("appends to something that is no list");
        }
        list.items.addAll(values);
    }

    private List<Object> reversedPair() throws WeightsFormatException {
        Object value = pop();
        return List.of(pop(), value);
    }

    private void setItems(List<Object> keysAndValues) throws WeightsFormatException {
        if (!(peek() instanceof Dict dict) || keysAndValues.size() % 2 != 0) {
            throw wrong("sets items of something that is no dict");
        }
        for (int i = 0; i < keysAndValues.size(); i += 2) {
            put(dict, keysAndValues.get(i), keysAndValues.get(i + 1));
        }
    }

    /// Keys are plain values only: hashing a tuple could go round in circles.
    private void put(Dict dict, Object key, Object value) throws WeightsFormatException {
        if (!(key instanceof String || key instanceof Long || key instanceof Boolean || key instanceof Double)) {
            throw wrong("has a dict key that is neither text nor number");
        }
        dict.entries.put(key, value);
    }

    // ---- stack, memo and bytes

    private void push(Object value) {
        stack.add(value);
    }

    private Object pop() throws WeightsFormatException {
        Object top = peek();
        stack.removeLast();
        return top;
    }

    private Object peek() throws WeightsFormatException {
        if (stack.isEmpty() || stack.getLast() == MARK) {
            throw wrong("is damaged: the pickle takes a value that is not there");
        }
        return stack.getLast();
    }

    private List<Object> popToMark() throws WeightsFormatException {
        int mark = stack.lastIndexOf(MARK);
        if (mark < 0) {
            throw wrong("is damaged: the pickle looks for a mark that is not there");
        }
        List<Object> tail = stack.subList(mark + 1, stack.size());
        List<Object> values = new ArrayList<>(tail);
        tail.clear();
        stack.removeLast();
        return values;
    }

    private Object remembered(long index) throws WeightsFormatException {
        Object value = memo.get(index);
        if (value == null) {
            throw wrong("is damaged: the pickle refers to value " + index + ", which was never kept");
        }
        return value;
    }

    private int nextByte() throws WeightsFormatException {
        return bytes[skip(1)] & 0xff;
    }

    private int nextInt() throws WeightsFormatException {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(skip(4));
    }

    private long nextUnsignedInt() throws WeightsFormatException {
        return Integer.toUnsignedLong(nextInt());
    }

    private long nextLong() throws WeightsFormatException {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(skip(8));
    }

    /// A little-endian two's complement number of any length.
    private Object nextInteger(int length) throws WeightsFormatException {
        int from = skip(length);
        byte[] bigEndian = new byte[length];
        for (int i = 0; i < length; i++) {
            bigEndian[i] = bytes[from + length - 1 - i];
        }
        BigInteger value = length == 0 ? BigInteger.ZERO : new BigInteger(bigEndian);
        return value.bitLength() < 64 ? (Object) value.longValue() : value;
    }

    private String text(long length) throws WeightsFormatException {
        int from = skip(length);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, from, (int) length)).toString();
        } catch (CharacterCodingException e) {
            throw new WeightsFormatException(path, null, "is damaged: text in the pickle is not UTF-8", e);
        }
    }

    private String line() throws WeightsFormatException {
        int from = at;
        while (nextByte() != '\n') {
            // the loop condition reads
        }
        return new String(bytes, from, at - 1 - from, StandardCharsets.UTF_8);
    }

    /// Steps over `length` bytes that are there and returns where they began.
    private int skip(long length) throws WeightsFormatException {
        if (length < 0 || length > bytes.length - at) {
            throw wrong("is cut short: the pickle ends in the middle of an instruction");
        }
        int from = at;
        at += (int) length;
        return from;
    }

    private WeightsFormatException wrong(String problem) {
        return new WeightsFormatException(path, null, problem);
    }
}
