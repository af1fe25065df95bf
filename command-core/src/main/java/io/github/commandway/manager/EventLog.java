package io.github.commandway.manager;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;

/** The events of one command in memory, of which the oldest give way when there are too many. Guarded by the command's lock. */
final class EventLog {
    static final int MAX_EVENTS = 10_000;
    static final long MAX_BYTES = 1 << 20;

    /** How much a log may hold while those of all open commands together hold too much. */
    static final long SCARCE_BYTES = 4 << 10;

    private static final int EVENT_OVERHEAD = 64;

    private final Deque<CommandEvent> events = new ArrayDeque<>();
    private long bytes;

    void add(CommandEvent event) {
        add(event, MAX_BYTES);
    }

    /**
     * Adds an event, and lets old ones go while there are too many or they take more than {@code maxBytes}.
     *
     * @return by how many bytes the log has grown, or shrunk
     */
    long add(CommandEvent event, long maxBytes) {
        long before = bytes;
        events.addLast(event);
        bytes += sizeOf(event);
        while (events.size() > MAX_EVENTS || (bytes > maxBytes && events.size() > 1)) {
            bytes -= sizeOf(events.removeFirst());
        }
        return bytes - before;
    }

    long bytes() {
        return bytes;
    }

    List<CommandEvent> read(long after, int limit) {
        List<CommandEvent> page = new ArrayList<>();
        CommandEvent first = events.peekFirst();
        if (first != null && first.sequence() > after + 1) {
            long missing = first.sequence() - 1;
            page.add(CommandEvent.of(
                    missing, CommandEvent.Type.GAP, first.at(), "events up to " + missing + " are not kept any more"));
        }
        for (CommandEvent event : events) {
            if (page.size() >= limit) {
                break;
            }
            if (event.sequence() > after) {
                page.add(event);
            }
        }
        return page;
    }

    /** The events of a command whose bare life is all that has happened, told from its times. */
    static EventLog ofBareLife(LiveCommand command) {
        EventLog log = new EventLog();
        log.add(CommandEvent.of(1, CommandEvent.Type.PENDING, Instant.ofEpochMilli(command.createdAtMillis), ""));
        int sequence = 1;
        if (command.sentAtMillis != 0) {
            log.add(CommandEvent.of(
                    ++sequence, CommandEvent.Type.SENT, Instant.ofEpochMilli(command.sentAtMillis), ""));
        }
        if (command.startedAtMillis != 0) {
            log.add(CommandEvent.of(
                    ++sequence, CommandEvent.Type.EXECUTING, Instant.ofEpochMilli(command.startedAtMillis), ""));
        }
        if (command.status.isTerminal()) {
            log.add(terminal(command, ++sequence));
        }
        return log;
    }

    /** That an attempt failed, told from what the command says of it. */
    static CommandEvent retrying(LiveCommand command, long atMillis) {
        return CommandEvent.of(
                command.lastSequence,
                CommandEvent.Type.RETRYING,
                Instant.ofEpochMilli(atMillis),
                Objects.requireNonNullElse(command.message, ""));
    }

    static CommandEvent terminal(LiveCommand command, long sequence) {
        String reason = command.reason == null ? "" : command.reason.code();
        String text = command.message == null ? reason : reason + ": " + command.message;
        return new CommandEvent(
                sequence,
                CommandEvent.Type.of(command.status),
                Instant.ofEpochMilli(command.endedAtMillis),
                null,
                command.result,
                -1,
                text);
    }

    private static long sizeOf(CommandEvent event) {
        byte[] data = event.data();
        return (long) EVENT_OVERHEAD
                + event.message().length()
                + (data == null || event.type().isTerminal() ? 0 : data.length);
    }
}
