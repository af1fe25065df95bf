package io.github.commandway.bench;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import javax.sql.DataSource;

/**
 * The {@code durable} benchmark: what it costs to record a job so that it outlives a crash, and to execute and record it as done, for Commandway, JobRunr and
 * db-scheduler on one PostgreSQL server with fsync and synchronous_commit on, and for Commandway on SQLite with synchronous=FULL. Bare inserts on the same databases show what these can do.
 * The systems take turns within each round. Arguments: seconds of enqueueing (5), rounds (3), jobs to execute (20,000).
 *
 * <p>Prints a table and, as the last line, one JSON object with the medians and their ratios.
 */
public final class DurableBenchmark {
    private static final int CALLERS = 64;
    private static final int WORKERS = 64;
    private static final byte[] PAYLOAD = new byte[250];
    private static final int LARGE_BATCH = 500;

    static {
        Arrays.fill(PAYLOAD, (byte) 'x');
    }

    private final Duration time;
    private final int jobs;
    private final Path folder;
    private final EmbeddedPostgres postgres;
    private final Map<String, List<Double>> rounds = new LinkedHashMap<>();
    private int databases;
    private int files;

    private DurableBenchmark(Duration time, int jobs, Path folder, EmbeddedPostgres postgres) {
        this.time = time;
        this.jobs = jobs;
        this.folder = folder;
        this.postgres = postgres;
    }

    public static void main(String[] arguments) throws Exception {
        int seconds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
        int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
        int jobs = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 20_000;
        try (BenchDirectory directory = BenchDirectory.create();
                EmbeddedPostgres postgres = startPostgres(directory.path())) {
            DurableBenchmark benchmark =
                    new DurableBenchmark(Duration.ofSeconds(seconds), jobs, directory.path(), postgres);
            for (int round = 0; round < rounds; round++) {
                benchmark.round();
            }
            benchmark.print();
        }
    }

    /** A server that flushes what it commits, as one in production does. */
    static EmbeddedPostgres startPostgres(Path folder) throws IOException {
        return EmbeddedPostgres.builder()
                .setDataDirectory(folder.resolve("postgres"))
                .setServerConfig("fsync", "on")
                .setServerConfig("synchronous_commit", "on")
                .setServerConfig("full_page_writes", "on")
                .setServerConfig("max_connections", "200")
                .setServerConfig("shared_buffers", "256MB")
                .start();
    }

