package org.dhsa.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class ShapeTest {

    private final Shape shape = Shape.of("heads", 2, "queryLen", 3);

    @Test
    void axesAreFoundByNameAndByIndex() {
        assertThat(shape.extent("queryLen")).isEqualTo(3);
        assertThat(shape.extent(0)).isEqualTo(2);
        assertThat(shape.name(1)).isEqualTo("queryLen");
        assertThat(shape.names()).containsExactly("heads", "queryLen");
        assertThat(shape.rank()).isEqualTo(2);
        assertThat(shape.elements()).isEqualTo(6);
        assertThat(Shape.of().elements()).isEqualTo(1);
    }

    @Test
    void oneExtentCanBeAnother() {
        assertThat(shape.with("queryLen", 7)).isEqualTo(Shape.of("heads", 2, "queryLen", 7));
        assertThatIllegalArgumentException().isThrownBy(() -> shape.with("chunks", 7)).withMessage("no axis chunks in [heads=2, queryLen=3]");
    }

    @Test
    void aMissingAxisIsNamed() {
        assertThatIllegalArgumentException().isThrownBy(() -> shape.extent("chunks")).withMessage("no axis chunks in [heads=2, queryLen=3]");
    }

    @Test
    void requireChecksNamesAndOrder() {
        assertThat(shape.require("heads", "queryLen").requireExtent("heads", 2)).isSameAs(shape);
        assertThatIllegalArgumentException().isThrownBy(() -> shape.require("queryLen", "heads"))
                .withMessage("expected axes [queryLen, heads], got [heads=2, queryLen=3]");
        assertThatIllegalArgumentException().isThrownBy(() -> shape.requireExtent("heads", 4))
                .withMessage("axis heads must be 4 in [heads=2, queryLen=3]");
    }

    @Test
    void sameExtentsUnderOtherNamesAreAnotherShape() {
        assertThat(shape).isEqualTo(Shape.of("heads", 2, "queryLen", 3)).hasSameHashCodeAs(Shape.of("heads", 2, "queryLen", 3))
                .isNotEqualTo(Shape.of("heads", 2, "keyLen", 3)).isNotEqualTo(Shape.of("heads", 3, "queryLen", 2));
    }

    @Test
    void malformedShapesAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> Shape.of("heads")).withMessageContaining("must alternate");
        assertThatIllegalArgumentException().isThrownBy(() -> Shape.of(2, "heads")).withMessageContaining("must alternate");
        assertThatIllegalArgumentException().isThrownBy(() -> Shape.of("heads", -1)).withMessage("axis heads must not be negative, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> Shape.of("heads", 1, "heads", 2)).withMessage("axis heads is named twice");
    }

    @Test
    void aFlatIndexIsDescribedAxisByAxis() {
        assertThat(shape.describeIndex(4)).isEqualTo("[heads=1, queryLen=1]");
        assertThat(Shape.of("keyLen", 0).describeIndex(0)).isEqualTo("[keyLen=0]");
    }
}
