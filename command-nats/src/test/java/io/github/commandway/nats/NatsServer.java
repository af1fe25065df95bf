package io.github.commandway.nats;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;

/** A real server with JetStream as a process of its own; its folder survives a restart. Needs the command {@code nats-server}, Debian package of the same name. */
final class NatsServer implements AutoCloseable {
    private final Path folder;
    private final int port;
    private Process process;

    NatsServer(Path folder) throws IOException {
        this.folder = folder;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        start();
    }

    void start() throws IOException {
        try {
            process = new ProcessBuilder(
                            "nats-server",
                            "-a",
                            "127.0.0.1",
                            "-p",
                            Integer.toString(port),
                            "-js",
                            "-sd",
                            folder.resolve("jetstream").toString())
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("nats-server.log").toFile())
                    .start();
        } catch (IOException e) {
            throw new IOException("these tests need nats-server: apt-get install nats-server", e);
        }
        await().ignoreExceptions().until(() -> {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return socket.isConnected();
            }
        });
    }

    void kill() {
        process.destroyForcibly().onExit().join();
    }

    String address() {
        return "nats://127.0.0.1:" + port;
    }

    @Override
    public void close() {
        kill();
    }
}
