/** The outbox's way to Kafka. */
package io.github.commandway.kafka;
