package io.github.commandway.bench;

import com.gruelbox.transactionoutbox.Dialect;
import com.gruelbox.transactionoutbox.Instantiator;
import com.gruelbox.transactionoutbox.Persistor;
import com.gruelbox.transactionoutbox.Submitter;
import com.gruelbox.transactionoutbox.TransactionManager;
import com.gruelbox.transactionoutbox.TransactionOutbox;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.OutboxRelay;
import io.github.commandway.store.Database;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import javax.sql.DataSource;

/**
 * The {@code outbox} benchmark: entries from transactions of a host to a listener in the same process and out of the table again, beside gruelbox
 * transaction-outbox and bare inserts, on one PostgreSQL that flushes every commit. Arguments: entries of a run (40,000; the other one gets a tenth), rounds (3).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure.
 */
public final class OutboxBenchmark {
    private static final int SINGLE_CALLERS = 64;
    private static final int BATCH_CALLERS = 8;
    private static final int BATCH = 100;
    private static final int WORKERS = 16;
    private static final int KEYS = 1_000;
    private static final String PAYLOAD = "{\"order\": 4711, \"note\": \"" + "x".repeat(200) + "\"}";
    private static final AtomicLong DELIVERED = new AtomicLong();

    private OutboxBenchmark() {}

    /** One way of appending and delivering. */
    private interface Subject extends AutoCloseable {
        /** Appends entries in one transaction. */
        void append(int count) throws SQLException;

        /** How many have been delivered and are out of the table. */
        boolean isDone(long expected) throws SQLException;

        @Override
        void close();
    }

    public static void main(String[] arguments) throws Exception {
        int entries = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 40_000;
        int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
        Map<String, List<Double>> rates = new TreeMap<>(Comparator.reverseOrder());
        try (EmbeddedPostgres server = EmbeddedPostgres.builder()
                .setServerConfig("fsync", "on")
                .setServerConfig("synchronous_commit", "on")
                .setServerConfig("max_connections", "200")
                .start()) {
            String url = server.getJdbcUrl("postgres", "postgres");
            try (Subject commandway = new Commandway(url, Clock.systemUTC());
                    Subject gruelbox = new Gruelbox(url);
                    Subject bare = new Bare(url)) {
                run(commandway, BATCH_CALLERS, BATCH, entries);
                run(gruelbox, BATCH_CALLERS, BATCH, entries / 10);
                for (int round = 0; round < rounds; round++) {
                    add(rates, "commandway_single", run(commandway, SINGLE_CALLERS, 1, entries / 2));
                    add(rates, "bare_single", run(bare, SINGLE_CALLERS, 1, entries / 2));
                    add(rates, "gruelbox_single", run(gruelbox, SINGLE_CALLERS, 1, entries / 10));
                    add(rates, "commandway_batch", run(commandway, BATCH_CALLERS, BATCH, entries));
                    add(rates, "gruelbox_batch", run(gruelbox, BATCH_CALLERS, BATCH, entries / 10));
                }
            }
        }
        print(rates);
    }

    private static void add(Map<String, List<Double>> rates, String name, double rate) {
        rates.computeIfAbsent(name, none -> new ArrayList<>()).add(rate);
    }

    /** Entries per second from the first transaction to the last entry that is out of the table. */
    private static double run(Subject subject, int callers, int batch, int entries) throws Exception {
        DELIVERED.set(0);
        int transactions = entries / callers / batch;
        long expected = (long) transactions * callers * batch;
        ExecutorService executor = Executors.newFixedThreadPool(callers);
        long begun = System.nanoTime();
        try {
            List<Future<Boolean>> futures = new ArrayList<>();
            for (int caller = 0; caller < callers; caller++) {
                futures.add(executor.submit((Callable<Boolean>) () -> {
                    for (int i = 0; i < transactions; i++) {
                        subject.append(batch);
                    }
                    return true;
                }));
            }
            for (Future<Boolean> future : futures) {
                future.get();
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException("appending failed", e.getCause());
        } finally {
            executor.shutdown();
        }
        while (!subject.isDone(expected)) {
            LockSupport.parkNanos(1_000_000);
        }
        return expected * 1e9 / (System.nanoTime() - begun);
    }

    private static void print(Map<String, List<Double>> rates) {
        Figures figures = new Figures("outbox");
        System.out.printf(Locale.ROOT, "%-20s %14s %14s %14s%n", "", "entries/s", "least", "most");
        rates.forEach((name, values) -> {
            values.sort(null);
            double median = values.get(values.size() / 2);
            System.out.printf(
                    Locale.ROOT,
                    "%-20s %,14.0f %,14.0f %,14.0f%n",
                    name,
                    median,
                    values.get(0),
                    values.get(values.size() - 1));
            figures.add(name + "_per_s", median);
        });
        figures.addRatio("ratio_single", "commandway_single_per_s", "gruelbox_single_per_s");
        figures.addRatio("ratio_single_vs_bare", "commandway_single_per_s", "bare_single_per_s");
        figures.addRatio("ratio_batch", "commandway_batch_per_s", "gruelbox_batch_per_s");
        System.out.println(figures);
    }

    private static HikariDataSource pool(String url, int size) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setUsername("postgres");
        config.setMaximumPoolSize(size);
        config.setAutoCommit(false);
        return new HikariDataSource(config);
    }

