package io.github.commandway.http;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolHandler;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A facade with real tools: shell scripts that the operator has put into a catalogue. */
final class ToolServer implements AutoCloseable {
    final Path folder;
    final ToolCatalog catalog;
    final ToolHandler tools;
    final FacadeFixture server;

    ToolServer(Path folder) {
        this(folder, builder -> builder, ToolHttpOptions.ofDefaults());
    }

    ToolServer(Path folder, UnaryOperator<HttpFacade.Builder> options, ToolHttpOptions toolOptions) {
        this.folder = folder;
        try {
            catalog = ToolCatalog.open(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        tools = ToolHandler.builder(catalog, folder.resolve("runs")).build();
        server = new FacadeFixture(
                builder -> options.apply(builder.tools(tools, toolOptions)),
                registry -> registry.register("tools", CommandIds.TOOL_EXECUTE, tools));
    }

    /** Writes a tool, version 1.0.0, that may be run by GET. */
    static void script(Path folder, String tool, String script, String... yaml) throws IOException {
        write(folder, "tools/" + tool + "/1.0.0/main.sh", "#!/bin/sh\n" + script + "\n");
        write(
                folder,
                "tools/" + tool + "/1.0.0/tool.yaml",
                "command: [main.sh]\narguments: {max: 10}\nmethods: [GET, POST]\n" + String.join("\n", yaml) + "\n");
    }

    static Path write(Path folder, String path, String content) throws IOException {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
        if (content.startsWith("#!")) {
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        return file;
    }

    Answer get(String path, String... headers) {
        return server.get(path, headers);
    }

    /** Sends a body as curl does that was told nothing of its type. */
    Answer post(String path, String body, String... headers) {
        return postTyped(path, "application/x-www-form-urlencoded", body, headers);
    }

    Answer postTyped(String path, String type, String body, String... headers) {
        var request = server.request(path).header("Content-Type", type).POST(BodyPublishers.ofString(body));
        return server.send((headers.length == 0 ? request : request.headers(headers)).build());
    }

    /** Starts a run and returns its id. */
    String start(String path) {
        return get(path + (path.contains("?") ? "&" : "?") + "onlyid=true").body();
    }

    /** Starts a run, waits for its end, and returns its id. */
    String run(String path) {
        String id = start(path);
        awaitEnd(id);
        return id;
    }

    CommandRecord awaitEnd(String id) {
        return org.awaitility.Awaitility.await()
                .until(
                        () -> record(id),
                        found -> found.filter(run -> run.status().isTerminal()).isPresent())
                .orElseThrow();
    }

    Optional<CommandRecord> record(String id) throws Exception {
        return server.manager.find(RecordId.parse(id).orElseThrow()).get(20, TimeUnit.SECONDS);
    }

    /** Sends a request and returns all that comes back until the server closes the connection or has sent the end of a body in chunks. */
    String raw(String request) throws IOException {
        try (Socket socket = new Socket(
                InetAddress.getLoopbackAddress(), server.facade.address().getPort())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(request.replace("\n", "\r\n").getBytes(StandardCharsets.UTF_8));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Opens a stream of events. */
    Events events(String path, String... headers) throws IOException {
        return new Events(path, headers);
    }

    @Override
    public void close() {
        server.afterEach(null);
        tools.close();
    }

    /** The events of one stream, read as they are asked for. */
    final class Events implements AutoCloseable {
        private final java.io.InputStream body;
        private final BufferedReader lines;
        final int status;

        Events(String path, String... headers) throws IOException {
            var request = server.request(path);
            try {
                var response = server.client.send(
                        (headers.length == 0 ? request : request.headers(headers)).build(),
                        java.net.http.HttpResponse.BodyHandlers.ofInputStream());
                status = response.statusCode();
                body = response.body();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
        }

        /** The next event, or comment; null at the end. */
        Event next() throws IOException {
            String id = null;
            String type = null;
            String data = null;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.isEmpty()) {
                    return new Event(id, type, data);
                }
                int colon = line.indexOf(": ");
                switch (line.substring(0, colon)) {
                    case "id" -> id = line.substring(colon + 2);
                    case "event" -> type = line.substring(colon + 2);
                    default -> data = line.substring(colon + 2);
                }
            }
            return null;
        }

        /** The next event of this type. */
        Event next(String type) throws IOException {
            Event event = next();
            while (event != null && !type.equals(event.type)) {
                event = next();
            }
            return event;
        }

        @Override
        public void close() throws IOException {
            body.close();
        }
    }

    record Event(String id, String type, String data) {
        String text(String member) {
            return FacadeFixture.JSON.readTree(data).path(member).asString();
        }
    }
}
