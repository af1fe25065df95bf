package io.github.commandway.agent;

import static org.awaitility.Awaitility.await;

import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.identity.Identity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/** An agent in a process of its own, which can be killed. Each execution leaves a line, its payload, in the file {@code effects}. */
final class AgentProcess {
    private final Process process;

    private AgentProcess(Process process) {
        this.process = process;
    }

    /** Starts one that keeps its identity, journal and effects in {@code directory}. */
    static AgentProcess start(Server server, Path directory, Duration heartbeat) throws IOException {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Process process = new ProcessBuilder(
                        java.toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        AgentProcess.class.getName(),
                        server.address().toString(),
                        directory.toString(),
                        heartbeat.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        directory.resolve("output").toFile()))
                .start();
        return new AgentProcess(process);
    }

    /** Ends it without any chance to say goodbye. */
    void kill() {
        process.destroyForcibly().onExit().join();
    }

    /** Lets it stand still, or go on, without its knowing. */
    void signal(String name) throws IOException {
        Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
        if (kill.onExit().join().exitValue() != 0) {
            throw new IOException("kill -" + name + " failed");
        }
    }

    /** Runs the agent; arguments: server, directory, heartbeat. */
    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[1]);
        Path effects = directory.resolve("effects");
        AgentRuntime agent = AgentRuntime.builder((type, payload) -> {
                    Files.writeString(
                            effects,
                            new String(payload, StandardCharsets.UTF_8) + "\n",
                            StandardOpenOption.CREATE,
                            StandardOpenOption.APPEND);
                    if (type.equals("forever")) {
                        new CountDownLatch(1).await();
                    } else if (type.equals("wait")) {
                        await().forever().until(() -> Files.exists(directory.resolve("go")));
                    }
                    return payload;
                })
                .servers(ServerAddress.parse(arguments[0]))
                .identity(Identity.load(directory))
                .dataDirectory(directory)
                .heartbeat(Duration.parse(arguments[2]))
                .concurrency(4)
                .build();
        agent.start();
        new CountDownLatch(1).await();
    }
}
