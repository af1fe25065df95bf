package io.github.commandway.queue;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * For what there is room behind a queue at one moment.
 *
 * @param places how many commands; none are taken out while it is less than 1
 * @param types only commands of these types; null for any
 */
public record Room(int places, @Nullable Set<String> types) {
    /** For nothing. */
    public static final Room NONE = new Room(0, null);

    /** For everything. */
    public static final Room ANY = new Room(Integer.MAX_VALUE, null);
}
