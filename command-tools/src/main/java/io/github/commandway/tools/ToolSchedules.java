package io.github.commandway.tools;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.ScheduleInfo;
import io.github.commandway.tool.api.ScheduleInfo.Fired;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Submits the runs that a catalogue's schedules ask for, in their time. Safe for use by many threads.
 *
 * <p>Each run is submitted with the principal {@code schedule:<name>} and an idempotency key of that and its time, so that it is recorded once, also if several servers on the same
 * records do this, or one is killed in the middle. A small file holds up to when each schedule is settled. Times of which a server learns more than a minute late, and those before the
 * newest that is due, were missed; the schedule says what becomes of them. What is older than {@link Builder#madeUpWithin} is not made up for, since its record may be gone; neither is
 * what a schedule that is new, changed or switched on again would have done before.
 *
 * <p>A run that is refused for a reason that may pass is submitted again for a minute. A schedule whose run is refused otherwise goes on with its next time; what happened last is in {@link #list}.
 */
public final class ToolSchedules implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ToolSchedules.class);
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
    private static final Duration IN_TIME = Duration.ofMinutes(1);
    private static final Duration CLOCK_SET_BACK = Duration.ofHours(1);
    private static final int MAX_MADE_UP = 100;
    private static final String PRINCIPAL = "schedule:";

    private final ToolCatalog catalog;
    private final ToolHandler tools;
    private final CommandManager manager;
    private final ScheduledExecutorService timer;
    private final ScheduleMarks file;
    private final ZoneId serverZone;
    private final Clock clock;
    private final Duration madeUpWithin;
    private final Map<String, ScheduleMarks.Mark> saved = new TreeMap<>();

    // guarded by this
    private final Map<String, Plan> plans = new TreeMap<>();
    private boolean unsaved;
    private boolean closed;
    private @Nullable ScheduledFuture<?> nextLook;

    private ToolSchedules(Builder builder, ScheduledExecutorService timer) throws IOException {
        catalog = builder.catalog;
        tools = builder.tools;
        manager = builder.manager;
        file = new ScheduleMarks(builder.marks);
        serverZone = builder.zone;
        clock = builder.clock;
        madeUpWithin = builder.madeUpWithin;
        this.timer = timer;
        saved.putAll(file.load());
    }

    /**
     * Starts to build.
     *
     * @param marks the file that says up to when each schedule is settled; of this server only
     */
    public static Builder builder(ToolCatalog catalog, ToolHandler tools, CommandManager manager, Path marks) {
        return new Builder(catalog, tools, manager, marks);
    }

    /** All schedules, by name, with up to {@code times} of their next times. */
    public synchronized List<ScheduleInfo> list(int times) {
        Instant now = clock.instant();
        List<ScheduleInfo> list = new ArrayList<>();
        for (ToolSchedule schedule : catalog.schedules()) {
            ZoneId zone = zone(schedule);
            CronTimes cron = CronTimes.parse(schedule.cron());
            List<Instant> next = new ArrayList<>();
            Optional<Instant> time = schedule.enabled() ? cron.next(now, zone) : Optional.empty();
            while (time.isPresent() && next.size() < times) {
                next.add(time.get());
                time = cron.next(time.get(), zone);
            }
            Plan plan = plans.get(schedule.name());
            ToolRequest request = schedule.request();
            list.add(new ScheduleInfo(
                    schedule.name(),
                    schedule.description(),
                    schedule.cron(),
                    zone,
                    request.commandType(),
                    schedule.on() == null ? new Target.Tool(request.name()) : schedule.on(),
                    PRINCIPAL + schedule.name(),
                    schedule.enabled(),
                    next,
                    plan == null ? null : plan.last));
        }
        return list;
    }

    private ZoneId zone(ToolSchedule schedule) {
        return Objects.requireNonNullElse(schedule.zone(), serverZone);
    }

    private void look() {
        Duration pause = LOOK_EVERY;
        try {
            pause = lookOnce();
        } catch (IOException | RuntimeException e) {
            LOG.error("schedules could not be looked after and are looked at again: {}", e.toString());
        }
        synchronized (this) {
            if (!closed) {
                nextLook = timer.schedule(this::look, Math.max(1, pause.toMillis()), TimeUnit.MILLISECONDS);
            }
        }
    }

    private synchronized Duration lookOnce() throws IOException {
        Instant now = clock.instant();
        takeOver(catalog.schedules(), now);
        Duration pause = LOOK_EVERY;
        for (Plan plan : plans.values()) {
            plan.look(now);
            if (plan.next != null) {
                Duration until = Duration.between(now, plan.next);
                pause = until.compareTo(pause) < 0 ? until : pause;
            }
        }
        save();
        return pause;
    }

    /** Takes over what has changed in the catalogue. */
    private void takeOver(List<ToolSchedule> schedules, Instant now) {
        Set<String> names = new HashSet<>();
        for (ToolSchedule schedule : schedules) {
            if (!schedule.enabled()) {
                continue;
            }
            names.add(schedule.name());
            Plan plan = plans.get(schedule.name());
            if (plan == null || !plan.schedule.equals(schedule)) {
                plans.put(schedule.name(), new Plan(schedule, plan, now));
            }
        }
        plans.keySet().retainAll(names);
        unsaved |= saved.keySet().retainAll(names);
    }

    private void save() throws IOException {
        if (unsaved) {
            plans.forEach((name, plan) -> saved.put(name, plan.mark()));
            file.save(saved);
            unsaved = false;
        }
    }

    /** Submits nothing more. What was due and not submitted yet is looked at when the next one starts. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            if (nextLook != null) {
                nextLook.cancel(false);
            }
            try {
                save();
            } catch (IOException e) {
                LOG.error("up to when schedules are settled could not be saved: {}", e.toString());
            }
        }
    }

    /** One schedule that is enabled. Guarded by the schedules. */
    private final class Plan {
        final ToolSchedule schedule;
        final CronTimes cron;
        final ZoneId zone;
        final ArrayDeque<Instant> due = new ArrayDeque<>();
        Instant settled;
        Instant seen;

        @Nullable Instant next;

        @Nullable Instant giveUpAt;

        @Nullable Fired last;

        boolean submitting;

        Plan(ToolSchedule schedule, @Nullable Plan before, Instant now) {
            this.schedule = schedule;
            cron = CronTimes.parse(schedule.cron());
            zone = zone(schedule);
            last = before == null ? null : before.last;
            ScheduleMarks.Mark mark = before == null ? saved.get(schedule.name()) : before.mark();
            if (mark == null || !mark.times().equals(times())) {
                settled = now;
                unsaved = true;
            } else {
                settled = mark.instant();
            }
            Instant earliest = now.minus(madeUpWithin);
            seen = settled.isBefore(earliest) ? earliest : settled;
            next = cron.next(seen, zone).orElse(null);
        }

        String times() {
            return schedule.cron() + " " + zone;
        }

        ScheduleMarks.Mark mark() {
            return new ScheduleMarks.Mark(times(), settled.toString());
        }

        void look(Instant now) {
            if (seen.isAfter(now.plus(CLOCK_SET_BACK))) {
                // the clock was wrong then, and waiting for that time again could take years
                seen = now;
                settled = now;
                next = cron.next(now, zone).orElse(null);
            }
            if (next != null && !next.isAfter(now)) {
                collect(next, now);
            }
            Instant time = due.peek();
            if (time != null && !submitting) {
                submit(time, now);
            }
        }

        /** Finds what has become due, and leaves out what was missed if the schedule says so. */
        private void collect(Instant first, Instant now) {
            ArrayDeque<Instant> found = new ArrayDeque<>();
            Instant earliest = now.minus(madeUpWithin);
            // a clock that is set for the first time may go forward by decades
            Instant time = first.isBefore(earliest) ? cron.next(earliest, zone).orElse(null) : first;
            while (time != null && !time.isAfter(now)) {
                found.add(time);
                if (found.size() > MAX_MADE_UP) {
                    found.remove();
                }
                time = cron.next(time, zone).orElse(null);
            }
            next = time;
            seen = now;
            if (found.isEmpty()) {
                // all of it is too long ago
                found.add(first);
            }
            Instant newest = found.getLast();
            boolean tooLate = newest.isBefore(earliest);
            boolean inTime = !newest.isBefore(now.minus(IN_TIME));
            if (schedule.missed() != ToolSchedule.Missed.ALL) {
                leaveOutWaiting();
            }
            switch (schedule.missed()) {
                case ALL -> due.addAll(tooLate ? List.of() : found);
                case ONCE -> due.addAll(tooLate ? List.of() : List.of(newest));
                case SKIP -> due.addAll(inTime ? List.of(newest) : List.of());
            }
            while (due.size() > MAX_MADE_UP) {
                due.remove();
            }
            if (found.size() > 1 || !inTime) {
                LOG.warn(
                        "schedule {} has missed times up to {}; {}",
                        schedule.name(),
                        newest,
                        schedule.missed() == ToolSchedule.Missed.SKIP || tooLate
                                ? "they are skipped"
                                : "they are made up for");
            }
            if (due.isEmpty()) {
                settle(new Fired(newest, null, "it was missed"));
            }
        }

        /** What could not be submitted until the next time came has been missed. */
        private void leaveOutWaiting() {
            Instant first = submitting ? due.peek() : null;
            due.clear();
            giveUpAt = null;
            if (first != null) {
                due.add(first);
            }
        }

        private void submit(Instant time, Instant now) {
            if (giveUpAt == null) {
                giveUpAt = now.plus(IN_TIME);
            }
            try {
                CompletableFuture<CommandHandle> submission = manager.submit(request(time));
                submitting = true;
                submission.whenComplete((handle, error) -> handOver(time, handle, error));
            } catch (RuntimeException e) {
                settled(time, null, String.valueOf(e.getMessage()));
            }
        }

        /** Not in the thread that brings it, which is the store's and must not wait for a file. */
        private void handOver(Instant time, @Nullable CommandHandle handle, @Nullable Throwable error) {
            try {
                timer.execute(() -> submitted(time, handle, error));
            } catch (RejectedExecutionException e) {
                LOG.debug("the timer was stopped; the next start will look at {} again", schedule.name(), e);
            }
        }

        private CommandRequest request(Instant time) {
            ToolRequest what = schedule.request();
            CommandRequest.Builder builder =
                    schedule.on() == null ? tools.commandFor(what) : ToolHandler.commandElsewhere(what, schedule.on());
            if (schedule.timeout() != null) {
                builder.timeout(schedule.timeout());
            }
            String name = PRINCIPAL + schedule.name();
            return builder.principal(name)
                    .idempotencyKey(name + ":" + time)
                    .exclusiveKey(schedule.overlap() == ToolSchedule.Overlap.SKIP ? name : null)
                    .build();
        }

        private void submitted(Instant time, @Nullable CommandHandle handle, @Nullable Throwable error) {
            synchronized (ToolSchedules.this) {
                submitting = false;
                Throwable cause = error == null ? null : CommandException.unwrap(error);
                if (handle != null) {
                    settled(time, handle.id(), "");
                } else if (cause instanceof CommandRejectedException refusal) {
                    refused(time, refusal);
                } else {
                    settled(time, null, String.valueOf(cause));
                }
                Instant next = due.peek();
                if (handle != null && next != null && !closed) {
                    // what is made up for must not fall behind what becomes due
                    submit(next, clock.instant());
                }
                try {
                    save();
                } catch (IOException e) {
                    LOG.error("up to when schedules are settled could not be saved: {}", e.toString());
                }
            }
        }

        private void refused(Instant time, CommandRejectedException refusal) {
            Code code = refusal.code();
            if (code == Code.EXCLUSIVE_KEY_TAKEN) {
                LOG.info("schedule {} has no run for {}, since the one before has not ended", schedule.name(), time);
                settle(new Fired(time, null, "the run before has not ended"));
            } else if (code == Code.IDEMPOTENCY_CONFLICT && refusal.existing().isPresent()) {
                // another server, whose catalogue is not quite the same, was first
                settled(time, refusal.existing().get().id(), "");
            } else if (code == Code.SHUTTING_DOWN) {
                LOG.debug("schedule {} is looked at again after the restart", schedule.name());
            } else if (!code.isRetryable()
                    || giveUpAt == null
                    || !clock.instant().isBefore(giveUpAt)) {
                settled(time, null, String.valueOf(refusal.getMessage()));
            }
        }

        private void settled(Instant time, @Nullable RecordId id, String problem) {
            if (!problem.isEmpty()) {
                LOG.error("schedule {} has no run for {}: {}", schedule.name(), time, problem);
            }
            settle(new Fired(time, id, problem));
        }

        private void settle(Fired fired) {
            due.remove(fired.time());
            giveUpAt = null;
            last = fired;
            settled = due.isEmpty() ? seen : fired.time();
            unsaved = true;
        }
    }

    /**
     * Builds {@link ToolSchedules}.
     *
     * <p>Defaults: the system's clock and time zone; what was missed is made up for within 24 h.
     */
    public static final class Builder {
        private final ToolCatalog catalog;
        private final ToolHandler tools;
        private final CommandManager manager;
        private final Path marks;
        private ZoneId zone = ZoneId.systemDefault();
        private Clock clock = Clock.systemUTC();
        private Duration madeUpWithin = Duration.ofHours(24);

        private Builder(ToolCatalog catalog, ToolHandler tools, CommandManager manager, Path marks) {
            this.catalog = catalog;
            this.tools = tools;
            this.manager = manager;
            this.marks = marks;
        }

        /** Sets the time zone of schedules that name none. */
        public Builder zone(ZoneId zone) {
            this.zone = zone;
            return this;
        }

        /** Sets the clock. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Sets how long after its time something that was missed may still be made up for: not longer than records are kept. */
        public Builder madeUpWithin(Duration madeUpWithin) {
            if (madeUpWithin.isNegative()) {
                throw new IllegalArgumentException("the time must not be negative, but is " + madeUpWithin);
            }
            this.madeUpWithin = madeUpWithin;
            return this;
        }

        /**
         * Begins to submit.
         *
         * @param timer looks after the schedules; stays the caller's
         * @throws IOException if the file cannot be read
         */
        public ToolSchedules start(ScheduledExecutorService timer) throws IOException {
            ToolSchedules schedules = new ToolSchedules(this, timer);
            schedules.look();
            return schedules;
        }
    }
}
