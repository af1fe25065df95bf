package io.github.commandway.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.ExecService.ProcessStart;
import io.github.commandway.system.ExecService.ProcessStop;
import io.github.commandway.system.ExecService.ProcessWait;
import io.github.commandway.system.ExecService.Started;
import io.github.commandway.system.StreamService.Close;
import io.github.commandway.system.StreamService.Read;
import io.github.commandway.system.StreamService.Scan;
import io.github.commandway.system.StreamService.ScannerCreate;
import io.github.commandway.system.StreamService.ScannerScan;
import io.github.commandway.system.StreamService.Split;
import io.github.commandway.system.StreamService.Write;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.HandlerDriver.Caller;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ExecServiceTest {
    private final StreamService streams = new StreamService(16);
    private final ExecService exec = new ExecService(streams, 2);
    private final HandlerDriver driver = new HandlerDriver(streams, exec);
    private final Caller process = driver.process(1);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        exec.close();
        streams.close();
        driver.verify();
        assertThat(exec.active()).isZero();
    }

    @Test
    void aProgramReadsWritesAndEndsWithItsCode() {
        Started started = start("cat; echo oops >&2; exit 3");
        assertThat(get(new Write(started.stdin(), "hello".getBytes(UTF_8)))).isEqualTo(5);
        get(new Close(started.stdin()));
        assertThat(get(new Read(started.stdout()))).isEqualTo("hello".getBytes(UTF_8));
        assertThat(get(new Read(started.stdout()))).isNull();
        assertThat(get(new Read(started.stderr()))).isEqualTo("oops\n".getBytes(UTF_8));
        assertThat(get(new ProcessWait(started.program()))).isEqualTo(3);
        assertThat(error(new ProcessWait(started.program()))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void aProgramGetsItsVariablesAndItsFolder() {
        Started started =
                started(new ProcessStart(List.of("/bin/sh", "-c", "echo $COLOR; pwd"), "/", Map.of("COLOR", "red")));
        assertThat(lines(started, 2)).containsExactly("red", "/");
        assertThat(get(new ProcessWait(started.program()))).isEqualTo(0);
    }

    @Test
    void aProgramThatCannotBeStartedFails() {
        assertThat(error(new ProcessStart(List.of("/no/such/program"), null, null)))
                .isInstanceOf(IOException.class);
        assertThat(error(new ProcessWait(99))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new ProcessStop(99))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void cancellingAWaitKillsTheProgramAndAllThatItStarted() {
        Started started = start("sleep 1000 & echo $!; wait");
        long child = Long.parseLong(lines(started, 1).get(0));
        Call wait = process.call(new ProcessWait(started.program()));
        assertThat(isAlive(child)).isTrue();
        wait.cancel(CancelCause.DEADLINE);
        await().until(wait::isDone);
        assertThat(wait.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        await().until(() -> !isAlive(child) && !isAlive(started.pid()));
    }

    @Test
    void stoppingAProgramKillsWhatHasLostItsParentToo() {
        Started started = start("(sleep 1000 & echo $!); exec sleep 1000");
        long child = Long.parseLong(lines(started, 1).get(0));
        assertThat(isAlive(child)).isTrue();
        get(new ProcessStop(started.program()));
        await().until(() -> !isAlive(child));
    }

    @Test
    void aProgramEndsWithTheProcessThatStartedIt() {
        Started started = start("sleep 1000 & echo $!; wait");
        long child = Long.parseLong(lines(started, 1).get(0));
        process.end();
        exec.ended(process.pid());
        streams.ended(process.pid());
        await().until(() -> !isAlive(child) && !isAlive(started.pid()));
        assertThat(streams.active()).isZero();
    }

    @Test
    void stoppingAProgramTellsWhenItHasEnded() {
        Started started = start("sleep 1000");
        assertThat(get(new ProcessStop(started.program()))).isNull();
        assertThat(isAlive(started.pid())).isFalse();
        assertThat(get(new ProcessWait(started.program()))).isEqualTo(137);
    }

    @Test
    void aWaitEndsWithTheService() {
        Started started = start("sleep 1000");
        Call wait = process.call(new ProcessWait(started.program()));
        exec.close();
        await().until(wait::isDone);
        assertThat(isAlive(started.pid())).isFalse();
        assertThat(error(new ProcessStart(List.of("true"), null, null))).isNotNull();
    }

    @Test
    void thereAreNoMoreProgramsThanMayAndNoneMoreIsLeftRunning() {
        Started first = start("sleep 1000");
        start("sleep 1000");
        assertThat(error(new ProcessStart(List.of("sleep", "1001"), null, null)))
                .isInstanceOf(RejectedExecutionException.class);
        await().until(() -> ProcessHandle.current()
                .children()
                .noneMatch(child -> child.info()
                                .arguments()
                                .filter(arguments -> arguments[0].equals("1001"))
                                .isPresent()
                        && child.isAlive()));
        get(new ProcessStop(first.program()));
        get(new ProcessWait(first.program()));
        start("sleep 1000");
    }

    private static boolean isAlive(long pid) {
        Optional<ProcessHandle> found = ProcessHandle.of(pid);
        // one that nobody has waited for yet has no command line any more
        return found.isPresent()
                && found.get().isAlive()
                && found.get().info().command().isPresent();
    }

    private Started start(String script) {
        return started(new ProcessStart(List.of("/bin/sh", "-c", script), null, null));
    }

    private Started started(ProcessStart command) {
        return (Started) Objects.requireNonNull(get(command));
    }

    private List<String> lines(Started started, int count) {
        Object scanner = Objects.requireNonNull(get(new ScannerCreate(started.stdout(), Split.LINES)));
        return Stream.generate(() -> (Scan) Objects.requireNonNull(get(new ScannerScan((Long) scanner))))
                .limit(count)
                .map(Scan::text)
                .toList();
    }

    private @Nullable Object get(Command command) {
        Call call = process.call(command);
        await().until(call::isDone);
        return call.result();
    }

    private Throwable error(Command command) {
        Call call = process.call(command);
        await().until(call::isDone);
        return call.error();
    }
}
