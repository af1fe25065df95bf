package io.github.commandway.http;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.queue.Room;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A facade on a free port with a real manager, agents within the process, and a time that stands still. Closed after each test. */
final class FacadeFixture implements AfterEachCallback {
    static final JsonMapper JSON = JsonMapper.builder().build();
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final CommandMetrics metrics = new CommandMetrics();

    final ObservedTime time = new ObservedTime();
    final AgentEdge edge = new AgentEdge(time.clock());
    final CommandManager manager;
    final CommandQueues queues;
    final HttpFacade facade;
    final HttpClient client = HttpClient.newHttpClient();

    FacadeFixture() {
        this(builder -> builder);
    }

    FacadeFixture(UnaryOperator<HttpFacade.Builder> options) {
        this(options, registry -> {});
    }

    /** @param more registers further handlers, which stay the caller's */
    FacadeFixture(UnaryOperator<HttpFacade.Builder> options, Consumer<Registry> more) {
        edge.agents.put("client-001", true);
        edge.agents.put("client-002", true);
        edge.agents.put("client-away", false);
        Registry registry = new Registry();
        registry.register("test agents", CommandIds.AGENT_EXECUTE, edge);
        more.accept(registry);
        queues = CommandQueues.builder(registry)
                .clock(time.clock())
                .timer(time.scheduler())
                .queue(
                        QueueOptions.serial("default").withMaxWaiting(100),
                        new Target.Agent("client-001"),
                        () -> Room.ANY)
                .queue(QueueOptions.serial("other"), new Target.Agent("client-002"), () -> Room.ANY)
                .build();
        registry.register(queues);
        manager = CommandManager.builder(registry)
                .time(time.clock(), time::nanos)
                .timer(time.scheduler())
                .listener(metrics)
                .build();
        queues.start(manager);
        facade = options.apply(HttpFacade.builder(manager, edge)
                        .address(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .metrics(metrics)
                        .queues(queues)
                        .tasks(TaskOptions.of("default", time.clock()))
                        .clock(time.clock())
                        .timer(time.scheduler()))
                .build()
                .start();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        facade.shutdown(Duration.ofSeconds(1));
        Answers.ALL.record(facade.routes(), metrics);
        queues.close();
        manager.close();
    }

    URI uri(String path) {
        return URI.create("http://127.0.0.1:" + facade.address().getPort() + path);
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(uri(path)).timeout(PATIENCE);
    }

    Answer get(String path, String... headers) {
        return send(withHeaders(request(path), headers).build());
    }

    Answer post(String path, String json, String... headers) {
        return send(postRequest(path, json, headers));
    }

    HttpRequest postRequest(String path, String json, String... headers) {
        return withHeaders(request(path), headers)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(json))
                .build();
    }

    private static HttpRequest.Builder withHeaders(HttpRequest.Builder request, String... headers) {
        return headers.length == 0 ? request : request.headers(headers);
    }

    Answer send(HttpRequest request) {
        try {
            return new Answer(client.send(request, BodyHandlers.ofString()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    CompletableFuture<Answer> sendAsync(HttpRequest request) {
        return client.sendAsync(request, BodyHandlers.ofString()).thenApply(Answer::new);
    }

    /** Submits a command over HTTP and returns its id. */
    String submit(String clientId, String type) {
        return post("/api/command", "{\"client_id\":\"" + clientId + "\",\"command_type\":\"" + type + "\"}")
                .json()
                .get("command_id")
                .asString();
    }

    AgentEdge.Running running(String id) {
        return edge.running.get(RecordId.parse(id).orElseThrow());
    }

    /** A response with its body read. */
    record Answer(HttpResponse<String> response) {
        int status() {
            return response.statusCode();
        }

        String body() {
            return response.body();
        }

        JsonNode json() {
            return JSON.readTree(response.body());
        }

        String header(String name) {
            return response.headers().firstValue(name).orElse(null);
        }

        String text(String pointer) {
            JsonNode node = json().at(pointer);
            return node.isMissingNode() ? null : node.asString();
        }
    }
}
