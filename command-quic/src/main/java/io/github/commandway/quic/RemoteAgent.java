package io.github.commandway.quic;

import io.github.commandway.directory.AgentInfo;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.RemoteCommand.State;
import io.github.commandway.quic.wire.Hello;
import java.time.Clock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * One agent as the server knows it: its session, and its open commands. Safe for use by many threads: everything is guarded by this
 * object's lock, which is never held while a receiver is called.
 */
final class RemoteAgent {
    private static final String LOST =
            "the agent had begun it, came back and does not have it; whether it had an effect is unknown";

    private final String id;
    private final Clock clock;
    private final int maxCommands;
    private final long maxBytes;

    private @Nullable ServerSession session;
    private long epoch;
    private boolean forgotten;
    private @Nullable AgentInfo lastInfo;
    private byte @Nullable [] status;

    private final Long2ObjectHashMap<RemoteCommand> commands = new Long2ObjectHashMap<>();
    private final Deque<RemoteCommand> waiting = new ArrayDeque<>(0);

    /** Records whose time was over while the agent had them, and which it may still be about to stop: until then it takes no further attempt of them. */
    private final Set<RecordId> stopping = new HashSet<>(0);

    /** Records whose outcome has come and is not recorded yet. */
    private final Set<RecordId> unrecorded = new HashSet<>(0);

    private long bytes;
    private int given;
    private long givenBytes;

    RemoteAgent(String id, Clock clock, int maxCommands, long maxBytes) {
        this.id = id;
        this.clock = clock;
        this.maxCommands = maxCommands;
        this.maxBytes = maxBytes;
    }

    String id() {
        return id;
    }

    /** Refuses what has no chance, or no room at this moment. */
    void admit(CommandRequest request) throws CommandRejectedException {
        synchronized (this) {
            if (hasRoom(request.payload().length)) {
                if (session != null || !request.ttl().isZero()) {
                    return;
                }
                throw new CommandRejectedException(
                        Code.TARGET_AWAY,
                        "agent '" + id + "' is away " + sinceWhen() + ", and the request does not allow waiting");
            }
        }
        throw new CommandRejectedException(Code.TARGET_BUSY, noRoom());
    }

    private boolean hasRoom(int size) {
        return commands.size() < maxCommands && (bytes + size <= maxBytes || commands.isEmpty());
    }

    private String noRoom() {
        return "agent '" + id + "' has as many commands waiting and in flight as it may (" + maxCommands + ", "
                + maxBytes + " bytes); try again when some have ended";
    }

    /** Takes a command, and sends it if it can be sent now. */
    void add(RemoteCommand command) {
        boolean refused = false;
        boolean cancelled = false;
        boolean canGo = false;
        boolean mayOvertake = false;
        synchronized (this) {
            if (command.cause != null) {
                command.state = State.OVER;
                cancelled = command.cause == CancelCause.REQUESTED;
            } else if (forgotten || !hasRoom(command.bytes())) {
                command.state = State.OVER;
                refused = true;
            } else {
                commands.put(command.tag(), command);
                bytes += command.bytes();
                canGo = waiting.isEmpty() && mayGive(command);
                if (canGo) {
                    give(command);
                } else {
                    command.state = State.WAITING;
                    waiting.addLast(command);
                    // those before it may be waiting for nothing but an earlier attempt of theirs
                    mayOvertake = !stopping.isEmpty();
                }
            }
        }
        if (cancelled) {
            // what came out of a queue counts as handed over, so that nobody else ends it
            fail(command, Reason.CANCELLED_BEFORE_START, "cancelled before it was handed over");
        } else if (refused) {
            // others took the room between the admission and now
            fail(command, Reason.REJECTED_BY_AGENT, noRoom());
        } else if (canGo) {
            handOver(command);
        } else if (mayOvertake) {
            sendWaiting();
        }
    }

    private boolean mayGive(RemoteCommand command) {
        ServerSession present = session;
        return present != null
                && !stopping.contains(command.id())
                && given < present.maxCommands()
                && (given == 0 || givenBytes + command.bytes() <= present.maxBytes());
    }

    private void give(RemoteCommand command) {
        command.state = State.HANDING_OVER;
        given++;
        givenBytes += command.bytes();
    }

    private void takeBack(RemoteCommand command) {
        given--;
        givenBytes -= command.bytes();
    }

