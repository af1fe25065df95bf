package io.github.commandway.manager;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Which records to list, newest first.
 *
 * @param target only those for this target, or null for all
 * @param status only those in this status, or null for all
 * @param type only those of this type, or null for all
 * @param principal only those of this caller, or null for all
 * @param toolsOnly whether to list runs of tools and toolchains only: those whose type begins with {@code tool:} or {@code toolchain:}
 * @param from only those accepted at this moment or later, or null for all
 * @param until only those accepted before this moment, or null for all
 * @param limit how many at most, from 1 to 1,000
 * @param cursor where the page before ended ({@link CommandPage#nextCursor()}), or null to begin
 * @param scope only those that are also among these
 */
public record CommandQuery(
        @Nullable Target target,
        @Nullable CommandStatus status,
        @Nullable String type,
        @Nullable String principal,
        boolean toolsOnly,
        @Nullable Instant from,
        @Nullable Instant until,
        int limit,
        @Nullable String cursor,
        CommandScope scope) {
    /** The most records on one page. */
    public static final int MAX_LIMIT = 1_000;

    /** Checks the limit. */
    public CommandQuery {
        if (limit < 1 || limit > MAX_LIMIT) {
            throw new IllegalArgumentException("limit must be from 1 to " + MAX_LIMIT + ", but is " + limit);
        }
    }

    /** Asks for records of any caller. */
    public CommandQuery(
            @Nullable Target target,
            @Nullable CommandStatus status,
            @Nullable String type,
            @Nullable Instant from,
            @Nullable Instant until,
            int limit,
            @Nullable String cursor) {
        this(target, status, type, null, false, from, until, limit, cursor, CommandScope.ALL);
    }

    /** Asks for records of any type, caller and time. */
    public CommandQuery(@Nullable Target target, @Nullable CommandStatus status, int limit, @Nullable String cursor) {
        this(target, status, null, null, null, limit, cursor);
    }

    /** The same, within this scope. */
    public CommandQuery within(CommandScope scope) {
        return new CommandQuery(target, status, type, principal, toolsOnly, from, until, limit, cursor, scope);
    }

    /** Asks for runs of tools and toolchains, wherever they ran. */
    public static CommandQuery runsOfTools(
            @Nullable String type,
            @Nullable String principal,
            @Nullable CommandStatus status,
            @Nullable Instant from,
            @Nullable Instant until,
            int limit,
            @Nullable String cursor) {
        return new CommandQuery(null, status, type, principal, true, from, until, limit, cursor, CommandScope.ALL);
    }

    /** Whether a command of this type is a run of a tool or toolchain. */
    public static boolean isRunOfTool(String type) {
        return type.startsWith("tool:") || type.startsWith("toolchain:");
    }
}
