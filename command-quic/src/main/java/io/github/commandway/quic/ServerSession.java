package io.github.commandway.quic;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Event;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.Hello;
import io.github.commandway.quic.wire.JoinReply;
import io.github.commandway.quic.wire.JoinRequest;
import io.github.commandway.quic.wire.Receipt;
import io.github.commandway.quic.wire.RenewRequest;
import io.github.commandway.quic.wire.Welcome;
import io.netty.channel.Channel;
import java.io.IOException;
import java.net.SocketAddress;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A connection at the server's end. What is not said to be for all threads happens in the event loop. */
final class ServerSession extends Connection {
    private static final Logger LOG = LoggerFactory.getLogger(ServerSession.class);
    private static final int MAX_ACKS = 4_096;
    private static final int MAX_HELLOS = 64;
    private static final int MAX_RECEIPTS = 10_000;

    private enum Phase {
        /** Nothing has been said. */
        NEW,
        /** It is being found out whether it may come in. */
        CHECKED,
        /** Has an agent. */
        OPEN,
        /** Says its last words. */
        LEAVING
    }

    private final AgentServer server;
    private final long createdNanos;
    private @Nullable X509Certificate certificate;
    private final @Nullable String agentId;
    private Phase phase = Phase.NEW;
    private long leavingNanos;
    private List<Hello> hellos = List.of();
    private List<RecordId> acks = new ArrayList<>(0);

    /** Whether a result is being looked at; only used in the event loop. */
    private boolean isCompleting;

    private @Nullable Map<RecordId, PartialResult> partialResults;
    private long partialBytes;
    private final boolean[] gap = new boolean[1];

    /** The two that other threads read are set before the session is published with its agent. */
    private volatile @Nullable Hello hello;

    private volatile @Nullable RemoteAgent agent;
    private volatile long epoch;
    private volatile @Nullable Instant connectedAt;
    private final Map<String, PendingReceipt> receipts = new HashMap<>(0);

    private record PartialResult(long tag, Reason reason, String message, Reassembly data) {}

    private record PendingReceipt(CompletableFuture<Void> received, long sentNanos) {}

    ServerSession(AgentServer server, @Nullable X509Certificate certificate, @Nullable String agentId) {
        super(server.ticker());
        this.server = server;
        this.certificate = certificate;
        this.agentId = agentId;
        createdNanos = lastReadNanos();
    }

    AgentServer server() {
        return server;
    }

    /** How many commands this session takes at a time. For all threads. */
    int maxCommands() {
        Hello said = hello;
        return said == null ? 0 : Math.min(server.maxCommands(), Math.max(1, said.getMaxCommands()));
    }

    /** How many of them it executes at a time. For all threads. */
    private int concurrency() {
        Hello said = hello;
        return said == null || said.getConcurrency() < 1
                ? maxCommands()
                : Math.min(maxCommands(), said.getConcurrency());
    }

    /** How many bytes of payload these may have. For all threads. */
    long maxBytes() {
        Hello said = hello;
        return said == null ? 0 : Math.min(server.maxBytes(), Math.max(1, said.getMaxBytes()));
    }

    @Override
    void onMessage(int field, CodedInputStream in) throws IOException {
        if (phase != Phase.OPEN) {
            beforeOpen(field, in);
            return;
        }
        RemoteAgent owner = agent;
        if (owner == null) {
            throw new IllegalStateException("an open session has an agent");
        }
        switch (field) {
            case Wire.RESULT -> onResult(owner, in);
            case Wire.ACCEPTED -> onAccepted(owner, in);
            case Wire.PROGRESS -> onProgress(owner, in);
            case Wire.OUTPUT -> onOutput(owner, in);
            case Wire.CHUNK -> onChunk(owner, in);
            case Wire.PING -> onPing(in);
            case Wire.PONG -> {
                // that it came is what it was for
            }
            case Envelope.EVENT_FIELD_NUMBER -> onEvent(owner, Event.parseFrom(in));
            case Envelope.RECEIPT_FIELD_NUMBER -> onReceipt(Receipt.parseFrom(in));
            case Envelope.CHANGED_FIELD_NUMBER -> onChanged(owner, Hello.parseFrom(in));
            case Envelope.RENEW_REQUEST_FIELD_NUMBER -> onRenew(RenewRequest.parseFrom(in));
            case Envelope.GOAWAY_FIELD_NUMBER ->
                close("the agent said goodbye: " + Goaway.parseFrom(in).getMessage());
            case Envelope.HELLO_FIELD_NUMBER -> throw new ProtocolException("a session has one hello");
            default -> {
                // of a later version
            }
        }
    }

