package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandPage;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandScope;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.RecordId;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** Commands as far as a caller has a right to them. Every route that looks at a record, or makes one, does so here. */
final class Records {
    private final CommandManager manager;

    Records(CommandManager manager) {
        this.manager = manager;
    }

    /**
     * Submits a command.
     *
     * @param ids makes the id; null for the manager's own
     * @throws Problem 403 if the caller may not have it executed; nothing was looked up then
     */
    Mono<CommandHandle> submit(Caller caller, CommandRequest request, @Nullable IdGenerator ids) {
        caller.require(Right.RUN, request);
        return monoOf(ids == null ? manager.submit(request) : manager.submit(request, ids, null));
    }

    /**
     * Finds a command.
     *
     * @param needed what the caller must be allowed beside viewing it
     * @return empty if there is none, or the caller may not view it, which is not told apart; fails with a 403 if a needed right is missing
     */
    Mono<CommandRecord> find(Caller caller, RecordId id, Right... needed) {
        return monoOf(manager.find(id))
                .flatMap(Mono::justOrEmpty)
                .filter(record -> caller.may(Right.VIEW, record.request()))
                .doOnNext(record -> {
                    for (Right right : needed) {
                        caller.require(right, record.request());
                    }
                });
    }

    /** The same for routes of commands: fails with a 404 where {@link #find} is empty. */
    Mono<CommandRecord> get(Caller caller, RecordId id, Right... needed) {
        return find(caller, id, needed).switchIfEmpty(Mono.error(() -> Problem.commandUnknown(id.toString())));
    }

    /** Lists those of the commands that the caller may view, which the route must need. Fails with a 400 if the cursor is none of ours. */
    Mono<CommandPage> list(Caller caller, CommandQuery query) {
        CommandScope viewed = caller.rights().scope(Right.VIEW, caller.name()).orElseThrow();
        return monoOf(manager.list(query.within(viewed)))
                .onErrorMap(IllegalArgumentException.class, Records::foreignCursor);
    }

    private static Problem foreignCursor(IllegalArgumentException e) {
        return new Problem(
                        ProblemType.INVALID_PARAMETER, "'cursor' is not one that this server gave: " + e.getMessage())
                .at("cursor");
    }
}
