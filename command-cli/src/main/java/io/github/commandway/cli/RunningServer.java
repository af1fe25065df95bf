package io.github.commandway.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The addresses of the server that runs in a data folder, which is where agents and clients that are started beside it find it.
 *
 * @param http the base address of the HTTP API
 * @param agents where agents connect, host:port
 */
record RunningServer(String http, String agents) {
    private static final String FILE = "server.json";

    static RunningServer of(InetSocketAddress http, InetSocketAddress agents) {
        return new RunningServer("http://" + reachable(http), reachable(agents));
    }

    /** The address as a client on this machine uses it: one that means all interfaces is reached by loopback. */
    private static String reachable(InetSocketAddress address) {
        InetAddress host = address.getAddress();
        String name =
                host.isAnyLocalAddress() ? InetAddress.getLoopbackAddress().getHostAddress() : host.getHostAddress();
        return (name.indexOf(':') >= 0 ? "[" + name + "]" : name) + ":" + address.getPort();
    }

    /** Writes it for others to find. */
    void publish(Path data) throws IOException {
        ObjectNode json = ApiClient.JSON.createObjectNode();
        json.put("http", http)
                .put("agents", agents)
                .put("pid", ProcessHandle.current().pid());
        Path temporary = Files.createTempFile(data, FILE, ".tmp");
        Files.writeString(temporary, json + "\n");
        Files.move(temporary, data.resolve(FILE), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Takes it back, unless another server has written its own since. */
    void withdraw(Path data) throws IOException {
        if (read(data.resolve(FILE)).filter(this::equals).isPresent()) {
            Files.deleteIfExists(data.resolve(FILE));
        }
    }

    /** The server that said last that it runs in the data folder. */
    static Optional<RunningServer> find(Surroundings surroundings, Settings settings) {
        return read(surroundings.folder().resolve(settings.data()).resolve(FILE));
    }

    private static Optional<RunningServer> read(Path file) {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            JsonNode json = ApiClient.JSON.readTree(Files.readString(file));
            return Optional.of(new RunningServer(
                    json.path("http").asString(), json.path("agents").asString()));
        } catch (IOException | JacksonException e) {
            throw new UsageException(
                    file + " cannot be read: " + e.getMessage() + ". A server writes it when it starts; remove it", e);
        }
    }
}
