package io.github.commandway.outbox;

import io.github.commandway.store.Database;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hears on a connection of its own what PostgreSQL announces on one channel. After a break it calls its listener, too, since something may have been missed. */
final class OutboxListener implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxListener.class);
    private static final int LOOK_MILLIS = 500;
    private static final long PAUSE_MILLIS = 1_000;

    private final Database database;
    private final String channel;
    private final Runnable listener;
    private final Thread thread;
    private final CountDownLatch closed = new CountDownLatch(1);

    OutboxListener(Database database, String channel, Runnable listener) {
        this.database = database;
        this.channel = channel;
        this.listener = listener;
        thread = new Thread(this::run, "outbox-listener");
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        while (closed.getCount() > 0) {
            try (Connection connection = database.connect()) {
                hear(connection);
            } catch (SQLException e) {
                LOG.atWarn().setCause(e).log("The outbox hears of no commits and tries again in a second");
                pause();
            }
        }
    }

    private void hear(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("listen " + channel);
        }
        listener.run();
        PGConnection postgres = connection.unwrap(PGConnection.class);
        while (closed.getCount() > 0) {
            if (postgres.getNotifications(LOOK_MILLIS).length > 0) {
                listener.run();
            }
        }
    }

    private void pause() {
        try {
            closed.await(PAUSE_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            // nobody but close() ends this thread
            LOG.atDebug().log("The outbox's listener was interrupted and goes on");
        }
    }

    /** Calls the listener no more, except for a call that runs at this moment. Its connection is closed within half a second. */
    @Override
    public void close() {
        closed.countDown();
    }
}
