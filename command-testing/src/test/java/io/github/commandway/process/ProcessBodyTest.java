package io.github.commandway.process;

import static io.github.commandway.process.ProcessFixture.LONGEST;
import static io.github.commandway.process.ProcessFixture.echo;
import static io.github.commandway.process.ProcessFixture.later;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.process.ProcessException.Code;
import io.github.commandway.process.ProcessFixture.Begun;
import io.github.commandway.process.ProcessFixture.Numbered;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Processes as plain code that blocks. */
class ProcessBodyTest {
    private ProcessFixture fixture = new ProcessFixture().start();
    private Processes processes = fixture.processes;

    @AfterEach
    void close() {
        fixture.close();
    }

    private Spawned spawn(ProcessBody body) {
        return spawn(body, SpawnOptions.defaults());
    }

    private Spawned spawn(ProcessBody body, SpawnOptions options) {
        CompletableFuture<Exit> exit = new CompletableFuture<>();
        return new Spawned(
                processes.spawn(body, options.toBuilder().onExit(exit::complete).build()), exit);
    }

    private record Spawned(Pid pid, CompletableFuture<Exit> exit) {
        Exit awaitExit() throws Exception {
            return exit.get(LONGEST.toSeconds(), TimeUnit.SECONDS);
        }
    }

    @Test
    void eachCallIsAYieldAndReturnsItsResult() throws Exception {
        Numbered command = echo(1);
        Spawned process = spawn(self -> {
            int sum = 0;
            for (int i = 0; i < 100; i++) {
                Object result = self.call(i == 1 ? command : echo(i));
                sum += result == null ? 0 : (Integer) result;
            }
            return sum;
        });
        assertThat(process.awaitExit()).isEqualTo(new Exit(process.pid, 4_950, null));
        assertThat(command.released).hasValue(1);
    }

    @Test
    void aCallThatFailsThrowsWhatTheCommandFailedWith() throws Exception {
        Spawned process = spawn(self -> {
            List<String> messages = new ArrayList<>();
            try {
                self.call(new Numbered(ProcessFixture.THROWING, 1));
            } catch (IllegalArgumentException e) {
                messages.add(String.valueOf(e.getMessage()));
            }
            try {
                self.call(new Numbered(999, 1));
            } catch (CommandException e) {
                messages.add(e.reason().code());
            }
            return messages;
        });
        assertThat(process.awaitExit().result()).isEqualTo(List.of("refused", "unknown_command"));
    }

    @Test
    void aCallWithATimeoutAlwaysEnds() throws Exception {
        Spawned process = spawn(self -> self.call(later(1), Duration.ofSeconds(1)));
        fixture.nextBegun();
        fixture.time.advance(Duration.ofSeconds(2));
        assertThat(process.awaitExit().error()).isInstanceOf(CommandException.class);
    }

    @Test
    void whatTheBodyThrowsFailsTheProcess() throws Exception {
        assertThat(spawn(self -> {
                            throw new java.io.IOException("bad");
                        })
                        .awaitExit()
                        .error())
                .isInstanceOf(java.io.IOException.class);
    }

    @Test
    void messagesAreReceivedInOrderAndCountInTheMailboxUntilThen() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        Spawned process = spawn(
                self -> {
                    goOn.await();
                    List<@Nullable Object> received = new ArrayList<>();
                    for (int i = 0; i < 3; i++) {
                        received.add(self.receive().data());
                        self.call(echo(i));
                    }
                    assertThat(self.receive(Duration.ofMillis(1))).isNull();
                    return received;
                },
                SpawnOptions.builder().mailbox(3).build());
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        for (int i = 0; i < 3; i++) {
            assertThat(processes.send(process.pid, new Message(null, "m", i))).isTrue();
        }
        assertThat(processes.send(process.pid, new Message(null, "m", 4))).isFalse();
        goOn.countDown();
        assertThat(process.awaitExit().result()).isEqualTo(List.of(0, 1, 2));
    }

    @Test
    void theExitOfAMonitoredProcessIsReceived() throws Exception {
        Spawned process = spawn(self -> {
            processes.spawn(
                    other -> "child",
                    SpawnOptions.builder().parent(self.pid()).monitored().build());
            return self.receive().data();
        });
        assertThat(process.awaitExit().result()).isEqualTo("child");
    }

    @Test
    void terminationInterruptsTheBodyAndCancelsItsCommand() throws Exception {
        CompletableFuture<Throwable> seen = new CompletableFuture<>();
        Spawned process = spawn(self -> {
            try {
                return self.call(later(1));
            } catch (Exception e) {
                seen.complete(e);
                throw e;
            }
        });
        Begun begun = fixture.nextBegun();
        processes.terminate(process.pid);
        assertThat(process.awaitExit().error())
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(Code.TERMINATED));
        assertThat(seen).succeedsWithin(LONGEST);
        assertThat(begun.context().isCancelled()).isTrue();
    }

    @Test
    void aCancelledBodyCanCleanUpWithCommands() throws Exception {
        Spawned process = spawn(self -> {
            try {
                return self.call(later(1));
            } catch (InterruptedException e) {
                return List.of(self.receive().kind(), self.call(echo(7)));
            }
        });
        fixture.nextBegun();
        processes.cancel(process.pid, null, "enough");
        assertThat(process.awaitExit().result()).isEqualTo(List.of(Event.Kind.CANCEL, 7));
    }

    @Test
    void whoUsesAnEndedProcessIsToldSo() throws Exception {
        CompletableFuture<ProcessBody.Self> leaked = new CompletableFuture<>();
        spawn(self -> {
                    leaked.complete(self);
                    return null;
                })
                .awaitExit();
        ProcessBody.Self self = leaked.get();
        assertThatThrownBy(() -> self.call(echo(1))).isInstanceOf(ProcessException.class);
        assertThatThrownBy(self::receive).isInstanceOf(ProcessException.class);
        assertThat(self.isCancelled()).isTrue();
    }

    @Test
    void aBodyThatTakesLongHoldsUpNoWorker() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        List<Spawned> waiting = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            waiting.add(spawn(self -> {
                goOn.await();
                return null;
            }));
        }
        assertThat(spawn(self -> self.call(echo(1))).awaitExit().result()).isEqualTo(1);
        goOn.countDown();
        for (Spawned one : waiting) {
            assertThat(one.awaitExit().error()).isNull();
        }
    }

    @Test
    void bodiesRunInVirtualThreadsOrWhereThereAreNoneInABoundedNumberOfOthers() throws Exception {
        fixture.close();
        fixture = new ProcessFixture(builder -> builder.bodyThreads(1)).start();
        processes = fixture.processes;
        CountDownLatch goOn = new CountDownLatch(1);
        Spawned first = spawn(self -> {
            goOn.await();
            return Thread.currentThread().getClass().getName();
        });
        boolean virtual = Runtime.version().feature() >= 21;
        if (virtual) {
            assertThat(spawn(self -> "second").awaitExit().result()).isEqualTo("second");
        } else {
            assertThatThrownBy(() -> spawn(self -> null))
                    .isInstanceOfSatisfying(
                            ProcessException.class, e -> assertThat(e.code()).isEqualTo(Code.TOO_MANY));
        }
        goOn.countDown();
        assertThat(((String) first.awaitExit().result()).contains("VirtualThread"))
                .isEqualTo(virtual);
        assertThat(processes.stats().processes()).isZero();
        await().atMost(LONGEST).ignoreExceptions().until(() -> {
            spawn(self -> null).awaitExit();
            return true;
        });
    }
}
