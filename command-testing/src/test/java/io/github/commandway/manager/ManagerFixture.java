package io.github.commandway.manager;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.testing.ManualTime;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A manager with manual time, one handler that begins at once and one that keeps commands waiting; both leave the end to the test. */
final class ManagerFixture implements AutoCloseable {
    static final int DIRECT = 300;
    static final int QUEUED = 301;

    final ManualTime time = new ManualTime();
    final DirectHandler direct = new DirectHandler();
    final WaitingHandler waiting = new WaitingHandler();
    final Registry registry = new Registry();
    final List<CommandEvent> heard = Collections.synchronizedList(new ArrayList<>());
    final CommandManager manager;

    ManagerFixture() {
        this(builder -> builder);
    }

    ManagerFixture(UnaryOperator<CommandManager.Builder> change) {
        this(change, registry -> {});
    }

    ManagerFixture(UnaryOperator<CommandManager.Builder> change, Consumer<Registry> more) {
        registry.register("test", DIRECT, direct);
        registry.register("test", QUEUED, waiting);
        more.accept(registry);
        manager = change.apply(CommandManager.builder(registry)
                        .time(time.clock(), time::nanos)
                        .timer(time.scheduler())
                        .listener((command, event) -> heard.add(event)))
                .build();
    }

    static CommandRequest.Builder toDirect() {
        return CommandRequest.to(new Target.Local(DIRECT), "direct");
    }

    static CommandRequest.Builder toQueue() {
        return CommandRequest.to(new Target.Local(QUEUED), "queued");
    }

    CommandHandle submit(CommandRequest.Builder request) {
        return manager.submit(request.build()).join();
    }

    /** The code with which the manager refuses the request. */
    CommandRejectedException.Code refusalOf(CommandRequest.Builder request) {
        return codeOf(manager.submit(request.build()));
    }

    static CommandRejectedException.Code codeOf(java.util.concurrent.CompletableFuture<CommandHandle> answer) {
        try {
            throw new AssertionError("was accepted: " + answer.get());
        } catch (ExecutionException refused) {
            if (refused.getCause() instanceof CommandRejectedException refusal) {
                return refusal.code();
            }
            throw new AssertionError("not a refusal", refused.getCause());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    CommandRecord find(CommandHandle handle) {
        return manager.find(handle.id()).join().orElseThrow();
    }

    List<CommandEvent.Type> eventsOf(CommandHandle handle) {
        return manager.events(handle.id(), 0, 1_000).join().stream()
                .map(CommandEvent::type)
                .toList();
    }

    void advance(Duration by) {
        time.advance(by);
    }

    /** Moves on by {@code by} and by as much as a deadline may be late. */
    void advancePast(Duration by) {
        time.advance(by.plusNanos(2 * 16_000_000));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        manager.close();
    }

    /** One call of a handler. */
    record Call(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
        void succeed(@Nullable Object result) {
            receiver.completeYield(tag, result, null);
        }

        void fail(Throwable error) {
            receiver.completeYield(tag, null, error);
        }

        boolean handOver() {
            return receiver.handOver(tag);
        }

        void started() {
            receiver.started(tag);
        }

        /** Remembers why the command is not wanted any more. */
        List<CancelCause> causes() {
            List<CancelCause> causes = Collections.synchronizedList(new ArrayList<>());
            context.onCancel(causes::add);
            return causes;
        }
    }

    /** Remembers its calls. */
    static class DirectHandler implements Handler {
        final List<Call> calls = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            calls.add(new Call(context, (RecordedCommand) command, tag, receiver));
        }

        Call last() {
            return calls.get(calls.size() - 1);
        }
    }

    /** The same, for commands that wait to be handed over. */
    static final class WaitingHandler extends DirectHandler implements QueueingHandler {
        CommandRejectedException.@Nullable Code refusal;
        Runnable onAdmit = () -> {};
        Duration stopGrace = Duration.ZERO;

        @Override
        public Duration stopGrace(RecordedCommand command) {
            return stopGrace;
        }

        @Override
        public CommandRequest admit(CommandRequest request) throws CommandRejectedException {
            onAdmit.run();
            if (refusal != null) {
                throw new CommandRejectedException(refusal, "refused by the test");
            }
            return request;
        }
    }
}
