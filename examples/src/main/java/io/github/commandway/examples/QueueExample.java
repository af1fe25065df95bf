package io.github.commandway.examples;

import io.github.commandway.dispatch.BlockingHandler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A serial queue in a SQLite file, with a worker in this process: tasks are executed one after the other, and those that wait survive the end of the process. */
public final class QueueExample {
    private QueueExample() {}

    /** Puts three tasks into the queue and returns their records when they have ended. */
    static List<CommandRecord> run(Path data) throws Exception {
        ExecutorService threads = Executors.newSingleThreadExecutor();
        BlockingHandler worker = new BlockingHandler(threads, task -> {
            RecordedCommand command = (RecordedCommand) task.command();
            task.progress(0.5, "scanning");
            return "scanned " + new String(command.request().payload(), StandardCharsets.UTF_8);
        });
        Registry registry = new Registry();
        try (CommandQueues queues = CommandQueues.builder(registry)
                        .queue(QueueOptions.serial("robot").withRetry(RetryPolicy.exponential(3)), worker)
                        .build();
                Database database = Database.sqlite(data.resolve("commands.db"))) {
            registry.register(queues);
            try (CommandManager manager = CommandManager.builder(registry)
                    .store(SqlCommandStore.of(database))
                    .build()) {
                manager.recover().get(); // takes up what an earlier run left
                queues.start(manager);
                return scan(manager);
            }
        } finally {
            threads.shutdown();
        }
    }

    private static List<CommandRecord> scan(CommandManager manager) throws Exception {
        List<CommandHandle> handles = new ArrayList<>();
        for (String shelf : List.of("shelf 1", "shelf 2", "shelf 3")) {
            CommandRequest request = CommandRequest.toQueue("robot", "SCAN_QRCODE")
                    .payload(shelf.getBytes(StandardCharsets.UTF_8))
                    .build();
            handles.add(manager.submit(request).get()); // on disk from here on
        }
        List<CommandRecord> records = new ArrayList<>();
        for (CommandHandle handle : handles) {
            records.add(handle.completion().get());
        }
        return records;
    }

    /** Prints what became of the tasks. */
    public static void main(String[] args) throws Exception {
        for (CommandRecord record : run(Files.createTempDirectory("commandway"))) {
            byte[] result = record.result() == null ? new byte[0] : record.result();
            System.out.println(record.status().code() + ": " + new String(result, StandardCharsets.UTF_8));
        }
    }
}
