package org.dhsa.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WeightTensorTest {

    private static WeightTensor of(DType dtype, int... bytes) {
        byte[] raw = new byte[bytes.length];
        for (int i = 0; i < raw.length; i++) {
            raw[i] = (byte) bytes[i];
        }
        return new WeightTensor("w", dtype, new long[] {bytes.length / dtype.bytes()}, MemorySegment.ofArray(raw));
    }

    @Test
    void everyReadableTypeIsWidenedExactly() {
        assertThat(of(DType.F64, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f).get(0)).isEqualTo(1.5);
        assertThat(of(DType.F32, 0, 0, 0xc0, 0x3f).get(0)).isEqualTo(1.5);
        assertThat(of(DType.BF16, 0xc0, 0x3f).get(0)).isEqualTo(1.5);
        assertThat(of(DType.F16, 0x00, 0x3e).get(0)).isEqualTo(1.5);
        assertThat(of(DType.I64, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).get(0)).isEqualTo(-2);
        assertThat(of(DType.I32, 0xfe, 0xff, 0xff, 0xff).get(0)).isEqualTo(-2);
        assertThat(of(DType.U8, 0xfe).get(0)).isEqualTo(254);
        assertThat(of(DType.BOOL, 0, 1).widen()).containsExactly(0, 1);
    }

    @Test
    void negativeAndSubnormalHalvesSurvive() {
        assertThat(of(DType.BF16, 0x80, 0xbf).get(0)).isEqualTo(-1);
        assertThat(of(DType.BF16, 0x01, 0x00).get(0)).isEqualTo(Math.scalb(1.0, -133));
        assertThat(of(DType.F16, 0x01, 0x00).get(0)).isEqualTo(Math.scalb(1.0, -24));
        assertThat(of(DType.BF16, 0x80, 0xff).get(0)).isEqualTo(Double.NEGATIVE_INFINITY);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"I16", "I8", "U64", "U32", "U16", "F8_E4M3", "F8_E5M2"})
    void otherTypesCanBeListedButNotRead(DType dtype) {
        WeightTensor weight = of(dtype, new int[dtype.bytes()]);
        assertThat(weight).hasToString("w " + dtype + "[1]");
        assertThatIllegalArgumentException().isThrownBy(() -> weight.get(0)).withMessageContaining("cannot be read, only listed");
    }

    @Test
    void rowsWidenOnlyWhatIsAskedFor() {
        WeightTensor weight = WeightTensor.of("w", new double[] {1, 2, 3, 4, 5, 6}, 3, 2);
        assertThat(weight.rows(1, 3)).containsExactly(3, 4, 5, 6);
        assertThat(weight.widen("vocab", "modelDim").shape()).isEqualTo(Shape.of("vocab", 3, "modelDim", 2));
        assertThatIllegalArgumentException().isThrownBy(() -> weight.widen("vocab")).withMessage("w has 2 axes, not [vocab]");
    }

    @Test
    void sizesAreCheckedAgainstTheType() {
        assertThatIllegalArgumentException().isThrownBy(() -> new WeightTensor("w", DType.F32, new long[] {2}, MemorySegment.ofArray(new byte[7])))
                .withMessage("w: F32[2] needs 8 bytes, got 7");
        assertThatIllegalArgumentException().isThrownBy(() -> WeightTensor.of("w", new double[2], 2).require(1, 2))
                .withMessage("w: expected [1, 2], got [2]");
    }

    @Test
    void theBytesCannotBeWritten() {
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> of(DType.U8, 1).bytes().set(ValueLayout.JAVA_BYTE, 0, (byte) 2));
    }
}