    private static final class Commandway implements Subject {
        private final HikariDataSource connections;
        private final Database database;
        private final Outbox outbox;
        private final OutboxRelay relay;
        private final AtomicLong keys = new AtomicLong();
        private final Clock clock;
        private long before;

        Commandway(String url, Clock clock) {
            this.clock = clock;
            connections = pool(url, SINGLE_CALLERS);
            database = Database.postgres(url, "postgres", "");
            outbox = new Outbox(database);
            relay = OutboxRelay.of(outbox)
                    .publishOthers(entry -> {
                        DELIVERED.incrementAndGet();
                        return CompletableFuture.completedFuture(null);
                    })
                    .start();
        }

        @Override
        public void append(int count) throws SQLException {
            List<OutboxEntry> entries = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                String key = "key-" + keys.incrementAndGet() % KEYS;
                entries.add(OutboxEntry.of(UUID.randomUUID(), "orders", key, "order.paid", PAYLOAD, clock.instant()));
            }
            try (Connection connection = connections.getConnection()) {
                outbox.append(connection, entries);
                connection.commit();
            }
        }

        @Override
        public boolean isDone(long expected) {
            if (relay.stats().sent() < before + expected) {
                return false;
            }
            before += expected;
            return true;
        }

        @Override
        public void close() {
            relay.close();
            database.close();
            connections.close();
        }
    }

    /** Only what the host would do: an insert and a commit. Nothing is delivered. */
    private static final class Bare implements Subject {
        private final HikariDataSource connections;

        Bare(String url) throws SQLException {
            connections = pool(url, SINGLE_CALLERS);
            try (Connection connection = connections.getConnection();
                    Statement statement = connection.createStatement()) {
                statement.execute("create table bare (seq bigint generated always as identity primary key,"
                        + " id uuid not null, topic text not null, key text not null, payload json not null)");
                connection.commit();
            }
        }

        @Override
        public void append(int count) throws SQLException {
            try (Connection connection = connections.getConnection();
                    PreparedStatement statement = connection.prepareStatement(
                            "insert into bare (id, topic, key, payload) values (?, 'orders', 'key', ?::json)")) {
                for (int i = 0; i < count; i++) {
                    statement.setObject(1, UUID.randomUUID());
                    statement.setString(2, PAYLOAD);
                    statement.execute();
                }
                connection.commit();
            }
        }

        @Override
        public boolean isDone(long expected) {
            return true;
        }

        @Override
        public void close() {
            connections.close();
        }
    }

    /** What gruelbox calls for each entry. */
    public static class Listener {
        /** Takes one entry. */
        public void take(String key, String payload) {
            DELIVERED.incrementAndGet();
        }
    }

    private static final class Gruelbox implements Subject {
        private final HikariDataSource connections;
        private final ExecutorService workers = Executors.newFixedThreadPool(WORKERS);
        private final TransactionManager transactions;
        private final TransactionOutbox outbox;
        private final AtomicLong keys = new AtomicLong();

        Gruelbox(String url) {
            connections = pool(url, SINGLE_CALLERS + WORKERS);
            transactions = TransactionManager.fromDataSource(connections);
            Listener listener = new Listener();
            outbox = TransactionOutbox.builder()
                    .transactionManager(transactions)
                    .persistor(Persistor.forDialect(Dialect.POSTGRESQL_9))
                    .instantiator(Instantiator.using(type -> listener))
                    .submitter(Submitter.withExecutor(workers))
                    .attemptFrequency(Duration.ofMinutes(10))
                    .build();
        }

        @Override
        public void append(int count) {
            transactions.inTransaction(() -> {
                for (int i = 0; i < count; i++) {
                    outbox.schedule(Listener.class).take("key-" + keys.incrementAndGet() % KEYS, PAYLOAD);
                }
            });
        }

        @Override
        public boolean isDone(long expected) throws SQLException {
            return DELIVERED.get() >= expected && count(connections) == 0;
        }

        private static long count(DataSource source) throws SQLException {
            try (Connection connection = source.getConnection();
                    Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("select count(*) from txno_outbox")) {
                rows.next();
                long count = rows.getLong(1);
                connection.commit();
                return count;
            }
        }

        @Override
        public void close() {
            workers.shutdown();
            connections.close();
        }
    }
}
