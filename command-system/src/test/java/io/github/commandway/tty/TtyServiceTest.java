package io.github.commandway.tty;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.HandlerDriver.Caller;
import io.github.commandway.tty.TtyService.DisableMouse;
import io.github.commandway.tty.TtyService.EnableMouse;
import io.github.commandway.tty.TtyService.RawDisable;
import io.github.commandway.tty.TtyService.RawEnable;
import io.github.commandway.tty.TtyService.Read;
import io.github.commandway.tty.TtyService.ReadLine;
import io.github.commandway.tty.TtyService.Screen;
import io.github.commandway.tty.TtyService.ScreenSize;
import io.github.commandway.tty.TtyService.StartInput;
import io.github.commandway.tty.TtyService.StopInput;
import io.github.commandway.tty.TtyService.Typed;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jline.terminal.Attributes.LocalFlag;
import org.jline.terminal.Size;
import org.jline.terminal.impl.ExternalTerminal;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** On a terminal that has a line discipline of its own, as one behind a network connection has. */
class TtyServiceTest {
    private final PipedOutputStream keys = new PipedOutputStream();
    private final ByteArrayOutputStream screen = new ByteArrayOutputStream();
    private final ExternalTerminal terminal;
    private final TtyService tty;
    private final HandlerDriver driver;
    private final Caller process;

    TtyServiceTest() throws IOException {
        terminal = new ExternalTerminal("test", "xterm", new PipedInputStream(keys), screen, UTF_8);
        terminal.setSize(new Size(90, 30));
        tty = new TtyService(terminal);
        driver = new HandlerDriver(tty);
        process = driver.process(1);
    }

    @AfterEach
    void everyCommandCompletedOnceAndTheTerminalIsAsItWas() throws IOException {
        tty.close();
        driver.verify();
        assertThat(terminal.getAttributes().getLocalFlag(LocalFlag.ICANON)).isTrue();
        keys.close();
        terminal.close();
    }

    @Test
    void whatIsTypedIsRead() throws IOException {
        Call read = process.call(new Read());
        type("hé\n");
        StringBuilder seen = new StringBuilder(String.valueOf(get(read)));
        while (seen.length() < 3) {
            seen.append(get(process.call(new Read(1))));
        }
        assertThat(seen).hasToString("hé\n");
    }

    @Test
    void linesAreReadOneByOneUntilTheEnd() throws IOException {
        type("one\n\nthree\n");
        keys.close();
        assertThat(get(process.call(new ReadLine()))).isEqualTo("one");
        assertThat(get(process.call(new ReadLine()))).isEqualTo("");
        assertThat(get(process.call(new ReadLine()))).isEqualTo("three");
        assertThat(get(process.call(new ReadLine()))).isNull();
        assertThat(get(process.call(new Read()))).isNull();
    }

    @Test
    void rawModeIsUndoneWithItsProcess() {
        get(process.call(new RawEnable()));
        get(process.call(new RawEnable()));
        assertThat(terminal.getAttributes().getLocalFlag(LocalFlag.ICANON)).isFalse();
        tty.ended(driver.process(2).pid());
        assertThat(terminal.getAttributes().getLocalFlag(LocalFlag.ICANON)).isFalse();
        tty.ended(process.pid());
        assertThat(terminal.getAttributes().getLocalFlag(LocalFlag.ICANON)).isTrue();
        get(process.call(new RawEnable()));
        get(process.call(new RawDisable()));
        get(process.call(new RawDisable()));
        assertThat(terminal.getAttributes().getLocalFlag(LocalFlag.ICANON)).isTrue();
    }

    @Test
    void theSizeIsTold() {
        assertThat(get(process.call(new ScreenSize()))).isEqualTo(new Screen(90, 30));
    }

    @Test
    void theMouseIsTrackedUntilItsProcessEnds() {
        assertThat(get(process.call(new EnableMouse()))).isEqualTo(true);
        terminal.flush();
        assertThat(screen.toString(UTF_8)).contains("\u001b[?1000h");
        tty.ended(process.pid());
        terminal.flush();
        assertThat(screen.toString(UTF_8)).contains("\u001b[?1000l");
        assertThat(get(process.call(new DisableMouse()))).isEqualTo(false);
    }

    @Test
    void inputGoesToTheProcessThatAskedForIt() throws IOException {
        driver.limitMailboxes(1);
        get(process.call(new RawEnable()));
        get(process.call(new StartInput("keys")));
        assertThat(error(new StartInput("other"))).isInstanceOf(IllegalStateException.class);
        assertThat(error(new Read())).isInstanceOf(RejectedExecutionException.class);
        StringBuilder seen = new StringBuilder();
        for (int i = 0; i < 10; i++) {
            type("key" + i);
        }
        await().until(() -> {
            process.takeMessages()
                    .forEach(message -> seen.append(((Typed) Objects.requireNonNull(message.payload())).text()));
            return seen.length() == 40;
        });
        assertThat(seen)
                .hasToString(IntStream.range(0, 10).mapToObj(i -> "key" + i).collect(Collectors.joining()));
        assertThat(get(process.call(new StopInput()))).isEqualTo(true);
        await().until(() -> Boolean.FALSE.equals(get(process.call(new StopInput()))));
    }

    @Test
    void inputEndsWithItsProcess() throws IOException {
        get(process.call(new StartInput("keys")));
        process.end();
        tty.ended(process.pid());
        Caller other = driver.process(2);
        await().until(() -> {
            Call started = other.call(new StartInput("keys"));
            return !started.outcome().isCompletedExceptionally();
        });
        type("for the other\n");
        await().until(() -> !other.messages().isEmpty());
    }

    @Test
    void aReadThatIsCancelledTakesNothing() throws IOException {
        Call read = process.call(new Read());
        read.cancel(CancelCause.DEADLINE);
        await().until(read::isDone);
        assertThat(read.reason()).isIn(Reason.EXECUTION_TIMEOUT, Reason.QUEUE_TIMEOUT);
        type("next\n");
        assertThat(get(process.call(new ReadLine()))).isEqualTo("next");
    }

    @Test
    void aReadEndsWithTheService() {
        Call read = process.call(new Read());
        tty.close();
        await().until(read::isDone);
        assertThat(read.reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void readsThatMakeNoSenseFail() {
        assertThat(error(new Read(0))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new Read(TtyService.MOST_READ + 1))).isInstanceOf(IllegalArgumentException.class);
    }

    private void type(String text) throws IOException {
        keys.write(text.getBytes(UTF_8));
        keys.flush();
    }

    private static @Nullable Object get(Call call) {
        return call.outcome().orTimeout(10, TimeUnit.SECONDS).join();
    }

    private Throwable error(Command command) {
        Call call = process.call(command);
        await().until(call::isDone);
        return call.error();
    }
}
