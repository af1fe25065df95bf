package io.github.commandway.quic;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Event;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.Hello;
import io.github.commandway.quic.wire.JoinReply;
import io.github.commandway.quic.wire.Receipt;
import io.github.commandway.quic.wire.RenewRequest;
import io.github.commandway.quic.wire.Welcome;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A connection at the agent's end. What is not said to be for all threads happens in the event loop. */
final class AgentConnection extends Connection {
    private static final int HOLDINGS_PER_HELLO = 4_000;
    private static final int MAX_REMEMBERED_CANCELS = 1_000;
    private static final int MAX_RECEIPTS = 10_000;
    private static final long BEGUN_REPORT_DELAY_MILLIS = 5;
    /** The server keeps to the announced bytes; one that was cancelled may still be on its way, so there is some room above. */
    private static final int PARTIAL_BYTES_FACTOR = 4;

    private final AgentLink link;
    private final ServerAddress server;
    private final Transport kind;
    private final long createdNanos;
    private long helloNanos;
    private long openNanos;
    private boolean open;
    private @Nullable Goaway goaway;

    private volatile long instance;
    private volatile long maxPayload;
    private Duration heartbeat;
    private long offsetMillis;
    private long bestRoundTripNanos = Long.MAX_VALUE;

    private List<Assignment> assigned = new ArrayList<>();
    private List<Assignment> notReported = new ArrayList<>();
    private boolean reportScheduled;
    private final Map<RecordId, PartialCommand> partialCommands = new HashMap<>(0);
    private long partialBytes;
    private final Map<RecordId, CancelCause> recentCancels = new LinkedHashMap<>(0);
    private final Map<String, PendingReceipt> receipts = new HashMap<>(0);

    private record PendingReceipt(CompletableFuture<Void> received, long sentNanos) {}

    /** A command whose payload has not come completely. */
    private record PartialCommand(
            long tag,
            int commandId,
            String type,
            long deadlineMillis,
            int attempt,
            String principal,
            String traceParent,
            Reassembly payload) {}

    AgentConnection(AgentLink link, ServerAddress server, Transport kind) {
        super(link.ticker());
        this.link = link;
        this.server = server;
        this.kind = kind;
        heartbeat = link.heartbeat();
        createdNanos = lastReadNanos();
    }

    ServerAddress server() {
        return server;
    }

    Transport kind() {
        return kind;
    }

    /** Whether there was a welcome. */
    boolean wasOpen() {
        return open;
    }

    /** How long the session has lasted. */
    long openForNanos() {
        return ticker.getAsLong() - openNanos;
    }

    @Nullable Goaway goaway() {
        return goaway;
    }

    /** Says that the agent knows other types of commands now. */
    void changed(Collection<String> capabilities) {
        send(new Messages.Rare(
                Envelope.newBuilder().setChanged(Hello.newBuilder().addAllCapabilities(capabilities))));
    }

    /** Introduces the agent to the server. */
    void hello(Hello.Builder about, List<Holding> holdings) {
        helloNanos = ticker.getAsLong();
        Hello.Builder hello = about;
        int inHello = 0;
        for (Holding holding : holdings) {
            if (inHello == HOLDINGS_PER_HELLO) {
                send(new Messages.Rare(Envelope.newBuilder().setHello(hello.setMore(true))));
                hello = Hello.newBuilder();
                inHello = 0;
            }
            hello.addHoldings(io.github.commandway.quic.wire.Holding.newBuilder()
                    .setId(Wire.fromRecordId(holding.id()))
                    .setState(stateOf(holding)));
            inHello++;
        }
        send(new Messages.Rare(Envelope.newBuilder().setHello(hello)));
    }

    private static io.github.commandway.quic.wire.Holding.State stateOf(Holding holding) {
        return switch (holding.state()) {
            case WAITING -> io.github.commandway.quic.wire.Holding.State.WAITING;
            case RUNNING -> io.github.commandway.quic.wire.Holding.State.RUNNING;
            case FINISHED -> io.github.commandway.quic.wire.Holding.State.FINISHED;
        };
    }

