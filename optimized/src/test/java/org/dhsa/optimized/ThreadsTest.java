package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Threads change when something is computed, never what; and they end, whatever happens.
@Timeout(60)
class ThreadsTest {

    // ---------------------------------------------------------------- the same bits

    private static final RandomModel MODEL = RandomModel.of(21, 3, 72, 8, 2, 16, 100, 150, 30);

    static Stream<Arguments> models() {
        DhsaConfig dhsa = BackendTwinTest.SMALL;
        return Stream.of("best", "scalar").flatMap(kernels -> Stream.of(
                Arguments.of(kernels, "dense", new AttentionMode.Dense()),
                Arguments.of(kernels, "dhsa", AttentionMode.Dhsa.predicted(dhsa, MODEL.predictor())),
                Arguments.of(kernels, "upstream", AttentionMode.Dhsa.predicted(dhsa.with(c -> c.quirks = org.dhsa.model.Profile.UPSTREAM.quirks()), MODEL.predictor()))));
    }

    /// Every tensor that every stage shows, in order, and the logits.
    private static List<String> trace(Backend backend, AttentionMode mode) {
        List<String> trace = new ArrayList<>();
        Probe probe = new Probe() {
            @Override
            public void tensor(Stage stage, int layer, String name, Tensor value) {
                trace.add(stage + " " + layer + " " + name + " " + value.shape() + " " + bits(value));
            }

            @Override
            public void selection(int layer, org.dhsa.model.LayerKind kind, KeySelection selection) {
                trace.add("selection " + layer + " " + selection.hashCode());
            }
        };
        Gemma2Forward.Session session = new Gemma2Forward(MODEL.config(), MODEL.weights(), backend, EmbeddingScale.EXACT).open(mode, probe);
        trace.add("prefill " + bits(session.prefillAllLogits(RandomModel.ids(4, 161, 150))));
        for (int step = 0; step < 5; step++) {
            trace.add("decode " + bits(session.decode(step)));
        }
        return trace;
    }

    private static int bits(Tensor value) {
        return Arrays.hashCode(value.toDouble().data());
    }

    @ParameterizedTest(name = "{0} kernels, {1}")
    @MethodSource("models")
    void everyStageHasTheSameBitsForAnyNumberOfThreads(String kernels, String name, AttentionMode mode) {
        List<String> one = null;
        for (int threads : new int[] {1, 2, 3, 4, 8}) {
            try (Backend backend = kernels.equals("scalar") ? OptimizedBackend.scalar(threads) : new OptimizedBackend(threads)) {
                List<String> trace = trace(backend, mode);
                if (one == null) {
                    one = trace;
                    assertThat(trace).hasSizeGreaterThan(100);
                    assertThat(trace(backend, mode)).as("the same backend again").isEqualTo(one);
                }
                assertThat(trace).as("%d threads", threads).isEqualTo(one);
            }
        }
    }

    @Test
    void twoBackendsInOneJvmDoNotDisturbOneAnother() throws Exception {
        AttentionMode mode = AttentionMode.Dhsa.predicted(BackendTwinTest.SMALL, MODEL.predictor());
        try (Backend a = new OptimizedBackend(2); Backend b = new OptimizedBackend(3)) {
            List<String> alone = trace(a, mode);
            AtomicReference<List<String>> other = new AtomicReference<>();
            Thread thread = new Thread(() -> other.set(trace(b, mode)));
            thread.start();
            assertThat(trace(a, mode)).isEqualTo(alone);
            thread.join();
            assertThat(other.get()).isEqualTo(alone);
        }
    }

