/** Queues: commands that wait their turn, in the order in which they were accepted. */
package io.github.commandway.queue;
