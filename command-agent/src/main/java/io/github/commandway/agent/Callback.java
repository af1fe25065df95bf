package io.github.commandway.agent;

import org.jspecify.annotations.Nullable;

/**
 * News of work that a command has begun and that went on after the command had completed.
 *
 * @param callbackId by which the two sides know which work it is; usually the command's id or a parameter of it
 * @param commandType the type of the command that began it
 * @param success whether the work succeeded
 * @param result what came of it, anything that Jackson can write; null if nothing did
 * @param error why it failed; null if it did not
 * @param durationMs how long it took, in milliseconds
 */
public record Callback(
        String callbackId,
        String commandType,
        boolean success,
        @Nullable Object result,
        @Nullable String error,
        long durationMs) {}
