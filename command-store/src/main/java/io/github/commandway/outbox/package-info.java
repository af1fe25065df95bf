/**
 * Events that leave with the transaction that caused them: {@link io.github.commandway.outbox.Outbox} writes them beside what they tell of, and
 * {@link io.github.commandway.outbox.OutboxRelay} brings each to its {@link io.github.commandway.outbox.Publisher}, at least once and in order for each key.
 */
package io.github.commandway.outbox;