    private void beforeOpen(int field, CodedInputStream in) throws IOException {
        if (phase == Phase.NEW && field == Envelope.HELLO_FIELD_NUMBER) {
            onHello(Hello.parseFrom(in));
        } else if (phase == Phase.NEW && field == Envelope.JOIN_REQUEST_FIELD_NUMBER && hellos.isEmpty()) {
            phase = Phase.CHECKED;
            JoinRequest request = JoinRequest.parseFrom(in);
            server.join(this, request);
        } else if (phase == Phase.LEAVING) {
            server.countStale();
        } else {
            throw new ProtocolException(
                    "the first envelope must be a hello or a join request, and the next ones have to wait for the answer");
        }
    }

    private void onHello(Hello said) throws IOException {
        if (agentId == null) {
            throw new ProtocolException(
                    "a hello needs an agent's certificate; without one there is only the join request");
        }
        if (hellos.isEmpty()) {
            hellos = new ArrayList<>(1);
        }
        hellos.add(said);
        if (hellos.size() > MAX_HELLOS) {
            throw new ProtocolException("more than " + MAX_HELLOS + " hellos");
        }
        if (!said.getMore()) {
            phase = Phase.CHECKED;
            server.check(this, agentId, certificate);
        }
    }

    /** The server lets the session in. */
    void open(RemoteAgent candidate) {
        Hello first = hellos.get(0);
        hello = first.toBuilder().clearHoldings().build();
        connectedAt = server.clock().instant();
        // some KiB that are seldom needed again, and then TLS has it
        certificate = null;
        agent = candidate;
        phase = Phase.OPEN;
    }

    List<Hello> takeHellos() {
        List<Hello> taken = hellos;
        hellos = List.of();
        return taken;
    }

    /** The session is the agent's from now on. Called with the agent's lock, so that nothing is sent before. */
    void welcome(long newEpoch) {
        epoch = newEpoch;
        send(new Messages.Rare(Envelope.newBuilder()
                .setWelcome(Welcome.newBuilder()
                        .setServerInstance(server.instance())
                        .setEpoch(newEpoch)
                        .setTimeMillis(server.clock().millis())
                        .setHeartbeatMillis(server.heartbeat().toMillis())
                        .setMaxPayload(server.maxPayload())
                        .setMaxBulkBytes(server.maxBytes()))));
    }

    /** Refuses to let the session in, or in any further. */
    void refuse(String message) {
        leave(Goaway.Cause.REFUSED, message, Duration.ZERO);
    }

    /** Another session has the agent's id now. For all threads. */
    void takenOver() {
        server.countTakeover();
        leave(Goaway.Cause.TAKEN_OVER, "another session of this agent id has taken over", Duration.ZERO);
    }

    /** Says goodbye and closes. For all threads. */
    void leave(Goaway.Cause cause, String message, Duration window) {
        eventLoop().execute(() -> {
            if (isEnded()) {
                return;
            }
            if (phase != Phase.OPEN || cause != Goaway.Cause.SHUTTING_DOWN) {
                phase = Phase.LEAVING;
            }
            leavingNanos = ticker.getAsLong();
            closeAfter(
                    new Messages.Rare(Envelope.newBuilder()
                            .setGoaway(Goaway.newBuilder()
                                    .setCause(cause)
                                    .setMessage(message)
                                    .setWindowMillis(window.toMillis()))),
                    message);
        });
    }

