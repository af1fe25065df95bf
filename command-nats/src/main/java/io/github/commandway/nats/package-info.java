/** The outbox's way to NATS. */
package io.github.commandway.nats;
