package org.dhsa.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.dhsa.stage.QueryBlocks.Block;
import org.junit.jupiter.api.Test;

class QueryBlocksTest {

    @Test
    void fixedBlocksStopWhereTheInstructionStarts() {
        assertThat(QueryBlocks.fixed(5, 8, 2)).isEqualTo(new QueryBlocks(
                List.of(new Block(0, 2, 2, 0), new Block(2, 4, 4, 1), new Block(4, 5, 6, 2)), 5, 8));
    }

    @Test
    void aDynamicChunkLongerThanABlockIsCutButKeepsOneRepresentation() {
        assertThat(QueryBlocks.dynamic(Boundaries.of(0, 3, 8), 6, 8, 2).blocks()).containsExactly(
                new Block(0, 2, 2, 0), new Block(2, 3, 3, 0), new Block(3, 5, 5, 1), new Block(5, 6, 6, 1));
    }

    @Test
    void emptyDynamicChunksMakeNoBlock() {
        assertThat(QueryBlocks.dynamic(Boundaries.of(0, 2, 2, 4), 4, 4, 4).blocks()).containsExactly(new Block(0, 2, 2, 0), new Block(2, 4, 4, 2));
    }

    @Test
    void aDecodedTokenIsABlockOfItsOwn() {
        assertThat(QueryBlocks.single(7).blocks()).containsExactly(new Block(7, 8, 8, 0));
    }

    @Test
    void blocksMustAdjoinAndEndWhereTheDenseRowsStart() {
        assertThatIllegalArgumentException().isThrownBy(() -> new QueryBlocks(List.of(new Block(0, 2, 2, 0), new Block(3, 4, 4, 1)), 4, 4))
                .withMessage("query blocks must adjoin, block 1 starts at 3");
        assertThatIllegalArgumentException().isThrownBy(() -> new QueryBlocks(List.of(new Block(0, 2, 2, 0)), 3, 4))
                .withMessage("the blocks end at 2, the dense rows start at 3");
        assertThatIllegalArgumentException().isThrownBy(() -> new QueryBlocks(List.of(), 3, 2)).withMessageContaining("after the end 2");
        assertThatIllegalArgumentException().isThrownBy(() -> new Block(2, 2, 2, 0)).withMessageContaining("not a query block");
    }
}
