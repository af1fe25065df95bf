package io.github.commandway.manager;

/**
 * What is to be written in the same transaction as a new record: all of it, or neither. Each durable store names the kind that it takes, and refuses
 * any other; a store in memory takes none.
 */
public interface Companion {}
