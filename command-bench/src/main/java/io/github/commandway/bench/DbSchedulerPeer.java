package io.github.commandway.bench;

import com.github.kagkarlsson.scheduler.Scheduler;
import com.github.kagkarlsson.scheduler.task.helper.OneTimeTask;
import com.github.kagkarlsson.scheduler.task.helper.Tasks;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import javax.sql.DataSource;

/** db-scheduler with lock-and-fetch, its fastest way of polling. */
final class DbSchedulerPeer implements DurablePeer {
    private static final String TABLE =
            "CREATE TABLE scheduled_tasks (task_name text NOT NULL, task_instance text NOT NULL,"
                    + " task_data bytea, execution_time timestamp with time zone NOT NULL, picked boolean NOT NULL, picked_by text,"
                    + " last_success timestamp with time zone, last_failure timestamp with time zone, consecutive_failures int,"
                    + " last_heartbeat timestamp with time zone, version bigint NOT NULL, priority smallint,"
                    + " PRIMARY KEY (task_name, task_instance));"
                    + "CREATE INDEX execution_time_idx ON scheduled_tasks (execution_time);"
                    + "CREATE INDEX last_heartbeat_idx ON scheduled_tasks (last_heartbeat)";

    private final DataSource dataSource;
    private final Clock clock;
    private final int workers;
    private final AtomicLong ids = new AtomicLong();
    private final OneTimeTask<String> task =
            Tasks.oneTime("no-work", String.class).execute((instance, context) -> {});
    private Scheduler scheduler;
    private boolean isRunning;

    DbSchedulerPeer(DataSource dataSource, Clock clock, int workers) throws SQLException {
        this.dataSource = dataSource;
        this.clock = clock;
        this.workers = workers;
        try (var connection = dataSource.getConnection();
                var statement = connection.createStatement()) {
            statement.execute(TABLE);
        }
        scheduler = scheduler(1);
    }

    private Scheduler scheduler(int threads) {
        return Scheduler.create(dataSource, task)
                .threads(threads)
                .pollUsingLockAndFetch(1.0, 4.0)
                .pollingInterval(Duration.ofMillis(100))
                .build();
    }

    @Override
    public void enqueue(byte[] payload) {
        String data = new String(payload, StandardCharsets.ISO_8859_1);
        scheduler.schedule(task.instance(Long.toString(ids.incrementAndGet()), data), clock.instant());
    }

    @Override
    public void startWorkers() {
        scheduler = scheduler(workers);
        scheduler.start();
        isRunning = true;
    }

    /** A row is deleted when its task is done. */
    @Override
    public long completed() throws SQLException {
        try (var connection = dataSource.getConnection();
                var statement = connection.createStatement();
                var rows = statement.executeQuery("SELECT count(*) FROM scheduled_tasks")) {
            rows.next();
            return ids.get() - rows.getLong(1);
        }
    }

    @Override
    public void close() {
        if (isRunning) {
            scheduler.stop();
        }
    }
}
