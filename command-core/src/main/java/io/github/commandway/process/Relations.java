package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What ties a process to others; only there if something does. The lock of its process guards it. */
final class Relations {
    /** Those that are told how it ends. */
    final Set<LiveProcess> watchers = new HashSet<>();

    /** Those of which it is told how they end. */
    final Set<LiveProcess> watched = new HashSet<>();

    final Set<LiveProcess> linked = new HashSet<>();
    final List<String> names = new ArrayList<>();

    /** The process groups that it is in. */
    boolean inGroups;

    @Nullable Consumer<CancelCause> cancelAction;
}
