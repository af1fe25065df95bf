package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.TransportChannels.ClientTls;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.wire.Command;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Envelope.MessageCase;
import io.github.commandway.quic.wire.Hello;
import io.github.commandway.quic.wire.Reason;
import io.github.commandway.quic.wire.Result;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** An agent that says exactly what a test tells it to, by the generated classes, and shows what it is told. */
final class RawAgent extends Connection {
    final List<Envelope> received = new CopyOnWriteArrayList<>();
    volatile @Nullable String end;

    private RawAgent() {
        super(System::nanoTime);
    }

    static RawAgent connect(TransportThreads threads, ServerAddress server, Transport transport, ClientTls tls)
            throws Exception {
        RawAgent agent = new RawAgent();
        TransportChannels.connect(
                        threads, threads.group().next(), server, transport, tls, Duration.ofSeconds(10), agent)
                .get(30, TimeUnit.SECONDS);
        return agent;
    }

    static ClientTls tls(Identity identity) {
        return new ClientTls(identity, identity.trustManager(java.time.Clock.systemUTC()));
    }

    @Override
    void onMessage(int field, CodedInputStream in) throws IOException {
        byte[] message = in.readRawBytes(in.getBytesUntilLimit());
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        CodedOutputStream out = CodedOutputStream.newInstance(bytes);
        out.writeByteArray(field, message);
        out.flush();
        received.add(Envelope.parseFrom(bytes.toByteArray()));
    }

    @Override
    void onEnded(String reason) {
        end = reason;
    }

    void say(Envelope.Builder envelope) {
        send(new Messages.Rare(envelope));
    }

    /** Says hello with these holdings, and waits for the welcome. */
    RawAgent hello(io.github.commandway.quic.wire.Holding... holdings) {
        say(Envelope.newBuilder()
                .setHello(Hello.newBuilder()
                        .setMaxCommands(1_000)
                        .setMaxBytes(64 << 20)
                        .addAllHoldings(List.of(holdings))));
        next(MessageCase.WELCOME, 1);
        return this;
    }

    /** Waits for the message that is the {@code count}th of its kind. */
    Envelope next(MessageCase kind, int count) {
        await().atMost(TestServer.PATIENCE).until(() -> ofKind(kind).size() >= count);
        return ofKind(kind).get(count - 1);
    }

    Command command(int count) {
        return next(MessageCase.COMMAND, count).getCommand();
    }

    List<Envelope> ofKind(MessageCase kind) {
        return received.stream().filter(one -> one.getMessageCase() == kind).toList();
    }

    void finish(Command command, String result) {
        say(Envelope.newBuilder()
                .setResult(Result.newBuilder()
                        .setId(command.getId())
                        .setTag(command.getTag())
                        .setReason(Reason.OK)
                        .setData(com.google.protobuf.ByteString.copyFromUtf8(result))));
    }

    static io.github.commandway.quic.wire.Holding holding(
            Command command, io.github.commandway.quic.wire.Holding.State state) {
        return io.github.commandway.quic.wire.Holding.newBuilder()
                .setId(command.getId())
                .setState(state)
                .build();
    }

    static io.github.commandway.quic.wire.Holding holding(
            RecordId id, io.github.commandway.quic.wire.Holding.State state) {
        return io.github.commandway.quic.wire.Holding.newBuilder()
                .setId(Wire.fromRecordId(id))
                .setState(state)
                .build();
    }

    /** Waits until the connection is over, and says why. */
    String awaitEnd() {
        await().atMost(TestServer.PATIENCE).until(() -> end != null);
        String reason = end;
        assertThat(reason).isNotNull();
        return reason;
    }
}
