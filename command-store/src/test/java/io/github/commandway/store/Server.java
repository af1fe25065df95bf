package io.github.commandway.store;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueClaim;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A manager with a store of its own: one server, that can be stopped as a crash stops it. */
final class Server implements AutoCloseable {
    static final int LOCAL = 300;
    static final String QUEUE = "q";

    final Database database;
    final SqlCommandStore store;
    final CommandManager manager;
    final BlockingQueue<String> queueWork = new LinkedBlockingQueue<>();
    private final Map<RecordId, CompletableFuture<Long>> tags = new ConcurrentHashMap<>();

    Server(Database database, String name, Clock clock) {
        this(database, builder -> builder.name(name).time(clock, System::nanoTime), clock);
    }

    Server(Database database, UnaryOperator<SqlCommandStore.Builder> options, Clock clock) {
        this.database = database;
        store = options.apply(SqlCommandStore.builder(database)).build();
        Registry registry = new Registry();
        registry.register(
                "test",
                LOCAL,
                (context, command, tag, receiver) ->
                        tagOf(((RecordedCommand) command).id()).complete(tag));
        registry.register("test", CommandIds.QUEUE_EXECUTE, new Waiting());
        manager = CommandManager.builder(registry)
                .store(store)
                .time(clock, System::nanoTime)
                .build();
        manager.onQueueWork(queueWork::add);
    }

    private CompletableFuture<Long> tagOf(RecordId id) {
        return tags.computeIfAbsent(id, none -> new CompletableFuture<>());
    }

    CommandHandle submit(UnaryOperator<CommandRequest.Builder> options) throws Exception {
        return await(manager.submit(
                options.apply(CommandRequest.toQueue(QUEUE, "work")).build()));
    }

    RecordId execute(String type) throws Exception {
        RecordId id = await(manager.submit(
                        CommandRequest.to(new Target.Local(LOCAL), type).build()))
                .id();
        await(tagOf(id));
        return id;
    }

    void complete(RecordId id) throws Exception {
        manager.completeYield(await(tagOf(id)), "done", null);
        find(id);
    }

    void complete(QueueClaim.Claimed claimed) throws Exception {
        manager.completeYield(claimed.tag(), "done", null);
        find(claimed.command().id());
    }

    List<QueueClaim.Claimed> claim(int limit, int concurrency) throws Exception {
        return await(manager.claim(QUEUE, limit, concurrency, true, null)).commands();
    }

    CommandRecord find(RecordId id) throws Exception {
        return await(manager.find(id)).orElseThrow();
    }

    static <T> T await(CompletableFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    /** Leaves everything as it is: nothing is ended, and the lease is not given back. */
    void crash() {
        database.close();
        manager.close();
    }

    @Override
    public void close() {
        manager.close();
        database.close();
    }

    private static final class Waiting implements QueueingHandler {
        @Override
        public CommandRequest admit(CommandRequest request) {
            return request;
        }

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {}
    }
}
