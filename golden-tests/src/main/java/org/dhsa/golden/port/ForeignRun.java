package org.dhsa.golden.port;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenRun;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.golden.vector.VectorTree;

/// All vectors under a folder on a [ForeignProgram], one after the other.
public final class ForeignRun {

    private ForeignRun() {}

    /// A broken case does not keep the others from being checked.
    ///
    /// @param dirOrCase a tree of vectors, or one case folder; folders of recordings in it are passed over
    /// @param onCase    told each result as soon as it is there
    /// @throws GoldenFormatException      if there is no case to check, or every one is broken
    /// @throws ForeignProgram.CannotStart if the shell does not find the program: no case was checked
    public static GoldenRun of(Path dirOrCase, ForeignProgram program, Predicate<String> caseFilter, Consumer<CaseResult> onCase)
            throws GoldenFormatException, IOException, InterruptedException, ForeignProgram.CannotStart {
        List<CaseResult> results = new ArrayList<>();
        List<GoldenFormatException> unusable = new ArrayList<>(VectorTree.verify(dirOrCase));
        Map<String, GoldenRun.Place> places = new HashMap<>();
        for (Path folder : folders(dirOrCase)) {
            try {
                if (VectorCase.isOne(folder) && caseFilter.test(VectorCase.readId(folder))) {
                    VectorCase golden = VectorCase.read(folder);
                    CaseResult result = program.check(golden);
                    results.add(result);
                    places.put(golden.id(), new GoldenRun.Place(golden.level(), golden.profile()));
                    onCase.accept(result);
                }
            } catch (GoldenFormatException e) {
                unusable.add(e);
            }
        }
        if (results.isEmpty() && !unusable.isEmpty()) {
            throw unusable.getFirst();
        }
        if (results.isEmpty()) {
            throw new GoldenFormatException(dirOrCase, "holds no case of the vectors that passes the filter", "a foreign program is run on golden-tests/golden/v1 or a part of it");
        }
        return GoldenRun.ofResults(results, unusable, VectorTree.version(dirOrCase), places);
    }

    private static List<Path> folders(Path dirOrCase) throws GoldenFormatException, IOException {
        if (!Files.isDirectory(dirOrCase)) {
            throw new GoldenFormatException(dirOrCase, "is not a folder", "name a folder with case folders in it");
        }
        try (Stream<Path> walk = Files.walk(dirOrCase, FileVisitOption.FOLLOW_LINKS)) {
            return walk.filter(f -> f.endsWith(VectorCase.FILE_NAME)).map(Path::getParent).sorted().toList();
        }
    }
}
