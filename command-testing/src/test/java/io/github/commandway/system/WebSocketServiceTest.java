package io.github.commandway.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.Message;
import io.github.commandway.system.WebSocketService.Close;
import io.github.commandway.system.WebSocketService.Connect;
import io.github.commandway.system.WebSocketService.Connected;
import io.github.commandway.system.WebSocketService.Ping;
import io.github.commandway.system.WebSocketService.Receive;
import io.github.commandway.system.WebSocketService.Received;
import io.github.commandway.system.WebSocketService.Send;
import io.github.commandway.system.WebSocketService.Subscribe;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.HandlerDriver.Caller;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.NettyOutbound;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.WebsocketServerSpec;
import reactor.netty.http.websocket.WebsocketInbound;
import reactor.netty.http.websocket.WebsocketOutbound;

class WebSocketServiceTest {
    private static final int FLOOD = 2_000;

    private final AtomicInteger flooded = new AtomicInteger();
    private final CountDownLatch left = new CountDownLatch(1);
    private final CountDownLatch silent = new CountDownLatch(1);
    private final DisposableServer server = HttpServer.create()
            .host("127.0.0.1")
            .port(0)
            .route(routes -> routes.ws(
                            "/chat",
                            WebSocketServiceTest::echo,
                            WebsocketServerSpec.builder().protocols("chat").build())
                    .ws("/echo", WebSocketServiceTest::echo)
                    .ws(
                            "/bye",
                            (in, out) ->
                                    out.sendString(Mono.just("last")).then().then(out.sendClose(4000, "enough")))
                    .ws(
                            "/flood",
                            (in, out) -> out.sendObject(Flux.range(0, FLOOD)
                                    .map(i -> new TextWebSocketFrame("x".repeat(10_000) + i))
                                    .doOnNext(frame -> flooded.incrementAndGet())))
                    .ws("/silent", (in, out) -> {
                        silent.countDown();
                        return in.receive().then().doFinally(end -> left.countDown());
                    })
                    .get("/http", (request, response) -> response.sendString(Mono.just("no websocket"))))
            .bindNow();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final WebSocketService sockets = new WebSocketService(HttpClient.newHttpClient(), timer, 3);
    private final HandlerDriver driver = new HandlerDriver(sockets);
    private final Caller process = driver.process(1);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        sockets.close();
        assertThat(sockets.active()).isZero();
        driver.verify();
        server.disposeNow(Duration.ofSeconds(10));
        timer.shutdownNow();
    }

    @Test
    void messagesGoThereAndComeBackInTheirOrder() {
        Connected connected = (Connected) Objects.requireNonNull(get(new Connect(
                uri("/chat"), Map.of("X-Test", "1"), List.of("chat"), Duration.ofSeconds(10), 1_000_000, 4)));
        assertThat(connected.protocol()).isEqualTo("chat");
        long connection = connected.connection();
        List<Call> sends = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            sends.add(process.call(Send.text(connection, "message " + i)));
        }
        for (int i = 0; i < 20; i++) {
            assertThat(receive(connection).text()).isEqualTo("message " + i);
        }
        await().until(() -> sends.stream().allMatch(Call::isDone));
        get(Send.binary(connection, "bytes".getBytes(UTF_8)));
        assertThat(receive(connection).binary()).isEqualTo("bytes".getBytes(UTF_8));
        assertThat(get(new Ping(connection))).isNull();
        assertThat(get(new Close(connection, 1000, "done"))).isNull();
        assertThat(error(new Receive(connection))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void whatWasSentBeforeTheEndIsReceivedAndThenTheEnd() {
        long connection = connect("/bye");
        assertThat(receive(connection).text()).isEqualTo("last");
        assertThat(receive(connection)).isEqualTo(new Received(null, null, true, 4000, "enough"));
        assertThat(receive(connection).end()).isTrue();
        assertThat(error(Send.text(connection, "late"))).isNotNull();
        assertThat(get(new Close(connection, 1000, ""))).isNull();
    }

    @Test
    void aConnectionThatCannotBeOpenedFails() {
        assertThat(error(new Connect(uri("/http")))).isNotNull();
        assertThat(error(new Connect(URI.create("http://127.0.0.1/")))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new Receive(99))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(Send.text(99, ""))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new Close(99, 1000, ""))).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(() -> new Connect(uri("/echo"), Map.of(), List.of(), Duration.ZERO, 1, 1))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aCodeThatIsNoneLeavesTheConnectionOpen() {
        long connection = connect("/echo");
        assertThat(error(new Close(connection, 1, ""))).isInstanceOf(IllegalArgumentException.class);
        get(Send.text(connection, "still here"));
        assertThat(receive(connection).text()).isEqualTo("still here");
    }

    @Test
    void aFullQueueSlowsTheServerDown() {
        Connected connected = (Connected) Objects.requireNonNull(
                get(new Connect(uri("/flood"), Map.of(), List.of(), Duration.ofSeconds(10), 1_000_000, 2)));
        for (int i = 0; i < 10; i++) {
            assertThat(receive(connected.connection()).text()).endsWith("x" + i);
        }
        assertThat(flooded.get()).isLessThan(FLOOD);
        for (int i = 10; i < FLOOD; i++) {
            assertThat(receive(connected.connection()).text()).endsWith("x" + i);
        }
    }

    @Test
    void aMessageThatIsTooLargeEndsTheConnection() {
        Connected connected = (Connected) Objects.requireNonNull(
                get(new Connect(uri("/echo"), Map.of(), List.of(), Duration.ofSeconds(10), 5, 2)));
        get(Send.text(connected.connection(), "12345"));
        assertThat(receive(connected.connection()).text()).isEqualTo("12345");
        get(Send.text(connected.connection(), "123456"));
        Received end = receive(connected.connection());
        assertThat(end.end()).isTrue();
        assertThat(end.code()).isEqualTo(1009);
    }

    @Test
    void aReceiveThatIsCancelledTakesNothing() {
        long connection = connect("/echo");
        Call cancelled = process.call(new Receive(connection));
        assertThat(error(new Receive(connection))).isInstanceOf(IllegalStateException.class);
        cancelled.cancel(CancelCause.DEADLINE);
        assertThat(cancelled.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        get(Send.text(connection, "for the next"));
        assertThat(receive(connection).text()).isEqualTo("for the next");
    }

    @Test
    void aReceiveEndsWithTheService() {
        Call waiting = process.call(new Receive(connect("/silent")));
        sockets.close();
        assertThat(waiting.error()).isInstanceOf(ClosedChannelException.class);
        assertThat(error(new Connect(uri("/echo")))).isNotNull();
    }

    @Test
    void aConnectionEndsWithTheProcessThatOpenedIt() throws Exception {
        connect("/silent");
        process.end();
        sockets.ended(process.pid());
        left.await();
    }

    @Test
    void aConnectionThatNobodyWaitsForAnyMoreIsNotKept() throws Exception {
        Call connect = process.call(new Connect(uri("/silent")));
        connect.cancel(CancelCause.REQUESTED);
        await().until(connect::isDone);
        assertThat(sockets.active()).isZero();
    }

    @Test
    void aSubscriberGetsWhatWaitsWhatComesAndTheEnd() {
        long connection = connect("/bye");
        assertThat(process.call(new Subscribe(connection, "news")).result()).isNull();
        await().until(() -> process.messages().size() == 2);
        assertThat(process.takeMessages())
                .containsExactly(
                        new Message(null, "news", new Received("last", null, false, 0, "")),
                        new Message(null, "news", new Received(null, null, true, 4000, "enough")));
        await().until(() -> sockets.active() == 0);
    }

    @Test
    void aSubscriberWithAFullMailboxMissesNothing() {
        driver.limitMailboxes(3);
        long connection = connect("/echo");
        process.call(new Subscribe(connection, "news"));
        for (int i = 0; i < 10; i++) {
            get(Send.text(connection, "message " + i));
        }
        assertThat(error(new Receive(connection))).isInstanceOf(IllegalStateException.class);
        List<@Nullable String> seen = new ArrayList<>();
        await().until(() -> {
            process.takeMessages()
                    .forEach(message -> seen.add(((Received) Objects.requireNonNull(message.payload())).text()));
            return seen.size() == 10;
        });
        for (int i = 0; i < 10; i++) {
            assertThat(seen.get(i)).isEqualTo("message " + i);
        }
    }

    @Test
    void onlyTheOwnerSubscribes() {
        long connection = connect("/silent");
        assertThat(driver.process(2).call(new Subscribe(connection, "news")).error())
                .isInstanceOf(IllegalArgumentException.class);
    }

    private long connect(String path) {
        return ((Connected) Objects.requireNonNull(get(new Connect(uri(path))))).connection();
    }

    private Received receive(long connection) {
        return (Received) Objects.requireNonNull(get(new Receive(connection)));
    }

    private URI uri(String path) {
        return URI.create("ws://127.0.0.1:" + server.port() + path);
    }

    private static NettyOutbound echo(WebsocketInbound in, WebsocketOutbound out) {
        return out.sendObject(in.receiveFrames()
                .map(frame -> frame instanceof TextWebSocketFrame text
                        ? new TextWebSocketFrame(text.text())
                        : new BinaryWebSocketFrame(frame.content().retain())));
    }

    private @Nullable Object get(Command command) {
        return process.call(command).outcome().orTimeout(10, TimeUnit.SECONDS).join();
    }

    private Throwable error(Command command) {
        Call call = process.call(command);
        await().until(call::isDone);
        return call.error();
    }
}
