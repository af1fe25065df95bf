package io.github.commandway.bench;

import io.github.commandway.cli.Commandway;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** The servers of the {@code tools} benchmark, each in a process of its own: the product's as users start it, and Debian's package {@code webhook}. */
final class ToolServers implements AutoCloseable {
    private static final long START_SECONDS = 60;
    private static final int OK = 200;

    private final HttpClient client = HttpClient.newHttpClient();
    private final List<Process> processes = new ArrayList<>();
    private final URI commandway;
    private final URI webhook;

    private ToolServers(URI commandway, URI webhook) {
        this.commandway = commandway;
        this.webhook = webhook;
    }

    /**
     * Starts both.
     *
     * @param folder for their files
     * @param catalogue of tools
     */
    static ToolServers start(Path folder, Path catalogue) throws Exception {
        int port = freePort();
        int otherPort = freePort();
        ToolServers servers =
                new ToolServers(URI.create("http://127.0.0.1:" + port), URI.create("http://127.0.0.1:" + otherPort));
        boolean isStarted = false;
        try {
            servers.run(
                    folder,
                    System.getProperty("java.home") + "/bin/java",
                    "-Xmx256m",
                    // the class path has two configurations, which it would report at length
                    "-Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener",
                    "-cp",
                    System.getProperty("java.class.path"),
                    Commandway.class.getName(),
                    "serve",
                    "--data",
                    folder.resolve("data").toString(),
                    "--tools-folder",
                    catalogue.toString(),
                    "--http-port",
                    "" + port,
                    "--quic-port",
                    "0",
                    "--log-level",
                    "warn");
            Path hooks = Files.writeString(
                    folder.resolve("hooks.json"),
                    "[{\"id\": \"true\", \"execute-command\": \"/bin/true\", \"include-command-output-in-response\": true}]");
            servers.run(
                    folder,
                    "/usr/bin/webhook",
                    "-hooks",
                    hooks.toString(),
                    "-ip",
                    "127.0.0.1",
                    "-port",
                    "" + otherPort);
            servers.await(servers.commandway.resolve("/ready"));
            servers.await(servers.webhook.resolve("/hooks/true"));
            isStarted = true;
        } finally {
            if (!isStarted) {
                servers.close();
            }
        }
        return servers;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private void run(Path folder, String... command) throws IOException {
        processes.add(new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    private void await(URI uri) throws Exception {
        long start = System.nanoTime();
        while (true) {
            try {
                if (client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.discarding())
                                .statusCode()
                        == OK) {
                    return;
                }
            } catch (IOException notYet) {
                // it has not begun to listen
            }
            if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(START_SECONDS)) {
                throw new IOException(uri + " does not answer");
            }
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    /** A request that runs a tool of the catalogue and is answered with its output. */
    HttpRequest tool(String name) {
        return HttpRequest.newBuilder(commandway.resolve("/cmd?body=json"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"cmd\": \"" + name + "\"}"))
                .build();
    }

    /** A request that runs the same program as a hook. */
    HttpRequest hook() {
        return HttpRequest.newBuilder(webhook.resolve("/hooks/true")).build();
    }

    /** A request for the output of a run as server-sent events. */
    HttpRequest events(String run) {
        return HttpRequest.newBuilder(commandway.resolve("/result/" + run + "?sse=true"))
                .build();
    }

    /** Begins a run and returns its id. */
    String begin(String name) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(commandway.resolve("/cmd?body=json&onlyid=true"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"cmd\": \"" + name + "\"}"))
                .build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (answer.statusCode() / 100 != 2) {
            throw new IOException(answer.statusCode() + ": " + answer.body());
        }
        return answer.body().strip();
    }

    HttpClient client() {
        return client;
    }

    /** The memory of the product's server that is in use by the system, in KiB. */
    long residentKib() throws IOException {
        for (String line :
                Files.readAllLines(Path.of("/proc/" + processes.get(0).pid() + "/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new IOException("there is no VmRSS");
    }

    /** How many requests are answered per second while {@code open} are always open. */
    double rate(HttpRequest request, int open, double seconds) throws Exception {
        AtomicInteger answered = new AtomicInteger();
        long start = System.nanoTime();
        long end = start + (long) (seconds * 1e9);
        List<CompletableFuture<Void>> places = new ArrayList<>();
        for (int i = 0; i < open; i++) {
            places.add(place(request, end, answered));
        }
        for (CompletableFuture<Void> place : places) {
            place.get();
        }
        return answered.get() / ((System.nanoTime() - start) / 1e9);
    }

    private CompletableFuture<Void> place(HttpRequest request, long end, AtomicInteger answered) {
        return client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
                .thenCompose(answer -> {
                    if (answer.statusCode() != OK) {
                        throw new IllegalStateException(request.uri() + " answered " + answer.statusCode() + ": "
                                + new String(answer.body(), StandardCharsets.UTF_8));
                    }
                    answered.incrementAndGet();
                    return System.nanoTime() < end
                            ? place(request, end, answered)
                            : CompletableFuture.completedFuture(null);
                });
    }

    @Override
    public void close() {
        for (Process process : processes) {
            process.destroy();
        }
        for (Process process : processes) {
            try {
                process.onExit().get(START_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                process.destroyForcibly();
            } catch (ExecutionException | TimeoutException e) {
                process.destroyForcibly();
            }
        }
    }
}