    private void round() throws Exception {
        peer("commandway_pg", (url, source) -> CommandwayQueuePeer.postgres(url, WORKERS));
        peer("jobrunr", (url, source) -> new JobRunrPeer(source, WORKERS));
        peer("dbscheduler", (url, source) -> new DbSchedulerPeer(source, Clock.systemUTC(), WORKERS));
        peer(
                "commandway_sqlite",
                (url, source) -> CommandwayQueuePeer.sqlite(folder.resolve("q" + files++ + ".db"), WORKERS));
        try (Connection connection = postgres.getPostgresDatabase().getConnection()) {
            bare("bare_pg", connection, "bytea");
        }
        Path file = folder.resolve("bare" + databases + ".db");
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file)) {
            try (var statement = connection.createStatement()) {
                statement.execute("PRAGMA journal_mode=WAL");
                statement.execute("PRAGMA synchronous=FULL");
            }
            bare("bare_sqlite", connection, "blob");
        }
        Files.delete(file);
    }

    private void peer(String name, PeerFactory factory) throws Exception {
        String database = "bench" + databases++;
        try (Connection connection = postgres.getPostgresDatabase().getConnection();
                var statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + database);
        }
        String url = postgres.getJdbcUrl("postgres", database);
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        // one for each caller, so that nobody waits for a connection
        config.setMaximumPoolSize(CALLERS + 8);
        config.setMinimumIdle(0);
        try (HikariDataSource source = new HikariDataSource(config);
                DurablePeer peer = factory.create(url, source)) {
            // the first time only warms up
            enqueueFor(peer, CALLERS, Duration.ofMillis(500));
            double many = enqueueFor(peer, CALLERS, time);
            double one = enqueueFor(peer, 1, time.dividedBy(2));
            add(name + "_enqueue", many);
            add(name + "_enqueue_one", one);
        }
        String second = "bench" + databases++;
        try (Connection connection = postgres.getPostgresDatabase().getConnection();
                var statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + second);
        }
        config.setJdbcUrl(postgres.getJdbcUrl("postgres", second));
        try (HikariDataSource source = new HikariDataSource(config);
                DurablePeer peer = factory.create(config.getJdbcUrl(), source)) {
            peer.startWorkers();
            add(name + "_run", runAll(peer));
        }
        for (String used : List.of(database, second)) {
            try (Connection connection = postgres.getPostgresDatabase().getConnection();
                    var statement = connection.createStatement()) {
                statement.execute("DROP DATABASE " + used + " WITH (FORCE)");
            }
        }
    }

    private interface PeerFactory {
        DurablePeer create(String jdbcUrl, DataSource source) throws Exception;
    }

    private static double enqueueFor(DurablePeer peer, int callers, Duration time) throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        AtomicLong count = new AtomicLong();
        long start = System.nanoTime();
        ExecutorService threads = Executors.newFixedThreadPool(callers);
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < callers; i++) {
            running.add(threads.submit(() -> {
                while (!stop.get()) {
                    peer.enqueue(PAYLOAD);
                    count.incrementAndGet();
                }
                return null;
            }));
        }
        Thread.sleep(time.toMillis());
        stop.set(true);
        for (Future<?> one : running) {
            one.get();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        threads.shutdown();
        return count.get() / seconds;
    }

    /** Enqueues all jobs with many callers while the workers run, and waits until the last one is recorded as done. */
    private double runAll(DurablePeer peer) throws Exception {
        AtomicLong left = new AtomicLong(jobs);
        long start = System.nanoTime();
        ExecutorService threads = Executors.newFixedThreadPool(CALLERS);
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            running.add(threads.submit(() -> {
                while (left.getAndDecrement() > 0) {
                    peer.enqueue(PAYLOAD);
                }
                return null;
            }));
        }
        for (Future<?> one : running) {
            one.get();
        }
        threads.shutdown();
        while (peer.completed() < jobs) {
            Thread.sleep(20);
        }
        return jobs / ((System.nanoTime() - start) / 1e9);
    }

    /** One row for each commit, as many as there are callers, and many more, by one connection. */
    private void bare(String name, Connection connection, String blob) throws Exception {
        try (var statement = connection.createStatement()) {
            statement.execute("DROP TABLE IF EXISTS bare");
            statement.execute("CREATE TABLE bare (id bigint PRIMARY KEY, payload " + blob + ")");
        }
        AtomicLong ids = new AtomicLong();
        connection.setAutoCommit(false);
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO bare VALUES (?, ?)")) {
            add(name + "_one", insertFor(connection, insert, ids, 1));
            add(name + "_batch", insertFor(connection, insert, ids, CALLERS));
            add(name + "_large_batch", insertFor(connection, insert, ids, LARGE_BATCH));
        }
        connection.setAutoCommit(true);
    }

    private double insertFor(Connection connection, PreparedStatement insert, AtomicLong ids, int rows)
            throws Exception {
        long start = System.nanoTime();
        long first = ids.get();
        while (System.nanoTime() - start < time.toNanos() / 2) {
            for (int i = 0; i < rows; i++) {
                insert.setLong(1, ids.incrementAndGet());
                insert.setBytes(2, PAYLOAD);
                insert.addBatch();
            }
            insert.executeBatch();
            connection.commit();
        }
        return (ids.get() - first) / ((System.nanoTime() - start) / 1e9);
    }

    private void add(String name, double value) {
        rounds.computeIfAbsent(name, none -> new ArrayList<>()).add(value);
        System.out.printf(Locale.ROOT, "%-32s %,12.0f/s%n", name, value);
    }

    private void print() {
        Figures figures = new Figures("durable");
        System.out.printf(Locale.ROOT, "%n%-32s %14s%n", "medians", "per second");
        rounds.forEach((name, values) -> {
            double median = values.stream().sorted().toList().get(values.size() / 2);
            figures.add(name, median);
            System.out.printf(Locale.ROOT, "%-32s %,14.0f%n", name, median);
        });
        figures.addRatio("enqueue_vs_jobrunr", "commandway_pg_enqueue", "jobrunr_enqueue");
        figures.addRatio("enqueue_vs_dbscheduler", "commandway_pg_enqueue", "dbscheduler_enqueue");
        figures.addRatio("run_vs_jobrunr", "commandway_pg_run", "jobrunr_run");
        figures.addRatio("run_vs_dbscheduler", "commandway_pg_run", "dbscheduler_run");
        figures.addRatio("pg_one_vs_bare", "commandway_pg_enqueue_one", "bare_pg_one");
        figures.addRatio("pg_vs_bare_batch", "commandway_pg_enqueue", "bare_pg_batch");
        figures.addRatio("sqlite_vs_bare_batch", "commandway_sqlite_enqueue", "bare_sqlite_batch");
        figures.addRatio("sqlite_one_vs_bare", "commandway_sqlite_enqueue_one", "bare_sqlite_one");
        System.out.println(figures);
    }
}
