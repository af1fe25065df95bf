package io.github.commandway.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import io.github.commandway.outbox.Notifications.Rule;
import io.github.commandway.outbox.api.DeadLetter;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import io.github.commandway.testing.ManualTime;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Commands of a manager with a database, and a server that plays the chat: it checks signatures and counts messages as DingTalk does. */
class NotificationsTest {
    private static final String TOKEN = "t0ken";
    private static final String SECRET = "SECbe1ongsT0TheRobot";
    private static final URI LINK = URI.create("https://commandway.example");
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    @TempDir
    Path folder;

    private final ManualTime time = new ManualTime();
    private final List<JsonNode> messages = new CopyOnWriteArrayList<>();
    private final List<String> refused = new CopyOnWriteArrayList<>();
    private final ArrayDeque<Long> lastMinute = new ArrayDeque<>();
    private volatile String trouble = "";
    private Database database;
    private Outbox outbox;
    private HttpServer server;

    @BeforeEach
    void start() throws Exception {
        database = Database.sqlite(folder.resolve("outbox.db"));
        outbox = new Outbox(database);
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/robot/send", this::answerAsDingTalk);
        server.createContext("/services/T/B/" + TOKEN, this::answerAsSlack);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
        database.close();
    }

    @Test
    void aRobotIsToldWithASignatureThatHolds() {
        try (ChatPublisher robot = robot(SECRET).build();
                Commands commands = new Commands(rule(), robot)) {
            RecordId id = commands.run("tool:backup", failing("disk *full*\nrun evil"));
            await().until(() -> messages.size() == 1);

            assertThat(refused).isEmpty();
            JsonNode message = messages.get(0);
            assertThat(message.get("msgtype").asString()).isEqualTo("markdown");
            assertThat(message.get("markdown").get("title").asString()).isEqualTo("tool:backup 1.2.0 failed");
            assertThat(message.get("markdown").get("text").asString())
                    .startsWith(
                            "**tool:backup 1.2.0 failed**  \nexecutor\\_error: disk \\*full\\* run evil, exit code 3  \ntook ")
                    .contains(", on local:300, for ann  \n")
                    .contains("[run " + id + "](https://commandway.example/result/" + id + ")");
        }
    }

    @Test
    void theLastLinesOfOutputAreToldInTheirEncodingIfThatIsWanted() {
        Handler chinese = (context, command, tag, receiver) -> {
            for (int i = 1; i <= 5; i++) {
                receiver.output(tag, "stdout", ("第" + i + "行 <b>\n").getBytes(Charset.forName("GBK")));
            }
            receiver.completeYield(
                    tag,
                    "{\"encoding\": \"GBK\"}".getBytes(StandardCharsets.UTF_8),
                    new CommandException(Reason.EXECUTOR_ERROR, "no"));
        };
        Commands commands = new Commands(rule());
        try (commands;
                ChatPublisher robot =
                        robot(SECRET).output(2, commands.store::events).build();
                OutboxRelay relay = relay(robot)) {
            commands.run("tool:report", chinese);
            await().until(() -> relay.stats().sent() == 1);
            assertThat(messages.get(0).get("markdown").get("text").asString())
                    .endsWith("\n> 第4行 &lt;b\\>  \n> 第5行 &lt;b\\>  \n");
        }
    }

    @Test
    void aReceiverIsToldOnlyOfWhatItWantsToKnow() {
        Rule rule = new Rule(
                "ops",
                EnumSet.of(CommandStatus.FAILED),
                List.of(Rule.pattern("tool:back*"), Rule.pattern("toolchain:*")),
                List.of(Rule.pattern("local:*")));
        try (ChatPublisher robot = robot(SECRET).build();
                Commands commands = new Commands(rule, robot)) {
            commands.run("tool:backup", (context, command, tag, receiver) -> receiver.completeYield(tag, null, null));
            commands.run("tool:restore", failing("no"));
            commands.run("other", failing("no"));
            commands.run("toolchain:nightly", failing("no"));
            await().until(() -> commands.relay.stats().sent() == 1);
            assertThat(messages)
                    .singleElement()
                    .satisfies(message -> assertThat(
                                    message.get("markdown").get("title").asString())
                            .isEqualTo("toolchain:nightly 1.2.0 failed"));
        }
    }

