package io.github.commandway.http;

import io.github.commandway.manager.CommandRequest;
import org.jspecify.annotations.Nullable;

/**
 * Who sent a request.
 *
 * @param name who was authenticated; null if nobody had to be
 */
record Caller(@Nullable String name, Rights rights) {

    private static final String FOR_COMMAND = " for this command";

    /** Whoever sent a request to a route that is open to all, where credentials are needed elsewhere. */
    static final Caller NOBODY = new Caller(null, Rights.none());

    /** Whoever sent a request where no credentials are needed. */
    static final Caller ANYBODY = new Caller(null, Rights.all());

    /** Whether the right is there for this command. */
    boolean may(Right right, CommandRequest command) {
        return rights.covers(right, name, command);
    }

    /** Whether the right is there for some commands of this type. */
    boolean mayForType(Right right, String type) {
        return rights.scope(right, name)
                .filter(scope -> scope.includesType(type))
                .isPresent();
    }

    /** Lets the caller go on to a route only with the rights that it needs. */
    void requireFor(Route route) {
        for (Right right : route.needs()) {
            if (!rights.includes(right, route.extent())) {
                throw missing(right, rights.includes(right, Route.Extent.SOME) ? " without limits" : "");
            }
        }
    }

    /** Lets the caller go on only with the right for this command. */
    void require(Right right, CommandRequest command) {
        if (!may(right, command)) {
            throw missing(right, FOR_COMMAND);
        }
    }

    /** Lets the caller go on only if commands of this type may be run at the target with this text form, whether or not there are such. */
    void requireRun(String type, String target) {
        if (rights.scope(Right.RUN, name)
                .filter(scope -> scope.includes(name, type, target))
                .isEmpty()) {
            throw missing(Right.RUN, FOR_COMMAND);
        }
    }

    private Problem missing(Right right, String what) {
        return new Problem(
                        ProblemType.RIGHT_MISSING,
                        "this needs the right '" + right.code() + "'" + what + ", which "
                                + (name == null ? "this caller" : "'" + name + "'") + " does not have")
                .with("right", right.code());
    }
}
