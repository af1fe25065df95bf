package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationResult;
import io.github.commandway.http.FacadeFixture.Answer;
import java.lang.reflect.Proxy;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What holds for all routes, whatever they do. */
class EveryRouteTest {
    private static final int MAX_BODY = 4_096;
    private static final String CLIENTS = "{\"client_ids\":[\"client-001\"],\"command_type\":\"hang\"}";

    private volatile ConversationError.Kind failure = ConversationError.Kind.STORE_FAILED;

    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(
            options -> options.conversations(failing()).maxBodyBytes(MAX_BODY).maxWaiting(0));

    @RegisterExtension
    final FacadeFixture guarded =
            new FacadeFixture(options -> options.conversations(failing()).token("alice", "s3cret"));

    @RegisterExtension
    final FacadeFixture withoutStreams = new FacadeFixture(options -> options.maxStreams(0));

    /** Conversations of a store that does not work. */
    private ConversationCommandService failing() {
        return (ConversationCommandService) Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ConversationCommandService.class},
                (proxy, method, arguments) -> CompletableFuture.completedFuture(
                        new ConversationResult.Failure<>(new ConversationError(failure, "for the test"))));
    }

    private static HttpRequest request(FacadeFixture facade, Route route, String query, String type, String body) {
        String path = route.path().replaceAll("\\{\\w+(\\.\\.\\.)?}", "00000000-0000-7000-8000-000000000000");
        HttpRequest.Builder request = facade.request(path + query);
        return route.takesBody()
                ? request.header("Content-Type", type)
                        .method(route.method(), BodyPublishers.ofString(body))
                        .build()
                : request.method(route.method(), BodyPublishers.noBody()).build();
    }

    private static HttpRequest request(FacadeFixture facade, Route route) {
        return request(facade, route, "", "application/json", "{}");
    }

    @Test
    void refusesAParameterThatItDoesNotHave() {
        for (Route route : server.facade.routes()) {
            Answer answer = server.send(request(server, route, "?colour=red", "application/json", "{}"));

            assertThat(answer.status()).as(route.path()).isEqualTo(400);
            assertThat(answer.text("/type")).isEqualTo("urn:commandway:problem:unknown_parameter");
        }
    }

    @Test
    void refusesWhoeverHasNoTokenOnceThereIsOne() {
        for (Route route : guarded.facade.routes()) {
            Answer answer = guarded.send(request(guarded, route));

            if (route.open()) {
                assertThat(answer.status()).as(route.path()).isEqualTo(200);
            } else {
                assertThat(answer.status()).as(route.path()).isEqualTo(401);
                assertThat(answer.text("/type")).isEqualTo("urn:commandway:problem:unauthenticated");
            }
        }
    }

    @Test
    void refusesWhatAPageOfAnotherOriginSends() {
        for (Route route : server.facade.routes()) {
            HttpRequest foreign = HttpRequest.newBuilder(request(server, route), (name, value) -> true)
                    .header("Origin", "http://evil.example")
                    .build();

            Answer answer = server.send(foreign);

            assertThat(answer.status()).as(route.path()).isEqualTo(403);
            assertThat(answer.text("/type")).isEqualTo("urn:commandway:problem:foreign_origin");
        }
    }

    @Test
    void refusesABodyThatIsTooLargeOrNotJson() {
        for (Route route : server.facade.routes()) {
            if (route.takesBody()) {
                Answer text = server.send(request(server, route, "", "text/plain", "{}"));
                assertThat(text.status()).as(route.path()).isEqualTo(415);
                assertThat(text.text("/type")).isEqualTo("urn:commandway:problem:unsupported_media_type");

                Answer large = server.send(request(server, route, "", "application/json", " ".repeat(MAX_BODY) + "{}"));
                assertThat(large.status()).as(route.path()).isEqualTo(413);
                assertThat(large.text("/type")).isEqualTo("urn:commandway:problem:body_too_large");
            }
        }
    }

    @Test
    void saysWhenTheStoreOfConversationsFailsOrIsBusy() {
        for (Route route : server.facade.routes()) {
            if (route.path().contains("/conversations/")) {
                String body = "{\"type\":\"ASK\"}";
                if (route.method().equals("PATCH")) {
                    body = "{\"status\":\"ACTIVE\"}";
                } else if (route.path().endsWith("/sessions")) {
                    body = "{}";
                }
                HttpRequest request = request(server, route, "", "application/json", body);

                failure = ConversationError.Kind.STORE_FAILED;
                Answer failed = server.send(request);
                assertThat(failed.status()).as(route.path()).isEqualTo(500);
                assertThat(failed.text("/code")).isEqualTo("store_failed");
                assertThat(failed.text("/message")).isEqualTo("持久化操作失败: for the test");

                failure = ConversationError.Kind.BUSY;
                Answer busy = server.send(request);
                assertThat(busy.status()).as(route.path()).isEqualTo(503);
                assertThat(busy.text("/code")).isEqualTo("busy");
                assertThat(busy.header("Retry-After")).isEqualTo("1");
            }
        }
    }

    @Test
    void keepsNoMoreRequestsWaitingThanAllowed() {
        String task = server.post("/", "{\"cmd_type\":\"hang\"}").text("/task_id");
        List<String> lines = new CopyOnWriteArrayList<>();
        CompletableFuture<?> stream = server.client.sendAsync(
                server.postRequest("/api/command/stream", CLIENTS),
                BodyHandlers.fromLineSubscriber(new LineCollector(lines)));
        await().until(() -> lines.contains("event: start"));
        String held = FacadeFixture.JSON
                .readTree(lines.get(lines.indexOf("event: start") + 1).substring("data: ".length()))
                .get("task_id")
                .asString();

        refusesForCapacity(server.post("/task/" + task + "/cancel", ""));
        refusesForCapacity(server.post("/api/command/" + task + "/cancel", ""));
        refusesForCapacity(server.get("/task/" + task, "Prefer", "wait=1"));
        refusesForCapacity(server.post("/", "{\"cmd_type\":\"echo\"}", "Prefer", "wait=1"));
        refusesForCapacity(server.post("/api/command/multi/" + held + "/cancel", ""));
        refusesForCapacity(server.post("/api/command/multi", CLIENTS));
        refusesForCapacity(server.post("/api/broadcast", "{}"));
        refusesForCapacity(withoutStreams.post("/api/command/stream", CLIENTS));

        server.edge.running.values().forEach(running -> running.complete("1"));
        assertThat(stream).succeedsWithin(Duration.ofSeconds(20));
    }

    private static void refusesForCapacity(Answer answer) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(503);
        assertThat(answer.text("/type")).isEqualTo("urn:commandway:problem:capacity");
        assertThat(answer.header("Retry-After")).isEqualTo("1");
    }
}