    @Override
    void onMessage(int field, CodedInputStream in) throws IOException {
        if (field != Wire.COMMAND && field != Wire.CHUNK) {
            passOnAssigned();
        }
        switch (field) {
            case Wire.COMMAND -> onCommand(in);
            case Wire.RESULT_ACK -> onResultAck(in);
            case Wire.CHUNK -> onChunk(in);
            case Wire.CANCEL -> onCancel(in);
            case Wire.PING -> onPing(in);
            case Wire.PONG -> onPong(in);
            case Envelope.EVENT_FIELD_NUMBER -> onEvent(Event.parseFrom(in));
            case Envelope.RECEIPT_FIELD_NUMBER -> onReceipt(Receipt.parseFrom(in));
            case Envelope.GOAWAY_FIELD_NUMBER -> onGoaway(Goaway.parseFrom(in));
            case Envelope.WELCOME_FIELD_NUMBER -> onWelcome(Welcome.parseFrom(in));
            case Envelope.RENEW_REPLY_FIELD_NUMBER -> link.onRenewed(JoinReply.parseFrom(in));
            default -> {
                // of a later version
            }
        }
    }

    private void onWelcome(Welcome welcome) throws ProtocolException {
        if (open) {
            throw new ProtocolException("a session has one welcome");
        }
        open = true;
        openNanos = ticker.getAsLong();
        instance = welcome.getServerInstance();
        maxPayload = welcome.getMaxPayload();
        if (welcome.getHeartbeatMillis() > 0) {
            heartbeat = Duration.ofMillis(Math.min(heartbeat.toMillis(), welcome.getHeartbeatMillis()));
        }
        limitBulk(welcome.getMaxBulkBytes());
        measureOffset(welcome.getTimeMillis(), openNanos - helloNanos);
        link.onOpen(this);
    }

    /** Takes the server's clock from a message that was on its way for half of the round trip, if that was a quick one. */
    private void measureOffset(long serverMillis, long roundTripNanos) {
        if (roundTripNanos >= 0 && roundTripNanos / 2 <= bestRoundTripNanos) {
            bestRoundTripNanos = Math.min(bestRoundTripNanos, roundTripNanos);
            offsetMillis = serverMillis
                    + TimeUnit.NANOSECONDS.toMillis(roundTripNanos / 2)
                    - link.clock().millis();
        }
    }