    /** Takes a command that an earlier run of the server has given to the agent. Whether the agent has it shows when it connects. */
    void resume(RemoteCommand command, boolean started) {
        boolean lost;
        synchronized (this) {
            if (command.cause != null) {
                return;
            }
            lost = session != null && started;
            command.wasSent = true;
            command.isResumed = true;
            command.started = started;
            commands.put(command.tag(), command);
            bytes += command.bytes();
            if (session == null) {
                give(command);
                command.state = State.SENT;
            } else {
                command.state = State.WAITING;
                waiting.addLast(command);
            }
            if (lost) {
                remove(command);
            }
        }
        if (lost) {
            fail(command, Reason.LOST, LOST);
        } else {
            sendWaiting();
        }
    }

    /** Asks for leave, without the lock, and sends. */
    private void handOver(RemoteCommand command) {
        boolean allowed = command.receiver.handOver(command.tag());
        long deadline = allowed ? command.context.deadline().toEpochMilli() : 0;
        boolean cancelled = false;
        synchronized (this) {
            if (command.state != State.HANDING_OVER) {
                // its outcome came, from an earlier hand-over
                return;
            }
            ServerSession present = session;
            if (!allowed || command.cause != null) {
                cancelled = allowed && command.cause == CancelCause.REQUESTED;
                remove(command);
            } else if (present == null) {
                takeBack(command);
                command.state = State.WAITING;
                waiting.addFirst(command);
            } else {
                command.state = State.SENT;
                command.wasSent = true;
                command.outputSequence = 0;
                present.send(new Messages.Command(command, deadline));
                if (command.bytes() > Wire.CHUNK_BYTES) {
                    present.send(
                            new Messages.Chunks(command.id(), command.request().payload()));
                }
                return;
            }
        }
        if (cancelled) {
            fail(command, Reason.CANCELLED_BEFORE_START, "cancelled before it was sent to the agent");
        }
        sendWaiting();
    }

    /** Sends what waits, as far as it may. */
    void sendWaiting() {
        while (true) {
            RemoteCommand next;
            synchronized (this) {
                next = nextWaiting();
                if (next == null || !mayGive(next)) {
                    return;
                }
                waiting.remove(next);
                give(next);
            }
            handOver(next);
        }
    }

    private @Nullable RemoteCommand nextWaiting() {
        if (!stopping.isEmpty()) {
            for (RemoteCommand command : waiting) {
                if (!stopping.contains(command.id())) {
                    return command;
                }
            }
        }
        return waiting.peekFirst();
    }

    /** Takes a command out of everything. */
    private void remove(RemoteCommand command) {
        if (command.state == State.WAITING) {
            waiting.remove(command);
        } else if (command.state == State.HANDING_OVER || command.state == State.SENT) {
            takeBack(command);
        }
        command.state = State.OVER;
        commands.remove(command.tag());
        bytes -= command.bytes();
    }

    /** A command is not wanted any more. */
    void cancel(RemoteCommand command, CancelCause cause) {
        Reason reason = null;
        String message = "";
        synchronized (this) {
            if (command.state == State.OVER) {
                return;
            }
            if (command.cause == null || cause != CancelCause.REQUESTED) {
                command.cause = cause;
            }
            if (command.state == State.NEW || command.state == State.HANDING_OVER) {
                // whoever is at it sees the cause
                return;
            }
            if (command.state == State.WAITING) {
                if (cause == CancelCause.REQUESTED) {
                    reason = Reason.CANCELLED_BEFORE_START;
                    message = command.wasSent
                            ? "cancelled before it began: the agent did not have it when it came back"
                            : "cancelled before it was handed over";
                } else if (cause == CancelCause.DEADLINE && isClaimed(command)) {
                    reason = Reason.AGENT_UNREACHABLE;
                    message =
                            "the agent was not there to take it, or had no room, until its time was over; it had no effect";
                }
                remove(command);
            } else if (session != null) {
                session.send(new Messages.Cancel(command.id(), cause));
                if (cause != CancelCause.REQUESTED) {
                    stopping.add(command.id());
                    remove(command);
                }
            } else if (cause != CancelCause.REQUESTED) {
                if (cause == CancelCause.DEADLINE) {
                    reason = Reason.AGENT_UNREACHABLE;
                    message = "the agent is away " + sinceWhen()
                            + "; it had been given the command, and whether that had an effect is unknown";
                }
                remove(command);
            }
        }
        if (reason != null) {
            fail(command, reason, message);
        }
        sendWaiting();
    }

    /** Whether it came out of a queue, and so counts as handed over although the agent never got it. */
    private static boolean isClaimed(RemoteCommand command) {
        return !command.wasSent && command.recorded.record().sentAt() != null;
    }

