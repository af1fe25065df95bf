package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.google.protobuf.ByteString;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Accepted;
import io.github.commandway.quic.wire.Chunk;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Event;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.Hello;
import io.github.commandway.quic.wire.JoinRequest;
import io.github.commandway.quic.wire.Output;
import io.github.commandway.quic.wire.Ping;
import io.github.commandway.quic.wire.Progress;
import io.github.commandway.quic.wire.Reason;
import io.github.commandway.quic.wire.RenewRequest;
import io.github.commandway.quic.wire.Result;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

/** Sessions of the server are fed with what no agent of ours would send. */
final class ProtocolFuzzTest {
    private static final int ROUNDS = 500;

    private static final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private static TestServer server;

    @BeforeAll
    static void start(@TempDir Path directory) throws Exception {
        server = new TestServer(directory, builder -> builder.maxPayload(1 << 20));
        log.start();
        connectionLogger().addAppender(log);
    }

    private static Logger connectionLogger() {
        return (Logger) LoggerFactory.getLogger(Connection.class);
    }

    @AfterAll
    static void stop() {
        connectionLogger().detachAppender(log);
        server.close();
    }

    static IntStream seeds() {
        return IntStream.range(0, 8);
    }

    /** Messages as a good agent sends them, to be spoilt. */
    private static List<Envelope> goodMessages(RecordId id) {
        io.github.commandway.quic.wire.RecordId record = Wire.fromRecordId(id);
        ByteString data = ByteString.copyFrom(new byte[300]);
        return List.of(
                Envelope.newBuilder()
                        .setAccepted(Accepted.newBuilder().setTag(1))
                        .build(),
                Envelope.newBuilder()
                        .setProgress(
                                Progress.newBuilder().setTag(1).setFraction(0.5).setMessage("half"))
                        .build(),
                Envelope.newBuilder()
                        .setOutput(Output.newBuilder()
                                .setTag(1)
                                .setChannel("stdout")
                                .setData(data)
                                .setSequence(1))
                        .build(),
                Envelope.newBuilder()
                        .setResult(Result.newBuilder()
                                .setId(record)
                                .setTag(9)
                                .setReason(Reason.OK)
                                .setData(data))
                        .build(),
                Envelope.newBuilder()
                        .setResult(Result.newBuilder()
                                .setId(record)
                                .setReason(Reason.OK)
                                .setDataSize(400))
                        .build(),
                Envelope.newBuilder()
                        .setChunk(Chunk.newBuilder().setId(record).setData(data))
                        .build(),
                Envelope.newBuilder().setPing(Ping.newBuilder().setNonce(7)).build(),
                Envelope.newBuilder()
                        .setEvent(Event.newBuilder()
                                .setId("e")
                                .setType("note")
                                .setPayload(data)
                                .setReceiptWanted(true))
                        .build(),
                Envelope.newBuilder()
                        .setRenewRequest(RenewRequest.newBuilder().setRequest(data))
                        .build(),
                Envelope.newBuilder()
                        .setGoaway(Goaway.newBuilder().setMessage("bye"))
                        .build(),
                Envelope.newBuilder()
                        .setHello(Hello.newBuilder().putLabels("a", "b"))
                        .build(),
                Envelope.newBuilder()
                        .setJoinRequest(JoinRequest.newBuilder().setToken("t").setAgentId("a"))
                        .build());
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void spoiltMessagesEndAtMostTheirOwnConnection(int seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            ServerSession session = new ServerSession(server.server, null, random.nextInt(4) == 0 ? null : "fuzzed");
            EmbeddedChannel channel = new EmbeddedChannel();
            session.transport(channel);
            channel.pipeline().addLast(session);
            if (random.nextBoolean()) {
                write(
                        channel,
                        framed(Envelope.newBuilder()
                                .setHello(Hello.newBuilder().setMaxCommands(1))
                                .build()
                                .toByteArray()));
            }
            List<Envelope> good = goodMessages(RecordId.ofUuid(random.nextLong(), random.nextLong()));
            for (int i = 0; i < 10 && channel.isOpen(); i++) {
                byte[] bytes = good.get(random.nextInt(good.size())).toByteArray();
                write(channel, spoil(bytes, random));
            }
            channel.checkException();
            channel.finishAndReleaseAll();
        }
        // anything but a protocol error is an error of ours
        assertThat(log.list)
                .filteredOn(event -> event.getLevel().isGreaterOrEqual(Level.ERROR))
                .isEmpty();
        assertThat(server.server.stats().protocolErrors()).isPositive();
        assertStillAtWork("after-" + seed);
    }

    private static void write(EmbeddedChannel channel, byte[] bytes) {
        if (channel.isOpen()) {
            channel.writeInbound(Unpooled.wrappedBuffer(bytes));
            channel.runPendingTasks();
            for (ByteBuf out = channel.readOutbound(); out != null; out = channel.readOutbound()) {
                assertThat(out.readableBytes()).isPositive();
                out.release();
            }
        }
    }

    private static byte[] framed(byte[] body) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int length = body.length;
        while (length > 0x7F) {
            out.write((length & 0x7F) | 0x80);
            length >>>= 7;
        }
        out.write(length);
        out.writeBytes(body);
        return out.toByteArray();
    }

    private static byte[] spoil(byte[] message, Random random) {
        return switch (random.nextInt(5)) {
            case 0 -> framed(message);
            case 1 -> {
                byte[] cut = new byte[random.nextInt(message.length + 1)];
                System.arraycopy(message, 0, cut, 0, cut.length);
                yield framed(cut);
            }
            case 2 -> {
                byte[] noise = new byte[random.nextInt(400)];
                random.nextBytes(noise);
                yield noise;
            }
            default -> {
                byte[] changed = message.clone();
                for (int i = random.nextInt(4); i >= 0 && changed.length > 0; i--) {
                    changed[random.nextInt(Math.min(changed.length, 40))] = (byte) random.nextInt(256);
                }
                yield framed(changed);
            }
        };
    }

    private static void assertStillAtWork(String agentId) {
        server.connect(TestAgent.echoing(), agentId, Transport.QUIC);
        CommandHandle handle =
                server.submit(CommandRequest.toAgent(agentId, "echo").timeout(Duration.ofMinutes(1)));
        assertThat(server.ended(handle).reason()).isEqualTo(io.github.commandway.dispatch.Reason.OK);
        await().atMost(TestServer.PATIENCE).until(() -> server.manager.stats().open() == 0);
    }
}
