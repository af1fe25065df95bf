package io.github.commandway.manager;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a submit with a known idempotency key gets. */
final class RepeatedHandle implements CommandHandle {
    private final CommandRecord found;
    private final @Nullable LiveCommand live;

    RepeatedHandle(CommandRecord found, @Nullable LiveCommand live) {
        this.found = found;
        this.live = live;
    }

    @Override
    public RecordId id() {
        return found.id();
    }

    @Override
    public CommandRequest request() {
        return found.request();
    }

    @Override
    public CommandRecord record() {
        return live == null ? found : live.record();
    }

    @Override
    public boolean isRepeated() {
        return true;
    }

    @Override
    public void whenEnded(Consumer<? super CommandHandle> action) {
        if (live == null) {
            CommandManager.runEndAction(action, this);
        } else {
            live.whenEnded(action);
        }
    }
}
