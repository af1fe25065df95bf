package io.github.commandway.manager;

import io.github.commandway.testing.CommandStoreContract;
import java.time.Clock;

class InMemoryCommandStoreTest extends CommandStoreContract {
    @Override
    protected CommandStore createStore(Clock clock) {
        return new InMemoryCommandStore(clock);
    }
}
