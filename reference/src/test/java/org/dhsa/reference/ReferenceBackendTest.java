package org.dhsa.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.testing.Tensors.keys;

import java.util.Locale;
import java.util.ServiceLoader;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.Stage;
import org.dhsa.testing.Tensors;
import org.junit.jupiter.api.Test;

class ReferenceBackendTest {

    @Test
    void theProviderIsFoundAndRunsEverywhere() {
        BackendProvider provider = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .filter(p -> p.name().equals("reference")).findFirst().orElseThrow();
        assertThat(provider.probe()).isInstanceOf(Availability.Available.class);
        try (Backend backend = provider.open()) {
            assertThat(backend.name()).isEqualTo("reference");
            assertThat(backend.ownStages()).containsExactlyInAnyOrder(Stage.values());
            assertThat(backend.precision()).isEqualTo(Backend.Precision.FP64);
        }
    }

    @Test
    void aLocalCacheKeepsTheLastWindowOfKeysAndTheirPositions() {
        try (Backend backend = new ReferenceBackend()) {
            LayerCache cache = backend.newLayerCache(1, 1, new LayerKind.Local(3));
            cache.append(keys(0, 1, 2, 3, 4), keys(10, 11, 12, 13, 14));
            assertThat(cache.keys().toDouble().data()).containsExactly(0, 1, 2, 3, 4);
            cache.trim();
            assertThat(cache.keys().toDouble().data()).containsExactly(2, 3, 4);
            assertThat(cache.values().toDouble().data()).containsExactly(12, 13, 14);
            assertThat(cache.firstPosition()).isEqualTo(2);
            assertThat(cache.endPosition()).isEqualTo(5);
            cache.append(keys(5), keys(15));
            assertThat(cache.endPosition()).isEqualTo(6);
        }
    }

    @Test
    void aGlobalCacheForgetsNothing() {
        try (Backend backend = new ReferenceBackend()) {
            LayerCache cache = backend.newLayerCache(1, 1, new LayerKind.Global());
            cache.append(keys(0, 1, 2), keys(0, 1, 2));
            cache.append(keys(3), keys(3));
            cache.trim();
            assertThat(cache.keys().toDouble().data()).containsExactly(0, 1, 2, 3);
            assertThat(cache.firstPosition()).isZero();
        }
    }

    @Test
    void keyRowsAreCutFromEveryHead() {
        try (Backend backend = new ReferenceBackend()) {
            assertThat(backend.keyRows(keys(0, 1, 2, 3), 1, 3).toDouble().data()).containsExactly(1, 2);
            assertThat(backend.rows(Tensors.matrix("queryLen", "modelDim", Tensors.row(1, 2), Tensors.row(3, 4)), 1, 2).toDouble().data())
                    .containsExactly(3, 4);
        }
    }

    @Test
    void aLinearMapIsXTimesWTransposed() {
        assertThat(Linear.apply(new double[] {1, 2, 3, 4}, 2, Tensors.weight(3, 2, 1, 0, 0, 1, 1, 1))).containsExactly(1, 2, 3, 3, 4, 7);
    }

    @Test
    void stagesAreNamedByTheirSlugs() {
        assertThat(Stage.TOP_K_SELECTION).hasToString("top-k-selection");
        assertThat(Stage.values()).allSatisfy(stage ->
                assertThat(stage.slug()).isEqualTo(stage.name().toLowerCase(Locale.ROOT).replace('_', '-')));
    }
}
