package org.dhsa.weights;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.tensor.DType;

/// The header of a safetensors file, read and checked; knows nothing of the values.
///
///     file   = length (8 bytes, little-endian) · header (length bytes of JSON) · data
///     header = { "name": {"dtype": "BF16", "shape": [4, 6], "data_offsets": [from, to]}, ..., "__metadata__": {"k": "v"} }
///
/// Offsets count bytes from the start of data, `to` exclusive. The tensors must cover the data exactly: no overlap, no
/// hole, nothing behind the last one. Unknown keys inside an entry are skipped, as the format's own reader does.
///
/// @param headerBytes length of the JSON with its padding, without the eight bytes before it
/// @param entries     in file order
record SafetensorsHeader(long headerBytes, Map<String, String> metadata, Map<String, Entry> entries) {

    /// The format's own limit for the JSON.
    static final long MAX_HEADER_BYTES = 100_000_000;

    /// The eight bytes of the length.
    static final int PREFIX_BYTES = 8;

    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final Map<String, DType> DTYPES = dtypes();

    /// One tensor; `from` inclusive and `to` exclusive count bytes from the start of the data.
    record Entry(String name, DType dtype, long[] dims, long from, long to) {}

    /// Reads the header out of the whole file.
    static SafetensorsHeader parse(Path path, MemorySegment file) throws WeightsFormatException {
        long fileBytes = file.byteSize();
        if (fileBytes < PREFIX_BYTES) {
            throw new WeightsFormatException(path, null, "has " + fileBytes
                    + " bytes, too few for a safetensors file, which starts with 8 bytes of header length");
        }
        long length = file.get(LENGTH, 0);
        if (length == 0) {
            throw new WeightsFormatException(path, null, "the header length is 0, expected at least the two bytes of {}");
        }
        if (length < 0 || length > MAX_HEADER_BYTES) {
            throw new WeightsFormatException(path, null, Lookalike.of(file).orElse("the header length is " + Long.toUnsignedString(length)
                    + ", more than the " + MAX_HEADER_BYTES + " bytes the format allows: is this a safetensors file?"));
        }
        if (length > fileBytes - PREFIX_BYTES) {
            throw new WeightsFormatException(path, null, "the header length is " + length + ", but only "
                    + (fileBytes - PREFIX_BYTES) + " bytes follow: the file is cut short or no safetensors file");
        }
        MemorySegment json = file.asSlice(PREFIX_BYTES, length);
        if (json.get(ValueLayout.JAVA_BYTE, 0) != '{') {
            throw new WeightsFormatException(path, null, "the header does not start with {");
        }
        SafetensorsHeader header = new Parser(path).read(length, json);
        requireExactCover(path, header.entries.values(), fileBytes - PREFIX_BYTES - length);
        return header;
    }

    /// Entries are in file order, so each must begin where the one before it ended.
    private static void requireExactCover(Path path, Iterable<Entry> entries, long dataBytes) throws WeightsFormatException {
        long end = 0;
        Entry before = null;
        for (Entry e : entries) {
            if (e.to > dataBytes) {
                throw new WeightsFormatException(path, e.name, "ends at byte " + e.to + " of the data, but there are only "
                        + dataBytes + " bytes: the file is cut short, fetch it again");
            }
            if (e.from < end) {
                throw new WeightsFormatException(path, e.name, "starts at byte " + e.from + " of the data and overlaps tensor "
                        + Printable.name(before.name) + ", which ends at " + end);
            }
            if (e.from > end) {
                throw new WeightsFormatException(path, e.name, "starts at byte " + e.from
                        + " of the data, which leaves a hole of " + (e.from - end) + " bytes that belong to no tensor");
            }
            end = e.to;
            before = e;
        }
        if (end < dataBytes) {
            throw new WeightsFormatException(path, null, (dataBytes - end) + " trailing bytes follow the last tensor");
        }
    }

    private static Map<String, DType> dtypes() {
        Map<String, DType> map = new HashMap<>();
        for (DType d : DType.values()) {
            map.put(d.name(), d);
        }
        return Map.copyOf(map);
    }

    /// One pass over the JSON; builds nothing but the entries themselves.
    private static final class Parser {

        private final Path path;
        private final List<Entry> entries = new ArrayList<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        Parser(Path path) {
            this.path = path;
        }

        SafetensorsHeader read(long length, MemorySegment json) throws WeightsFormatException {
            try (JsonParser in = Json.parser(new SegmentInputStream(json))) {
                in.nextToken();
                while (in.nextToken() == JsonToken.FIELD_NAME) {
                    String name = unicode(in.currentName());
                    in.nextToken();
                    if (name.equals("__metadata__")) {
                        readMetadata(in);
                    } else {
                        entries.add(readEntry(name, in));
                    }
                }
                if (in.nextToken() != null) {
                    throw new WeightsFormatException(path, null, "the header goes on after its closing brace");
                }
            } catch (JsonProcessingException e) {
                throw new WeightsFormatException(path, null, "the header is not valid JSON: " + Json.problem(e), e);
            } catch (CharacterCodingException e) {
                throw new WeightsFormatException(path, null, "the header is not valid UTF-8", e);
            } catch (IOException e) {
                throw new WeightsFormatException(path, null, "the header cannot be read: " + e.getMessage(), e);
            }
            entries.sort(Comparator.comparingLong(Entry::from).thenComparingLong(Entry::to));
            Map<String, Entry> byName = LinkedHashMap.newLinkedHashMap(entries.size());
            entries.forEach(e -> byName.put(e.name, e));
            return new SafetensorsHeader(length, Collections.unmodifiableMap(metadata), Collections.unmodifiableMap(byName));
        }

