package org.dhsa.weights;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// Reads the fields of one protobuf message, in order. Every length is checked against the bytes that are there.
///
///     message = (key value)*      key = varint(field << 3 | wire)
///     value   = varint (wire 0) | 8 bytes (1) | varint length, bytes (2) | 4 bytes (5)
final class Protobuf {

    /// The bytes do not follow the format.
    static final class Malformed extends Exception {
        Malformed(String message) {
            super(message);
        }
    }

    private final byte[] bytes;
    private final int end;
    private int at;

    private int field;
    private int wire;
    private long varint;
    private int from;

    Protobuf(byte[] bytes) {
        this(bytes, 0, bytes.length);
    }

    private Protobuf(byte[] bytes, int from, int end) {
        this.bytes = bytes;
        this.at = from;
        this.end = end;
    }

    /// Steps to the next field; false at the end of the message.
    boolean next() throws Malformed {
        if (at == end) {
            return false;
        }
        long key = readVarint();
        field = (int) (key >>> 3);
        wire = (int) (key & 7);
        from = at;
        switch (wire) {
            case 0 -> varint = readVarint();
            case 1 -> skip(8);
            case 2 -> {
                long length = readVarint();
                from = at;
                skip(length);
            }
            case 5 -> skip(4);
            default -> throw new Malformed("wire type " + wire + " at byte " + from);
        }
        return true;
    }

    int field() {
        return field;
    }

    /// The value of a whole number, enumeration or flag.
    long number() throws Malformed {
        require(0);
        return varint;
    }

    String text() throws Malformed {
        require(2);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, from, at - from)).toString();
        } catch (CharacterCodingException e) {
            throw new Malformed("text that is not UTF-8 at byte " + from);
        }
    }

    int length() throws Malformed {
        require(2);
        return at - from;
    }

    Protobuf message() throws Malformed {
        require(2);
        return new Protobuf(bytes, from, at);
    }

    private void require(int expected) throws Malformed {
        if (wire != expected) {
            throw new Malformed("field " + field + " has wire type " + wire + ", expected " + expected);
        }
    }

    private void skip(long length) throws Malformed {
        if (length < 0 || length > end - at) {
            throw new Malformed("a field of " + Long.toUnsignedString(length) + " bytes, but only " + (end - at) + " are left");
        }
        at += (int) length;
    }

    private long readVarint() throws Malformed {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (at == end) {
                throw new Malformed("cut short at byte " + at);
            }
            byte b = bytes[at++];
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw new Malformed("a number of more than 10 bytes at byte " + at);
    }
}
