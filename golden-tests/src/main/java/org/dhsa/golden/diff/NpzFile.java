package org.dhsa.golden.diff;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.DType;

/// NumPy's `.npz` (a zip of `.npy` files, stored or deflated) and a single `.npy`.
///
///     npy  = "\x93NUMPY" · major · minor · header length (2 bytes; 4 from version 2) · header · data
///     header = a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (4, 24, 64), }
///
/// Plain numbers only. NumPy has no bfloat16 of its own; `ml_dtypes` stores it as two raw bytes (`<V2`), which are read as
/// bfloat16.
final class NpzFile {

    /// A reader of values whose elements are big-endian.
    interface BigEndian extends DumpTensor.Bytes {}

    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final int MAX_HEADER = 1 << 20;
    private static final Pattern DESCR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
    private static final Pattern FORTRAN = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
    private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([^)]*)\\)");
    private static final Map<String, DType> DTYPES = Map.ofEntries(Map.entry("f8", DType.F64), Map.entry("f4", DType.F32), Map.entry("f2", DType.F16),
            Map.entry("V2", DType.BF16), Map.entry("i8", DType.I64), Map.entry("i4", DType.I32), Map.entry("i2", DType.I16), Map.entry("i1", DType.I8),
            Map.entry("u8", DType.U64), Map.entry("u4", DType.U32), Map.entry("u2", DType.U16), Map.entry("u1", DType.U8), Map.entry("b1", DType.BOOL));

    private NpzFile() {}

    /// What stands before the data.
    private record Header(DType dtype, boolean bigEndian, boolean columnMajor, long[] dims) {}

    private interface Source {
        InputStream open() throws IOException;
    }

    /// Headers are read now, values when they are asked for.
    static List<DumpTensor> readNpz(Path path) throws GoldenFormatException {
        List<DumpTensor> tensors = new ArrayList<>();
        try (ZipFile zip = new ZipFile(path.toFile())) {
            for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements();) {
                String entry = all.nextElement().getName();
                if (!entry.endsWith(".npy")) {
                    throw new GoldenFormatException(path, "holds " + entry + ", which is no .npy array", "write it with numpy.savez");
                }
                tensors.add(tensor(path, entry.substring(0, entry.length() - 4), () -> inside(path, entry)));
            }
        } catch (ZipException e) {
            throw new GoldenFormatException(path, "is no .npz file: " + e.getMessage(), "write it with numpy.savez", e);
        } catch (IOException e) {
            throw new GoldenFormatException(path, "cannot be read: " + e.getMessage(), "", e);
        }
        return tensors;
    }

    static DumpTensor readNpy(Path path, String name) throws GoldenFormatException {
        try {
            return tensor(path, name, () -> Files.newInputStream(path));
        } catch (IOException e) {
            throw new GoldenFormatException(path, "cannot be read: " + e.getMessage(), "", e);
        }
    }

    private static InputStream inside(Path path, String entry) throws IOException {
        ZipFile zip = new ZipFile(path.toFile());
        try {
            InputStream in = zip.getInputStream(zip.getEntry(entry));
            return new java.io.FilterInputStream(in) {
                @Override
                public void close() throws IOException {
                    super.close();
                    zip.close();
                }
            };
        } catch (Throwable e) {
            zip.close();
            throw e;
        }
    }

    private static DumpTensor tensor(Path path, String name, Source source) throws IOException, GoldenFormatException {
        Header header;
        try (DataInputStream in = new DataInputStream(source.open())) {
            header = header(path, name, in);
        }
        long count = Arrays.stream(header.dims()).reduce(1, Math::multiplyExact);
        long bytes = Math.multiplyExact(count, header.dtype().bytes());
        DumpTensor.Bytes reader = () -> {
            try (DataInputStream in = new DataInputStream(source.open())) {
                headerText(in);
                byte[] data = in.readNBytes(Math.toIntExact(bytes));
                if (data.length != bytes) {
                    throw new IOException("it ends after " + data.length + " of " + bytes + " bytes");
                }
                return ByteBuffer.wrap(data);
            }
        };
        return new DumpTensor(name, path, header.dtype(), header.dims(), header.columnMajor(), header.bigEndian() ? (BigEndian) reader::read : reader);
    }

    private static Header header(Path path, String name, DataInputStream in) throws IOException, GoldenFormatException {
        String text = headerText(in);
        Matcher descr = DESCR.matcher(text);
        Matcher fortran = FORTRAN.matcher(text);
        Matcher shape = SHAPE.matcher(text);
        if (!descr.find() || !fortran.find() || !shape.find()) {
            throw new GoldenFormatException(path, "array " + name + " has the header " + text.strip() + ", which is not that of a plain array",
                    "dump plain numbers, not records or objects");
        }
        String type = descr.group(1);
        DType dtype = type.length() < 2 ? null : DTYPES.get(type.substring(1));
        if (dtype == null) {
            throw new GoldenFormatException(path, "array " + name + " has the type " + type + ", which cannot be compared",
                    "dump float16, float32, float64, bfloat16 (ml_dtypes), an integer type or bool");
        }
        long[] dims = Arrays.stream(shape.group(1).split(",")).map(String::strip).filter(s -> !s.isEmpty()).mapToLong(Long::parseLong).toArray();
        return new Header(dtype, type.charAt(0) == '>', fortran.group(1).equals("True"), dims);
    }

    private static String headerText(DataInputStream in) throws IOException {
        byte[] magic = in.readNBytes(MAGIC.length);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new IOException("it does not start with the bytes of a .npy array");
        }
        int major = in.readUnsignedByte();
        in.readUnsignedByte();
        byte[] length = in.readNBytes(major == 1 ? 2 : 4);
        ByteBuffer size = ByteBuffer.wrap(Arrays.copyOf(length, 4)).order(ByteOrder.LITTLE_ENDIAN);
        int count = size.getInt(0);
        if (count < 0 || count > MAX_HEADER) {
            throw new IOException("its header would have " + count + " bytes");
        }
        return new String(in.readNBytes(count), StandardCharsets.UTF_8);
    }
}
