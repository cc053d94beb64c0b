package org.dhsa.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Serializable;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;
import org.dhsa.cli.SweepRecipe;
import org.dhsa.eval.EngineProvider;
import org.dhsa.eval.ResultLog;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.SweepEngine;
import scala.Function2;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag$;
import scala.runtime.BoxedUnit;

/// One Spark task per cell. A line is appended to the log when its task ends, so what was computed stays whatever is lost later, and a
/// lost executor costs the cells it was at: Spark gives them to another one.
public final class SparkEngine implements SweepEngine {

    static final String DEFAULT_MASTER = "local[*]";
    private static final int CONNECT_MILLIS = 5000;

    private final JavaSparkContext context;
    private final SweepRecipe recipe;
    private final Consumer<String> say;

    private SparkEngine(JavaSparkContext context, SweepRecipe recipe, Consumer<String> say) {
        this.context = context;
        this.recipe = recipe;
        this.say = say;
    }

    static SparkEngine connect(EngineProvider.Request request) {
        String master = request.master().orElse(DEFAULT_MASTER);
        requireAnswer(master);
        SparkConf conf = new SparkConf(true).setAppName("dhsa " + String.join(" ", request.recipe().args().subList(0, 2))).setMaster(master)
                .set("spark.ui.enabled", "false").set("spark.log.structuredLogging.enabled", "false");
        if (!master.matches("local(\\[.*)?") && !request.settings().containsKey("spark.jars") && !request.settings().containsKey("spark.executor.extraClassPath")) {
            conf.set("spark.jars", String.join(",", ownJars(Path.of(request.recipe().root()))));
        }
        request.settings().forEach(conf::set);
        try {
            JavaSparkContext context = new JavaSparkContext(conf);
            context.sc().addSparkListener(new Losses(request.say()));
            return new SparkEngine(context, request.recipe(), request.say());
        } catch (Exception e) {
            throw new BadInput("--master " + master + ": Spark could not be started (" + firstLine(e) + "). Masters that work here are local[N] and spark://HOST:PORT "
                    + "of a cluster with the same Spark version. What Spark says itself: DHSA_JAVA_OPTS=-Ddhsa.spark.log=warn.", e);
        }
    }

    /// Spark itself tries for a minute before it gives up on a master that is not there.
    private static void requireAnswer(String master) {
        if (!master.startsWith("spark://")) {
            return;
        }
        List<String> tried = new ArrayList<>();
        for (String address : master.substring("spark://".length()).split(",")) {
            int colon = address.lastIndexOf(':');
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))), CONNECT_MILLIS);
                return;
            } catch (IOException e) {
                tried.add(address + ": " + (e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage()));
            } catch (RuntimeException e) {
                throw new BadInput("--master is spark://HOST:PORT, was \"" + master + "\".", e);
            }
        }
        throw new BadInput("--master: no Spark master answers at " + master + " (" + String.join("; ", tried) + "). Start one, correct the address, or leave the option "
                + "away to use this machine. Nothing was written.");
    }

    /// This project and its libraries, without those that Spark brings itself.
    private static List<String> ownJars(Path root) {
        List<String> jars = new ArrayList<>();
        for (String folder : List.of("golden-tests/spark/target", "golden-tests/spark/target/jars", "golden-tests/target/lib")) {
            try (Stream<Path> files = Files.list(root.resolve(folder))) {
                files.filter(f -> f.getFileName().toString().endsWith(".jar") && !f.getFileName().toString().matches("(jackson|slf4j|snakeyaml).*"))
                        .filter(f -> !folder.endsWith("jars") || f.getFileName().toString().startsWith("dhsa-golden-tests")).map(f -> f.toUri().toString()).forEach(jars::add);
            } catch (IOException e) {
                throw new BadInput("The folder " + root.resolve(folder) + " with the jars for the executors is not there. Start with ./dhsa, which makes it.", e);
            }
        }
        return jars;
    }

    @Override
    public int run(Sweep sweep, ResultLog log, Watcher watcher) {
        List<Integer> open = SweepEngine.open(sweep, log);
        if (open.isEmpty()) {
            return 0;
        }
        AtomicInteger finished = new AtomicInteger();
        CellTask task = new CellTask(recipe, Json.compact(sweep.config()));
        Received received = (index, outcome) -> {
            add(log, outcome, sweep.cells().get(open.get((Integer) index)));
            watcher.done(finished.incrementAndGet(), open.size());
            return BoxedUnit.UNIT;
        };
        List<Object> partitions = new ArrayList<>(IntStream.range(0, open.size()).boxed().toList());
        try (Patience waiting = new Patience(context, say)) {
            context.sc().runJob(context.parallelize(open, open.size()).rdd(), new OnExecutor(task), CollectionConverters.asScala(partitions).toSeq(), received,
                    ClassTag$.MODULE$.apply(CellTask.Outcome.class));
        } catch (Exception e) {
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                if (cause instanceof BadInput bad) {
                    throw bad;
                }
            }
            throw new BadInput("The Spark job failed after " + finished.get() + " of " + open.size() + " cells: " + firstLine(e) + ". What was measured stays in " + log.file()
                    + "; the same command goes on from there.", e);
        }
        return finished.get();
    }

    private static void add(ResultLog log, CellTask.Outcome outcome, String key) {
        if (outcome.refusal() != null) {
            throw new BadInput("An executor could not compute cell " + key + ": " + outcome.refusal());
        }
        try {
            log.add((ObjectNode) Json.MAPPER.readTree(outcome.line()));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cell " + key + " came back as " + outcome.line(), e);
        }
    }

    private static String firstLine(Throwable e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString()).strip();
    }

    @Override
    public void close() {
        context.close();
        CellTask.closeAll();
    }

    /// Says so when a cluster leaves the work lying, which looks just like long work otherwise.
    private static final class Patience implements AutoCloseable {
        private static final int SECONDS = 30;
        private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().factory());

        Patience(JavaSparkContext context, Consumer<String> say) {
            if (!context.isLocal()) {
                clock.scheduleAtFixedRate(() -> {
                    // the driver is one of them
                    if (context.sc().getExecutorMemoryStatus().size() <= 1) {
                        say.accept("Spark has no executor for this run yet: are workers registered with the master, with a free core and "
                                + context.getConf().get("spark.executor.memory", "1g") + " of memory, and do they run JDK 25?");
                    }
                }, SECONDS, SECONDS, TimeUnit.SECONDS);
            }
        }

        @Override
        public void close() {
            clock.shutdownNow();
        }
    }

    private interface Received extends Function2<Object, CellTask.Outcome, BoxedUnit> {}

    /// One partition is one cell.
    private record OnExecutor(CellTask task) implements Function2<TaskContext, Iterator<Integer>, CellTask.Outcome>, Serializable {
        @Override
        public CellTask.Outcome apply(TaskContext context, Iterator<Integer> cells) {
            return task.compute(cells.next());
        }
    }

    /// Says when an executor is lost. When a run ends all of them go; that is not told.
    private static final class Losses extends SparkListener {
        private final Consumer<String> say;

        Losses(Consumer<String> say) {
            this.say = say;
        }

        @Override
        public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
            say.accept("Executor " + removed.executorId() + " is lost (" + removed.reason().lines().findFirst().orElse("no reason given") + "); its cells are computed again elsewhere.");
        }
    }
}
