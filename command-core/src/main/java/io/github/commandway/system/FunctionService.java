package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.process.Pid;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * Functions of the host, by name. They may block; cancelling a call interrupts it. What does not fit into the workers is refused.
 */
public final class FunctionService implements SystemService {
    /** The id of {@link Call}. */
    public static final int CALL = 140;
    /** The id of {@link AsyncStart}. */
    public static final int ASYNC_START = 141;
    /** The id of {@link AsyncCancel}. */
    public static final int ASYNC_CANCEL = 142;

    private final Map<String, Function> functions;
    private final Workers workers;
    private final AsyncCalls async;

    /**
     * @param functions by name
     * @param workers runs them; closed with this service
     */
    public FunctionService(Map<String, Function> functions, Workers workers) {
        this.functions = Map.copyOf(functions);
        this.workers = workers;
        async = new AsyncCalls(workers);
    }

    @Override
    public String name() {
        return "function";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(CALL, (context, command, tag, receiver) -> {
            Call call = (Call) command;
            workers.run(context, tag, receiver, work(call.function, call.arguments));
        });
        registrar.register(ASYNC_START, (context, command, tag, receiver) -> {
            AsyncStart start = (AsyncStart) command;
            async.start(context, tag, receiver, start.topic, work(start.function, start.arguments));
        });
        registrar.register(
                ASYNC_CANCEL,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, async.cancel(context, ((AsyncCancel) command).topic), null));
    }

    /** How many calls run or wait. */
    public int active() {
        return workers.active();
    }

    @Override
    public void ended(Pid process) {
        async.ended(process);
    }

    @Override
    public void close() {
        workers.close();
    }

    private Workers.Work work(String name, List<@Nullable Object> arguments) {
        Function function = functions.get(name);
        if (function == null) {
            throw new NoSuchElementException("there is no function '" + name + "'; there are " + functions.keySet());
        }
        return job -> function.call(arguments, job);
    }

    /** What a function does. Called by many threads at once. */
    @FunctionalInterface
    public interface Function {
        /**
         * Does it. Is interrupted when nobody wants the result any more.
         *
         * @param arguments cannot be changed
         * @param job takes what else is to be done to stop it
         * @throws Exception it has failed
         */
        @Nullable Object call(List<@Nullable Object> arguments, Workers.Job job) throws Exception;
    }

    /** Calls a function. Completes with what it returns, or fails with what it throws. */
    public record Call(String function, List<@Nullable Object> arguments) implements Command {
        /** Copies the arguments. */
        public Call {
            arguments = copy(arguments);
        }

        @Override
        public int commandId() {
            return CALL;
        }
    }

    /** Calls a function and completes with null at once. The calling process gets an {@link AsyncResult} on {@code topic}, to which nothing else may be under way. */
    public record AsyncStart(String function, List<@Nullable Object> arguments, String topic) implements Command {
        /** Copies the arguments. */
        public AsyncStart {
            arguments = copy(arguments);
        }

        @Override
        public int commandId() {
            return ASYNC_START;
        }
    }

    /** Stops the call of the calling process whose result would go to {@code topic}; the result then is a failure. Completes with whether there was one. */
    public record AsyncCancel(String topic) implements Command {
        @Override
        public int commandId() {
            return ASYNC_CANCEL;
        }
    }

    static List<@Nullable Object> copy(List<@Nullable Object> arguments) {
        return Collections.unmodifiableList(new ArrayList<>(arguments));
    }
}