        private void readMetadata(JsonParser in) throws IOException, WeightsFormatException {
            if (in.currentToken() != JsonToken.START_OBJECT) {
                throw new WeightsFormatException(path, null, "__metadata__ must be an object of strings");
            }
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String key = unicode(in.currentName());
                if (in.nextToken() != JsonToken.VALUE_STRING) {
                    throw new WeightsFormatException(path, null, "__metadata__ value of " + Printable.name(key)
                            + " must be a string");
                }
                metadata.put(key, unicode(in.getText()));
            }
        }

        /// An escape may hold half a surrogate pair; such a string has no UTF-8 spelling, and two readers would see two names.
        private String unicode(String text) throws WeightsFormatException {
            for (int i = 0; i < text.length(); i++) {
                if (Character.isHighSurrogate(text.charAt(i)) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                    i++;
                } else if (Character.isSurrogate(text.charAt(i))) {
                    throw new WeightsFormatException(path, null, "the header is not valid Unicode: half a surrogate pair in "
                            + Printable.name(text));
                }
            }
            return text;
        }

        private Entry readEntry(String name, JsonParser in) throws IOException, WeightsFormatException {
            if (in.currentToken() != JsonToken.START_OBJECT) {
                throw new WeightsFormatException(path, name, "expected an object with dtype, shape and data_offsets");
            }
            DType dtype = null;
            long[] dims = null;
            long[] offsets = null;
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String key = in.currentName();
                in.nextToken();
                switch (key) {
                    case "dtype" -> dtype = readDType(name, in);
                    case "shape" -> dims = readLongs(name, "shape", in);
                    case "data_offsets" -> offsets = readLongs(name, "data_offsets", in);
                    default -> in.skipChildren();
                }
            }
            requirePresent(name, "dtype", dtype);
            requirePresent(name, "shape", dims);
            requirePresent(name, "data_offsets", offsets);
            return checked(name, dtype, dims, offsets);
        }

        private DType readDType(String name, JsonParser in) throws IOException, WeightsFormatException {
            DType dtype = in.currentToken() == JsonToken.VALUE_STRING ? DTYPES.get(in.getText()) : null;
            if (dtype == null) {
                throw new WeightsFormatException(path, name, "unknown dtype " + Printable.name(String.valueOf(in.getText()))
                        + ", expected one of " + Arrays.toString(DType.values()));
            }
            return dtype;
        }

        private long[] readLongs(String name, String field, JsonParser in) throws IOException, WeightsFormatException {
            if (in.currentToken() != JsonToken.START_ARRAY) {
                throw new WeightsFormatException(path, name, field + " must be a list of whole numbers");
            }
            long[] values = new long[4];
            int count = 0;
            while (in.nextToken() != JsonToken.END_ARRAY) {
                String text = in.getText();
                if (in.currentToken() != JsonToken.VALUE_NUMBER_INT || text.startsWith("-")) {
                    throw new WeightsFormatException(path, name, field
                            + " must be a list of whole numbers, 0 or greater, found " + Printable.name(String.valueOf(text)));
                }
                if (in.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
                    throw new WeightsFormatException(path, name, field + " holds " + Printable.name(text)
                            + ", which is more than any file can hold");
                }
                values = count == values.length ? Arrays.copyOf(values, 2 * count) : values;
                values[count++] = in.getLongValue();
            }
            return Arrays.copyOf(values, count);
        }

        private void requirePresent(String name, String field, Object value) throws WeightsFormatException {
            if (value == null) {
                throw new WeightsFormatException(path, name, "has no " + field);
            }
        }

        private Entry checked(String name, DType dtype, long[] dims, long[] offsets) throws WeightsFormatException {
            if (offsets.length != 2) {
                throw new WeightsFormatException(path, name, "data_offsets must be [from, to], found "
                        + offsets.length + " numbers");
            }
            long from = offsets[0];
            long to = offsets[1];
            if (from > to) {
                throw new WeightsFormatException(path, name, "data_offsets are reversed: [" + from + ", " + to + "]");
            }
            long need = dtype.bytes();
            try {
                for (long d : dims) {
                    need = Math.multiplyExact(need, d);
                }
            } catch (ArithmeticException e) {
                throw new WeightsFormatException(path, name, "the size of " + dtype + shown(dims) + " overflows 64 bits");
            }
            if (to - from != need) {
                throw new WeightsFormatException(path, name, dtype + shown(dims) + " needs " + need
                        + " bytes, but data_offsets [" + from + ", " + to + "] span " + (to - from));
            }
            return new Entry(name, dtype, dims, from, to);
        }

        private static String shown(long[] dims) {
            return dims.length <= 8 ? Arrays.toString(dims) : "[" + dims.length + " dimensions]";
        }
    }

    /// Mapped bytes as a stream, so that the JSON is decoded piece by piece and never copied whole.
    private static final class SegmentInputStream extends InputStream {

        private final MemorySegment bytes;
        private long at;

        SegmentInputStream(MemorySegment bytes) {
            this.bytes = bytes;
        }

        @Override
        public int read() {
            return at == bytes.byteSize() ? -1 : Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, at++));
        }

        @Override
        public int read(byte[] target, int offset, int length) {
            if (length == 0) {
                return 0;
            }
            int n = (int) Math.min(length, bytes.byteSize() - at);
            if (n == 0) {
                return -1;
            }
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, target, offset, n);
            at += n;
            return n;
        }
    }
}