    // ---------------------------------------------------------------- interrupts

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void anInterruptedCallerIsToldAndTheBackendWorksAfterwards(int threads) {
        AttentionMode mode = new AttentionMode.Dense();
        try (Backend backend = new OptimizedBackend(threads)) {
            List<String> before = trace(backend, mode);
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> trace(backend, mode)).isInstanceOf(CancellationException.class);
            assertThat(Thread.interrupted()).as("the interrupt is still set").isTrue();
            assertThat(trace(backend, mode)).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void anInterruptInTheMiddleStopsTheRestAndLeavesNothingRunning(int threads) {
        try (Workers workers = new Workers(threads)) {
            AtomicInteger begun = new AtomicInteger();
            AtomicInteger running = new AtomicInteger();
            Thread caller = Thread.currentThread();
            assertThatThrownBy(() -> workers.run(100000, (task, worker) -> {
                running.incrementAndGet();
                if (begun.incrementAndGet() == 50) {
                    caller.interrupt();
                }
                Thread.onSpinWait();
                running.decrementAndGet();
            })).isInstanceOf(CancellationException.class);
            assertThat(running.get()).as("tasks that still write").isZero();
            assertThat(Thread.interrupted()).isTrue();
            AtomicInteger done = new AtomicInteger();
            workers.run(20, (task, worker) -> done.incrementAndGet());
            assertThat(done.get()).isEqualTo(20);
        }
    }

    // ---------------------------------------------------------------- tasks

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void everyTaskRunsOnceAndNoTwoShareAWorkersPlace(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int count : new int[] {0, 1, 2, threads, 1000}) {
                AtomicInteger[] runs = Stream.generate(AtomicInteger::new).limit(count).toArray(AtomicInteger[]::new);
                Set<Integer> busy = ConcurrentHashMap.newKeySet();
                workers.run(count, (task, worker) -> {
                    assertThat(worker).isBetween(0, threads - 1);
                    assertThat(busy.add(worker)).as("worker %d twice at once", worker).isTrue();
                    runs[task].incrementAndGet();
                    busy.remove(worker);
                });
                assertThat(runs).allSatisfy(n -> assertThat(n.get()).isEqualTo(1));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void aFailingTaskIsToldAndNothingHangs(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int failing : new int[] {0, 1, 500, 999}) {
                assertThatThrownBy(() -> workers.run(1000, (task, worker) -> {
                    if (task == failing) {
                        throw new IllegalArgumentException("task " + task);
                    }
                })).isInstanceOf(IllegalArgumentException.class).hasMessage("task " + failing);
            }
            AtomicInteger done = new AtomicInteger();
            workers.run(20, (task, worker) -> done.incrementAndGet());
            assertThat(done.get()).isEqualTo(20);
        }
    }

    /// An Error of the caller's own task must not leave helpers behind that write into its buffers.
    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void anErrorWaitsForTheOthersToo(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int round = 0; round < 20; round++) {
                AtomicInteger running = new AtomicInteger();
                CountDownLatch others = new CountDownLatch(threads - 1);
                CountDownLatch own = new CountDownLatch(1);
                assertThatThrownBy(() -> workers.run(threads, (task, worker) -> {
                    if (worker == 0) {
                        own.countDown();
                        await(others);
                        throw new StackOverflowError("own");
                    }
                    running.incrementAndGet();
                    others.countDown();
                    await(own);   // else a helper could take the caller's task before it comes
                    pause(5);
                    running.decrementAndGet();
                })).isInstanceOf(StackOverflowError.class).hasMessage("own");
                assertThat(running.get()).as("helpers that still write").isZero();
            }
            // an error of a helper arrives as what it is
            assertThatThrownBy(() -> workers.run(threads, (task, worker) -> {
                if (worker == 0) {
                    pause(20);
                } else {
                    throw new StackOverflowError("helper");
                }
            })).isInstanceOf(StackOverflowError.class).hasMessage("helper");
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).as("the other workers began").isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    // ---------------------------------------------------------------- the end

    @Test
    void closingStopsTheThreads() throws Exception {
        Set<Thread> before = workerThreads();
        OptimizedBackend backend = new OptimizedBackend(4);
        trace(backend, new AttentionMode.Dense());
        List<Thread> own = workerThreads().stream().filter(t -> !before.contains(t)).toList();
        assertThat(own).isNotEmpty().hasSizeLessThanOrEqualTo(3).allSatisfy(t -> assertThat(t.isDaemon()).isTrue());
        backend.close();
        backend.close();
        for (Thread thread : own) {
            assertThat(thread.join(Duration.ofSeconds(30))).as("%s ends", thread).isTrue();
        }
    }

    private static Set<Thread> workerThreads() {
        return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("dhsa-worker-"))
                .collect(java.util.stream.Collectors.toSet());
    }

    @Test
    void noThreadsOrFewerAreRefused() {
        assertThatThrownBy(() -> new OptimizedBackend(0)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("threads must be positive, was 0");
    }
}
