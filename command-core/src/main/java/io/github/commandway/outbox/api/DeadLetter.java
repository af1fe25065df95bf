package io.github.commandway.outbox.api;

import java.time.Instant;
import java.util.UUID;

/**
 * An entry of the outbox that could not be delivered. It holds up the later ones of its topic and key until it is replayed or discarded.
 *
 * @param sequence its place, to go on listing behind it
 * @param id names the entry
 * @param topic where it was to go
 * @param key what it is about
 * @param type the kind of event
 * @param payload a JSON text
 * @param attempts how often it was tried
 * @param error how the last try failed, for people
 * @param parkedAt when that was
 */
public record DeadLetter(
        long sequence,
        UUID id,
        String topic,
        String key,
        String type,
        String payload,
        int attempts,
        String error,
        Instant parkedAt) {}
