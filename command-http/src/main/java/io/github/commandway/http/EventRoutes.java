package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import java.util.List;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** The events of one command as server-sent events. */
final class EventRoutes {
    private static final int PAGE = 16;
    private static final int EVENT_CONTENT_BYTES = 1 << 20;
    private static final String AFTER = "after";
    private static final String LAST_EVENT_ID = "Last-Event-ID";

    private final CommandManager manager;
    private final Records records;
    private final Ends ends;

    EventRoutes(CommandManager manager, Records records, Ends ends) {
        this.manager = manager;
        this.records = records;
        this.ends = ends;
    }

    List<Route> routes() {
        return List.of(Route.get(
                        "/api/command/{id}/events",
                        "The events of a command as they happen, until it has ended; resumes behind Last-Event-ID. 204 if nothing is left.")
                .query(Field.optional(
                        AFTER,
                        Field.Kind.SEQUENCE,
                        "Only events after this sequence number; the header Last-Event-ID comes first."))
                .needs(Right.VIEW, Right.OUTPUT)
                .answers(200, Schemas.EVENTS, 204, Schemas.NOTHING)
                .refuses(404, 503)
                .handledBy(this::events));
    }

    private Mono<Reply> events(Call call) {
        RecordId id = CommandRoutes.recordId(call);
        long after = after(call);
        return records.get(call.caller(), id, Right.OUTPUT).map(record -> events(record, after));
    }

    private static long after(Call call) {
        String header = call.header(LAST_EVENT_ID);
        if (header == null) {
            Long parameter = call.query().number(AFTER);
            return parameter == null ? 0 : parameter;
        }
        Long number = RequestReader.parseNumber(header, 0, Long.MAX_VALUE);
        if (number == null) {
            throw new Problem(
                            ProblemType.INVALID_HEADER,
                            LAST_EVENT_ID + " must be the id of an event: a whole number from 0")
                    .at(LAST_EVENT_ID);
        }
        return number;
    }

    private Reply events(CommandRecord record, long after) {
        if (after > record.lastSequence()) {
            throw new Problem(
                            ProblemType.INVALID_POSITION,
                            "there is no event " + after + " yet; the newest one is " + record.lastSequence())
                    .at(AFTER);
        }
        return record.status().isTerminal() && after == record.lastSequence()
                ? Reply.empty(204)
                : new Reply.Events(out -> write(record.id(), after, out));
    }

    private Mono<Void> write(RecordId id, long after, Reply.EventWriter out) {
        Wakeup wakeup = new Wakeup();
        return Mono.usingWhen(
                monoOf(manager.watch(id, wakeup::signal)),
                watch -> {
                    Pump pump = new Pump(id, after, out, watch.isPresent() ? wakeup : null);
                    return Mono.defer(pump::step)
                            .repeat()
                            .takeUntil(ended -> ended)
                            .then();
                },
                watch -> Mono.fromRunnable(() -> watch.ifPresent(CommandManager.Watch::close)));
    }

    /** Reads a page of events, writes it, and only when it has left for the socket goes on: what a slow reader has not read stays in the store. */
    private final class Pump {
        private final RecordId id;
        private final Reply.EventWriter out;
        private final @Nullable Wakeup wakeup;
        private volatile long position;

        Pump(RecordId id, long after, Reply.EventWriter out, @Nullable Wakeup wakeup) {
            this.id = id;
            this.position = after;
            this.out = out;
            this.wakeup = wakeup;
        }

        /** One step; true if it was the last. */
        Mono<Boolean> step() {
            if (wakeup != null) {
                wakeup.clear();
            }
            return monoOf(manager.events(id, position, PAGE)).flatMap(events -> {
                if (!events.isEmpty()) {
                    return write(events);
                }
                return wakeup == null ? Mono.just(true) : ends.news(wakeup, out);
            });
        }

        private Mono<Boolean> write(List<CommandEvent> events) {
            StringBuilder text = new StringBuilder();
            for (CommandEvent event : events) {
                CommandJson.Room room = new CommandJson.Room(EVENT_CONTENT_BYTES);
                text.append(Reply.event(event.sequence(), event.type().code(), CommandJson.event(event, room)));
            }
            CommandEvent last = events.get(events.size() - 1);
            position = last.sequence();
            return out.write(text.toString()).thenReturn(last.type().isTerminal());
        }
    }
}
