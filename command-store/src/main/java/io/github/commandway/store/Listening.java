package io.github.commandway.store;

import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.StoreListener;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A thread that hears on a connection of its own what other servers signal, and tells the listener. */
final class Listening implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Listening.class);
    private static final int LOOK_EVERY_MILLIS = 5_000;
    private static final long PAUSE_MILLIS = 1_000;

    private final Database database;
    private final long me;
    private final Signals signals;
    private final StoreListener listener;
    private final String channel;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final CountDownLatch firstConnected = new CountDownLatch(1);
    private volatile @Nullable Connection connection;

    Listening(Database database, long me, Signals signals, StoreListener listener) {
        this.database = database;
        this.me = me;
        this.signals = signals;
        this.listener = listener;
        this.channel = Signals.channel(database);
        Thread thread = new Thread(this::run, "commandway-store-listen");
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        while (!isClosed(0)) {
            try (Connection opened = database.dialect().open()) {
                connection = opened;
                hear(opened);
            } catch (SQLException e) {
                if (!isClosed(0)) {
                    LOG.warn("signals of other servers are not heard, which is tried again: {}", e.getMessage());
                }
            }
            if (isClosed(PAUSE_MILLIS)) {
                return;
            }
        }
    }

    private boolean isClosed(long waitMillis) {
        try {
            return closed.await(waitMillis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return true;
        }
    }

    private void hear(Connection opened) throws SQLException {
        Dialect.execute(opened, "listen \"" + channel + "\"");
        Dialect.execute(opened, "listen \"" + channel + me + "\"");
        firstConnected.countDown();
        reportWhatWasMissed(opened);
        PGConnection incoming = opened.unwrap(PGConnection.class);
        while (!isClosed(0)) {
            PGNotification[] heard = incoming.getNotifications(LOOK_EVERY_MILLIS);
            if (heard == null || heard.length == 0) {
                // a connection that is gone without a word is found out only by asking
                Dialect.execute(opened, "select 1");
                continue;
            }
            for (PGNotification one : heard) {
                tell(one.getName(), one.getParameter());
            }
        }
    }

    /** Waits until signals are heard; false if that takes longer. */
    boolean awaitConnected(long millis) throws InterruptedException {
        return firstConnected.await(millis, TimeUnit.MILLISECONDS);
    }

    private void tell(String from, String text) {
        int space = text.indexOf(' ');
        String first = text.substring(0, Math.max(0, space));
        String rest = text.substring(space + 1);
        try {
            if (from.equals(channel)) {
                if (!first.equals(Long.toString(me))) {
                    signals.setAlone(false);
                    if (!rest.isEmpty()) {
                        listener.onQueueWork(rest);
                    }
                }
            } else if (first.equals(Signals.CHANGED)) {
                RecordId.parse(rest).ifPresent(listener::onChanged);
            } else if (first.equals(Signals.CANCEL)) {
                RecordId.parse(rest).ifPresent(listener::onCancelRequested);
            } else {
                LOG.debug("signal '{}' on {} is not known here", text, from);
            }
        } catch (RuntimeException e) {
            LOG.error("signal '{}' could not be told", text, e);
        }
    }

    private void reportWhatWasMissed(Connection opened) throws SQLException {
        try (PreparedStatement queues = opened.prepareStatement(
                        "select queue from cw_count group by queue having sum(waiting) > 0 union select queue from cw_arrival");
                ResultSet row = queues.executeQuery()) {
            while (row.next()) {
                listener.onQueueWork(row.getString(1));
            }
        }
        try (PreparedStatement changed =
                opened.prepareStatement("select id from cw_command where origin = ? and owner <> ?")) {
            changed.setLong(1, me);
            changed.setLong(2, me);
            try (ResultSet row = changed.executeQuery()) {
                while (row.next()) {
                    listener.onChanged(CommandRow.idOf(row.getString(1)));
                }
            }
        }
        try (PreparedStatement cancelled = opened.prepareStatement(
                "select id from cw_command where owner = ? and ended_at is null and cancel_requested")) {
            cancelled.setLong(1, me);
            try (ResultSet row = cancelled.executeQuery()) {
                while (row.next()) {
                    listener.onCancelRequested(CommandRow.idOf(row.getString(1)));
                }
            }
        }
    }

    @Override
    public void close() {
        closed.countDown();
        Connection open = connection;
        if (open != null) {
            try {
                open.close();
            } catch (SQLException e) {
                LOG.debug("the listening connection could not be closed", e);
            }
        }
    }
}
