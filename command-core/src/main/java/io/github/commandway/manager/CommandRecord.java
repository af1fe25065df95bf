package io.github.commandway.manager;

import io.github.commandway.dispatch.Reason;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One accepted command and what has become of it up to one moment.
 *
 * @param id names the record
 * @param request what was asked for
 * @param status where it is in its life
 * @param reason why it ended, or null while it has not
 * @param message what went wrong, for people; null if nothing did. While it waits for another try: why the last one failed
 * @param result what the executor returned; null until it has ended, and where it failed without returning anything. Not copied, so it must not be modified
 * @param attempt which try this is, from 1
 * @param createdAt when it was accepted
 * @param sentAt when it was handed to its executor, or null
 * @param startedAt when its executor began, or null
 * @param endedAt when it ended, or null
 * @param cancelRequested whether somebody asked to cancel it
 * @param lastSequence the sequence number of its newest event, from 1
 * @param tag under which its completion is awaited here; 0 if it is not
 * @param notBefore while it waits in a queue: when it may begin at the earliest, or null for now
 * @param assignedTo whom a group gave its newest try to, such as {@code agent:client-001}, written down before it is given; null if none did
 */
@SuppressWarnings(
        "ArrayRecordComponent") // copying each result would cost more than the warning is worth; documented above
public record CommandRecord(
        RecordId id,
        CommandRequest request,
        CommandStatus status,
        @Nullable Reason reason,
        @Nullable String message,
        byte @Nullable [] result,
        int attempt,
        Instant createdAt,
        @Nullable Instant sentAt,
        @Nullable Instant startedAt,
        @Nullable Instant endedAt,
        boolean cancelRequested,
        long lastSequence,
        long tag,
        @Nullable Instant notBefore,
        @Nullable String assignedTo) {}