    @Test
    void anAnswerWithACodeIsAFailureAndIsTriedAgainAlsoByTheNextServer() {
        trouble = "{\"errcode\":310000,\"errmsg\":\"keywords not in content\"}";
        RecordId id;
        try (ChatPublisher robot = robot(SECRET).build();
                Commands commands = new Commands(rule(), robot)) {
            id = commands.run("tool:backup", failing("no"));
            await().until(() -> commands.relay.stats().failed() > 1);
            assertThat(commands.relay.stats().sent()).isZero();
        }
        trouble = "";
        try (ChatPublisher robot = robot(SECRET).build();
                OutboxRelay relay = relay(robot)) {
            await().until(() -> relay.stats().sent() == 1);
            assertThat(messages)
                    .singleElement()
                    .satisfies(message -> assertThat(
                                    message.get("markdown").get("text").asString())
                            .contains(id.toString()));
        }
    }

    @Test
    void nobodyLearnsTheTokenOrTheSecretFromWhatFailed() {
        Set<String> errors = Set.of(
                deadLetter(robot("SECnotThatOne")).error(),
                deadLetter(ChatPublisher.slack(URI.create(address("/services/none/" + TOKEN)), time.scheduler()))
                        .error());
        assertThat(errors)
                .containsExactlyInAnyOrder("DingTalk answered errcode 310000: sign not match", "Slack answered 404");

        server.stop(0);
        assertThatThrownBy(() -> robot(SECRET).build().publish(entry("{}")).join())
                .hasCauseInstanceOf(PublisherUnavailableException.class)
                .hasMessageContaining("DingTalk cannot be reached")
                .hasMessageNotContainingAny(TOKEN, SECRET);
        assertThatThrownBy(() -> ChatPublisher.slack(URI.create("mailto:" + TOKEN), time.scheduler()))
                .hasMessageNotContaining(TOKEN);
    }

    @Test
    void noMoreIsSentInAMinuteThanTheRobotTakesAndNothingIsLost() {
        int count = 500;
        try (ChatPublisher robot = robot(SECRET).build();
                Commands commands = new Commands(rule(), robot)) {
            for (int i = 0; i < count; i++) {
                commands.run("tool:backup", failing("no"));
            }
            await().until(() -> {
                time.advance(Duration.ofSeconds(20));
                return commands.relay.stats().sent() == count;
            });
            assertThat(refused).isEmpty();
            assertThat(messages).hasSizeLessThan(count);
            assertThat(messages.stream().mapToInt(NotificationsTest::told).sum())
                    .isEqualTo(count);
            assertThat(messages)
                    .anySatisfy(message -> assertThat(
                                    message.get("markdown").get("text").asString())
                            .contains(" commands have ended: ")
                            .contains("tool:backup 1.2.0: executor\\_error: no, [run ")
                            .contains(" more"));
        }
    }

    @Test
    void whatWaitedForRoomWhenTheServerStoppedIsToldByTheNextOne() {
        Commands commands = new Commands(rule());
        try (commands;
                ChatPublisher robot = robot(SECRET).perMinute(1).build()) {
            Runnable stopping = robot::close;
            commands.run("tool:one", failing("no"));
            commands.run("tool:two", failing("no"));
            try (OutboxRelay relay = relay(robot)) {
                await().until(() -> messages.size() == 1 && relay.stats().inFlight() == 1);
                // as the server does: first, so that the relay need not wait for room
                stopping.run();
            }
        }
        try (ChatPublisher robot = robot(SECRET).build();
                OutboxRelay relay = relay(robot)) {
            await().until(() ->
                    messages.stream().mapToInt(NotificationsTest::told).sum() == 2);
            await().until(() -> relay.stats().waiting() == 0 && relay.stats().inFlight() == 0);
        }
    }

