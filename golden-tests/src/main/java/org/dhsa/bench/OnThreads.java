package org.dhsa.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntToLongFunction;

/// Runs one piece of work on several threads at once: the ceilings of a machine are measured with as many threads as what
/// is held against them.
final class OnThreads implements AutoCloseable {

    private final int threads;
    private final ExecutorService pool;

    OnThreads(int threads) {
        this.threads = threads;
        this.pool = Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().factory());
    }

    int threads() {
        return threads;
    }

    /// @param work told the number of its thread, from 0
    /// @return sum of what the threads returned
    long sum(IntToLongFunction work) {
        List<Future<Long>> running = new ArrayList<>();
        for (int t = 1; t < threads; t++) {
            int thread = t;
            running.add(pool.submit(() -> work.applyAsLong(thread)));
        }
        long sum = work.applyAsLong(0);
        for (Future<Long> one : running) {
            try {
                sum += one.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            } catch (ExecutionException e) {
                throw new IllegalStateException(e.getCause());
            }
        }
        return sum;
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
