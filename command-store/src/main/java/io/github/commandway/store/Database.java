package io.github.commandway.store;

import java.nio.file.Path;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One SQLite file or one schema in PostgreSQL: a thread that writes, a few connections that read, and the tables, which are made or brought up to date when it is
 * opened.
 *
 * <p>The writer takes everything that waits, does it in one transaction, and commits: so many callers share one flush of the disk. What is written is safe when its
 * future completes, also if the machine loses power. While the database cannot be reached the writer tries again and again, and what was given to it waits; whether a commit took place
 * whose answer was lost is looked up, so that nothing is done twice.
 *
 * <p>Safe for use by many threads. Futures complete in threads of the database, never in the writer.
 */
public final class Database implements AutoCloseable {
    /** The schema in PostgreSQL where none is named. */
    public static final String DEFAULT_SCHEMA = "commandway";

    private static final Logger LOG = LoggerFactory.getLogger(Database.class);
    private static final int READERS = 4;
    private static final int MAX_WAITING_READS = 20_000;
    private static final int MAX_BATCH = 2_000;
    private static final int MAX_WAITING = 200_000;
    private static final int MAX_WAITING_IF_MAY_EXPIRE = 50_000;
    private static final long EXPIRY_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long READ_TIMEOUT_SECONDS = 30;
    private static final long MIN_BACKOFF_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long MAX_BACKOFF_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int READ_TRIES = 3;
    private static final int WORKS_ORDER = 1;
    private static final AtomicInteger NUMBERS = new AtomicInteger();

    private final Dialect dialect;
    private final LongSupplier ticker;
    private final Thread writer;
    private final ExecutorService readers;
    private final ExecutorService completions;
    private final DataSource readConnections;

    /** Guards all that is waiting. */
    private final ReentrantLock lock = new ReentrantLock();

    private final Condition wakeWriter = lock.newCondition();
    private Deque<Entry<?, ?>> waiting = new ArrayDeque<>();
    private final PriorityQueue<WaitingRead> waitingReads = new PriorityQueue<>();
    private long submitted;
    private long committed;
    private boolean closed;

    /** The writer's own. */
    private @Nullable Connection connection;

    private final List<Runnable> afterCommit = new ArrayList<>();
    private @Nullable String transaction;

    private final Map<String, List<Runnable>> listeners = new ConcurrentHashMap<>();

    private Database(Dialect dialect, LongSupplier ticker) {
        this.dialect = dialect;
        this.ticker = ticker;
        try {
            dialect.prepare();
            this.readConnections = dialect.readers();
        } catch (RuntimeException e) {
            dialect.close();
            throw e;
        }
        int number = NUMBERS.incrementAndGet();
        readers = new ThreadPoolExecutor(
                READERS,
                READERS,
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(MAX_WAITING_READS),
                daemons("commandway-store-" + number + "-read"));
        // as many threads as needed: a callback that waits for the database must not keep others from hearing of it
        completions = Executors.newCachedThreadPool(daemons("commandway-store-" + number + "-done"));
        writer = daemons("commandway-store-" + number + "-write").newThread(this::writeUntilClosed);
        writer.start();
    }

    private static ThreadFactory daemons(String name) {
        return task -> {
            Thread thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        };
    }

    /**
     * Opens a SQLite file, which is made if it is not there. Only one process may have it open; a file {@code <name>.lock} beside it sees to that.
     *
     * @throws StoreException if another process has it open, or it is damaged, not a SQLite file, not one of Commandway's, or of a newer version of it; it is left as it is
     */
    public static Database sqlite(Path file) {
        return sqlite(file, System::nanoTime);
    }

    static Database sqlite(Path file, LongSupplier ticker) {
        return new Database(new SqliteDialect(file), ticker);
    }

    /**
     * Opens the schema {@value #DEFAULT_SCHEMA} of a PostgreSQL database, which is made if it is not there.
     *
     * @param url such as {@code jdbc:postgresql://host:5432/database}
     * @throws StoreException as {@link #postgres(String, String, String, String)}
     */
    public static Database postgres(String url, String user, String password) {
        return postgres(url, user, password, DEFAULT_SCHEMA);
    }