    private String sinceWhen() {
        AgentInfo info = lastInfo;
        return info == null ? "" : "since " + info.lastSeenAt();
    }

    private static void fail(RemoteCommand command, Reason reason, String message) {
        command.receiver.completeYield(command.tag(), null, new CommandException(reason, message));
    }

    /** An outcome came. It is acknowledged once it is recorded. Whether the session may speak for the agent. */
    boolean onResult(ServerSession from, RecordId record, long tag, Reason reason, String message, byte[] result) {
        RemoteCommand command;
        boolean othersWait;
        boolean acknowledge = false;
        boolean isEarlierAttempt;
        synchronized (this) {
            if (session != from) {
                return false;
            }
            // what was told to stop has no other attempt at the agent yet
            isEarlierAttempt = stopping.remove(record);
            command = isEarlierAttempt ? null : find(record, tag);
            if (command != null) {
                remove(command);
            } else {
                acknowledge = !unrecorded.contains(record);
            }
            othersWait = !waiting.isEmpty();
        }
        if (command == null) {
            from.server().countUnknownResult();
            if (acknowledge) {
                from.acknowledge(record, isEarlierAttempt);
            }
        } else {
            complete(command, reason, message, result);
        }
        if (othersWait) {
            sendWaiting();
        }
        return true;
    }

    private void complete(RemoteCommand command, Reason reason, String message, byte[] result) {
        Acknowledgement acknowledgement = new Acknowledgement(this, command);
        command.recorded.whenOutcomeRecorded(acknowledgement);
        if (reason == Reason.OK) {
            command.receiver.completeYield(command.tag(), result, null);
        } else {
            byte[] kept = result.length == 0 ? null : result;
            command.receiver.completeYield(command.tag(), kept, new CommandException(reason, message));
        }
        synchronized (this) {
            if (!acknowledgement.isGiven) {
                unrecorded.add(command.id());
            }
        }
    }

    /** What happens when an outcome is recorded. Guarded by the agent's lock. */
    private static final class Acknowledgement implements Runnable {
        private final RemoteAgent agent;
        private final RemoteCommand command;
        boolean isGiven;

        Acknowledgement(RemoteAgent agent, RemoteCommand command) {
            this.agent = agent;
            this.command = command;
        }

        @Override
        public void run() {
            ServerSession present;
            synchronized (agent) {
                isGiven = true;
                agent.unrecorded.remove(command.id());
                present = agent.session;
            }
            if (present != null) {
                present.acknowledge(command.id(), command.recorded.attempt() > command.attempt());
            }
        }
    }

    /** The open command of that record; the tag tells where to look, but may be of another server. */
    private @Nullable RemoteCommand find(RecordId record, long tag) {
        RemoteCommand command = commands.get(tag);
        if (command != null && command.id().equals(record)) {
            return command;
        }
        for (RemoteCommand other : commands.values()) {
            if (other.id().equals(record)) {
                return other;
            }
        }
        return null;
    }

    /** The command of that tag, which the session reports as begun; null if it may not or there is none. */
    synchronized @Nullable RemoteCommand onStarted(ServerSession from, long tag) {
        RemoteCommand command = session == from ? commands.get(tag) : null;
        if (command != null) {
            command.started = true;
        }
        return command;
    }

    /**
     * The same for a piece of output. Whether pieces before it are missing is left in {@code gap}.
     *
     * @param record by which it is found if it has no tag, or null
     */
    @Nullable RemoteCommand onOutput(ServerSession from, long tag, @Nullable RecordId record, long sequence, boolean[] gap) {
        synchronized (this) {
            RemoteCommand named = tag == 0 && record != null ? find(record, 0) : null;
            RemoteCommand command = onStarted(from, named == null ? tag : named.tag());
            if (command != null) {
                if (sequence <= command.outputSequence) {
                    return null;
                }
                gap[0] = sequence != command.outputSequence + 1;
                command.outputSequence = sequence;
            }
            return command;
        }
    }

