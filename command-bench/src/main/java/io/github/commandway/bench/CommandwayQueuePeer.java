package io.github.commandway.bench;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;

/** Commandway's queue on a durable store. */
final class CommandwayQueuePeer implements DurablePeer {
    private static final String QUEUE = "bench";

    private final Database database;
    private final Registry registry = new Registry();
    private final CommandQueues queues;
    private final CommandManager manager;

    private CommandwayQueuePeer(Database database, int workers) {
        this.database = database;
        queues = CommandQueues.builder(registry)
                .queue(
                        QueueOptions.serial(QUEUE).withConcurrency(workers).withMaxWaiting(10_000_000),
                        (context, command, tag, receiver) -> receiver.completeYield(tag, null, null))
                .build();
        registry.register(queues);
        manager = CommandManager.builder(registry)
                .store(SqlCommandStore.of(database))
                .maxOpen(10_000_000)
                .maxOpenBytes(Long.MAX_VALUE)
                .build();
    }

    static CommandwayQueuePeer postgres(String jdbcUrl, int workers) {
        return new CommandwayQueuePeer(Database.postgres(jdbcUrl, "postgres", ""), workers);
    }

    static CommandwayQueuePeer sqlite(Path file, int workers) {
        return new CommandwayQueuePeer(Database.sqlite(file), workers);
    }

    @Override
    public void enqueue(byte[] payload) throws InterruptedException, ExecutionException {
        manager.submit(CommandRequest.toQueue(QUEUE, "no-work").payload(payload).build())
                .get();
    }

    @Override
    public void startWorkers() {
        queues.start(manager);
    }

    /** Counted when the end is safe. */
    @Override
    public long completed() {
        return manager.stats().completed();
    }

    @Override
    public void close() {
        queues.close();
        manager.close();
        database.close();
    }

    /** Leaves commands in their queues. */
    static final class LeftWaiting implements QueueingHandler {
        @Override
        public CommandRequest admit(CommandRequest request) {
            return request;
        }

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            // it waits
        }
    }
}