    private void onResult(RemoteAgent owner, CodedInputStream in) throws IOException {
        RecordId id = null;
        long tag = 0;
        int reason = 0;
        String message = "";
        byte[] data = NO_BYTES;
        long size = 0;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> id = Wire.readRecordId(in);
                case 2 -> tag = in.readUInt64();
                case 3 -> reason = in.readEnum();
                case 4 -> message = in.readString();
                case 5 -> data = in.readByteArray();
                case 7 -> size = in.readUInt64();
                default -> in.skipField(field);
            }
        }
        if (id == null) {
            throw new ProtocolException("a result without an id");
        }
        if (size == 0) {
            completed(owner, id, tag, Wire.reasonOf(reason), message, data);
            return;
        }
        if (partialResults == null) {
            partialResults = new HashMap<>();
        }
        PartialResult before = partialResults.remove(id);
        if (before != null) {
            partialBytes -= before.data.announced();
        }
        long allowed = partialResults.isEmpty()
                ? server.maxPayload()
                : Math.min(server.maxPayload(), server.maxBytes() - partialBytes);
        Reassembly reassembly = new Reassembly(size, allowed);
        partialBytes += size;
        partialResults.put(id, new PartialResult(tag, Wire.reasonOf(reason), message, reassembly));
    }

    private void onChunk(RemoteAgent owner, CodedInputStream in) throws IOException {
        RecordId id = null;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> id = Wire.readRecordId(in);
                case 2 -> {
                    Map<RecordId, PartialResult> partials = partialResults;
                    PartialResult partial = id == null || partials == null ? null : partials.get(id);
                    if (partials == null || partial == null || id == null) {
                        throw new ProtocolException("a chunk of a result that was not announced");
                    }
                    if (partial.data.add(in)) {
                        partials.remove(id);
                        partialBytes -= partial.data.announced();
                        completed(owner, id, partial.tag, partial.reason, partial.message, partial.data.bytes());
                    }
                }
                default -> in.skipField(field);
            }
        }
    }

    private void completed(RemoteAgent owner, RecordId id, long tag, Reason reason, String message, byte[] data) {
        isCompleting = true;
        if (!owner.onResult(this, id, tag, reason, message, data)) {
            server.countStale();
        }
        isCompleting = false;
    }

    /**
     * Tells the agent that an outcome is recorded. Called in any thread; in this session's own while it reads, several are told together.
     *
     * @param first whether another attempt follows, for which the agent must have forgotten this one
     */
    void acknowledge(RecordId id, boolean first) {
        if (first || !eventLoop().inEventLoop() || !isCompleting) {
            send(new Messages.ResultAck(List.of(id)));
            return;
        }
        acks.add(id);
        if (acks.size() == MAX_ACKS) {
            sendAcks();
        }
    }

    private void sendAcks() {
        send(new Messages.ResultAck(acks));
        acks = new ArrayList<>();
    }

    @Override
    void onReadComplete() {
        if (!acks.isEmpty()) {
            sendAcks();
        }
    }

    private void onChanged(RemoteAgent owner, Hello now) {
        Hello before = hello;
        if (before != null) {
            hello = before.toBuilder()
                    .clearCapabilities()
                    .addAllCapabilities(now.getCapabilitiesList())
                    .build();
            server.changed(owner);
        }
    }

    private void onAccepted(RemoteAgent owner, CodedInputStream in) throws IOException {
        long tag = 0;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            if (WireFormat.getTagFieldNumber(field) == 1) {
                tag = in.readUInt64();
            } else {
                in.skipField(field);
            }
        }
        RemoteCommand command = owner.onStarted(this, tag);
        if (command == null) {
            server.countStale();
        } else {
            command.receiver.started(tag);
        }
    }

    private void onProgress(RemoteAgent owner, CodedInputStream in) throws IOException {
        long tag = 0;
        double fraction = 0;
        String message = "";
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> tag = in.readUInt64();
                case 2 -> fraction = in.readDouble();
                case 3 -> message = in.readString();
                default -> in.skipField(field);
            }
        }
        RemoteCommand command = owner.onStarted(this, tag);
        if (command == null) {
            server.countStale();
        } else {
            command.receiver.progress(tag, fraction, message);
        }
    }

    private void onOutput(RemoteAgent owner, CodedInputStream in) throws IOException {
        long tag = 0;
        String channel = "";
        byte[] data = NO_BYTES;
        long sequence = 0;
        RecordId id = null;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(field)) {
                case 1 -> tag = in.readUInt64();
                case 2 -> channel = in.readString();
                case 3 -> data = in.readByteArray();
                case 4 -> sequence = in.readUInt64();
                case 5 -> id = Wire.readRecordId(in);
                default -> in.skipField(field);
            }
        }
        RemoteCommand command = owner.onOutput(this, tag, id, sequence, gap);
        if (command == null) {
            server.countStale();
            return;
        }
        if (gap[0]) {
            command.receiver.progress(
                    command.tag(),
                    -1,
                    command.isResumed
                            ? "output may be missing here: the server was started again"
                            : "output is missing here: it was lost with a connection");
        }
        command.receiver.output(command.tag(), channel, data);
    }

    private void onPing(CodedInputStream in) throws IOException {
        long nonce = 0;
        for (int field = in.readTag(); field != 0; field = in.readTag()) {
            if (WireFormat.getTagFieldNumber(field) == 1) {
                nonce = in.readFixed64();
            } else {
                in.skipField(field);
            }
        }
        send(new Messages.Pong(nonce, server.clock().millis()));
    }

    private void onEvent(RemoteAgent owner, Event event) throws IOException {
        if (!owner.isCurrent(this)) {
            server.countStale();
            return;
        }
        AgentMessage message = messageOf(event);
        if (message.type().equals("report.status")) {
            owner.status(message.payload());
        }
        server.tellMessage(owner.id(), message);
        if (event.getReceiptWanted()) {
            send(receiptOf(event));
        }
    }

    static AgentMessage messageOf(Event event) throws ProtocolException {
        try {
            return new AgentMessage(
                    event.getId(), event.getType(), event.getPayload().toByteArray());
        } catch (IllegalArgumentException e) {
            throw new ProtocolException("an event is not allowed: " + e.getMessage());
        }
    }

    static Messages.Rare receiptOf(Event event) {
        return new Messages.Rare(
                Envelope.newBuilder().setReceipt(Receipt.newBuilder().setId(event.getId())));
    }

    static Messages.Rare eventOf(AgentMessage message, boolean receiptWanted) {
        return new Messages.Rare(Envelope.newBuilder()
                .setEvent(Event.newBuilder()
                        .setId(message.id())
                        .setType(message.type())
                        .setPayload(ByteString.copyFrom(message.payload()))
                        .setReceiptWanted(receiptWanted)));
    }

    /** Sends a message to the agent. For all threads. */
    CompletableFuture<Void> send(AgentMessage message, boolean awaitReceipt) {
        CompletableFuture<Void> sent = new CompletableFuture<>();
        eventLoop().execute(() -> {
            if (isEnded() || receipts.size() >= MAX_RECEIPTS) {
                sent.completeExceptionally(new AgentAwayException(
                        isEnded()
                                ? "agent '" + agentId + "' is not connected"
                                : "agent '" + agentId + "' gives no receipts"));
                return;
            }
            if (awaitReceipt) {
                receipts.put(message.id(), new PendingReceipt(sent, ticker.getAsLong()));
            }
            send(eventOf(message, awaitReceipt));
            if (!awaitReceipt) {
                sent.complete(null);
            }
        });
        return sent;
    }

    private void onReceipt(Receipt receipt) {
        PendingReceipt pending = receipts.remove(receipt.getId());
        if (pending != null) {
            pending.received.complete(null);
        }
    }

    private void onRenew(RenewRequest request) {
        Channel channel = transport();
        X509Certificate current = channel == null ? null : TransportChannels.peerCertificate(channel);
        if (current != null) {
            server.renew(this, current, request.getRequest().toByteArray());
        }
    }

    /** Answers a join request and closes, or a request to renew and stays. For all threads. */
    void reply(boolean join, List<X509Certificate> chain, String refusal, String message) {
        JoinReply.Builder reply = JoinReply.newBuilder().setRefusal(refusal).setMessage(message);
        try {
            for (X509Certificate one : chain) {
                reply.addChain(ByteString.copyFrom(one.getEncoded()));
            }
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was just issued cannot be encoded", e);
        }
        if (!join) {
            send(new Messages.Rare(Envelope.newBuilder().setRenewReply(reply)));
            return;
        }
        eventLoop().execute(() -> {
            phase = Phase.LEAVING;
            leavingNanos = ticker.getAsLong();
            closeAfter(new Messages.Rare(Envelope.newBuilder().setJoinReply(reply)), "the join request was answered");
        });
    }

    /** Looks after the session: called about every second. */
    void watch(long nowNanos) {
        long heartbeat = server.heartbeat().toNanos();
        if (phase == Phase.NEW && nowNanos - createdNanos > AgentServer.HELLO_TIMEOUT_NANOS) {
            close("no hello within 5 s");
        } else if (leavingNanos != 0 && nowNanos - leavingNanos > AgentServer.LEAVE_TIMEOUT_NANOS) {
            close("the agent did not leave");
        } else if (nowNanos - lastReadNanos() > AgentServer.MISSED_HEARTBEATS * heartbeat) {
            close("nothing was received for " + AgentServer.MISSED_HEARTBEATS + " heartbeats of " + server.heartbeat());
        } else if (phase == Phase.OPEN && nowNanos - lastWriteNanos() > heartbeat) {
            send(new Messages.Ping(nowNanos));
        }
        if (!receipts.isEmpty()) {
            receipts.values().removeIf(pending -> {
                boolean late = nowNanos - pending.sentNanos > AgentServer.RECEIPT_TIMEOUT_NANOS;
                if (late) {
                    pending.received.completeExceptionally(
                            new AgentAwayException("agent '" + agentId + "' gave no receipt within 30 s"));
                }
                return late;
            });
        }
    }

    @Override
    void brokenProtocol(IOException e) {
        server.countProtocolError();
        super.brokenProtocol(e);
    }

    @Override
    void onEnded(String reason) {
        LOG.debug("session of {} ended: {}", agentId, reason);
        receipts.values()
                .forEach(pending -> pending.received.completeExceptionally(
                        new AgentAwayException("agent '" + agentId + "' went away: " + reason)));
        receipts.clear();
        server.ended(this, agent, reason);
    }

    /** What is known of the agent through this session. Called with the agent's lock. */
    AgentInfo info(
            RemoteAgent owner, @Nullable String disconnectReason, int waiting, int inFlight, byte @Nullable [] status) {
        Hello said = hello == null ? Hello.getDefaultInstance() : hello;
        Instant began = connectedAt == null ? Instant.EPOCH : connectedAt;
        long silentNanos = Math.max(0, ticker.getAsLong() - lastReadNanos());
        return new AgentInfo(
                owner.id(),
                disconnectReason == null,
                epoch,
                isQuic() ? "quic" : "tcp",
                remoteAddress(),
                began,
                server.clock().instant().minusNanos(silentNanos),
                disconnectReason,
                said.getVersion(),
                said.getLabelsMap(),
                said.getCapabilitiesList(),
                concurrency(),
                waiting,
                inFlight,
                status);
    }

    private String remoteAddress() {
        SocketAddress address = TransportChannels.remoteAddress(transport());
        return address == null ? "" : address.toString().replaceFirst("^[^/]*/", "");
    }

    private static final byte[] NO_BYTES = {};
}