    private void onCommand(CodedInputStream in) throws IOException {
        RecordId id = null;
        long tag = 0;
        int commandId = 0;
        String type = "";
        byte[] payload = NO_BYTES;
        long deadlineMillis = 0;
        int attempt = 0;
        String principal = "";
        String traceParent = "";
        long size = 0;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> id = Wire.readRecordId(in);
                case 2 -> tag = in.readUInt64();
                case 3 -> commandId = in.readUInt32();
                case 4 -> type = in.readString();
                case 5 -> payload = in.readByteArray();
                case 6 -> deadlineMillis = in.readInt64();
                case 7 -> attempt = in.readUInt32();
                case 8 -> principal = in.readString();
                case 9 -> traceParent = in.readString();
                case 10 -> size = in.readUInt64();
                default -> in.skipField(field);
            }
        }
        if (id == null || !open) {
            throw new ProtocolException(open ? "a command without an id" : "a command before the welcome");
        }
        if (size == 0) {
            assign(id, tag, commandId, type, payload, deadlineMillis, attempt, principal, traceParent);
            return;
        }
        dropPartial(id);
        long allowed =
                partialCommands.isEmpty() ? Integer.MAX_VALUE : PARTIAL_BYTES_FACTOR * link.maxBytes() - partialBytes;
        Reassembly reassembly = new Reassembly(size, allowed);
        partialBytes += size;
        partialCommands.put(
                id,
                new PartialCommand(tag, commandId, type, deadlineMillis, attempt, principal, traceParent, reassembly));
    }

    private @Nullable PartialCommand dropPartial(RecordId id) {
        PartialCommand partial = partialCommands.remove(id);
        if (partial != null) {
            partialBytes -= partial.payload.announced();
        }
        return partial;
    }

    private void onChunk(CodedInputStream in) throws IOException {
        RecordId id = null;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> id = Wire.readRecordId(in);
                case 2 -> {
                    PartialCommand partial = id == null ? null : partialCommands.get(id);
                    if (id == null || partial == null) {
                        throw new ProtocolException("a chunk of a command that was not announced");
                    }
                    if (partial.payload.add(in)) {
                        dropPartial(id);
                        assign(
                                id,
                                partial.tag,
                                partial.commandId,
                                partial.type,
                                partial.payload.bytes(),
                                partial.deadlineMillis,
                                partial.attempt,
                                partial.principal,
                                partial.traceParent);
                        CancelCause overtook = recentCancels.remove(id);
                        if (overtook != null) {
                            passOnAssigned();
                            link.tellCancel(id, overtook);
                        }
                    }
                }
                default -> in.skipField(field);
            }
        }
    }

    private void assign(
            RecordId id,
            long tag,
            int commandId,
            String type,
            byte[] payload,
            long deadlineMillis,
            int attempt,
            String principal,
            String traceParent) {
        Assignment assignment = new Assignment(
                id,
                tag,
                commandId,
                type,
                payload,
                Instant.ofEpochMilli(deadlineMillis - offsetMillis),
                attempt,
                principal.isEmpty() ? null : principal,
                traceParent.isEmpty() ? null : traceParent,
                instance);
        assigned.add(assignment);
        notReported.add(assignment);
    }

    @Override
    void onReadEnd() {
        passOnAssigned();
    }

    private void passOnAssigned() {
        if (!assigned.isEmpty()) {
            List<Assignment> batch = assigned;
            assigned = new ArrayList<>();
            if (!reportScheduled) {
                reportScheduled = true;
                eventLoop().schedule(this::reportBegun, BEGUN_REPORT_DELAY_MILLIS, TimeUnit.MILLISECONDS);
            }
            link.tellAssigned(batch);
        }
    }

    /** Reports what began since it was passed on and has not ended; what has not begun reports it by itself. */
    private void reportBegun() {
        reportScheduled = false;
        List<Assignment> look = notReported;
        notReported = new ArrayList<>();
        for (Assignment assignment : look) {
            if (assignment.lookWhetherBegun() && !assignment.isFinished()) {
                send(new Messages.Accepted(assignment));
            }
        }
    }

    private void onResultAck(CodedInputStream in) throws IOException {
        List<RecordId> ids = new ArrayList<>();
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            if (WireFormat.getTagFieldNumber(field) == 1) {
                RecordId id = Wire.readRecordId(in);
                ids.add(id);
                bulkAcknowledged(id);
            } else {
                in.skipField(field);
            }
        }
        link.tellAcknowledged(ids);
    }

    private void onCancel(CodedInputStream in) throws IOException {
        RecordId id = null;
        CancelCause cause = CancelCause.REQUESTED;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> id = Wire.readRecordId(in);
                case 2 -> cause = Wire.cancelCauseOf(in.readEnum());
                default -> in.skipField(field);
            }
        }
        if (id == null) {
            throw new ProtocolException("a cancel without an id");
        }
        // a command with a stream of its own may come later than this
        recentCancels.put(id, cause);
        if (recentCancels.size() > MAX_REMEMBERED_CANCELS) {
            recentCancels.remove(recentCancels.keySet().iterator().next());
        }
        link.tellCancel(id, cause);
    }

    private void onPing(CodedInputStream in) throws IOException {
        send(new Messages.Pong(readNonce(in), link.clock().millis()));
    }

    private static long readNonce(CodedInputStream in) throws IOException {
        long nonce = 0;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            if (WireFormat.getTagFieldNumber(field) == 1) {
                nonce = in.readFixed64();
            } else {
                in.skipField(field);
            }
        }
        return nonce;
    }

    private void onPong(CodedInputStream in) throws IOException {
        long nonce = 0;
        long timeMillis = 0;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> nonce = in.readFixed64();
                case 2 -> timeMillis = in.readInt64();
                default -> in.skipField(field);
            }
        }
        measureOffset(timeMillis, ticker.getAsLong() - nonce);
    }

    private void onEvent(Event event) throws IOException {
        link.tellMessage(ServerSession.messageOf(event));
        if (event.getReceiptWanted()) {
            send(ServerSession.receiptOf(event));
        }
    }

    private void onReceipt(Receipt receipt) {
        PendingReceipt pending = receipts.remove(receipt.getId());
        if (pending != null) {
            pending.received.complete(null);
        }
    }

    private void onGoaway(Goaway message) {
        goaway = message;
        close("the server said goodbye: " + message.getMessage());
    }

    /** Whether what was assigned came from this server, so that it knows the tag. For all threads. */
    boolean knows(Assignment assignment) {
        return assignment.serverInstance == instance;
    }

    /** Reports an outcome. For all threads. */
    void report(Outcome outcome, long tag) {
        Outcome reported = outcome;
        int size = outcome.result().length;
        if (size > maxPayload) {
            reported = Outcome.failed(
                    outcome.id(),
                    Reason.PAYLOAD_TOO_LARGE,
                    "the result has " + size + " bytes; the most is " + maxPayload,
                    outcome.executionTime());
        }
        send(new Messages.Result(reported, tag));
        if (reported.result().length > Wire.CHUNK_BYTES) {
            send(new Messages.Chunks(reported.id(), reported.result()));
        }
    }

    /** Sends a message and waits for its receipt. */
    void send(AgentMessage message, CompletableFuture<Void> received) {
        if (receipts.size() >= MAX_RECEIPTS) {
            received.completeExceptionally(new AgentAwayException("the server gives no receipts"));
            return;
        }
        receipts.put(message.id(), new PendingReceipt(received, ticker.getAsLong()));
        send(ServerSession.eventOf(message, true));
    }

    /** Asks for a new certificate. For all threads. */
    void renew(byte[] request) {
        send(new Messages.Rare(Envelope.newBuilder()
                .setRenewRequest(RenewRequest.newBuilder().setRequest(ByteString.copyFrom(request)))));
    }

    /** Says goodbye and closes when everything is sent. */
    void leave() {
        closeAfter(
                new Messages.Rare(Envelope.newBuilder()
                        .setGoaway(Goaway.newBuilder()
                                .setCause(Goaway.Cause.SHUTTING_DOWN)
                                .setMessage("the agent is shutting down"))),
                "the agent is shutting down");
    }

    /** Looks after the connection: called about every second. */
    void watch(long nowNanos) {
        if (!open && nowNanos - createdNanos > AgentLink.WELCOME_TIMEOUT_NANOS) {
            close("the server gave no welcome");
        } else if (open && nowNanos - lastReadNanos() > AgentServer.MISSED_HEARTBEATS * heartbeat.toNanos()) {
            close("nothing was received for " + AgentServer.MISSED_HEARTBEATS + " heartbeats of " + heartbeat);
        } else if (open && nowNanos - lastWriteNanos() > heartbeat.toNanos()) {
            send(new Messages.Ping(nowNanos));
        }
        if (!receipts.isEmpty()) {
            receipts.values().removeIf(pending -> {
                boolean late = nowNanos - pending.sentNanos > AgentServer.RECEIPT_TIMEOUT_NANOS;
                if (late) {
                    pending.received.completeExceptionally(
                            new AgentAwayException("the server gave no receipt within 30 s"));
                }
                return late;
            });
        }
    }

    @Override
    void onEnded(String reason) {
        receipts.values()
                .forEach(pending ->
                        pending.received.completeExceptionally(new AgentAwayException("the session ended: " + reason)));
        receipts.clear();
        link.onEnded(this, reason);
    }

    private static final byte[] NO_BYTES = {};
}
