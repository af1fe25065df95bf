package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Contracts: sets of methods that are called without knowing what is behind them. A binding, found by its name, makes an instance, and its methods are called until it is
 * closed with the process that opened it. Methods may block; cancelling a call interrupts it. What does not fit into the workers is refused.
 */
public final class ContractService implements SystemService {
    /** The id of {@link Open}. */
    public static final int OPEN = 190;
    /** The id of {@link Call}. */
    public static final int CALL = 191;
    /** The id of {@link AsyncCall}. */
    public static final int ASYNC_CALL = 192;
    /** The id of {@link AsyncCancel}. */
    public static final int ASYNC_CANCEL = 193;
    /** The id of {@link Close}. */
    public static final int CLOSE = 194;

    private static final Logger log = LoggerFactory.getLogger(ContractService.class);

    private final Map<String, Binding> bindings;
    private final Workers workers;
    private final AsyncCalls async;
    private final Handles<Opened> instances;

    /**
     * @param bindings by name
     * @param workers runs them; closed with this service
     * @param limit how many instances are open at most
     */
    public ContractService(Map<String, Binding> bindings, Workers workers, int limit) {
        this.bindings = Map.copyOf(bindings);
        this.workers = workers;
        async = new AsyncCalls(workers);
        instances = new Handles<>("instance", limit, ContractService::closeUnasked);
    }

    @Override
    public String name() {
        return "contract";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(OPEN, (context, command, tag, receiver) -> open(context, (Open) command, tag, receiver));
        registrar.register(CALL, (context, command, tag, receiver) -> {
            Call call = (Call) command;
            workers.run(context, tag, receiver, work(call.instance, call.method, call.arguments));
        });
        registrar.register(ASYNC_CALL, (context, command, tag, receiver) -> {
            AsyncCall call = (AsyncCall) command;
            async.start(context, tag, receiver, call.topic, work(call.instance, call.method, call.arguments));
        });
        registrar.register(
                ASYNC_CANCEL,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, async.cancel(context, ((AsyncCancel) command).topic), null));
        registrar.register(CLOSE, (context, command, tag, receiver) -> {
            long id = ((Close) command).instance;
            receiver.completeYield(tag, instances.close(id), null);
        });
    }

    /** How many instances are open. */
    public int active() {
        return instances.size();
    }

    @Override
    public void ended(Pid process) {
        async.ended(process);
        instances.closeAll(process);
    }

    @Override
    public void close() {
        instances.close();
        workers.close();
    }

    private void open(CommandContext context, Open command, long tag, ResultReceiver receiver) {
        Binding binding = bindings.get(command.binding);
        if (binding == null) {
            throw new NoSuchElementException(
                    "there is no binding '" + command.binding + "'; there are " + bindings.keySet());
        }
        workers.run(context, job -> new Opened(binding.methods(), binding.open(command.scope)), (opened, error) -> {
            if (opened instanceof Opened instance) {
                instances.open(context, tag, receiver, instance, id -> id);
            } else {
                receiver.completeYield(tag, null, error);
            }
        });
    }

    private Workers.Work work(long id, String method, List<@Nullable Object> arguments) {
        Opened opened = instances.get(id);
        if (!opened.methods.contains(method)) {
            throw new NoSuchElementException("the contract has no method '" + method + "'; it has " + opened.methods);
        }
        return job -> opened.instance.call(method, arguments, job);
    }

    @SuppressWarnings("IllegalCatch")
    private static void closeUnasked(Opened opened) {
        try {
            opened.instance.close();
        } catch (RuntimeException e) {
            log.warn("An instance of a contract could not be closed", e);
        }
    }

    private record Opened(Set<String> methods, Instance instance) {}

    /** Makes instances of a contract. Called by many threads at once. */
    public interface Binding {
        /** The methods of the contract; no other is called. */
        Set<String> methods();

        /**
         * Makes an instance; may block.
         *
         * @param scope what the caller sets for it
         * @throws Exception there is none to be had
         */
        Instance open(Map<String, Object> scope) throws Exception;
    }

    /** What is behind a contract. Called by many threads at once. */
    @FunctionalInterface
    public interface Instance {
        /**
         * Calls a method; may block, and is interrupted when nobody wants the result any more.
         *
         * @param arguments cannot be changed
         * @param job takes what else is to be done to stop it
         * @throws Exception it has failed
         */
        @Nullable Object call(String method, List<@Nullable Object> arguments, Workers.Job job) throws Exception;

        /** Ends the instance. Must not block; calls that are under way may still be. */
        default void close() {}
    }

    /** Makes an instance. Completes with its number, a Long. */
    public record Open(String binding, Map<String, Object> scope) implements Command {
        /** Copies the scope. */
        public Open {
            scope = Map.copyOf(scope);
        }

        @Override
        public int commandId() {
            return OPEN;
        }
    }

    /** Calls a method. Completes with what it returns, or fails with what it throws. */
    public record Call(long instance, String method, List<@Nullable Object> arguments) implements Command {
        /** Copies the arguments. */
        public Call {
            arguments = FunctionService.copy(arguments);
        }

        @Override
        public int commandId() {
            return CALL;
        }
    }

    /** Calls a method and completes with null at once. The calling process gets an {@link AsyncResult} on {@code topic}, to which nothing else may be under way. */
    public record AsyncCall(long instance, String method, List<@Nullable Object> arguments, String topic)
            implements Command {
        /** Copies the arguments. */
        public AsyncCall {
            arguments = FunctionService.copy(arguments);
        }

        @Override
        public int commandId() {
            return ASYNC_CALL;
        }
    }

    /** Stops the call of the calling process whose result would go to {@code topic}; the result then is a failure. Completes with whether there was one. */
    public record AsyncCancel(String topic) implements Command {
        @Override
        public int commandId() {
            return ASYNC_CANCEL;
        }
    }

    /** Ends an instance. Completes with whether it was open. */
    public record Close(long instance) implements Command {
        @Override
        public int commandId() {
            return CLOSE;
        }
    }
}