    /**
     * Opens a schema of a PostgreSQL database, which is made if it is not there. Any number of servers may share it.
     *
     * @param schema a lower case letter, then lower case letters, digits and _
     * @throws StoreException if the database cannot be reached, or the schema has tables that are not Commandway's, or of a newer version of it; it is left as it is
     */
    public static Database postgres(String url, String user, String password, String schema) {
        return new Database(new PostgresDialect(url, user, password, schema), System::nanoTime);
    }

    /** Whether it is PostgreSQL, and so other servers may share it. */
    public boolean isShared() {
        return dialect.isShared();
    }

    /** The schema of the tables in PostgreSQL; empty for SQLite. */
    public String schema() {
        return dialect.schema();
    }

    /**
     * Opens a further connection, which is the caller's and which the caller closes.
     *
     * @throws UnsupportedOperationException on SQLite, which has one connection that writes
     */
    public Connection connect() throws SQLException {
        return dialect.connect();
    }

    Dialect dialect() {
        return dialect;
    }

    /**
     * Does {@code work} in the writer, in one transaction with whatever else waits.
     *
     * <p>It must neither commit nor roll back nor close the connection, and must not block on anything else. It may be run more than once, when the transaction
     * has to be repeated; all but the last run then have no effect on the database. If it throws, what it did is undone and its future fails, and the rest of the transaction goes on.
     *
     * @return completes with what the work returned when that is committed. Fails with {@link StoreException} if the database is closed or too much waits
     */
    public <T extends @Nullable Object> CompletableFuture<T> write(Work<T> work) {
        return write(InTurn.of(), work, false);
    }

    /**
     * The same for one of many items that are better written together: all that wait with the same group go into one call.
     *
     * @param mayExpire whether it fails if it could not be written within 10 s
     */
    <I, R extends @Nullable Object> CompletableFuture<R> write(Group<I, R> group, I item, boolean mayExpire) {
        Entry<I, R> entry = new Entry<>(group, item, mayExpire ? ticker.getAsLong() + EXPIRY_NANOS : 0, mayExpire);
        lock.lock();
        try {
            if (closed) {
                return CompletableFuture.failedFuture(new StoreException("the store is closed"));
            }
            if (waiting.size() >= (mayExpire ? MAX_WAITING_IF_MAY_EXPIRE : MAX_WAITING)) {
                return CompletableFuture.failedFuture(
                        new StoreException("too much waits to be written (" + waiting.size() + "); try again later"));
            }
            waiting.addLast(entry);
            submitted++;
            if (waiting.size() == 1) {
                wakeWriter.signal();
            }
        } finally {
            lock.unlock();
        }
        return entry.future;
    }

    /**
     * Reads on a connection of its own, and sees everything that was given to {@link #write} before.
     *
     * @param work must only read, and may be run more than once
     * @return completes with what the work returned
     */
    public <T extends @Nullable Object> CompletableFuture<T> read(Work<T> work) {
        CompletableFuture<T> future = new CompletableFuture<>();
        lock.lock();
        try {
            if (closed) {
                return CompletableFuture.failedFuture(new StoreException("the store is closed"));
            }
            if (committed < submitted) {
                if (waitingReads.size() >= MAX_WAITING_READS) {
                    return CompletableFuture.failedFuture(new StoreException("too many wait to read; try again later"));
                }
                waitingReads.add(new WaitingRead(submitted, () -> startRead(work, future)));
                return future.orTimeout(READ_TIMEOUT_SECONDS, TimeUnit.SECONDS);
            }
        } finally {
            lock.unlock();
        }
        startRead(work, future);
        return future;
    }

    private <T extends @Nullable Object> void startRead(Work<T> work, CompletableFuture<T> future) {
        try {
            readers.execute(() -> readNow(work, future));
        } catch (RejectedExecutionException e) {
            future.completeExceptionally(new StoreException("too many wait to read, or the store is closed", e));
        }
    }

    @SuppressWarnings("IllegalCatch")
    private <T extends @Nullable Object> void readNow(Work<T> work, CompletableFuture<T> future) {
        T result;
        try {
            result = read(work, 1);
        } catch (Throwable e) {
            future.completeExceptionally(e);
            return;
        }
        future.complete(result);
    }

