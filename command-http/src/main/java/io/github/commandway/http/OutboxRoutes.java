package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.manager.RecordId;
import io.github.commandway.outbox.api.DeadLetter;
import io.github.commandway.outbox.api.DeadLetters;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import reactor.core.publisher.Mono;

/** The routes of what could not be delivered. */
final class OutboxRoutes {
    private static final int DEFAULT_LIMIT = 100;
    private static final String DEAD = "/api/outbox/dead";

    private final DeadLetters deadLetters;

    OutboxRoutes(DeadLetters deadLetters) {
        this.deadLetters = deadLetters;
    }

    List<Route> routes() {
        return List.of(
                Route.get(DEAD, "Events and callbacks that could not be delivered, the oldest first.")
                        .query(
                                Field.optional("limit", Field.Kind.LIMIT, "How many at most; 100 if not given."),
                                Field.optional(
                                        "after", Field.Kind.SEQUENCE, "Where to go on: next_after of the page before."))
                        .needsForAll(Right.MANAGE)
                        .answers(200, "DeadLetters")
                        .handledBy(this::list),
                Route.post(DEAD + "/{id}/replay", "Tries one again, and then what waits behind it.")
                        .needsForAll(Right.MANAGE)
                        .answers(200, "DeadLetterDone")
                        .refuses(404)
                        .handledBy(call -> done(call, deadLetters::replay, "Will be delivered again")),
                Route.post(DEAD + "/{id}/discard", "Gives one up, and delivers what waits behind it.")
                        .needsForAll(Right.MANAGE)
                        .answers(200, "DeadLetterDone")
                        .refuses(404)
                        .handledBy(call -> done(call, deadLetters::discard, "Given up")));
    }

    private Mono<Reply> list(Call call) {
        int limit = call.query().number("limit", DEFAULT_LIMIT);
        Long after = call.query().number("after");
        return monoOf(deadLetters.deadLetters(limit, after == null ? 0 : after)).map(found -> {
            CommandJson.Room room = new CommandJson.Room(CommandJson.LIST_CONTENT_BYTES);
            Map<String, Object> json = Json.list(
                    "dead",
                    found.stream().map(letter -> deadLetter(letter, room)).toList());
            if (found.size() == limit) {
                json.put("next_after", found.get(limit - 1).sequence());
            }
            return Reply.json(200, json);
        });
    }

    private static Map<String, Object> deadLetter(DeadLetter letter, CommandJson.Room room) {
        byte[] payload = letter.payload().getBytes(StandardCharsets.UTF_8);
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", letter.id().toString());
        json.put("topic", letter.topic());
        json.put("key", letter.key());
        json.put("type", letter.type());
        if (room.take(payload.length)) {
            json.put("payload", Json.content(payload));
        } else {
            json.put("omitted", List.of("payload"));
        }
        json.put("attempts", letter.attempts());
        json.put("error", letter.error());
        json.put("parked_at", letter.parkedAt().toString());
        return json;
    }

    private static Mono<Reply> done(Call call, Function<UUID, CompletableFuture<Boolean>> action, String message) {
        String given = call.path("id");
        return RecordId.parse(given)
                .filter(id -> id.form() == RecordId.Form.UUID)
                .map(id -> monoOf(action.apply(new UUID(id.high(), id.low()))))
                .orElseGet(() -> Mono.just(false))
                .map(found -> {
                    if (!found) {
                        throw new Problem(
                                ProblemType.NOT_FOUND, "there is no event of this id that could not be delivered");
                    }
                    Map<String, Object> json = new LinkedHashMap<>();
                    json.put("success", true);
                    json.put("id", given);
                    json.put("message", message);
                    return Reply.json(200, json);
                });
    }
}
