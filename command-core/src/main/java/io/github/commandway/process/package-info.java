/** Processes: state machines that yield commands, exchange messages, and are run by a few worker threads. */
package io.github.commandway.process;
