package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationResult;
import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.outbox.api.DeadLetters;
import java.lang.reflect.Proxy;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** What a caller may do, on every route. Callers are named, and their tokens are their names. */
class CallersRightsTest {
    private static final String SECRET = "\"a secret result\"";
    private static final String ECHO =
            "{\"client_id\":\"client-001\",\"command_type\":\"echo\",\"payload\":" + SECRET + "}";
    private static final String HANG = "{\"client_id\":\"client-001\",\"command_type\":\"hang\"}";
    private static final String TASK = "{\"cmd_type\":\"echo\",\"params\":{\"a\":\"secret result\"}}";

    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(options -> {
        options.conversations(failing(ConversationCommandService.class)).deadLetters(failing(DeadLetters.class));
        for (Right right : Right.values()) {
            options.token(without(right), without(right), Rights.parse(othersThan(right)));
        }
        return options.token("alice", "alice")
                .token("robot", "robot", Rights.parse("run,view:own,output:own,cancel:own"))
                .token("watcher", "watcher", Rights.parse("view"))
                .token("runner", "runner", Rights.parse("run"))
                .token("steward", "steward", Rights.parse("manage"))
                .token("own", "own", Rights.parse("run,view:own,output:own,cancel:own,manage"))
                .token("painter", "painter", Rights.parse("all;types=echo,paint*;targets=agent:client-001,queue:*"));
    });

    @RegisterExtension
    final FacadeFixture sync = new FacadeFixture(options -> options.tasks(
                    TaskOptions.of("default", Clock.fixed(Instant.EPOCH, ZoneOffset.UTC))
                            .withMode(TaskOptions.Mode.SYNC))
            .token("runner", "runner", Rights.parse("run,view")));

    /** A service that does not work, for routes of which only the entrance is of interest. */
    private static <T> T failing(Class<T> service) {
        return service.cast(Proxy.newProxyInstance(
                service.getClassLoader(),
                new Class<?>[] {service},
                (proxy, method, arguments) -> service == DeadLetters.class
                        ? CompletableFuture.completedFuture(method.getName().equals("deadLetters") ? List.of() : false)
                        : CompletableFuture.completedFuture(new ConversationResult.Failure<>(
                                new ConversationError(ConversationError.Kind.STORE_FAILED, "for the test")))));
    }

    private static String without(Right right) {
        return "no-" + right.code();
    }

    private static String othersThan(Right right) {
        return Arrays.stream(Right.values())
                .filter(other -> other != right)
                .map(Right::code)
                .collect(Collectors.joining(","));
    }

    private Answer as(String caller, String method, String path, String body, String... headers) {
        HttpRequest.Builder request = server.request(path).header("Authorization", "Bearer " + caller);
        if (headers.length > 0) {
            request.headers(headers);
        }
        return server.send(
                method.equals("GET") || method.equals("DELETE")
                        ? request.method(method, BodyPublishers.noBody()).build()
                        : request.header("Content-Type", "application/json")
                                .method(method, BodyPublishers.ofString(body))
                                .build());
    }

    private Answer get(String caller, String path, String... headers) {
        return as(caller, "GET", path, "", headers);
    }

    private Answer post(String caller, String path, String body, String... headers) {
        return as(caller, "POST", path, body, headers);
    }

    private Answer call(String caller, Route route) {
        return as(caller, route.method(), route.path().replaceAll("\\{\\w+}", "x"), "{}");
    }

    private String submit(String caller, String body) {
        Answer answer = post(caller, "/api/command", body);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer.text("/command_id");
    }

