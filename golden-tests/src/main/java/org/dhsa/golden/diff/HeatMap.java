package org.dhsa.golden.diff;

import java.util.Optional;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// The error of a tensor as a small picture: rows are all axes but the last, columns the last; a cell is the worst error in it.
///
/// @param cells `[rows][columns]`, error over budget (absolute error where the budget is 0); infinite where a number meets a NaN
record HeatMap(double[][] cells, String rowAxes, String columnAxis, int rowExtent, int columnExtent) {

    private static final int MOST = 96;

    static Optional<HeatMap> of(DoubleTensor expected, DoubleTensor actual, double budget) {
        if (!expected.shape().equals(actual.shape()) || expected.data().length == 0) {
            return Optional.empty();
        }
        Shape shape = expected.shape();
        int columns = shape.extent(shape.rank() - 1);
        int rows = expected.data().length / columns;
        double[][] cells = new double[Math.min(MOST, rows)][Math.min(MOST, columns)];
        for (int i = 0; i < expected.data().length; i++) {
            double want = expected.data()[i];
            double have = actual.data()[i];
            double error = Double.compare(want, have) == 0 ? 0 : Double.isFinite(want) && Double.isFinite(have) ? Math.abs(want - have) : Double.POSITIVE_INFINITY;
            int r = (int) ((long) (i / columns) * cells.length / rows);
            int c = (int) ((long) (i % columns) * cells[0].length / columns);
            cells[r][c] = Math.max(cells[r][c], budget > 0 ? error / budget : error);
        }
        return Optional.of(new HeatMap(cells, shape.rank() == 1 ? "" : String.join(" × ", shape.names().subList(0, shape.rank() - 1)),
                shape.name(shape.rank() - 1), rows, columns));
    }
}
