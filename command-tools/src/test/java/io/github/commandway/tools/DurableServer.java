package io.github.commandway.tools;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A server of tools whose records outlive it. */
final class DurableServer implements AutoCloseable {
    final ToolHandler handler;
    private final Database database;
    private final SqlCommandStore store;
    final CommandManager manager;

    DurableServer(Path folder) throws IOException {
        handler = ToolHandler.builder(ToolCatalog.open(folder), folder.resolve("runs"))
                .build();
        Registry registry = new Registry();
        registry.register("tools", CommandIds.TOOL_EXECUTE, handler);
        database = Database.sqlite(folder.resolve("records.db"));
        store = SqlCommandStore.builder(database).name("tools").build();
        manager = CommandManager.builder(registry).store(store).build();
    }

    /** Stands before each id that is printed. */
    static final String ID = "id=";

    /** Submits the requests, which are JSON, prints the ids of their records, and waits to be killed. */
    @SuppressWarnings("resource") // ends with the process
    public static void main(String[] args) throws Exception {
        DurableServer server = new DurableServer(Path.of(args[0]));
        for (int i = 1; i < args.length; i++) {
            ToolRequest request = ToolRequest.ofJson(args[i]);
            System.out.println(ID
                    + server.manager
                            .submit(server.handler.commandFor(request).build())
                            .get(30, TimeUnit.SECONDS)
                            .id());
        }
        new CountDownLatch(1).await();
    }

    /** One in a JVM of its own. */
    static Process start(Path folder, String... requests) throws IOException {
        String[] command = new String[5 + requests.length];
        command[0] = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        command[1] = "-cp";
        command[2] = Objects.requireNonNull(System.getProperty("java.class.path"));
        command[3] = DurableServer.class.getName();
        command[4] = folder.toString();
        System.arraycopy(requests, 0, command, 5, requests.length);
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    @Override
    public void close() {
        handler.close();
        manager.shutdownNow();
        manager.close();
        store.close();
        database.close();
    }
}
