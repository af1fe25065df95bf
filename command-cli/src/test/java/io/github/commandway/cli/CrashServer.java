package io.github.commandway.cli;

import io.github.commandway.dispatch.BlockingHandler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.http.HttpFacade;
import io.github.commandway.http.TaskOptions;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/**
 * A server in a process of its own, which can be killed: the task API before a durable queue whose worker leaves a line, id, attempt and server, in the file {@code effects} for
 * each execution. Tasks of type {@code flaky} fail at their first attempt; those of type {@code wait} run until the file {@code go} is there.
 */
final class CrashServer implements AutoCloseable {
    static final String QUEUE = "work";

    private final Process process;
    private final String name;
    private final Path directory;

    private CrashServer(Process process, String name, Path directory) {
        this.process = process;
        this.name = name;
        this.directory = directory;
    }

    /**
     * Starts one.
     *
     * @param database {@code sqlite} for a file in {@code directory}, or the URL of a PostgreSQL database
     * @param name sets it apart from others in the same directory
     */
    static CrashServer start(String database, Path directory, String name) throws IOException {
        Files.deleteIfExists(directory.resolve(name + ".port"));
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Process process = new ProcessBuilder(
                        java.toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-Xshare:auto",
                        "-cp",
                        System.getProperty("java.class.path"),
                        CrashServer.class.getName(),
                        database,
                        directory.toString(),
                        name)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        directory.resolve(name + ".log").toFile()))
                .start();
        return new CrashServer(process, name, directory);
    }

    /** Waits until it answers, and returns its port. */
    int port() throws IOException {
        Path file = directory.resolve(name + ".port");
        Awaitility.await().atMost(60, TimeUnit.SECONDS).until(() -> {
            if (!process.isAlive()) {
                throw new IllegalStateException(
                        "the server has ended: " + Files.readString(directory.resolve(name + ".log")));
            }
            return Files.exists(file);
        });
        return Integer.parseInt(Files.readString(file));
    }

    /** Ends it without any chance to say goodbye. */
    void kill() {
        process.destroyForcibly().onExit().join();
    }

    /** Asks it to end, and waits for that. */
    @Override
    public void close() {
        process.destroy();
        process.onExit().join();
    }

    /** Runs the server; arguments: database, directory, name. */
    public static void main(String[] arguments) throws Exception {
        String database = arguments[0];
        Path directory = Path.of(arguments[1]);
        String name = arguments[2];
        ExecutorService threads = Executors.newCachedThreadPool();
        FileChannel effects =
                FileChannel.open(directory.resolve("effects"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        Registry registry = new Registry();
        Path identity = directory.resolve(name);
        AgentServer agents = AgentServer.builder(
                        CertificateAuthority.openOrCreate(identity, Clock.systemUTC(), new SecureRandom())
                                .issueServer(List.of(), Duration.ofDays(1)))
                .build();
        CommandQueues queues = CommandQueues.builder(registry)
                .queue(
                        QueueOptions.serial(QUEUE).withConcurrency(8).withMaxWaiting(100_000),
                        new BlockingHandler(threads, task -> execute(task, effects, name, directory.resolve("go"))))
                .build();
        registry.register(queues);
        Database tables = open(database, directory);
        CommandManager manager = CommandManager.builder(registry)
                .store(SqlCommandStore.builder(tables)
                        .name(name)
                        .lease(Duration.ofSeconds(3))
                        .build())
                .build();
        manager.recover().join();
        queues.start(manager);
        HttpFacade http = HttpFacade.builder(manager, agents)
                .address(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .queues(queues)
                .tasks(TaskOptions.of(QUEUE, Clock.systemUTC()))
                .build()
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            queues.stop();
            http.close();
            manager.close();
            tables.close();
        }));
        Path port = directory.resolve(name + ".port.new");
        Files.writeString(port, Integer.toString(http.address().getPort()));
        Files.move(port, directory.resolve(name + ".port"), StandardCopyOption.ATOMIC_MOVE);
        new CountDownLatch(1).await();
    }

    static Database open(String database, Path directory) {
        return database.equals("sqlite")
                ? Database.sqlite(directory.resolve("commands.db"))
                : Database.postgres(database, "postgres", "");
    }

    private static Object execute(BlockingHandler.Task task, FileChannel effects, String name, Path go)
            throws IOException {
        RecordedCommand command = (RecordedCommand) task.command();
        String line = command.id() + " " + command.attempt() + " " + name + "\n";
        effects.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
        task.progress(0.5, "half");
        task.output("stdout", line.getBytes(StandardCharsets.UTF_8));
        String type = command.request().type();
        if (type.equals("flaky") && command.attempt() == 1) {
            throw new IOException("not yet");
        }
        if (type.equals("wait")) {
            Awaitility.await().forever().until(() -> Files.exists(go));
        }
        return "{\"success\": true}";
    }
}
