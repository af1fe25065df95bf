/** Durable records and queues: {@link io.github.commandway.store.Database} holds the connections, the stores write through it. */
package io.github.commandway.store;
