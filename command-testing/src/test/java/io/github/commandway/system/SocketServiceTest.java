package io.github.commandway.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.SocketService.Accept;
import io.github.commandway.system.SocketService.Bind;
import io.github.commandway.system.SocketService.CloseListener;
import io.github.commandway.system.SocketService.Connect;
import io.github.commandway.system.SocketService.Connected;
import io.github.commandway.system.SocketService.Listen;
import io.github.commandway.system.SocketService.Listening;
import io.github.commandway.system.SocketService.Resolve;
import io.github.commandway.system.StreamService.Close;
import io.github.commandway.system.StreamService.Read;
import io.github.commandway.system.StreamService.Write;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SocketServiceTest {
    private static final String HOST = "127.0.0.1";

    private final StreamService streams = new StreamService(10);
    private final SocketService sockets;
    private final HandlerDriver driver;

    SocketServiceTest() throws IOException {
        sockets = new SocketService(streams, new Workers("socket", 2, 2), 2);
        driver = new HandlerDriver(sockets, streams);
    }

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        sockets.close();
        streams.close();
        driver.verify();
        assertThat(sockets.active() + streams.active()).isZero();
    }

    @Test
    void bytesGoBothWaysUntilOneSideCloses() {
        Listening listening = listen();
        Call accept = driver.call(new Accept(listening.listener()));
        Connected client = connect(listening);
        Connected server = (Connected) Objects.requireNonNull(get(accept));
        assertThat(client.remote()).isEqualTo(listening.local());
        assertThat(server.remote()).isEqualTo(client.local());

        byte[] large = "0123456789".repeat(100_000).getBytes(UTF_8);
        Call write = driver.call(new Write(client.stream(), large));
        int received = 0;
        while (received < large.length) {
            received += ((byte[]) Objects.requireNonNull(get(driver.call(new Read(server.stream()))))).length;
        }
        assertThat(get(write)).isEqualTo(large.length);
        get(driver.call(new Write(server.stream(), "back".getBytes(UTF_8))));
        assertThat(get(driver.call(new Read(client.stream())))).isEqualTo("back".getBytes(UTF_8));
        get(driver.call(new Close(client.stream())));
        assertThat(get(driver.call(new Read(server.stream())))).isNull();
    }

    @Test
    void aReadThatIsCancelledClosesTheConnection() {
        Listening listening = listen();
        Call accept = driver.call(new Accept(listening.listener()));
        Connected client = connect(listening);
        Connected server = (Connected) Objects.requireNonNull(get(accept));
        Call read = driver.call(new Read(client.stream()));
        read.cancel(CancelCause.DEADLINE);
        assertThat(read.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        assertThat(get(driver.call(new Read(server.stream())))).isNull();
    }

    @Test
    void aConnectionThatNobodyListensForFails() {
        Listening listening = listen();
        get(driver.call(new CloseListener(listening.listener())));
        assertThat(error(new Connect(HOST, port(listening)))).isInstanceOf(ConnectException.class);
        assertThat(error(new Accept(listening.listener()))).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(() -> new Connect(HOST, 70_000)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Listen(HOST, -1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatComesAfterACancelledAcceptIsForTheNext() {
        Listening listening = listen();
        Call cancelled = driver.call(new Accept(listening.listener()));
        assertThat(error(new Accept(listening.listener()))).isInstanceOf(IllegalStateException.class);
        cancelled.cancel(CancelCause.REQUESTED);
        assertThat(cancelled.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
        Connected client = connect(listening);
        Connected server = (Connected) Objects.requireNonNull(get(driver.call(new Accept(listening.listener()))));
        assertThat(server.remote()).isEqualTo(client.local());
    }

    @Test
    void anAcceptEndsWithItsListenerItsProcessAndTheService() {
        long first = listen().listener();
        Call closed = driver.call(new Accept(first));
        assertThat(get(driver.call(new CloseListener(first)))).isEqualTo(true);
        assertThat(closed.error()).isInstanceOf(ClosedChannelException.class);

        Call ended = driver.call(new Accept(listen().listener()));
        sockets.ended(driver.process(1).pid());
        assertThat(ended.error()).isInstanceOf(ClosedChannelException.class);

        Call stopped = driver.call(new Accept(listen().listener()));
        sockets.close();
        assertThat(stopped.error()).isInstanceOf(ClosedChannelException.class);
        assertThat(driver.call(new Listen(HOST, 0)).reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void thereAreNoMoreListenersThanMay() {
        listen();
        listen();
        assertThat(error(new Listen(HOST, 0))).isInstanceOf(RejectedExecutionException.class);
    }

    @Test
    void anAddressThatIsTakenFails() {
        assertThat(error(new Listen(HOST, port(listen())))).isInstanceOf(IOException.class);
    }

    @Test
    void datagramsGoBothWays() {
        Connected first = (Connected) Objects.requireNonNull(get(driver.call(new Bind(HOST, 0, null, 0))));
        int firstPort = Integer.parseInt(first.local().substring(first.local().lastIndexOf(':') + 1));
        Connected second = (Connected) Objects.requireNonNull(get(driver.call(new Bind(HOST, 0, HOST, firstPort))));
        assertThat(get(driver.call(new Write(second.stream(), "one".getBytes(UTF_8)))))
                .isEqualTo(3);
        get(driver.call(new Write(second.stream(), "two".getBytes(UTF_8))));
        assertThat(get(driver.call(new Read(first.stream())))).isEqualTo("one".getBytes(UTF_8));
        assertThat(get(driver.call(new Read(first.stream(), 2)))).isEqualTo("tw".getBytes(UTF_8));
        assertThat(error(new Write(first.stream(), new byte[1]))).isNotNull();
        Call waiting = driver.call(new Read(first.stream()));
        get(driver.call(new Close(first.stream())));
        assertThat(waiting.error()).isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void namesAreResolved() {
        assertThat((List<?>) get(driver.call(new Resolve("127.0.0.1")))).isEqualTo(List.of("127.0.0.1"));
        assertThat(error(new Resolve("no such host"))).isInstanceOf(UnknownHostException.class);
    }

    private Listening listen() {
        return (Listening) Objects.requireNonNull(get(driver.call(new Listen(HOST, 0))));
    }

    private Connected connect(Listening listening) {
        return (Connected) Objects.requireNonNull(get(driver.call(new Connect(HOST, port(listening)))));
    }

    private static int port(Listening listening) {
        return Integer.parseInt(listening.local().substring(listening.local().lastIndexOf(':') + 1));
    }

    private @Nullable Object get(Call call) {
        return call.outcome().orTimeout(10, TimeUnit.SECONDS).join();
    }

    private Throwable error(Command command) {
        Call call = driver.call(command);
        await().until(call::isDone);
        return call.error();
    }
}