    @Test
    void aRobotThatHadTooMuchIsLeftAloneForAWhileAndThatIsNoFailure() {
        trouble = "{\"errcode\":130101,\"errmsg\":\"send too fast, exceed 20 times per minute\"}";
        try (ChatPublisher robot = robot(SECRET).build();
                Commands commands = new Commands(rule(), robot)) {
            commands.run("tool:backup", failing("no"));
            await().until(() -> refused.size() > 1);
            trouble = "";
            await().until(() -> commands.relay.stats().sent() == 1);
            assertThat(commands.relay.stats().failed()).isZero();
        }
    }

    @Test
    void slackGetsATextInWhichNothingIsMarkup() {
        try (ChatPublisher slack = ChatPublisher.slack(URI.create(address("/services/T/B/" + TOKEN)), time.scheduler())
                        .prefix("[test]")
                        .build();
                Commands commands = new Commands(rule(), slack)) {
            RecordId id = commands.run("tool:backup", failing("<!channel> & <http://evil|ok>"));
            await().until(() -> messages.size() == 1);
            assertThat(messages.get(0).propertyNames()).containsExactly("text");
            assertThat(messages.get(0).get("text").asString())
                    .startsWith("[test] *tool:backup 1.2.0 failed*\nexecutor_error: &lt;!channel&gt; &amp;"
                            + " &lt;http://evil|ok&gt;, exit code 3\ntook ")
                    .endsWith("<https://commandway.example/result/" + id + "|run " + id + ">\n");
        }
    }

    @Test
    void aRuleForWhatIsNoEndIsRefused() {
        assertThatThrownBy(() -> new Rule("ops", Set.of(CommandStatus.EXECUTING), List.of(), List.of()))
                .hasMessageContaining("must be some of completed, failed, timeout and cancelled");
        assertThat(Rule.pattern("tool:a.b*").asMatchPredicate())
                .accepts("tool:a.b", "tool:a.bc")
                .rejects("tool:axb", "other");
    }

    private static int told(JsonNode message) {
        var counted = Pattern.compile("(\\d+) commands have ended.*")
                .matcher(message.get("markdown").get("title").asString());
        return counted.matches() ? Integer.parseInt(counted.group(1)) : 1;
    }

    /** What becomes of one notification if it is tried once. */
    private DeadLetter deadLetter(ChatPublisher.Builder builder) {
        String receiver = "r" + UUID.randomUUID();
        database.write(connection -> {
                    outbox.append(
                            connection,
                            OutboxEntry.of(
                                    UUID.randomUUID(),
                                    Notifications.topic(receiver),
                                    "k",
                                    "command.failed",
                                    "{}",
                                    time.clock().instant()));
                    return true;
                })
                .join();
        try (ChatPublisher publisher = builder.build();
                OutboxRelay relay = OutboxRelay.of(outbox)
                        .publish(
                                Notifications.topic(receiver),
                                publisher,
                                io.github.commandway.manager.RetryPolicy.exponential(1))
                        .start()) {
            return await().until(
                            () -> relay.deadLetters(10, 0).join().stream()
                                    .filter(letter -> letter.topic().equals(Notifications.topic(receiver)))
                                    .toList(),
                            found -> !found.isEmpty())
                    .get(0);
        }
    }

    private static OutboxEntry entry(String payload) {
        return OutboxEntry.of(
                UUID.randomUUID(), Notifications.topic("ops"), "k", "command.failed", payload, ManualTime.START);
    }

    private static Rule rule() {
        return new Rule("ops", Set.of(CommandStatus.FAILED), List.of(Rule.pattern("*")), List.of(Rule.pattern("*")));
    }

    private static Handler failing(String message) {
        return (context, command, tag, receiver) -> receiver.completeYield(
                tag,
                "{\"tool\": \"backup\", \"version\": \"1.2.0\", \"files\": [{\"version\": 1}], \"exit_code\": 3}"
                        .getBytes(StandardCharsets.UTF_8),
                new CommandException(Reason.EXECUTOR_ERROR, message));
    }

    private ChatPublisher.Builder robot(String secret) {
        return ChatPublisher.dingTalk(
                        URI.create(address("/robot/send?access_token=" + TOKEN)), secret, time.scheduler())
                .clock(time.clock(), time::nanos);
    }

