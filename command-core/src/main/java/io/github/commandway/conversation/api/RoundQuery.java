package io.github.commandway.conversation.api;

import org.jspecify.annotations.Nullable;

/**
 * Which rounds to list.
 *
 * @param after the path of the last round of the page before, or null to begin
 * @param limit how many at most, from 1 to {@value ConversationCommandService#MAX_LIMIT}
 * @param isNewestFirst whether the last round comes first
 * @param role only those with this role, or null for all
 */
public record RoundQuery(
        @Nullable String after,
        int limit,
        boolean isNewestFirst,
        @Nullable RoundRole role) {}
