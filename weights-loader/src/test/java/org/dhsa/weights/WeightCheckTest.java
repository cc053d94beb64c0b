package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class WeightCheckTest {

    /// Largest finite value, infinity and the NaN with the smallest payload, both signs.
    private static long[] good(DType dtype) {
        return switch (dtype) {
            case BF16 -> new long[] {0x7f7f, 0xff7f, 0x807f, 0};
            case F16 -> new long[] {0x7bff, 0xfbff, 0x83ff, 0};
            case F32 -> new long[] {0x7f7fffffL, 0xff7fffffL, 0x807fffffL, 0};
            default -> new long[] {0x7fefffffffffffffL, 0xffefffffffffffffL, 0x800fffffffffffffL, 0};
        };
    }

    private static long[] bad(DType dtype) {
        return switch (dtype) {
            case BF16 -> new long[] {0x7f80, 0xff80, 0x7f81, 0xffff};
            case F16 -> new long[] {0x7c00, 0xfc00, 0x7c01, 0xffff};
            case F32 -> new long[] {0x7f800000L, 0xff800000L, 0x7f800001L, 0xffffffffL};
            default -> new long[] {0x7ff0000000000000L, 0xfff0000000000000L, 0x7ff0000000000001L, -1};
        };
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16", "F32", "F64"})
    void everyPlaceOfEveryLengthIsLookedAt(DType dtype) {
        for (int length = 0; length <= 17; length++) {
            for (long finite : good(dtype)) {
                assertThat(WeightCheck.firstNonFinite(filled(dtype, length, finite))).isEqualTo(-1);
            }
            for (int at = 0; at < length; at++) {
                for (long nonFinite : bad(dtype)) {
                    WeightTensor w = filled(dtype, length, good(dtype)[1], at, nonFinite);
                    assertThat(WeightCheck.firstNonFinite(w)).as("%s, length %d", dtype, length).isEqualTo(at);
                    assertThat(Double.isFinite(w.get(at))).isFalse();
                }
            }
        }
    }

    @Test
    void theFirstOfSeveralIsFound() {
        assertThat(WeightCheck.firstNonFinite(filled(DType.BF16, 40, 0, 37, 0x7fc0, 22, 0xff80))).isEqualTo(22);
    }

    @ParameterizedTest
    @ValueSource(ints = {32767, 32768, 32769, 65536, 70000})
    void piecesMeetWithoutAGap(int at) {
        assertThat(WeightCheck.firstNonFinite(filled(DType.BF16, 70001, 0, at, 0x7fc0))).isEqualTo(at);
    }

    @Test
    void integersAreAlwaysNumbersAndUnreadableTypesAreToldSo() {
        byte[] ones = {-1, -1, -1, -1, -1, -1, -1, -1};
        assertThat(WeightCheck.firstNonFinite(new WeightTensor("i", DType.I32, new long[] {2}, MemorySegment.ofArray(ones)))).isEqualTo(-1);
        WeightTensor f8 = new WeightTensor("f8", DType.F8_E4M3, new long[] {8}, MemorySegment.ofArray(ones));
        assertThatThrownBy(() -> WeightCheck.firstNonFinite(f8)).hasMessage("f8: values of type F8_E4M3 cannot be read, only listed");
    }

    /// `fill` everywhere but at the given places: index, bits, index, bits, ...
    private static WeightTensor filled(DType dtype, int length, long fill, long... places) {
        ByteBuffer b = ByteBuffer.allocate(length * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < length; i++) {
            put(b, dtype, i, fill);
        }
        for (int p = 0; p < places.length; p += 2) {
            put(b, dtype, (int) places[p], places[p + 1]);
        }
        return new WeightTensor("w", dtype, new long[] {length}, MemorySegment.ofArray(b.array()));
    }

    private static void put(ByteBuffer b, DType dtype, int index, long bits) {
        switch (dtype.bytes()) {
            case 2 -> b.putShort(2 * index, (short) bits);
            case 4 -> b.putInt(4 * index, (int) bits);
            default -> b.putLong(8 * index, bits);
        }
    }
}
