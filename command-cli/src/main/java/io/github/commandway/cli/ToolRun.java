package io.github.commandway.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import tools.jackson.databind.JsonNode;

/** A run of a tool on a server as its caller sees it: what it writes comes out of the standard streams, and its exit code is the program's. */
final class ToolRun {
    /** A tool has its {@code stop_grace}; nobody who presses Ctrl-C waits for longer. */
    private static final Duration LONGEST_STOP = Duration.ofSeconds(30);

    private final ApiClient client;
    private final Surroundings surroundings;
    private final String name;
    private final String id;
    private final boolean isJson;
    private final boolean isTold;
    private JsonNode end = ApiClient.JSON.createObjectNode();

    /**
     * Makes one.
     *
     * @param name of the command that it is for
     * @param isJson whether the server's events are printed instead of what is in them
     * @param isTold whether to say what happens to it, on the standard error stream
     */
    ToolRun(ApiClient client, Surroundings surroundings, String name, String id, boolean isJson, boolean isTold) {
        this.client = client;
        this.surroundings = surroundings;
        this.name = name;
        this.id = id;
        this.isJson = isJson;
        this.isTold = isTold;
    }

    /** Follows it to its end, and returns the exit code. */
    int follow() throws IOException, InterruptedException {
        EventFollower events = new EventFollower(client, surroundings.lifetime(), surroundings.err(), name);
        String path = "/result/" + ApiClient.encoded(id) + "?sse=true";
        if (events.follow(path, this::show) == EventFollower.End.STOPPED) {
            say("the connection was lost; whether " + id + " goes on is not known");
            return ExitCode.STILL_OPEN.code();
        }
        return tellEnd();
    }

    /**
     * Prints what is kept of one that has ended, byte for byte, and returns the exit code.
     *
     * @param first the first page of it
     */
    int print(JsonNode first) throws IOException, InterruptedException {
        JsonNode page = first;
        while (true) {
            for (JsonNode piece : page.path("pieces")) {
                print(
                        ClientCommand.text(piece, "channel").equals("stderr")
                                ? surroundings.errors()
                                : surroundings.output(),
                        piece);
            }
            if (!page.has("next")) {
                break;
            }
            page = client.get(pagePath(id, ClientCommand.text(page, "next")));
        }
        end = page;
        return tellEnd();
    }

    /** Where a page of a run's output is; the first one if {@code after} is empty. */
    static String pagePath(String id, String after) {
        Map<String, String> query = new LinkedHashMap<>();
        query.put("format", "json");
        query.put("after", after);
        return ApiClient.path("/result/" + ApiClient.encoded(id), query);
    }

    private int tellEnd() {
        if (!end.path("output_complete").asBoolean(true)) {
            say("some of the output is not kept");
        }
        ExitCode outcome = ExitCode.ofStatus(ClientCommand.text(end, "status"));
        JsonNode code = end.path("exit_code");
        // a run that failed has no exit code that says otherwise
        boolean isTools = code.isInt() && (outcome == ExitCode.OK || (outcome == ExitCode.FAILED && code.asInt() != 0));
        if (isTold || (outcome != ExitCode.OK && !isTools)) {
            String why = ClientCommand.text(end, "error");
            say(id + " " + ClientCommand.text(end, "status") + ", " + ClientCommand.text(end, "reason")
                    + (why.isEmpty() ? "" : ": " + why));
        }
        return isTools ? code.asInt() : outcome.code();
    }

    /** The same; when the program is to stop, the run is cancelled, and its end is waited for. */
    int followAndCancelWhenStopped() throws IOException, InterruptedException {
        Lifetime lifetime = surroundings.lifetime();
        lifetime.closeBeforeTheEnd();
        CompletableFuture<Integer> exit = new CompletableFuture<>();
        start("commandway-run", () -> exit.complete(follow()), exit);
        Thread stopping = start(
                "commandway-cancel",
                () -> {
                    lifetime.awaitStop();
                    say("cancelling " + id);
                    JsonNode answer = client.post(
                            "/cancel/" + ApiClient.encoded(id), ApiClient.JSON.createObjectNode(), Map.of());
                    try {
                        exit.get(LONGEST_STOP.toSeconds(), TimeUnit.SECONDS);
                    } catch (TimeoutException e) {
                        say(id + " has not stopped yet: " + answer);
                        exit.complete(ExitCode.STILL_OPEN.code());
                    }
                },
                exit);
        try {
            return exit.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException problem) {
                throw problem;
            }
            throw new IllegalStateException(e.getCause());
        } finally {
            stopping.interrupt();
        }
    }

    @FunctionalInterface
    private interface Work {
        void run() throws Exception;
    }

    @SuppressWarnings("IllegalCatch")
    private static Thread start(String name, Work work, CompletableFuture<Integer> exit) {
        Thread thread = DaemonThreads.named(name).newThread(() -> {
            try {
                work.run();
            } catch (Exception e) {
                exit.completeExceptionally(e);
            }
        });
        thread.start();
        return thread;
    }

    /** Prints an event, and says whether more are wanted. */
    private boolean show(ServerSentEvent event) {
        JsonNode data = event.json();
        if (isJson) {
            surroundings.out().println(data);
            surroundings.out().flush();
        }
        switch (event.type()) {
            case "stdout" -> print(surroundings.output(), data);
            case "stderr" -> print(surroundings.errors(), data);
            case "state" -> {
                if (isTold) {
                    say(id + " " + ClientCommand.text(data, "status"));
                }
            }
            case "reset" -> say("some of the output may be missing: " + ClientCommand.text(data, "reason"));
            case "result" -> end = data;
            default -> {
                // what a newer server tells
            }
        }
        return !event.type().equals("result");
    }

    private void print(OutputStream stream, JsonNode data) {
        if (isJson) {
            return;
        }
        try {
            stream.write(
                    data.has("base64")
                            ? Base64.getDecoder().decode(ClientCommand.text(data, "base64"))
                            : ClientCommand.text(data, "text").getBytes(StandardCharsets.UTF_8));
            stream.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void say(String line) {
        surroundings.err().println("commandway " + name + ": " + Table.printable(line));
        surroundings.err().flush();
    }
}
