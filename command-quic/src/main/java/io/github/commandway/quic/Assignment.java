package io.github.commandway.quic;

import io.github.commandway.manager.RecordId;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A command that a server has given to this agent. Immutable to its user; belongs to the {@link AgentLink} that delivered it. */
public final class Assignment {
    private final RecordId id;
    private final long tag;
    private final int commandId;
    private final String type;
    private final byte[] payload;
    private final Instant deadline;
    private final int attempt;
    private final @Nullable String principal;
    private final @Nullable String traceParent;

    /** The server instance for which the tag is valid. */
    final long serverInstance;

    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.GIVEN);
    private final AtomicReference<@Nullable ProgressReport> progress = new AtomicReference<>();
    private volatile boolean finished;
    private @Nullable OutputFlow output;

    /** What the server knows, or is about to be told, of the beginning. */
    private enum Stage {
        GIVEN,
        /** Has begun; the link reports it at its next look. */
        BEGUN,
        /** Had not begun when the link looked: whoever begins it reports it. */
        LOOKED_AT
    }

    Assignment(
            RecordId id,
            long tag,
            int commandId,
            String type,
            byte[] payload,
            Instant deadline,
            int attempt,
            @Nullable String principal,
            @Nullable String traceParent,
            long serverInstance) {
        this.id = id;
        this.tag = tag;
        this.commandId = commandId;
        this.type = type;
        this.payload = payload;
        this.deadline = deadline;
        this.attempt = attempt;
        this.principal = principal;
        this.traceParent = traceParent;
        this.serverInstance = serverInstance;
    }

    /** The id of the command's record on the server. */
    public RecordId id() {
        return id;
    }

    /** The number by which the server knows this execution; meaningless to anybody else. */
    public long tag() {
        return tag;
    }

    /** The number of this kind of command, which selects the handler. */
    public int commandId() {
        return commandId;
    }

    /** The name of the kind of command, such as {@code restart}. */
    public String type() {
        return type;
    }

    /** The parameters; the array belongs to the receiver. */
    public byte[] payload() {
        return payload;
    }

    /** When its time is over, in this agent's clock: the server's deadline, corrected by how far the two clocks are apart. */
    public Instant deadline() {
        return deadline;
    }

    /** Which try this is, from 1. */
    public int attempt() {
        return attempt;
    }

    /** On whose behalf it is executed, or null if nobody was authenticated. */
    public @Nullable String principal() {
        return principal;
    }

    /** The W3C {@code traceparent} of the caller, or null. */
    public @Nullable String traceParent() {
        return traceParent;
    }

    /** Marks it as begun. Whether the caller has to report that. */
    boolean begin() {
        return !stage.compareAndSet(Stage.GIVEN, Stage.BEGUN) && stage.get() == Stage.LOOKED_AT;
    }

    /** The link's one look, some time after it gave the assignment away. Whether it has begun, and this has to be reported. */
    boolean lookWhetherBegun() {
        return !stage.compareAndSet(Stage.GIVEN, Stage.LOOKED_AT);
    }

    void finish() {
        finished = true;
    }

    boolean isFinished() {
        return finished;
    }

    /** Sets the newest progress; whether none was waiting to be sent. */
    boolean putProgress(ProgressReport report) {
        return progress.getAndSet(report) == null;
    }

    @Nullable ProgressReport takeProgress() {
        return progress.getAndSet(null);
    }

    synchronized OutputFlow output() {
        OutputFlow flow = output;
        if (flow == null) {
            flow = new OutputFlow();
            output = flow;
        }
        return flow;
    }

    void outputSent(int bytes) {
        output().sent(bytes);
    }

    /** How far an execution is. */
    record ProgressReport(double fraction, String message) {}

    @Override
    public String toString() {
        return "Assignment[" + id + ", " + type + "]";
    }
}
