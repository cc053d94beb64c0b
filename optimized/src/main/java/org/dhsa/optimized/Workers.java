package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/// A fixed number of threads that share out numbered tasks.
///
/// Which thread takes a task is left to chance; what a task computes is not. Tasks write disjoint outputs and sum in their
/// own fixed order, so results are the same bits for any number of threads.
final class Workers implements AutoCloseable {

    /// One numbered task; `worker` is below `threads()` and names the scratch space it may use.
    interface Task {
        void run(int task, int worker);
    }

    private final int threads;
    private final ExecutorService pool;

    Workers(int threads) {
        if (threads <= 0) {
            throw new IllegalArgumentException("threads must be positive, was " + threads);
        }
        this.threads = threads;
        this.pool = threads == 1 ? null : Executors.newFixedThreadPool(threads - 1,
                Thread.ofPlatform().daemon().name("dhsa-worker-", 1).factory());
    }

    int threads() {
        return threads;
    }

    /// Runs tasks `0 … count − 1`; the caller works too. An interrupt stops it between two tasks.
    ///
    /// @throws CancellationException if the calling thread is interrupted
    void run(int count, Task task) {
        AtomicInteger next = new AtomicInteger();
        List<Future<?>> helpers = new ArrayList<>();
        for (int w = 1; w < Math.min(threads, count); w++) {
            int worker = w;
            helpers.add(pool.submit(() -> drain(next, count, task, worker)));
        }
        boolean interrupted = false;
        Throwable failure = null;
        try {
            drain(next, count, task, 0);
        } catch (RuntimeException | Error e) {
            failure = e;
        }
        interrupted = Thread.currentThread().isInterrupted();
        if (interrupted || failure != null) {
            next.set(count);
        }
        for (Future<?> helper : helpers) {
            failure = await(helper, failure);
        }
        switch (failure) {
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case null, default -> { }
        }
        if (Thread.currentThread().isInterrupted() || interrupted) {
            throw new CancellationException("interrupted");
        }
    }

    private static void drain(AtomicInteger next, int count, Task task, int worker) {
        for (int t = next.getAndIncrement(); t < count; t = next.getAndIncrement()) {
            if (worker == 0 && Thread.currentThread().isInterrupted()) {
                return;
            }
            task.run(t, worker);
        }
    }

    /// Waits for a helper even if interrupted meanwhile: it writes into buffers that the caller owns.
    private static Throwable await(Future<?> helper, Throwable earlier) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    helper.get();
                    return earlier;
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    if (earlier != null) {
                        return earlier;
                    }
                    return e.getCause();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() {
        if (pool != null) {
            pool.shutdown();
        }
    }
}
