package io.github.commandway.manager;

import io.github.commandway.testing.QueueStoreContract;
import java.time.Clock;

class InMemoryQueueStoreTest extends QueueStoreContract {
    @Override
    protected CommandStore createStore(Clock clock) {
        return new InMemoryCommandStore(clock);
    }
}
