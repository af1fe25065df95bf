package io.github.commandway.agent;

import java.time.Instant;
import java.util.Collections;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An executor with one handler for each kind of command.
 *
 * <pre>{@code
 * record RestartParams(int delaySeconds) {}
 *
 * CommandRouter router = CommandRouter.of(routes -> routes
 *         .use(Middlewares.recovery())
 *         .on("restart", RestartParams.class, (context, params) -> service.restart(params.delaySeconds()))
 *         .group("file.", files -> files
 *                 .use(Middlewares.rateLimit(100, Duration.ofSeconds(1)))
 *                 .on("read", FileRead.class, (context, params) -> read(params))));
 * }</pre>
 *
 * <p>How a handler or middleware ends a command: what it returns is the result, and the command has completed. A
 * {@link io.github.commandway.dispatch.CommandException} ends it with its own reason; parameters that cannot be read are refused that way, as
 * {@code REJECTED_BY_AGENT}. Any other exception is a failure of the executor with the exception's message.
 *
 * <p>Cannot be changed once it is made, and is safe for use by many threads. Keeps no state of its own between commands.
 */
public final class CommandRouter implements CommandExecutor {
    /** Each handler with everything around it. */
    private final SortedMap<String, Middleware.Next> routes;

    private CommandRouter(SortedMap<String, Middleware.Next> routes) {
        this.routes = routes;
    }

    /**
     * Makes a router.
     *
     * @param definition adds the handlers and middleware; called once, before this method returns
     * @throws IllegalArgumentException if two handlers have the same type; the message names it
     */
    public static CommandRouter of(Consumer<CommandRoutes> definition) {
        CommandRoutes routes = new CommandRoutes();
        definition.accept(routes);
        SortedMap<String, Middleware.Next> built = new TreeMap<>();
        routes.buildInto(built);
        return new CommandRouter(built);
    }

    /** The kinds of command that there is a handler for, in alphabetical order: the agent's capabilities. */
    public SortedSet<String> types() {
        return Collections.unmodifiableSortedSet(new TreeSet<>(routes.keySet()));
    }

    /** Executes a command outside an agent: it has no deadline, is never cancelled, and what it reports goes nowhere. */
    @Override
    public byte[] execute(String type, byte[] payload) throws Exception {
        return execute(Detached.INSTANCE, type, payload);
    }

    @Override
    public byte[] execute(ExecutionContext context, String type, byte[] payload) throws Exception {
        Middleware.Next route = routes.get(type);
        if (route == null) {
            throw new UnknownCommandException(type, routes.keySet());
        }
        return route.execute(context, payload);
    }

    private enum Detached implements ExecutionContext {
        INSTANCE;

        @Override
        public String commandId() {
            return "";
        }

        @Override
        public int attempt() {
            return 1;
        }

        @Override
        public Instant deadline() {
            return Instant.MAX;
        }

        @Override
        public boolean isCancelled() {
            return false;
        }

        @Override
        public void onCancel(Runnable action) {}

        @Override
        public void progress(double fraction, String message) {}

        @Override
        public void output(String channel, byte[] data) {}

        @Override
        public @Nullable String principal() {
            return null;
        }

        @Override
        public @Nullable String traceParent() {
            return null;
        }
    }
}
