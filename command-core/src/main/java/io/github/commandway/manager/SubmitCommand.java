package io.github.commandway.manager;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Hands over a command that is recorded, to whatever target, and waits for its end: so a process can have work done by an agent or in a queue. Completes with the final {@link CommandRecord}
 * if that is completed, and otherwise fails with a {@link CommandException} that has its reason; with {@link CommandRejectedException} if the command was not accepted.
 *
 * <p>If the wait is cancelled, or its deadline passes, the recorded command is cancelled. It is left alone when the system is being stopped: a durable one outlives that.
 *
 * @param request what is to be done; its own timeout holds for it
 */
public record SubmitCommand(CommandRequest request) implements Command {
    @Override
    public int commandId() {
        return CommandIds.SUBMIT;
    }

    /** Executes {@link SubmitCommand} with a manager, which gets to know the same registry and so can only be made later: see {@link #start}. */
    public static final class Submitter implements Dispatcher {
        private volatile @Nullable CommandManager manager;

        /** One without a manager, which refuses everything. */
        public Submitter() {}

        /** Sets the manager that commands are handed over to. */
        public void start(CommandManager manager) {
            this.manager = manager;
        }

        @Override
        public String name() {
            return "submit";
        }

        @Override
        public void registerAll(Registrar registrar) {
            registrar.register(CommandIds.SUBMIT, this::submit);
        }

        private void submit(CommandContext context, Command command, long tag, ResultReceiver receiver)
                throws CommandException {
            CommandManager present = manager;
            if (present == null) {
                throw new CommandException(Reason.SHUTDOWN, "no manager has been started that takes commands");
            }
            present.submit(((SubmitCommand) command).request()).whenComplete((handle, error) -> {
                if (error != null) {
                    receiver.completeYield(tag, null, error);
                    return;
                }
                context.onCancel(cause -> {
                    if (cause != CancelCause.SHUTDOWN) {
                        var unused = present.cancel(handle.id());
                    }
                });
                handle.whenEnded(ended -> complete(ended.record(), tag, receiver));
            });
        }

        private static void complete(CommandRecord record, long tag, ResultReceiver receiver) {
            if (record.status() == CommandStatus.COMPLETED) {
                receiver.completeYield(tag, record, null);
            } else {
                Reason reason = Objects.requireNonNull(record.reason());
                String message = Objects.requireNonNullElse(record.message(), reason.code());
                receiver.completeYield(tag, record, new CommandException(reason, message));
            }
        }
    }
}
