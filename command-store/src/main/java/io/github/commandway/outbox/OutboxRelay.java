package io.github.commandway.outbox;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.outbox.OutboxTables.Backlog;
import io.github.commandway.outbox.OutboxTables.Failure;
import io.github.commandway.outbox.OutboxTables.Row;
import io.github.commandway.outbox.api.DeadLetter;
import io.github.commandway.outbox.api.DeadLetters;
import io.github.commandway.store.Database;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Brings what {@link Outbox} keeps to its publishers: each entry at least once, and those of the same topic and key in order, one after the other.
 *
 * <p>Any number of relays share an outbox. Each looks after a part of the keys for as long as it renews its lease by the database's clock; what a relay
 * that is gone looked after goes to the others. An entry may come twice, with the same id, when a relay or its database goes away
 * between the delivery and its record, or a publisher fails after all; the first arrivals of a key's entries are always in order.
 *
 * <p>An entry that fails is tried again after a while ({@link RetryPolicy}), and the later ones of its key wait for it. After the last try it is a dead letter: its key stands
 * still until somebody calls {@link #replay}, {@link #replayKey} or {@link #discard}, and all others go on. A receiver that is away as a whole
 * ({@link PublisherUnavailableException}) makes no dead letters: its topic waits.
 *
 * <p>Defaults: 10 tries, 1 s after the first and twice as long after each further one up to 60 s, with a jitter of 0.2; batches of 1,000 entries of a topic; a look for
 * new ones every second, beside the one after each commit; a lease of 15 s; at most 10 s to finish at {@link #close}. Each relay has one thread. Safe for use by many threads.
 */
public final class OutboxRelay implements DeadLetters, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxRelay.class);
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long AWAKE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long BUSY_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long UNSETTLED_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private final Database database;
    private final OutboxTables tables;
    private final Map<String, Route> routes;
    private final @Nullable Route otherTopics;
    private final Route unrouted;
    private final int batchSize;
    private final long pollNanos;
    private final long leaseNanos;
    private final long shutdownNanos;
    private final Clock clock;
    private final LongSupplier ticker;
    private final RandomGenerator random;
    private final AutoCloseable listening;
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    // guarded by lock
    private final Map<String, Topic> topics = new HashMap<>();
    private final Map<LaneId, Lane> lanes = new HashMap<>();
    private final Map<Long, Integer> loadedOfPart = new HashMap<>();
    private List<Delivery> delivered = new ArrayList<>();
    private List<FailedDelivery> failures = new ArrayList<>();
    private Set<Long> parts = Set.of();
    private boolean lookForNew = true;
    private long leaseEnd;
    private boolean closing;
    private long closeBy;
    private int inFlight;
    private long sent;
    private long failed;
    private long parked;
    private Backlog backlog = new Backlog(0, 0, null);

    // used by the relay's thread only
    private UUID identity;
    private boolean known;
    private boolean isDatabaseAway;
    private long nextRenewal;
    private long nextPoll;
    private long lastFound;
    private long awakeUntil;
    private boolean hasPromised;
    private long nextDueMillis = Long.MAX_VALUE;

    private OutboxRelay(Builder builder) {
        database = builder.outbox.database();
        tables = builder.outbox.tables();
        routes = Map.copyOf(builder.routes);
        otherTopics = builder.otherTopics;
        unrouted = new Route(
                entry -> CompletableFuture.failedFuture(
                        new IllegalStateException("no publisher is set for topic " + entry.topic())),
                RetryPolicy.exponential(1));
        batchSize = builder.batchSize;
        pollNanos = builder.pollInterval.toNanos();
        leaseNanos = builder.lease.toNanos();
        shutdownNanos = builder.shutdownTimeout.toNanos();
        clock = builder.clock;
        ticker = builder.ticker;
        random = builder.random;
        identity = identity(random);
        long now = ticker.getAsLong();
        leaseEnd = now;
        nextRenewal = now;
        nextPoll = now + pollNanos;
        lastFound = now - BUSY_NANOS;
        awakeUntil = now;
        listening = builder.outbox.listen(this::wake);
        thread = new Thread(this::run, "outbox-relay");
        thread.setDaemon(true);
    }

    /** Begins a relay for an outbox. It does not close the database. */
    public static Builder of(Outbox outbox) {
        return new Builder(outbox);
    }

    /** Looks for new entries now. Those of {@link Outbox} announce themselves when they are committed; this is for any others. */
    public void wake() {
        lock.lock();
        try {
            lookForNew = true;
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /** What this relay has done so far. */
    public OutboxStats stats() {
        lock.lock();
        try {
            Instant oldest = backlog.oldest();
            Duration lag = oldest == null ? Duration.ZERO : Duration.between(oldest, clock.instant());
            return new OutboxStats(
                    sent,
                    failed,
                    parked,
                    inFlight,
                    backlog.waiting(),
                    backlog.deadLetters(),
                    lag.isNegative() ? Duration.ZERO : lag,
                    parts.size());
        } finally {
            lock.unlock();
        }
    }

    /** {@inheritDoc} They are those of all relays of this outbox. */
    @Override
    public CompletableFuture<List<DeadLetter>> deadLetters(int limit, long after) {
        if (limit < 1) {
            throw new IllegalArgumentException("the limit must be at least 1, not " + limit);
        }
        return database.read(connection -> tables.deadLetters(connection, limit, after));
    }

    @Override
    public CompletableFuture<Boolean> replay(UUID id) {
        return thenWake(database.write(connection -> tables.replay(connection, id)));
    }

    /**
     * Tries the dead letter of this topic and key again.
     *
     * @return false if there is none
     */
    public CompletableFuture<Boolean> replayKey(String topic, String key) {
        return thenWake(database.write(connection -> tables.replayKey(connection, topic, key)));
    }

    @Override
    public CompletableFuture<Boolean> discard(UUID id) {
        return thenWake(database.write(connection -> tables.discard(connection, id)));
    }

    private CompletableFuture<Boolean> thenWake(CompletableFuture<Boolean> change) {
        return change.whenComplete((found, error) -> wake());
    }

    /**
     * Begins no more deliveries, waits for those that were begun and for their record, and leaves the rest to other relays or the next start. What
     * publishers have not acknowledged in time is delivered again then.
     */
    @Override
    public void close() {
        lock.lock();
        try {
            if (!closing) {
                closing = true;
                closeBy = ticker.getAsLong() + shutdownNanos;
                changed.signal();
            }
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            while (true) {
                boolean well = turn();
                lock.lock();
                try {
                    if (closing && (inFlight == 0 || ticker.getAsLong() - closeBy >= 0) && (isRecorded() || !well)) {
                        break;
                    }
                    await(well);
                } finally {
                    lock.unlock();
                }
            }
        } finally {
            leave();
        }
    }

    /** Does what is to be done with the database. */
    private boolean turn() {
        try {
            if (ticker.getAsLong() - nextRenewal >= 0) {
                renew();
            }
            record();
            read();
            if (isDatabaseAway) {
                isDatabaseAway = false;
                LOG.info("The outbox relay can use its database again");
            }
            return true;
        } catch (RuntimeException e) {
            LOG.atLevel(isDatabaseAway ? Level.DEBUG : Level.WARN)
                    .setCause(e)
                    .log("The outbox relay cannot use its database and tries again every second");
            isDatabaseAway = true;
            return false;
        } finally {
            pump();
        }
    }

    private void await(boolean well) {
        long now = ticker.getAsLong();
        long until = nextRenewal - now;
        if (well) {
            until = Math.min(until, nextPoll - now);
            if (nextDueMillis != Long.MAX_VALUE) {
                until = Math.min(until, TimeUnit.MILLISECONDS.toNanos(nextDueMillis - clock.millis()));
            }
            for (Topic topic : topics.values()) {
                if (topic.paused) {
                    until = Math.min(until, topic.pausedUntil - now);
                }
            }
        } else {
            until = RETRY_NANOS;
        }
        if (closing) {
            until = Math.min(until, closeBy - now);
        }
        try {
            while (until > 0 && !(well && hasWork())) {
                until = changed.awaitNanos(until);
            }
        } catch (InterruptedException e) {
            // nobody but close() ends this thread
            LOG.atDebug().log("The outbox relay was interrupted and goes on");
        }
        now = ticker.getAsLong();
        if (now - nextPoll >= 0) {
            lookForNew = true;
            nextPoll = now + pause(now);
        }
        if (clock.millis() >= nextDueMillis) {
            lookForNew = true;
            nextDueMillis = Long.MAX_VALUE;
        }
        for (Topic topic : topics.values()) {
            if (topic.paused && now - topic.pausedUntil >= 0) {
                topic.paused = false;
                topic.hasMore = true;
            }
        }
    }

    private boolean hasWork() {
        if (!isRecorded() || (closing && inFlight == 0)) {
            return true;
        }
        if (closing || parts.isEmpty()) {
            return false;
        }
        return lookForNew || topics.values().stream().anyMatch(this::isToBeRead);
    }

    private boolean isRecorded() {
        return delivered.isEmpty() && failures.isEmpty();
    }

    private boolean isToBeRead(Topic topic) {
        return topic.hasMore && room(topic) > 0;
    }

    private int room(Topic topic) {
        return topic.paused || topic.loaded.size() >= batchSize ? 0 : batchSize;
    }

    /** Renews the lease, takes over what is free, and gives up what is more than its share. */
    private void renew() {
        long begun = ticker.getAsLong();
        Set<Long> surplus = new HashSet<>();
        long leaseMillis = TimeUnit.NANOSECONDS.toMillis(leaseNanos);
        UUID current = identity;
        UUID fresh = identity(random);
        boolean anew = join(database.write(connection -> {
            boolean gone = !tables.renew(connection, current, leaseMillis);
            if (gone) {
                tables.register(connection, fresh, leaseMillis);
            }
            tables.bury(connection);
            tables.claim(connection, gone ? fresh : current);
            return gone;
        }));
        if (anew && known) {
            LOG.atWarn().log("The outbox relay's lease had run out; it begins anew");
        }
        UUID self = anew ? fresh : current;
        identity = self;
        known = true;
        int[] share = {0};
        Set<Long> owned = join(database.read(connection -> {
            share[0] = tables.fairShare(connection);
            return tables.owned(connection, self);
        }));
        owned.stream().sorted().skip(share[0]).forEach(surplus::add);
        owned.removeAll(surplus);
        Backlog left = join(database.read(tables::backlog));
        Set<Long> given = new HashSet<>();
        lock.lock();
        try {
            lookForNew |= !parts.containsAll(owned);
            parts = Set.copyOf(owned);
            leaseEnd = begun + leaseNanos;
            backlog = left;
            lanes.values().removeIf(lane -> {
                if (!owned.contains((long) lane.part)) {
                    drop(lane);
                }
                return lane.isIdle();
            });
            for (long part : surplus) {
                if (loadedOfPart.getOrDefault(part, 0) == 0) {
                    given.add(part);
                }
            }
        } finally {
            lock.unlock();
        }
        if (!given.isEmpty()) {
            join(database.write(connection -> {
                tables.release(connection, self, given);
                return true;
            }));
        }
        // soon again if something is still to be given up or to be had
        boolean settled = given.size() == surplus.size() && owned.size() + surplus.size() >= share[0];
        nextRenewal = begun + Math.min(leaseNanos / 3, settled ? Long.MAX_VALUE : UNSETTLED_NANOS);
    }

    /** Writes down what became of the deliveries. */
    private void record() {
        List<Delivery> arrived;
        List<FailedDelivery> broken;
        lock.lock();
        try {
            arrived = delivered;
            broken = failures;
            delivered = new ArrayList<>();
            failures = new ArrayList<>();
        } finally {
            lock.unlock();
        }
        if (arrived.isEmpty() && broken.isEmpty()) {
            return;
        }
        Map<String, List<Long>> done = new HashMap<>();
        List<Long> recovered = new ArrayList<>();
        for (Delivery delivery : arrived) {
            done.computeIfAbsent(delivery.entry.topic(), topic -> new ArrayList<>())
                    .add(delivery.sequence);
            if (delivery.attempts > 0) {
                recovered.add(delivery.sequence);
            }
        }
        List<Failure> lasting = broken.stream().map(this::judge).toList();
        try {
            join(database.write(connection -> {
                tables.delete(connection, done);
                tables.clearFailures(connection, recovered);
                tables.fail(connection, lasting);
                return true;
            }));
        } catch (RuntimeException e) {
            lock.lock();
            try {
                delivered.addAll(arrived);
                failures.addAll(broken);
            } finally {
                lock.unlock();
            }
            throw e;
        }
        lock.lock();
        try {
            arrived.forEach(this::unload);
            for (FailedDelivery failure : broken) {
                unload(failure.delivery);
                Lane lane = failure.delivery.lane;
                drop(lane);
                lane.failing = false;
                removeIfIdle(lane);
            }
            for (Failure failure : lasting) {
                if (failure.parked()) {
                    parked++;
                } else {
                    nextDueMillis = Math.min(nextDueMillis, failure.notBefore().toEpochMilli());
                }
            }
            sent += arrived.size();
            failed += broken.size();
        } finally {
            lock.unlock();
        }
    }

    private Failure judge(FailedDelivery failure) {
        Delivery delivery = failure.delivery;
        RetryPolicy policy = delivery.lane.topic.route.policy;
        int attempts = delivery.attempts + 1;
        boolean last = attempts >= policy.maxAttempts();
        Instant now = clock.instant();
        Instant next = last ? now : now.plus(policy.delayAfter(attempts, random.nextDouble()));
        (last ? LOG.atWarn() : LOG.atDebug())
                .addKeyValue("id", delivery.entry.id())
                .addKeyValue("topic", delivery.entry.topic())
                .addKeyValue("attempts", attempts)
                .addKeyValue("error", failure.error)
                .log(last ? "An outbox entry is a dead letter" : "An outbox entry was not delivered");
        return new Failure(delivery.entry.topic(), delivery.sequence, attempts, next, last, failure.error, now);
    }

    /** Fetches what may be delivered and has room. */
    private void read() {
        boolean all;
        Set<Long> from;
        Map<String, List<Long>> excluded = new HashMap<>();
        Map<String, Integer> rooms = new HashMap<>();
        Set<String> wanted = new HashSet<>();
        lock.lock();
        try {
            from = parts;
            if (closing || from.isEmpty()) {
                return;
            }
            all = lookForNew;
            lookForNew = false;
            forgetIdleTopics();
            topics.forEach((name, topic) -> {
                rooms.put(name, room(topic));
                excluded.put(name, List.copyOf(topic.loaded));
                if (isToBeRead(topic)) {
                    wanted.add(name);
                }
            });
        } finally {
            lock.unlock();
        }
        if (!all && wanted.isEmpty()) {
            return;
        }
        long begun = ticker.getAsLong();
        Instant now = clock.instant();
        Map<String, List<Row>> found;
        try {
            found = join(database.read(connection -> {
                Map<String, List<Row>> rows = new HashMap<>();
                for (String topic : all ? tables.topics(connection) : wanted) {
                    int room = rooms.getOrDefault(topic, batchSize);
                    if (room > 0) {
                        List<Long> except = excluded.getOrDefault(topic, List.of());
                        rows.put(topic, tables.read(connection, topic, from, except, now, room));
                    }
                }
                return rows;
            }));
            if (all) {
                if (found.values().stream().anyMatch(rows -> !rows.isEmpty())) {
                    stayAwake(begun);
                }
                nextPoll = begun + pause(begun);
                OptionalLong due = join(database.read(connection -> tables.nextDue(connection, now)));
                nextDueMillis = due.orElse(Long.MAX_VALUE);
            }
        } catch (RuntimeException e) {
            wake();
            throw e;
        }
        lock.lock();
        try {
            topics.forEach((name, topic) -> topic.hasMore |= all && rooms.getOrDefault(name, 0) == 0);
            found.forEach((name, rows) -> take(topic(name), rows));
        } finally {
            lock.unlock();
        }
    }

    /** Where one entry follows the other, spares those who append the announcement for a while. */
    private void stayAwake(long now) {
        boolean busy = now - lastFound < BUSY_NANOS;
        lastFound = now;
        if (!busy || !database.isShared() || awakeUntil - now > AWAKE_NANOS / 2) {
            return;
        }
        UUID self = identity;
        hasPromised = true;
        join(database.write(connection -> {
            tables.stayAwake(connection, self, TimeUnit.NANOSECONDS.toMillis(AWAKE_NANOS));
            return true;
        }));
        awakeUntil = ticker.getAsLong() + AWAKE_NANOS;
    }

    /**
     * When to look again without being told: soon while it has promised to, and after that with ever longer pauses, so that what was not announced and
     * is committed late is seen after not much more than the time that its transaction took.
     */
    private long pause(long now) {
        return hasPromised ? Math.min(pollNanos, Math.max(LOOK_NANOS, now - awakeUntil)) : pollNanos;
    }

    private void forgetIdleTopics() {
        for (Iterator<Topic> each = topics.values().iterator(); each.hasNext(); ) {
            Topic topic = each.next();
            if (topic.loaded.isEmpty() && !topic.hasMore && topic.outages == 0) {
                each.remove();
            }
        }
    }

    private void take(Topic topic, List<Row> rows) {
        if (topic.paused) {
            return;
        }
        topic.hasMore = rows.size() == batchSize;
        for (Row row : rows) {
            OutboxEntry entry = row.entry();
            Lane lane = lanes.computeIfAbsent(
                    new LaneId(entry.topic(), entry.key()), id -> new Lane(id, topic, row.part()));
            lane.waiting.add(new Delivery(row.sequence(), entry, row.attempts(), lane));
            topic.loaded.add(row.sequence());
            loadedOfPart.merge((long) lane.part, 1, Integer::sum);
            makeReady(lane);
        }
    }

    private Topic topic(String name) {
        Route other = otherTopics == null ? unrouted : otherTopics;
        return topics.computeIfAbsent(name, each -> new Topic(each, routes.getOrDefault(each, other)));
    }

    private void makeReady(Lane lane) {
        if (!lane.ready && !lane.failing && lane.inFlight == null && !lane.waiting.isEmpty()) {
            lane.ready = true;
            lane.topic.route.ready.add(lane);
        }
    }

    private void pump() {
        routes.values().forEach(this::pump);
        if (otherTopics != null) {
            pump(otherTopics);
        }
        pump(unrouted);
    }

    /** Gives the publisher what it takes. One thread does so at a time, and goes on for what others make ready meanwhile. */
    private void pump(Route route) {
        lock.lock();
        try {
            if (route.pumping) {
                return;
            }
            route.pumping = true;
        } finally {
            lock.unlock();
        }
        while (true) {
            Delivery next;
            lock.lock();
            try {
                next = next(route);
                if (next == null) {
                    route.pumping = false;
                    return;
                }
            } finally {
                lock.unlock();
            }
            publish(route, next);
        }
    }

    private @Nullable Delivery next(Route route) {
        if (closing || route.inFlight >= route.publisher.maxInFlight() || ticker.getAsLong() - leaseEnd >= 0) {
            return null;
        }
        while (true) {
            Lane lane = route.ready.poll();
            if (lane == null) {
                return null;
            }
            lane.ready = false;
            Delivery delivery = lane.waiting.poll();
            if (delivery != null) {
                lane.inFlight = delivery;
                delivery.othersBefore = lane.topic.successes;
                route.inFlight++;
                inFlight++;
                return delivery;
            }
        }
    }

    private void publish(Route route, Delivery delivery) {
        CompletableFuture<Void> published;
        try {
            published = route.publisher.publish(delivery.entry);
        } catch (RuntimeException e) {
            published = CompletableFuture.failedFuture(e);
        }
        published.whenComplete((nothing, error) -> {
            finished(delivery, error);
            pump(route);
        });
    }

    private void finished(Delivery delivery, @Nullable Throwable error) {
        lock.lock();
        try {
            Lane lane = delivery.lane;
            Topic topic = lane.topic;
            topic.route.inFlight--;
            inFlight--;
            lane.inFlight = null;
            if (error == null) {
                topic.successes++;
                topic.outages = 0;
                delivered.add(delivery);
                makeReady(lane);
                removeIfIdle(lane);
            } else if (CommandException.unwrap(error) instanceof PublisherUnavailableException unavailable
                    && topic.successes == delivery.othersBefore) {
                unload(delivery);
                pause(topic, unavailable);
                removeIfIdle(lane);
            } else {
                lane.failing = true;
                failures.add(new FailedDelivery(delivery, describe(CommandException.unwrap(error))));
            }
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Nothing of the topic gets through. What is not with the publisher yet is left in the database. */
    private void pause(Topic topic, PublisherUnavailableException reason) {
        if (topic.paused) {
            return;
        }
        topic.paused = true;
        topic.outages++;
        // the middle of the spread: a topic's pause is the same for all of its entries, so there is nothing to spread
        Duration delay = topic.route.policy.delayAfter(topic.outages, 0.5);
        topic.pausedUntil = ticker.getAsLong() + delay.toNanos();
        (topic.outages == 1 ? LOG.atWarn() : LOG.atDebug())
                .addKeyValue("topic", topic.name)
                .addKeyValue("reason", reason.getMessage())
                .addKeyValue("delay", delay)
                .log("Nothing of a topic can be published for now");
        lanes.values().removeIf(lane -> {
            if (lane.topic == topic) {
                drop(lane);
            }
            return lane.isIdle();
        });
    }

    private void drop(Lane lane) {
        lane.waiting.forEach(this::unload);
        lane.waiting.clear();
    }

    private void unload(Delivery delivery) {
        delivery.lane.topic.loaded.remove(delivery.sequence);
        loadedOfPart.merge((long) delivery.lane.part, -1, Integer::sum);
    }

    private void removeIfIdle(Lane lane) {
        if (lane.isIdle()) {
            lanes.remove(lane.id, lane);
        }
    }

    private void leave() {
        try {
            listening.close();
            UUID self = identity;
            join(database.write(connection -> {
                tables.leave(connection, self);
                return true;
            }));
        } catch (Exception e) {
            LOG.atWarn()
                    .setCause(e)
                    .log("The outbox relay could not sign off; its part is free when its lease runs out");
        }
    }

    private static UUID identity(RandomGenerator random) {
        return new UUID(random.nextLong(), random.nextLong());
    }

    private static <T> T join(CompletableFuture<T> future) {
        return future.join();
    }

    private static String describe(Throwable error) {
        String message = error.getMessage();
        return message == null ? error.getClass().getName() : message;
    }

    /** A publisher with what it has in hand. */
    private static final class Route {
        final Publisher publisher;
        final RetryPolicy policy;
        final ArrayDeque<Lane> ready = new ArrayDeque<>();
        int inFlight;
        boolean pumping;

        Route(Publisher publisher, RetryPolicy policy) {
            this.publisher = publisher;
            this.policy = policy;
        }
    }

    private static final class Topic {
        final String name;
        final Route route;
        // the sequence numbers that are in memory, until their delivery is recorded
        final Set<Long> loaded = new HashSet<>();
        boolean hasMore;
        long successes;
        int outages;
        boolean paused;
        long pausedUntil;

        Topic(String name, Route route) {
            this.name = name;
            this.route = route;
        }
    }

    private record LaneId(String topic, String key) {}

    /** The entries of one topic and key that are in memory. */
    private static final class Lane {
        final LaneId id;
        final Topic topic;
        final int part;
        final ArrayDeque<Delivery> waiting = new ArrayDeque<>();

        @Nullable Delivery inFlight;

        boolean ready;
        boolean failing;

        Lane(LaneId id, Topic topic, int part) {
            this.id = id;
            this.topic = topic;
            this.part = part;
        }

        boolean isIdle() {
            return waiting.isEmpty() && inFlight == null && !failing;
        }
    }

    private static final class Delivery {
        final long sequence;
        final OutboxEntry entry;
        final int attempts;
        final Lane lane;
        long othersBefore;

        Delivery(long sequence, OutboxEntry entry, int attempts, Lane lane) {
            this.sequence = sequence;
            this.entry = entry;
            this.attempts = attempts;
            this.lane = lane;
        }
    }

    private record FailedDelivery(Delivery delivery, String error) {}

    /** Builds an {@link OutboxRelay}; its class comment lists the defaults. Not safe for use by many threads. */
    public static final class Builder {
        private final Outbox outbox;
        private final Map<String, Route> routes = new HashMap<>();
        private @Nullable Route otherTopics;
        private int batchSize = 1_000;
        private Duration pollInterval = Duration.ofSeconds(1);
        private Duration lease = Duration.ofSeconds(15);
        private Duration shutdownTimeout = Duration.ofSeconds(10);
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private RandomGenerator random = new SplittableRandom();

        private Builder(Outbox outbox) {
            this.outbox = outbox;
        }

        /** Sets where the entries of one topic go; an entry of a topic that goes nowhere is a dead letter. */
        public Builder publish(String topic, Publisher publisher) {
            return publish(topic, publisher, RetryPolicy.exponential(10));
        }

        /** Sets where the entries of one topic go, and how often each is tried. */
        public Builder publish(String topic, Publisher publisher, RetryPolicy policy) {
            if (routes.putIfAbsent(topic, new Route(publisher, policy)) != null) {
                throw new IllegalArgumentException("topic " + topic + " has a publisher already");
            }
            return this;
        }

        /** Sets where the entries of all other topics go. */
        public Builder publishOthers(Publisher publisher) {
            return publishOthers(publisher, RetryPolicy.exponential(10));
        }

        /** Sets where the entries of all other topics go, and how often each is tried. */
        public Builder publishOthers(Publisher publisher, RetryPolicy policy) {
            otherTopics = new Route(publisher, policy);
            return this;
        }

        /** Sets how many entries of a topic are read at a time, from 1; twice as many may be in memory. */
        public Builder batchSize(int batchSize) {
            if (batchSize < 1) {
                throw new IllegalArgumentException("a batch has at least 1 entry, not " + batchSize);
            }
            this.batchSize = batchSize;
            return this;
        }

        /** Sets how often to look for entries that did not announce themselves: at least 1 ms. */
        public Builder pollInterval(Duration pollInterval) {
            this.pollInterval = requirePositive("poll interval", pollInterval);
            return this;
        }

        /** Sets how long a relay that is gone keeps its part from others; renewed three times as often. From 1 ms. */
        public Builder lease(Duration lease) {
            this.lease = requirePositive("lease", lease);
            return this;
        }

        /** Sets how long {@link OutboxRelay#close} waits for acknowledgements: at least 1 ms. */
        public Builder shutdownTimeout(Duration shutdownTimeout) {
            this.shutdownTimeout = requirePositive("shutdown timeout", shutdownTimeout);
            return this;
        }

        /** Sets the wall clock, in which retries are planned. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Sets the source of nanoseconds. */
        public Builder ticker(LongSupplier ticker) {
            this.ticker = ticker;
            return this;
        }

        /** Sets the source of randomness, which only the relay's thread uses. */
        public Builder random(RandomGenerator random) {
            this.random = random;
            return this;
        }

        /** Starts the relay. */
        public OutboxRelay start() {
            OutboxRelay relay = new OutboxRelay(this);
            relay.thread.start();
            return relay;
        }

        private static Duration requirePositive(String what, Duration value) {
            if (value.toMillis() < 1) {
                throw new IllegalArgumentException("the " + what + " must be at least 1 ms, but is " + value);
            }
            return value;
        }
    }
}
