package io.github.commandway.manager;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One page of records.
 *
 * @param records newest first
 * @param nextCursor where the next page begins, or null if this is the last
 */
public record CommandPage(
        List<CommandRecord> records, @Nullable String nextCursor) {}