    private String address(String path) {
        return "http://127.0.0.1:" + server.getAddress().getPort() + path;
    }

    private OutboxRelay relay(Publisher publisher) {
        return OutboxRelay.of(outbox)
                .publish(Notifications.topic("ops"), publisher, OutboxRelayContract.PATIENT)
                .start();
    }

    private void answerAsDingTalk(HttpExchange exchange) throws IOException {
        Map<String, String> query = new HashMap<>();
        Stream.of(exchange.getRequestURI().getRawQuery().split("&"))
                .map(part -> part.split("=", 2))
                .forEach(part -> query.put(part[0], URLDecoder.decode(part[1], StandardCharsets.UTF_8)));
        byte[] body = exchange.getRequestBody().readAllBytes();
        String answer;
        synchronized (lastMinute) {
            long now = time.nanos();
            lastMinute.removeIf(sent -> now - sent >= Duration.ofMinutes(1).toNanos());
            lastMinute.add(now);
            if (!trouble.isEmpty()) {
                answer = trouble;
            } else if (!TOKEN.equals(query.get("access_token"))) {
                answer = "{\"errcode\":300005,\"errmsg\":\"token is not exist\"}";
            } else if (!isSigned(query)) {
                answer = "{\"errcode\":310000,\"errmsg\":\"sign not match\"}";
            } else if (lastMinute.size() > 20) {
                answer = "{\"errcode\":130101,\"errmsg\":\"send too fast, exceed 20 times per minute\"}";
            } else {
                answer = "{\"errcode\":0,\"errmsg\":\"ok\"}";
            }
        }
        if (answer.contains(":0,")) {
            messages.add(MAPPER.readTree(body));
        } else {
            refused.add(answer);
        }
        respond(exchange, 200, answer);
    }

    private boolean isSigned(Map<String, String> query) {
        try {
            long timestamp = Long.parseLong(query.get("timestamp"));
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(SECRET.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            byte[] expected = mac.doFinal((timestamp + "\n" + SECRET).getBytes(StandardCharsets.UTF_8));
            return Math.abs(timestamp - time.clock().millis())
                            <= Duration.ofHours(1).toMillis()
                    && Base64.getEncoder().encodeToString(expected).equals(query.get("sign"));
        } catch (java.security.GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private void answerAsSlack(HttpExchange exchange) throws IOException {
        messages.add(MAPPER.readTree(exchange.getRequestBody().readAllBytes()));
        respond(exchange, 200, "ok");
    }

    private static void respond(HttpExchange exchange, int status, String text) throws IOException {
        byte[] answer = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, answer.length);
        exchange.getResponseBody().write(answer);
        exchange.close();
    }

    /** A manager on the database whose ends are told. */
    private final class Commands implements AutoCloseable {
        final SqlCommandStore store;
        final OutboxRelay relay;
        private final CommandManager manager;
        private volatile Handler handler = (context, command, tag, receiver) -> {};

        Commands(Rule rule, Publisher publisher) {
            this(rule, relay(publisher));
        }

        /** Without a relay. */
        Commands(Rule rule) {
            this(rule, relay(entry -> new java.util.concurrent.CompletableFuture<>()));
            relay.close();
        }

        private Commands(Rule rule, OutboxRelay relay) {
            this.relay = relay;
            store = SqlCommandStore.builder(database)
                    .endHook(new Notifications(outbox, UUID::randomUUID, List.of(rule), LINK))
                    .build();
            Registry registry = new Registry();
            registry.register(
                    "test", 300, (context, command, tag, receiver) -> handler.handle(context, command, tag, receiver));
            manager = CommandManager.builder(registry).store(store).build();
        }

        RecordId run(String type, Handler handler) {
            this.handler = handler;
            return manager.submit(CommandRequest.to(new Target.Local(300), type)
                            .principal("ann")
                            .build())
                    .thenCompose(handle -> handle.completion())
                    .join()
                    .id();
        }

        @Override
        public void close() {
            relay.close();
            manager.close();
        }
    }
}
