package io.github.commandway.agent;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The handler of typed commands: has the host's {@link CommandExecutor} execute them in the agent's workers. */
final class ExecutorHandler implements Handler {
    private final CommandExecutor executor;
    private final Executor workers;

    ExecutorHandler(CommandExecutor executor, Executor workers) {
        this.executor = executor;
        this.workers = workers;
    }

    @Override
    public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
        workers.execute(new Run(executor, (Execution) command));
    }

    /** One call of the executor, and what it may ask for meanwhile. Its lock guards the fields that are not final. */
    private static final class Run implements Runnable, ExecutionContext, Consumer<CancelCause> {
        private final CommandExecutor executor;
        private final Execution execution;
        private @Nullable List<Runnable> cancelActions;
        private @Nullable Thread worker;
        private boolean cancelled;

        Run(CommandExecutor executor, Execution execution) {
            this.executor = executor;
            this.execution = execution;
        }

        @Override
        @SuppressWarnings("IllegalCatch")
        public void run() {
            if (!execution.handOver(execution.tag())) {
                return;
            }
            synchronized (this) {
                worker = Thread.currentThread();
            }
            execution.onCancel(this);
            byte[] result = null;
            Throwable error = null;
            try {
                result = executor.execute(
                        this,
                        execution.assignment().type(),
                        execution.assignment().payload());
            } catch (Throwable e) {
                error = e;
            }
            synchronized (this) {
                worker = null;
            }
            // an interrupt that came too late must not meet the next command
            boolean interrupted = Thread.interrupted();
            execution.completeYield(execution.tag(), result, error == null ? null : outcomeOf(error, interrupted));
        }

        @Override
        public void accept(CancelCause cause) {
            List<Runnable> actions;
            synchronized (this) {
                cancelled = true;
                if (worker != null) {
                    worker.interrupt();
                }
                actions = cancelActions == null ? List.of() : List.copyOf(cancelActions);
            }
            actions.forEach(Runnable::run);
        }

        private Throwable outcomeOf(Throwable error, boolean interrupted) {
            CancelCause cause = execution.cancelCause();
            if (cause != null) {
                String how = interrupted || error instanceof InterruptedException ? "interrupted" : "stopped: " + error;
                return new CommandException(cause.reason(), how);
            }
            if (error instanceof UnknownCommandException) {
                return new CommandException(Reason.UNKNOWN_COMMAND, String.valueOf(error.getMessage()));
            }
            return error;
        }

        @Override
        public String commandId() {
            return execution.assignment().id().toString();
        }

        @Override
        public int attempt() {
            return execution.assignment().attempt();
        }

        @Override
        public Instant deadline() {
            return execution.deadline();
        }

        @Override
        public boolean isCancelled() {
            return execution.isCancelled();
        }

        @Override
        public void onCancel(Runnable action) {
            boolean now;
            synchronized (this) {
                if (cancelActions == null) {
                    cancelActions = new ArrayList<>(1);
                }
                cancelActions.add(action);
                now = cancelled;
            }
            if (now) {
                action.run();
            }
        }

        @Override
        public void progress(double fraction, String message) {
            execution.progress(execution.tag(), fraction, message);
        }

        @Override
        public void output(String channel, byte[] data) throws InterruptedException {
            execution.awaitOutput(channel, data);
        }

        @Override
        public @Nullable String principal() {
            return execution.principal();
        }

        @Override
        public @Nullable String traceParent() {
            return execution.traceParent();
        }
    }
}