    private <T extends @Nullable Object> T read(Work<T> work, int tries) throws SQLException {
        try (Connection reader = readConnections.getConnection()) {
            try {
                return work.run(reader);
            } catch (SQLException e) {
                if (tries == READ_TRIES || !dialect.isPassing(reader, e)) {
                    throw e;
                }
            }
        }
        return read(work, tries + 1);
    }

    /**
     * Has {@code action} called once the current transaction is committed, in a thread of the database and before the futures complete; not if it is not. To be called from a work of {@link #write} only, or
     * from what that calls.
     */
    public void afterCommit(Runnable action) {
        if (Thread.currentThread() != writer) {
            throw new IllegalStateException("there is a transaction to wait for only in the writer");
        }
        afterCommit.add(action);
    }

    /** Saves the writer the question for the id of the current transaction. */
    void transactionIs(String id) {
        transaction = id;
    }

    /** Has {@code listener} called, in a thread of the database, after each transaction in which {@link #signal} was called with this name, until the result is closed. */
    public AutoCloseable listen(String signal, Runnable listener) {
        List<Runnable> all = listeners.computeIfAbsent(signal, none -> new CopyOnWriteArrayList<>());
        all.add(listener);
        return () -> all.remove(listener);
    }

    /** Tells those in this process that {@link #listen} once the current transaction is committed. To be called where {@link #afterCommit} may be called. */
    public void signal(String signal) {
        afterCommit(() -> listeners.getOrDefault(signal, List.of()).forEach(Database::call));
    }

    private void writeUntilClosed() {
        List<Entry<?, ?>> batch = new ArrayList<>();
        while (takeWaiting(batch)) {
            write(batch);
            committed(batch.size());
            batch.clear();
        }
        discardConnection();
    }

