package io.github.commandway.tools;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an update of a tool did.
 *
 * @param tool its name
 * @param before the newest version that was there, or null if there was none
 * @param after the newest version that is there now, or null if there is none
 * @param removed the old versions that were removed
 * @param problem why it could not be updated, or null if nothing went wrong
 */
public record ToolUpdate(
        String tool,
        @Nullable String before,
        @Nullable String after,
        List<String> removed,
        @Nullable String problem) {
    /** Copies the list. */
    public ToolUpdate {
        removed = List.copyOf(removed);
    }

    /** Whether another version is the newest now. */
    public boolean isChanged() {
        return after != null && !after.equals(before);
    }
}
