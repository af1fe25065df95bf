package io.github.commandway.http;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * One operation of the API. The table of all routes decides what is answered, and is what the OpenAPI document is made from.
 *
 * @param path with parameters such as {@code {id}}; one such as <code>{args...}</code> at the end takes the rest of the path, with all its segments or none
 * @param anyType whether the body is read as JSON even if it says to be a form, as curl does unless told otherwise
 * @param numbered whether its problems have the numbers of the task API ({@link ErrorNumbers})
 * @param open whether it is answered without credentials
 * @param needs the rights that the caller must have
 * @param extent of which commands the caller must have them at least
 * @param hidesResults whether results are left out of the answer without the right to see output
 * @param acts whether it has an effect although its method is GET; then there is no HEAD of it
 * @param tools whether the body is a request to run a tool, in JSON or YAML, and read by the handler
 * @param query the parameters that it takes
 * @param body the members of the JSON object that it takes; empty if it takes none
 * @param answers what it answers when all is well: status to the name of a schema in {@link Schemas}
 * @param problems the statuses with which it refuses, beyond {@link #commonProblems}
 */
record Route(
        String method,
        String path,
        String summary,
        boolean open,
        List<Right> needs,
        Extent extent,
        boolean hidesResults,
        boolean anyType,
        boolean numbered,
        boolean acts,
        boolean tools,
        List<Field> query,
        List<Field> body,
        Map<Integer, String> answers,
        List<Integer> problems,
        Handler handler) {

    /** The path of a route that takes what no other route has a claim to. */
    static final String ANY_PATH = "/{path}";

    /** The query parameter by which a route that can do both answers with events. */
    static final String SSE = "sse";

    /** Where the body of a route for {@link #tools} is in the body's values. */
    static final String WHOLE_BODY = "";

    /** In {@link #answers}: a status that the table cannot know. */
    static final int ANY_STATUS = 0;

    /** Of which commands a route needs its rights. */
    enum Extent {
        /** Of some: whether of the one that it is about is looked at when that is known. */
        SOME,
        /** Of all that are the caller's own. */
        OWN,
        /** Of all, since it is not about commands that are somebody's. */
        ALL
    }

    /** Answers one call of the route; runs in an event loop, so it must not block. */
    @FunctionalInterface
    interface Handler {
        Mono<Reply> handle(Call call);
    }

    /** The statuses of problems that any route like this one may end in, whatever it does: bad or foreign requests, too much at once, mistakes of ours. */
    Set<Integer> commonProblems() {
        Set<Integer> statuses = new TreeSet<>(Set.of(400, 403, 500, 503));
        if (!open) {
            statuses.add(401);
        }
        if (takesBody()) {
            statuses.addAll(Set.of(408, 413, 415));
        }
        return statuses;
    }

    /** Whether the answer to a request with this query is a stream of events. */
    boolean streams(Values given) {
        return query.stream().anyMatch(field -> field.name().equals(SSE))
                ? Boolean.TRUE.equals(given.flag(SSE))
                : answers.containsValue(Schemas.EVENTS);
    }

    boolean takesBody() {
        return method.equals("POST") || method.equals("PATCH");
    }

    static Builder get(String path, String summary) {
        return new Builder("GET", path, summary);
    }

    static Builder post(String path, String summary) {
        return new Builder("POST", path, summary);
    }

    static Builder patch(String path, String summary) {
        return new Builder("PATCH", path, summary);
    }

    static Builder delete(String path, String summary) {
        return new Builder("DELETE", path, summary);
    }

    /** Builds a {@link Route}; {@link #handledBy} ends it, and fails if it was not said what rights are needed. */
    static final class Builder {
        private final String method;
        private final String path;
        private final String summary;
        private boolean open;
        private @Nullable List<Right> needs;
        private Extent extent = Extent.SOME;
        private boolean hidesResults;
        private boolean anyType;
        private boolean numbered;
        private boolean acts;
        private boolean tools;
        private List<Field> query = List.of();
        private List<Field> body = List.of();
        private Map<Integer, String> answers = Map.of();
        private List<Integer> problems = List.of();

        private Builder(String method, String path, String summary) {
            this.method = method;
            this.path = path;
            this.summary = summary;
        }

        Builder withoutCredentials() {
            open = true;
            return needsNothing();
        }

        /** Only for callers who have these rights, if only for some commands; {@link Records} looks which. */
        Builder needs(Right... rights) {
            return needs(Extent.SOME, rights);
        }

        /** Only for callers who have these rights for all commands of their own. */
        Builder needsForOwn(Right... rights) {
            return needs(Extent.OWN, rights);
        }

        /** Only for callers who have these rights for all commands. */
        Builder needsForAll(Right... rights) {
            return needs(Extent.ALL, rights);
        }

        private Builder needs(Extent extent, Right... rights) {
            this.extent = extent;
            needs = List.of(rights);
            return this;
        }

        /** For everybody who is let in. */
        Builder needsNothing() {
            return needs(Extent.SOME);
        }

        /** The answer has results of commands, which are left out where the caller may not see them. */
        Builder hidesResults() {
            hidesResults = true;
            return this;
        }

        Builder withAnyType() {
            anyType = true;
            return this;
        }

        Builder withNumbers() {
            numbered = true;
            return this;
        }

        Builder withEffect() {
            acts = true;
            return this;
        }

        Builder withToolRequest() {
            tools = true;
            return this;
        }

        Builder query(Field... fields) {
            query = List.of(fields);
            return this;
        }

        Builder body(Field... fields) {
            body = List.of(fields);
            return this;
        }

        Builder answers(int status, String schema) {
            answers = Map.of(status, schema);
            return this;
        }

        Builder answers(int status, String schema, int otherStatus, String otherSchema) {
            answers = Map.of(status, schema, otherStatus, otherSchema);
            return this;
        }

        Builder answersAlso(int status, String schema) {
            answers = new TreeMap<>(answers);
            answers.put(status, schema);
            return this;
        }

        /** Beside the other answers there may be one with any status. */
        Builder answersAnyStatus(String schema) {
            return answersAlso(ANY_STATUS, schema);
        }

        Builder refuses(Integer... statuses) {
            problems = List.of(statuses);
            return this;
        }

        Route handledBy(Handler handler) {
            if (needs == null) {
                throw new IllegalStateException(method + " " + path + " does not say what rights it needs");
            }
            return new Route(
                    method,
                    path,
                    summary,
                    open,
                    needs,
                    extent,
                    hidesResults,
                    anyType,
                    numbered,
                    acts,
                    tools,
                    query,
                    body,
                    answers,
                    problems,
                    handler);
        }
    }
}