    /**
     * Makes {@code next} the agent's session in place of any earlier one, and brings both sides' view of the commands together.
     *
     * @return false if this agent was forgotten meanwhile; then nothing was done
     */
    boolean attach(ServerSession next, List<Hello> hellos) {
        List<RemoteCommand> lost = new ArrayList<>();
        List<RemoteCommand> cancelled = new ArrayList<>();
        List<RemoteCommand> running = new ArrayList<>();
        ServerSession before;
        synchronized (this) {
            if (forgotten) {
                return false;
            }
            before = session;
            session = next;
            if (before == null) {
                next.server().countConnected(1);
            }
            epoch = Math.max(epoch + 1, clock.millis());
            next.welcome(epoch);
            reconcile(next, holdings(hellos), lost, cancelled, running);
        }
        if (before != null) {
            before.takenOver();
        }
        for (RemoteCommand command : running) {
            command.receiver.started(command.tag());
        }
        for (RemoteCommand command : lost) {
            fail(command, Reason.LOST, LOST);
        }
        for (RemoteCommand command : cancelled) {
            fail(
                    command,
                    Reason.CANCELLED_BEFORE_START,
                    "cancelled before it began: the agent did not have it when it came back");
        }
        sendWaiting();
        return true;
    }

    private static Map<RecordId, io.github.commandway.quic.wire.Holding.State> holdings(List<Hello> hellos) {
        Map<RecordId, io.github.commandway.quic.wire.Holding.State> held = new HashMap<>();
        for (Hello hello : hellos) {
            for (io.github.commandway.quic.wire.Holding holding : hello.getHoldingsList()) {
                held.put(Wire.toRecordId(holding.getId()), holding.getState());
            }
        }
        return held;
    }

    private void reconcile(
            ServerSession next,
            Map<RecordId, io.github.commandway.quic.wire.Holding.State> held,
            List<RemoteCommand> lost,
            List<RemoteCommand> cancelled,
            List<RemoteCommand> running) {
        // an earlier attempt that the agent does not have any more need not be waited for
        stopping.retainAll(held.keySet());
        Set<RecordId> known = new HashSet<>();
        List<RemoteCommand> again = new ArrayList<>();
        for (RemoteCommand command : List.copyOf(commands.values())) {
            if (stopping.contains(command.id())) {
                continue;
            }
            io.github.commandway.quic.wire.Holding.State state = held.get(command.id());
            known.add(command.id());
            if (state != null) {
                keep(command, next);
                if (state != io.github.commandway.quic.wire.Holding.State.WAITING && !command.started) {
                    command.started = true;
                    running.add(command);
                }
            } else if (command.state == State.SENT) {
                if (command.started) {
                    remove(command);
                    lost.add(command);
                } else if (command.cause != null) {
                    remove(command);
                    cancelled.add(command);
                } else {
                    takeBack(command);
                    command.state = State.WAITING;
                    again.add(command);
                }
            }
        }
        again.sort(Comparator.comparingLong(RemoteCommand::tag).reversed());
        again.forEach(waiting::addFirst);
        held.forEach((record, state) -> {
            if (state != io.github.commandway.quic.wire.Holding.State.FINISHED && !known.contains(record)) {
                next.send(new Messages.Cancel(record, CancelCause.DEADLINE));
            }
        });
    }

    /** The agent has the command, from whichever session. */
    private void keep(RemoteCommand command, ServerSession next) {
        if (command.state == State.WAITING) {
            waiting.remove(command);
            give(command);
            command.state = State.SENT;
            command.wasSent = true;
        }
        if (command.state == State.SENT && command.cause != null) {
            next.send(new Messages.Cancel(command.id(), command.cause));
        }
    }

    /** Ends a session; whether it was the newest one, so that the agent is away now. */
    synchronized boolean detach(ServerSession gone, String reason) {
        if (session != gone) {
            return false;
        }
        lastInfo = gone.info(this, reason, commands.size() - given, given, status);
        session = null;
        gone.server().countConnected(-1);
        return true;
    }

    /** Lets it be forgotten if nothing depends on it; whether that was so. */
    synchronized boolean forget() {
        forgotten = session == null && commands.isEmpty();
        return forgotten;
    }

    synchronized @Nullable ServerSession session() {
        return session;
    }

    synchronized boolean isCurrent(ServerSession candidate) {
        return session == candidate;
    }

    synchronized long epoch() {
        return epoch;
    }

    synchronized void status(byte[] report) {
        status = report;
    }

    /** What is known; null if no session was ever complete. */
    synchronized @Nullable AgentInfo info() {
        ServerSession present = session;
        if (present != null) {
            return present.info(this, null, commands.size() - given, given, status);
        }
        AgentInfo last = lastInfo;
        return last == null
                ? null
                : new AgentInfo(
                        last.id(),
                        false,
                        last.epoch(),
                        last.transport(),
                        last.remoteAddress(),
                        last.connectedAt(),
                        last.lastSeenAt(),
                        last.disconnectReason(),
                        last.version(),
                        last.labels(),
                        last.capabilities(),
                        last.concurrency(),
                        commands.size() - given,
                        given,
                        status);
    }
}
