package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.system.WorkflowHistory.Kind;
import io.github.commandway.system.WorkflowHistory.Step;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.Callable;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The steps of workflows. What a step gave is in the workflow's {@link WorkflowHistory}, and when the workflow runs again with it, the step is not done but gives the same. A step that was cancelled or refused
 * is not recorded: it is done again.
 */
public final class WorkflowService implements SystemService {
    /** The id of {@link SideEffect}. */
    public static final int SIDE_EFFECT = 180;
    /** The id of {@link Exec}. */
    public static final int EXEC = 181;
    /** The id of {@link Version}. */
    public static final int VERSION = 182;
    /** The id of {@link UpsertAttributes}. */
    public static final int UPSERT_ATTRIBUTES = 183;

    private final Map<String, FunctionService.Function> functions;
    private final Workers workers;

    /**
     * @param functions what {@link Exec} calls, by name
     * @param workers runs steps; closed with this service
     */
    public WorkflowService(Map<String, FunctionService.Function> functions, Workers workers) {
        this.functions = Map.copyOf(functions);
        this.workers = workers;
    }

    @Override
    public String name() {
        return "workflow";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(SIDE_EFFECT, (context, command, tag, receiver) -> {
            SideEffect effect = (SideEffect) command;
            Step step = effect.history.begin(Kind.SIDE_EFFECT, effect.name);
            perform(context, tag, receiver, effect.history, step, job -> effect.action.call());
        });
        registrar.register(EXEC, (context, command, tag, receiver) -> {
            Exec exec = (Exec) command;
            FunctionService.Function function = functions.get(exec.function);
            if (function == null) {
                throw new NoSuchElementException(
                        "there is no function '" + exec.function + "'; there are " + functions.keySet());
            }
            Step step = exec.history.begin(Kind.EXEC, exec.function);
            perform(context, tag, receiver, exec.history, step, job -> function.call(exec.arguments, job));
        });
        registrar.register(VERSION, (context, command, tag, receiver) -> {
            Version version = (Version) command;
            receiver.completeYield(tag, version.history.version(version.change, version.oldest, version.newest), null);
        });
        registrar.register(UPSERT_ATTRIBUTES, (context, command, tag, receiver) -> {
            UpsertAttributes upsert = (UpsertAttributes) command;
            upsert.history.upsert(upsert.searchAttributes, upsert.memo);
            receiver.completeYield(tag, null, null);
        });
    }

    @Override
    public void close() {
        workers.close();
    }

    private void perform(
            CommandContext context,
            long tag,
            ResultReceiver receiver,
            WorkflowHistory history,
            Step step,
            Workers.Work work)
            throws WorkflowHistory.StepFailedException {
        if (history.isOver(step)) {
            receiver.completeYield(tag, history.outcome(step), null);
            return;
        }
        workers.run(
                context,
                job -> {
                    Object value = work.run(job);
                    history.end(step, value);
                    return value;
                },
                (value, error) -> {
                    boolean wasNotDone =
                            error instanceof CommandException || error instanceof RejectedExecutionException;
                    receiver.completeYield(tag, value, error == null || wasNotDone ? error : history.fail(step, error));
                });
    }

    /**
     * Does something whose outcome is not the same each time, such as choosing a random number. Completes with what the action returns.
     *
     * @param name what it is; the same when the workflow runs again
     * @param action what is done if it was not done before; may block
     */
    public record SideEffect(WorkflowHistory history, String name, Callable<@Nullable Object> action)
            implements Command {
        @Override
        public int commandId() {
            return SIDE_EFFECT;
        }
    }

    /** Calls a function. Completes with what it returns. */
    public record Exec(WorkflowHistory history, String function, List<@Nullable Object> arguments) implements Command {
        /** Copies the arguments. */
        public Exec {
            arguments = FunctionService.copy(arguments);
        }

        @Override
        public int commandId() {
            return EXEC;
        }
    }

    /**
     * Asks which version of a piece of the workflow to follow. Completes with it, an Integer: {@code newest} if the workflow comes here for the first time, and what it was then if it runs
     * again; {@code oldest} if it had come by before there was this question.
     *
     * @param oldest the oldest version that is still there
     * @param newest not less than {@code oldest}
     */
    public record Version(WorkflowHistory history, String change, int oldest, int newest) implements Command {
        /** Checks the order. */
        public Version {
            if (oldest > newest) {
                throw new IllegalArgumentException("version " + oldest + " is not before " + newest);
            }
        }

        @Override
        public int commandId() {
            return VERSION;
        }
    }

    /** Sets what the workflow can be found by, and what else it tells; what is not named stays. Completes with null. */
    public record UpsertAttributes(
            WorkflowHistory history, Map<String, @Nullable Object> searchAttributes, Map<String, @Nullable Object> memo)
            implements Command {
        /** Copies what it gets. */
        public UpsertAttributes {
            searchAttributes = Collections.unmodifiableMap(new LinkedHashMap<>(searchAttributes));
            memo = Collections.unmodifiableMap(new LinkedHashMap<>(memo));
        }

        @Override
        public int commandId() {
            return UPSERT_ATTRIBUTES;
        }
    }
}
