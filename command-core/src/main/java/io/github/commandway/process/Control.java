package io.github.commandway.process;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** What the scheduler does to a process before its next step; the process never sees it. */
final class Control extends Event {
    /** Null for a mere wake-up, of which the reason is somewhere else. */
    final @Nullable Upgrade upgrade;

    private Control(@Nullable Upgrade upgrade) {
        this.upgrade = upgrade;
    }

    static Control wakeUp() {
        return new Control(null);
    }

    static Control upgrade(Upgrade upgrade) {
        return new Control(upgrade);
    }

    @Override
    public Kind kind() {
        throw new IllegalStateException("not for processes");
    }

    @Override
    public @Nullable Object data() {
        return null;
    }

    /** Code to go on with. */
    record Upgrade(Process next, @Nullable Object input, CompletableFuture<@Nullable Void> done) {}
}