    /** Waits for something to write; false if there is nothing and there will not be. */
    private boolean takeWaiting(List<Entry<?, ?>> batch) {
        lock.lock();
        try {
            while (waiting.isEmpty()) {
                if (closed) {
                    return false;
                }
                wakeWriter.awaitUninterruptibly();
            }
            if (waiting.size() <= MAX_BATCH) {
                batch.addAll(waiting);
                waiting.clear();
            } else {
                for (int i = 0; i < MAX_BATCH; i++) {
                    batch.add(waiting.removeFirst());
                }
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void committed(int count) {
        lock.lock();
        try {
            committed += count;
            while (!waitingReads.isEmpty() && waitingReads.peek().after <= committed) {
                waitingReads.poll().start.run();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Writes the batch, however long it takes; gives up only when the database is closed. */
    private void write(List<Entry<?, ?>> all) {
        List<Entry<?, ?>> batch = new ArrayList<>(all);
        String transaction = null;
        long backoff = 0;
        while (true) {
            if (backoff > 0 && !pause(backoff)) {
                fail(
                        batch,
                        new StoreException(
                                transaction == null
                                        ? "the store was closed before this could be written"
                                        : "the store was closed before it was known whether this was written"));
                return;
            }
            Connection current = null;
            boolean committing = false;
            try {
                current = connection();
                if (transaction != null) {
                    Boolean done = dialect.isCommitted(current, transaction);
                    if (done == null) {
                        backoff = nextBackoff(backoff);
                        continue;
                    }
                    if (done) {
                        complete(batch);
                        return;
                    }
                    transaction = null;
                }
                expire(batch);
                this.transaction = null;
                run(current, batch);
                transaction = this.transaction == null ? dialect.transactionId(current) : this.transaction;
                committing = true;
                commit(current);
                complete(batch);
                return;
            } catch (SQLException e) {
                if (!committing) {
                    transaction = null;
                }
                if (current != null && !dialect.isPassing(current, e)) {
                    rollBack(current);
                    fail(batch, new StoreException("this could not be committed: " + e.getMessage(), e));
                    return;
                }
                if (backoff == 0 || backoff == MAX_BACKOFF_NANOS) {
                    LOG.warn("the database does not answer, which is tried again: {}", e.getMessage());
                }
                discardConnection();
                backoff = nextBackoff(backoff);
            }
        }
    }

    private static long nextBackoff(long backoff) {
        return backoff == 0 ? MIN_BACKOFF_NANOS : Math.min(MAX_BACKOFF_NANOS, 2 * backoff);
    }

    /** Waits before the next try; false if the database is closed. */
    private boolean pause(long nanos) {
        lock.lock();
        try {
            long left = nanos;
            while (!closed && left > 0) {
                left = wakeWriter.awaitNanos(left);
            }
            return !closed;
        } catch (InterruptedException e) {
            // nobody else has this thread, so nobody means anything by it
            return true;
        } finally {
            lock.unlock();
        }
    }

    private Connection connection() throws SQLException {
        Connection open = connection;
        if (open == null) {
            open = dialect.openWriter();
            connection = open;
        }
        return open;
    }

    private void discardConnection() {
        Connection open = connection;
        connection = null;
        if (open != null) {
            try {
                open.close();
            } catch (SQLException e) {
                LOG.debug("a broken connection could not be closed", e);
            }
        }
    }

    private static void rollBack(Connection connection) {
        try {
            Dialect.execute(connection, "rollback");
        } catch (SQLException e) {
            LOG.debug("nothing to roll back", e);
        }
    }

    private static void commit(Connection connection) throws SQLException {
        Dialect.execute(connection, "commit");
    }

    private void expire(List<Entry<?, ?>> batch) {
        long now = ticker.getAsLong();
        batch.removeIf(entry -> {
            boolean over = entry.mayExpire && now - entry.deadlineNanos >= 0;
            if (over) {
                completions.execute(() -> entry.fail(new StoreException(
                        "the database did not answer for 10 s, so this was given up; nothing of it was written")));
            }
            return over;
        });
    }

    /** Does everything in a new transaction: at first all together, and if something fails once more, each in a savepoint, so that it fails alone. */
    private void run(Connection current, List<Entry<?, ?>> batch) throws SQLException {
        try {
            dialect.begin(current);
            afterCommit.clear();
            Map<Group<?, ?>, List<Entry<?, ?>>> grouped = new LinkedHashMap<>();
            for (Entry<?, ?> entry : batch) {
                grouped.computeIfAbsent(entry.group, none -> new ArrayList<>()).add(entry);
            }
            List<List<Entry<?, ?>>> inOrder = new ArrayList<>(grouped.values());
            inOrder.sort(Comparator.comparingInt(entries -> entries.get(0).group.order()));
            for (List<Entry<?, ?>> entries : inOrder) {
                runTogether(current, entries);
            }
        } catch (SQLException e) {
            if (dialect.isPassing(current, e)) {
                throw e;
            }
            runEachAlone(current, batch, e);
        } catch (RuntimeException e) {
            runEachAlone(current, batch, e);
        }
    }

    private void runEachAlone(Connection current, List<Entry<?, ?>> batch, Exception first) throws SQLException {
        LOG.debug("a transaction is repeated step by step, since something in it failed", first);
        Dialect.execute(current, "rollback");
        dialect.begin(current);
        transaction = null;
        afterCommit.clear();
        for (Entry<?, ?> entry : batch) {
            int actions = afterCommit.size();
            Dialect.execute(current, "savepoint cw_entry");
            try {
                runTogether(current, List.of(entry));
            } catch (SQLException | RuntimeException e) {
                if (e instanceof SQLException failure && dialect.isPassing(current, failure)) {
                    throw failure;
                }
                entry.failure = e;
                afterCommit.subList(actions, afterCommit.size()).clear();
                Dialect.execute(current, "rollback to savepoint cw_entry");
            }
            Dialect.execute(current, "release savepoint cw_entry");
        }
    }

    /** Entries of one group. */
    @SuppressWarnings("unchecked")
    private static <I, R extends @Nullable Object> void runTogether(Connection current, List<Entry<?, ?>> entries)
            throws SQLException {
        List<I> items = new ArrayList<>(entries.size());
        for (Entry<?, ?> entry : entries) {
            items.add((I) entry.item);
        }
        List<Outcome<R>> outcomes;
        try {
            outcomes = ((Group<I, R>) entries.get(0).group).write(current, items);
        } catch (BatchUpdateException e) {
            // whose message is the whole statement with all that it was to write
            throw e.getNextException() == null ? e : e.getNextException();
        }
        for (int i = 0; i < outcomes.size(); i++) {
            ((Entry<I, R>) entries.get(i)).outcome = outcomes.get(i);
            entries.get(i).failure = null;
        }
    }

    private void complete(List<Entry<?, ?>> batch) {
        List<Entry<?, ?>> done = List.copyOf(batch);
        List<Runnable> actions = List.copyOf(afterCommit);
        afterCommit.clear();
        completions.execute(() -> {
            actions.forEach(Database::call);
            done.forEach(Entry::complete);
        });
    }

    private static void call(Runnable action) {
        try {
            action.run();
        } catch (RuntimeException e) {
            LOG.error("an action after a commit failed", e);
        }
    }

    private void fail(List<Entry<?, ?>> batch, Exception failure) {
        List<Entry<?, ?>> failed = List.copyOf(batch);
        completions.execute(() -> failed.forEach(entry -> entry.fail(failure)));
    }

    /** Writes what still waits, unless the database cannot be reached, and lets go of everything. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            wakeWriter.signalAll();
        } finally {
            lock.unlock();
        }
        boolean interrupted = joinWriter();
        readers.shutdown();
        completions.shutdown();
        dialect.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean joinWriter() {
        boolean interrupted = false;
        while (true) {
            try {
                writer.join();
                return interrupted;
            } catch (InterruptedException e) {
                // what was given to the writer is written all the same
                interrupted = true;
            }
        }
    }

    /** Something to do in a transaction, or to read. */
    @FunctionalInterface
    public interface Work<T extends @Nullable Object> {
        /** Does it on this connection, which stays the database's. */
        T run(Connection connection) throws SQLException;
    }

    /** Items that are written together. */
    @FunctionalInterface
    interface Group<I, R extends @Nullable Object> {
        /** Writes the items; may be called again with the same ones, alone or in other company, after what it did was undone. Returns one outcome for each. */
        List<Outcome<R>> write(Connection connection, List<I> items) throws SQLException;

        /** Those with a lower number go first. */
        default int order() {
            return 0;
        }
    }

    /** Works, one after another. */
    private static final class InTurn<T extends @Nullable Object> implements Group<Work<T>, T> {
        private static final InTurn<?> INSTANCE = new InTurn<>();

        @SuppressWarnings("unchecked")
        static <T extends @Nullable Object> InTurn<T> of() {
            return (InTurn<T>) INSTANCE;
        }

        @Override
        public int order() {
            return WORKS_ORDER;
        }

        @Override
        public List<Outcome<T>> write(Connection connection, List<Work<T>> works) throws SQLException {
            List<Outcome<T>> outcomes = new ArrayList<>(works.size());
            for (Work<T> each : works) {
                outcomes.add(new Outcome<>(each.run(connection)));
            }
            return outcomes;
        }
    }

    /** What an item came to: so that nothing, too, can be in a list. */
    record Outcome<R extends @Nullable Object>(R value) {}

    private record WaitingRead(long after, Runnable start) implements Comparable<WaitingRead> {
        @Override
        public int compareTo(WaitingRead other) {
            return Long.compare(after, other.after);
        }
    }

    private static final class Entry<I, R extends @Nullable Object> {
        final Group<I, R> group;
        final I item;
        final long deadlineNanos;
        final boolean mayExpire;
        final CompletableFuture<R> future = new CompletableFuture<>();

        @Nullable Outcome<R> outcome;

        @Nullable Exception failure;

        Entry(Group<I, R> group, I item, long deadlineNanos, boolean mayExpire) {
            this.group = group;
            this.item = item;
            this.deadlineNanos = deadlineNanos;
            this.mayExpire = mayExpire;
        }

        void complete() {
            Outcome<R> present = outcome;
            if (failure != null || present == null) {
                future.completeExceptionally(failure == null ? new IllegalStateException("no outcome") : failure);
            } else {
                future.complete(present.value);
            }
        }

        void fail(Exception reason) {
            future.completeExceptionally(reason);
        }
    }
}
