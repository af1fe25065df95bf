package io.github.commandway.bench;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import javax.sql.DataSource;
import org.jobrunr.configuration.JobRunr;
import org.jobrunr.configuration.JobRunrConfiguration.JobRunrConfigurationResult;
import org.jobrunr.jobs.lambdas.JobRequest;
import org.jobrunr.jobs.lambdas.JobRequestHandler;
import org.jobrunr.server.BackgroundJobServerConfiguration;
import org.jobrunr.storage.sql.postgres.PostgresStorageProvider;
import org.jobrunr.utils.mapper.jackson.JacksonJsonMapper;

/** JobRunr with job requests, its fastest way of enqueueing, and the shortest poll interval that it allows. */
final class JobRunrPeer implements DurablePeer {
    private final PostgresStorageProvider storage;
    private final DataSource dataSource;
    private final int workers;
    private final JobRunrConfigurationResult client;

    JobRunrPeer(DataSource dataSource, int workers) {
        this.dataSource = dataSource;
        this.workers = workers;
        storage = new PostgresStorageProvider(dataSource);
        client = JobRunr.configure()
                .useJsonMapper(new JacksonJsonMapper())
                .useStorageProvider(storage)
                .initialize();
    }

    @Override
    public void enqueue(byte[] payload) {
        client.getJobRequestScheduler().enqueue(new NoWork(new String(payload, StandardCharsets.ISO_8859_1)));
    }

    @Override
    public void startWorkers() {
        JobRunr.configure()
                .useJsonMapper(new JacksonJsonMapper())
                .useStorageProvider(storage)
                .useBackgroundJobServer(BackgroundJobServerConfiguration.usingStandardBackgroundJobServerConfiguration()
                        .andWorkerCount(workers)
                        .andPollInterval(Duration.ofSeconds(5)))
                .initialize();
    }

    /** What its own counter says; it is brought up to date with the table every poll interval, so the table is asked. */
    @Override
    public long completed() throws Exception {
        try (var connection = dataSource.getConnection();
                var statement = connection.createStatement();
                var rows = statement.executeQuery("SELECT count(*) FROM jobrunr_jobs WHERE state = 'SUCCEEDED'")) {
            rows.next();
            return rows.getLong(1);
        }
    }

    @Override
    public void close() {
        JobRunr.destroy();
    }

    /** A job without work. */
    public static final class NoWork implements JobRequest {
        private static final long serialVersionUID = 1L;

        private String payload;

        NoWork() {
            this("");
        }

        NoWork(String payload) {
            this.payload = payload;
        }

        public String getPayload() {
            return payload;
        }

        public void setPayload(String payload) {
            this.payload = payload;
        }

        @Override
        public Class<NoWorkHandler> getJobRequestHandler() {
            return NoWorkHandler.class;
        }
    }

    /** Does it. */
    public static final class NoWorkHandler implements JobRequestHandler<NoWork> {
        @Override
        public void run(NoWork request) {}
    }
}