    private static void assertMissing(Answer answer, Right right) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(403);
        assertThat(answer.text("/type")).isEqualTo("urn:commandway:problem:right_missing");
        assertThat(answer.text("/right")).isEqualTo(right.code());
    }

    private static void assertLetIn(Answer answer, String route) {
        assertThat(answer.status() == 403 && answer.body().contains("problem:right_missing"))
                .as(route)
                .isFalse();
    }

    private static void assertUnknown(Answer answer, Answer unknown, String id) {
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.body().replace(id, "ID")).isEqualTo(unknown.body().replaceAll("'[-0-9a-f]{36}'", "'ID'"));
    }

    @Test
    void eachRouteRefusesWhoeverLacksOneOfTheRightsThatItNeedsAndNobodyElse() {
        for (Route route : server.facade.routes()) {
            for (Right right : Right.values()) {
                Answer answer = call(without(right), route);
                if (route.needs().contains(right)) {
                    assertMissing(answer, right);
                } else {
                    assertLetIn(answer, route.method() + " " + route.path() + " without " + right);
                }
            }
        }
    }

    @Test
    void eachRouteThatIsNotAboutSomebodysCommandsRefusesWhoeverHasItsRightForSomeOnly() {
        for (Route route : server.facade.routes()) {
            boolean isView = route.needs().contains(Right.VIEW);
            Answer own = call("own", route);
            Answer limited = call("painter", route);
            String name = route.method() + " " + route.path();
            switch (route.extent()) {
                case SOME -> {
                    assertLetIn(own, name);
                    assertLetIn(limited, name);
                }
                case OWN -> {
                    assertLetIn(own, name);
                    assertMissing(limited, route.needs().get(0));
                }
                case ALL -> {
                    if (isView) {
                        assertMissing(own, Right.VIEW);
                    }
                    assertMissing(limited, route.needs().get(0));
                }
            }
        }
    }

    @Test
    void aRouteThatDoesNotSayWhatItNeedsCannotBeMade() {
        assertThatIllegalStateException()
                .isThrownBy(() -> Route.get("/x", "").handledBy(call -> null))
                .withMessage("GET /x does not say what rights it needs");
    }

    @Test
    void theOpenApiDocumentSaysWhatEachRouteNeeds() {
        JsonNode paths = get("alice", "/openapi.json").json().get("paths");
        for (Route route : server.facade.routes()) {
            JsonNode operation = paths.get(route.path()).get(route.method().toLowerCase(Locale.ROOT));
            if (route.open()) {
                assertThat(operation.has("security")).isFalse();
                continue;
            }
            List<String> listed = new ArrayList<>();
            operation.at("/security/0/bearer").forEach(right -> listed.add(right.asString()));
            assertThat(listed)
                    .as(route.path())
                    .isEqualTo(route.needs().stream().map(Right::code).toList());
        }
        assertThat(paths.at("/~1api~1command~1{id}/get/description").asString())
                .isEqualTo("Needs view. Without output for a command its result is left out.");
        assertThat(paths.at("/~1metrics/get/description").asString()).isEqualTo("Needs view, without limits.");
    }

    @Test
    void anEventStreamShowsNobodyElsesOutput() {
        String id = submit("alice", ECHO);

        assertThat(get("alice", "/api/command/" + id + "/events").body()).contains(SECRET);
        assertMissing(get("watcher", "/api/command/" + id + "/events"), Right.OUTPUT);
        assertUnknown(get("robot", "/api/command/" + id + "/events"), unknown("robot", "/events"), id);
        assertThat(get("robot", "/api/command/" + submit("robot", ECHO) + "/events")
                        .body())
                .contains(SECRET);
    }

    private Answer unknown(String caller, String rest) {
        return get(caller, "/api/command/00000000-0000-7000-8000-000000000000" + rest);
    }

    @Test
    void requestsThatWaitShowResultsOnlyToThoseWhoMaySeeThem() {
        String id = submit("alice", ECHO);
        String clients = ECHO.replace("\"client_id\":\"client-001\"", "\"client_ids\":[\"client-001\"]");
        List<Answer> hidden = List.of(
                get("no-output", "/api/command/" + id, "Prefer", "wait=1"),
                post("no-output", "/api/command", ECHO, "Prefer", "wait=20"),
                post("no-output", "/api/command/multi", clients),
                post("no-output", "/api/command/stream", clients));
        for (Answer answer : hidden) {
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            assertThat(answer.body()).contains("\"omitted\":[\"result\"]").doesNotContain("\"result\":" + SECRET);
            assertThat(answer.body()).contains("completed");
        }
        Answer task = post("no-output", "/", TASK, "Prefer", "wait=20");
        assertThat(task.text("/task/status")).isEqualTo("completed");
        assertThat(task.body()).contains("\"omitted\":[\"result\"]").doesNotContain("secret result");
        assertThat(post("alice", "/", TASK, "Prefer", "wait=20").body()).contains("secret result");
    }

    @Test
    void requestsThatWaitForWhatTheCallerMayNotViewAreRefusedBeforeAnythingIsRun() {
        assertMissing(post("runner", "/api/command", HANG, "Prefer", "wait=1"), Right.VIEW);
        assertMissing(post("runner", "/", TASK, "Prefer", "wait=1"), Right.VIEW);
        assertMissing(
                post("runner", "/api/command/multi", HANG.replace("_id\":\"client-001\"", "_ids\":[\"client-001\"]")),
                Right.VIEW);
        assertThat(get("alice", "/api/commands").text("/total")).isEqualTo("0");
    }

    @Test
    void inSyncModeATaskIsTakenOnlyFromThoseWhoMaySeeWhatItReturns() {
        Answer refused = sync.send(HttpRequest.newBuilder(
                        sync.postRequest("/", TASK, "Authorization", "Bearer runner"), (name, value) -> true)
                .build());
        assertMissing(refused, Right.OUTPUT);
    }

    @Test
    void aRepeatedRequestShowsNoMoreThanTheFirst() {
        String key = "Idempotency-Key";
        String id = post("runner", "/", TASK, key, "k").text("/task_id");
        await().until(() -> get("alice", "/task/" + id).text("/status").equals("completed"));

        Answer again = post("runner", "/", TASK, key, "k");
        assertThat(again.text("/task_id")).isEqualTo(id);
        assertThat(again.text("/message")).isEqualTo("任务已加入队列");
        assertMissing(post("runner", "/", TASK, key, "k", "Prefer", "wait=1"), Right.VIEW);
        Answer other = post("alice", "/", TASK, key, "k");
        assertThat(other.text("/task_id")).isNotEqualTo(id);
    }

    @Test
    void nobodyCancelsWithoutTheRightTo() {
        String id = submit("alice", HANG);
        await().until(() -> server.running(id) != null);

        assertMissing(post("no-cancel", "/api/command/" + id + "/cancel", ""), Right.CANCEL);
        assertMissing(post("watcher", "/api/command/" + id + "/cancel", ""), Right.CANCEL);
        assertUnknown(post("robot", "/api/command/" + id + "/cancel", ""), unknown("robot", ""), id);
        assertThat(get("alice", "/api/command/" + id).text("/command/cancel_requested"))
                .isEqualTo("false");

        String own = submit("robot", HANG);
        assertThat(post("robot", "/api/command/" + own + "/cancel", "").status())
                .isEqualTo(200);
    }

    @Test
    void aRequestToManyIsCancelledOnlyByThoseWhoMay() {
        List<String> lines = new CopyOnWriteArrayList<>();
        CompletableFuture<?> stream = server.client.sendAsync(
                server.postRequest(
                        "/api/command/stream",
                        HANG.replace("_id\":\"client-001\"", "_ids\":[\"client-001\"]"),
                        "Authorization",
                        "Bearer alice"),
                BodyHandlers.fromLineSubscriber(new LineCollector(lines)));
        await().until(() -> lines.contains("event: start"));
        String data = lines.get(lines.indexOf("event: start") + 1).substring("data: ".length());
        String path = "/api/command/multi/"
                + FacadeFixture.JSON.readTree(data).get("task_id").asString() + "/cancel";

        Answer unknown = post("robot", "/api/command/multi/x/cancel", "");
        Answer foreign = post("robot", path, "");
        assertThat(foreign.status()).isEqualTo(404);
        assertThat(foreign.body()).isEqualTo(unknown.body());
        assertMissing(post("no-cancel", path, ""), Right.CANCEL);
        assertThat(stream).isNotDone();

        assertThat(post("alice", path, "").status()).isEqualTo(200);
        assertThat(stream).succeedsWithin(Duration.ofSeconds(20));
    }

    @Test
    void aCommandThatMayNotBeViewedIsAnsweredLikeOneThatIsNotThere() {
        String id = submit("alice", ECHO);
        assertUnknown(get("robot", "/api/command/" + id), unknown("robot", ""), id);
        assertUnknown(get("robot", "/api/command/" + id, "Prefer", "wait=1"), unknown("robot", ""), id);
        String fail = submit("alice", HANG.replace("hang", "fail"));
        assertUnknown(get("painter", "/api/command/" + fail), unknown("painter", ""), fail);
        assertThat(get("painter", "/api/command/" + id).status()).isEqualTo(200);

        String task = post("alice", "/", TASK).text("/task_id");
        Answer unknown = get("robot", "/task/x");
        for (Answer foreign : List.of(
                get("robot", "/task/" + task),
                get("robot", "/task/" + task, "Prefer", "wait=1"),
                post("robot", "/task/" + task + "/cancel", ""))) {
            assertThat(foreign.status()).isEqualTo(404);
            assertThat(foreign.body().replace(task, "x")).isEqualTo(unknown.body());
        }
    }

    @Test
    void listsHaveOnlyWhatMayBeViewedAndWholePagesOfIt() {
        List<String> own = new ArrayList<>();
        List<String> echoes = new ArrayList<>();
        List<String> tasks = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            echoes.add(0, submit("alice", ECHO));
            submit("alice", HANG);
            own.add(0, submit("robot", HANG));
            post("alice", "/", TASK);
            tasks.add(0, post("robot", "/", TASK).text("/task_id"));
        }
        own.addAll(tasks);

        assertThat(listed("robot", "/api/commands", "commands", "command_id")).containsExactlyInAnyOrderElementsOf(own);
        assertThat(listed("robot", "/tasks", "tasks", "task_id")).containsExactlyInAnyOrderElementsOf(tasks);
        assertThat(listed("painter", "/api/commands?client_id=client-001", "commands", "command_id"))
                .containsExactlyInAnyOrderElementsOf(echoes);
        assertThat(listed("watcher", "/api/commands", "commands", "command_id")).hasSize(15);
        assertThat(get("watcher", "/api/commands").body())
                .contains("\"omitted\":[\"result\"]")
                .doesNotContain("\"result\":" + SECRET);
        assertThat(get("watcher", "/tasks").body()).doesNotContain("secret result");
    }

    private List<String> listed(String caller, String path, String name, String id) {
        List<String> ids = new ArrayList<>();
        String cursor = "";
        do {
            JsonNode page = get(caller, path + (path.contains("?") ? "&" : "?") + "limit=2" + cursor)
                    .json();
            page.get(name).forEach(record -> ids.add(record.get(id).asString()));
            boolean more = page.has("next_cursor");
            assertThat(page.get(name)).hasSizeLessThanOrEqualTo(2).hasSizeGreaterThanOrEqualTo(more ? 2 : 1);
            cursor = more ? "&cursor=" + page.get("next_cursor").asString() : "";
        } while (!cursor.isEmpty());
        return ids;
    }

    @Test
    void whoMayNotRunSomethingIsNotToldWhetherItIsThere() {
        Answer there = post("painter", "/api/command", ECHO.replace("client-001", "client-002"));
        Answer notThere = post("painter", "/api/command", ECHO.replace("client-001", "client-009"));
        assertMissing(there, Right.RUN);
        assertThat(notThere.status()).isEqualTo(there.status());
        assertThat(notThere.body()).isEqualTo(there.body());

        Answer type = post("painter", "/api/command", ECHO.replace("echo", "refuse-UNKNOWN_COMMAND"));
        assertMissing(type, Right.RUN);
        assertMissing(post("watcher", "/api/command", "{"), Right.RUN);
        assertMissing(
                post(
                        "painter",
                        "/api/command/multi",
                        "{\"client_ids\":[\"client-001\",\"client-002\"],\"command_type\":\"echo\"}"),
                Right.RUN);
        assertThat(get("alice", "/api/commands").text("/total")).isEqualTo("0");
    }
}
