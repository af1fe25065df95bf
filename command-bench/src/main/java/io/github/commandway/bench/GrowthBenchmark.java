package io.github.commandway.bench;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.CommandStore;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * The {@code growth} benchmark: what looking a record up, listing and claiming cost when there are few records and when there are many, on PostgreSQL and on SQLite. Arguments: few (10,000), many (1,000,000).
 *
 * <p>Prints a table and, as the last line, one JSON object with the 99th percentiles and their ratios.
 */
public final class GrowthBenchmark {
    private static final int READS = 4_000;
    private static final int CLAIMS = 1_000;
    private static final String TYPES = "t";

    private GrowthBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        int few = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 10_000;
        int many = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 1_000_000;
        Figures figures = new Figures("growth");
        try (BenchDirectory directory = BenchDirectory.create();
                EmbeddedPostgres postgres = DurableBenchmark.startPostgres(directory.path())) {
            String url = postgres.getJdbcUrl("postgres", "postgres");
            measure(
                    "pg",
                    figures,
                    few,
                    many,
                    url + "&currentSchema=commandway",
                    () -> Database.postgres(url, "postgres", ""));
            String file = directory.path().resolve("growth.db").toString();
            measure(
                    "sqlite",
                    figures,
                    few,
                    many,
                    "jdbc:sqlite:" + file,
                    () -> Database.sqlite(directory.path().resolve("growth.db")));
        }
        System.out.println(figures);
    }

    private static void measure(
            String name, Figures figures, int few, int many, String jdbcUrl, Supplier<Database> database)
            throws Exception {
        for (int records : new int[] {few, many}) {
            try (Store store = new Store(database.get())) {
                store.fill(jdbcUrl, records);
                String size = records == few ? "few" : "many";
                store.reads(3); // warms up
                for (Timing timing : store.reads(READS)) {
                    add(figures, name, timing, size);
                }
                store.claims(100);
                add(figures, name, store.claims(CLAIMS), size);
            }
        }
        for (String what : List.of("get", "list_target", "list_status", "list_type", "list_time", "claim")) {
            figures.addRatio(
                    name + "_" + what + "_ratio",
                    name + "_" + what + "_many_p99_us",
                    name + "_" + what + "_few_p99_us");
        }
    }

    private static void add(Figures figures, String name, Timing timing, String size) {
        Arrays.sort(timing.nanos);
        double p50 = timing.nanos[timing.nanos.length / 2] / 1e3;
        double p99 = timing.nanos[(int) (timing.nanos.length * 0.99)] / 1e3;
        System.out.printf(
                Locale.ROOT, "%-8s %-12s %-6s p50 %,10.0f us   p99 %,10.0f us%n", name, timing.what, size, p50, p99);
        figures.add(name + "_" + timing.what + "_" + size + "_p99_us", p99);
    }

    @SuppressWarnings("ArrayRecordComponent") // never compared, and never changed once it is sorted
    private record Timing(String what, long[] nanos) {}

    /** A store with records in it, as a manager without handlers of its own sees it. */
    private static final class Store implements AutoCloseable {
        private final Database database;
        private final CommandStore store;
        private final CommandManager manager;
        private final Random random = new Random(1);
        private final Clock clock = Clock.systemUTC();
        private List<RecordId> ids = List.of();
        private Instant filledAt = Instant.EPOCH;

        Store(Database database) {
            this.database = database;
            Registry registry = new Registry();
            registry.register("bench", CommandIds.QUEUE_EXECUTE, new CommandwayQueuePeer.LeftWaiting());
            store = SqlCommandStore.of(database);
            manager = CommandManager.builder(registry).store(store).build();
        }

        /** Copies an ended record as often as is needed, a millisecond apart and spread over queues and types. */
        void fill(String jdbcUrl, int records) throws Exception {
            RecordId template = manager.submit(CommandRequest.toQueue("template", "t")
                            .payload(new byte[250])
                            .build())
                    .get()
                    .id();
            manager.cancel(template).get();
            // those of the fill before are still there
            long first = 100_000 + 10L * records;
            filledAt = clock.instant();
            try (Connection connection = DriverManager.getConnection(jdbcUrl, "postgres", "");
                    Statement statement = connection.createStatement()) {
                List<String> columns = new ArrayList<>();
                try (var rows = statement.executeQuery("SELECT * FROM cw_command WHERE 1 = 0")) {
                    for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                        columns.add(rows.getMetaData().getColumnName(i));
                    }
                }
                columns.removeAll(List.of("seq", "id"));
                List<String> values = new ArrayList<>();
                for (String column : columns) {
                    values.add(
                            switch (column) {
                                case "target" -> "'queue:q' || (n % 50)";
                                case "type" -> "'" + TYPES + "' || (n % 50)";
                                case "created_at", "created" -> "t." + column + " - " + (records + 1) + " + n";
                                case "status" -> "CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'completed' END";
                                default -> "t." + column;
                            });
                }
                statement.execute(
                        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < "
                                + records
                                + ") INSERT INTO cw_command (id, " + String.join(", ", columns)
                                + ") SELECT 'TASK_' || (n + " + first + "), "
                                + String.join(", ", values) + " FROM (SELECT * FROM cw_command WHERE id = '" + template
                                + "') t, numbers");
                statement.execute("ANALYZE cw_command");
                ids = new ArrayList<>();
                for (int i = 0; i < READS; i++) {
                    ids.add(RecordId.of(RecordId.Form.TASK_NUMBER, 0, first + 1 + random.nextInt(records)));
                }
            }
        }

        List<Timing> reads(int times) {
            List<Timing> timings = new ArrayList<>();
            timings.add(time("get", times, i -> store.find(ids.get(i))));
            timings.add(time(
                    "list_target",
                    times,
                    i -> store.list(new CommandQuery(new Target.Queue("q" + i % 50), null, 20, null))));
            timings.add(time(
                    "list_status", times, i -> store.list(new CommandQuery(null, CommandStatus.FAILED, 20, null))));
            timings.add(time(
                    "list_type",
                    times,
                    i -> store.list(new CommandQuery(null, null, TYPES + i % 50, null, null, 20, null))));
            timings.add(time("list_time", times, i -> {
                Instant until = filledAt.minusSeconds(2 + i % 5);
                return store.list(new CommandQuery(null, null, null, until.minusSeconds(1), until, 20, null));
            }));
            return timings;
        }

        Timing claims(int times) throws Exception {
            List<CompletableFuture<?>> submitted = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                submitted.add(manager.submit(CommandRequest.toQueue("waiting", "t")
                        .payload(new byte[250])
                        .build()));
            }
            CompletableFuture.allOf(submitted.toArray(CompletableFuture[]::new)).get();
            return time("claim", times, i -> manager.claim("waiting", 1, 1_000_000, true, null));
        }

        private static Timing time(String what, int times, IntFunction<CompletableFuture<?>> work) {
            long[] nanos = new long[times];
            for (int i = 0; i < times; i++) {
                long start = System.nanoTime();
                work.apply(i).join();
                nanos[i] = System.nanoTime() - start;
            }
            return new Timing(what, nanos);
        }

        @Override
        public void close() {
            manager.close();
            database.close();
        }
    }
}
