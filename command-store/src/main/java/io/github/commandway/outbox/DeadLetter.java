package io.github.commandway.outbox;

import java.time.Instant;

/**
 * An entry that could not be delivered. It holds up the later ones of its topic and key until it is replayed or discarded.
 *
 * @param sequence its place, to go on listing behind it
 * @param entry what could not be delivered
 * @param attempts how often it was tried
 * @param error how the last try failed, for people
 * @param parkedAt when that was
 */
public record DeadLetter(long sequence, OutboxEntry entry, int attempts, String error, Instant parkedAt) {}
