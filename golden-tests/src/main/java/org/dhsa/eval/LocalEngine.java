package org.dhsa.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.dhsa.backend.Backend;

/// Threads of this process. Each has a backend of its own with one thread and takes whole cells.
public final class LocalEngine implements SweepEngine {

    @Override
    public int run(Sweep sweep, ResultLog log, Watcher watcher) {
        List<Integer> open = SweepEngine.open(sweep, log);
        int workers = Math.max(1, Math.min(sweep.setup().workers(), open.size()));
        AtomicInteger next = new AtomicInteger();
        AtomicInteger finished = new AtomicInteger();
        List<Future<?>> running = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(workers)) {
            for (int w = 0; w < workers; w++) {
                running.add(pool.submit(() -> {
                    try (Backend backend = sweep.setup().backends().get()) {
                        for (int i = next.getAndIncrement(); i < open.size() && !Thread.interrupted(); i = next.getAndIncrement()) {
                            log.add(sweep.compute(open.get(i), backend));
                            watcher.done(finished.incrementAndGet(), open.size());
                        }
                    } catch (Throwable e) {
                        next.set(open.size());
                        throw e;
                    }
                }));
            }
            for (Future<?> future : running) {
                future.get();
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            running.forEach(f -> f.cancel(true));
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
        return finished.get();
    }

    @Override
    public void close() {}
}
