package io.github.commandway.agent;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The routes of a {@link CommandRouter} while it is being made. Only for the thread that makes it, and of no effect afterwards.
 *
 * <p>Middleware covers all routes of its group and of the groups inside, whether they were added before it or after it.
 */
public final class CommandRoutes {
    private final @Nullable CommandRoutes parent;
    private final String prefix;
    private final Set<String> taken;
    private final Json json;
    private final List<Middleware> middleware = new ArrayList<>();
    private final List<CommandRoutes> groups = new ArrayList<>();
    private final List<NamedHandler> handlers = new ArrayList<>();

    CommandRoutes() {
        parent = null;
        prefix = "";
        taken = new TreeSet<>();
        json = new Json();
    }

    private CommandRoutes(CommandRoutes parent, String prefix) {
        this.parent = parent;
        this.prefix = parent.prefix + prefix;
        taken = parent.taken;
        json = parent.json;
    }

    /**
     * Adds a handler with typed parameters. Their JSON names are in snake case: {@code delaySeconds} is read from {@code delay_seconds}, and results are
     * written the same way. An empty payload counts as an object without fields, and a field that is missing is null or zero. A field that the type does not
     * have, a value of a wrong type (there are no conversions, such as from a string to a number), a field given twice, and what the type's constructor
     * refuses with an {@link IllegalArgumentException} each refuse the command as {@code REJECTED_BY_AGENT}, with a message that names the field.
     *
     * @param <P> the type of the parameters
     * @param type the name of the kind of command, without the prefix of this group
     * @param params the type of the parameters, usually a record; its package must be open to {@code tools.jackson.databind} unless it is public and exported
     * @param handler executes the command
     * @throws IllegalArgumentException if the type is empty or has a handler already
     */
    public <P> CommandRoutes on(String type, Class<P> params, TypedHandler<P> handler) {
        return on(type, (context, payload) -> {
            Object result = handler.handle(context, json.read(payload, params));
            return json.write(result);
        });
    }

    /**
     * Adds a handler of bytes.
     *
     * @param type the name of the kind of command, without the prefix of this group
     * @param handler executes the command
     * @throws IllegalArgumentException if the type is empty or has a handler already
     */
    public CommandRoutes on(String type, RawHandler handler) {
        String fullType = prefix + type;
        if (type.isEmpty()) {
            throw new IllegalArgumentException(
                    "a command type is empty" + (prefix.isEmpty() ? "" : " in the group '" + prefix + "'"));
        }
        if (!taken.add(fullType)) {
            throw new IllegalArgumentException("there is a handler for '" + fullType + "' already");
        }
        handlers.add(new NamedHandler(fullType, handler));
        return this;
    }

    /** Puts middleware around all routes of this group, inside the middleware that is there already. */
    public CommandRoutes use(Middleware inner) {
        middleware.add(inner);
        return this;
    }

    /**
     * Adds routes that share a prefix and middleware of their own, which runs inside the middleware of this group.
     *
     * @param groupPrefix what their types begin with, with its separator, such as {@code file.}; empty for middleware only
     * @param definition adds the routes; called at once
     */
    public CommandRoutes group(String groupPrefix, Consumer<CommandRoutes> definition) {
        CommandRoutes group = new CommandRoutes(this, groupPrefix);
        groups.add(group);
        definition.accept(group);
        return this;
    }

    void buildInto(Map<String, Middleware.Next> routes) {
        for (NamedHandler handler : handlers) {
            Middleware.Next way = handler.handler::handle;
            for (CommandRoutes level = this; level != null; level = level.parent) {
                for (int i = level.middleware.size() - 1; i >= 0; i--) {
                    way = around(level.middleware.get(i), handler.type, way);
                }
            }
            routes.put(handler.type, way);
        }
        for (CommandRoutes group : groups) {
            group.buildInto(routes);
        }
    }

    private static Middleware.Next around(Middleware middleware, String type, Middleware.Next next) {
        return (context, payload) -> middleware.execute(context, type, payload, next);
    }

    private record NamedHandler(String type, RawHandler handler) {}
}
