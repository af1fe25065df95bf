/** Queues: commands that wait their turn, in the order in which they were accepted; and groups: commands that any of several agents may execute. */
package io.github.commandway.queue;
