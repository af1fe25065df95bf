package io.github.commandway.conversation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.github.commandway.conversation.api.ConversationCommand;
import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationError.Kind;
import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationMetrics;
import io.github.commandway.conversation.api.ConversationResult;
import io.github.commandway.conversation.api.ConversationRound;
import io.github.commandway.conversation.api.ConversationSession;
import io.github.commandway.conversation.api.EnqueuedCommand;
import io.github.commandway.conversation.api.EnqueuedCommand.Outcome;
import io.github.commandway.conversation.api.RoundQuery;
import io.github.commandway.conversation.api.RoundRole;
import io.github.commandway.conversation.api.SessionStatus;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.json.JsonMapper;

/** What conversations promise, on every database. */
abstract class ConversationServiceContract {
    static final String ALICE = "alice";
    static final String BOB = "bob";
    private static final JsonMapper JSON = JsonMapper.builder().build();

    final Map<String, Run> running = new ConcurrentHashMap<>();
    final CountingMetrics metrics = new CountingMetrics();
    Database database;
    CommandManager manager;
    CommandQueues queues;
    ConversationService conversations;

    /** Opens the database of this test; the second call opens what the first one left. */
    abstract Database open() throws Exception;

    @BeforeEach
    void startWithDefaults() throws Exception {
        start(builder -> builder);
    }

    void start(UnaryOperator<ConversationService.Builder> options) throws Exception {
        Server server = server(options);
        database = server.database;
        manager = server.manager;
        queues = server.queues;
        conversations = server.conversations;
    }

    Server server(UnaryOperator<ConversationService.Builder> options) throws Exception {
        Database opened = open();
        ConversationService service = options.apply(
                        ConversationService.builder(opened).metrics(metrics))
                .build();
        Registry registry = new Registry();
        CommandQueues lanes = CommandQueues.builder(registry)
                .queue(QueueOptions.serial("conversation").withConcurrency(8), (context, command, tag, receiver) -> {
                    RecordedCommand recorded = (RecordedCommand) command;
                    running.put(recorded.id().toString(), new Run(tag, receiver));
                })
                .build();
        registry.register(lanes);
        CommandManager commands = CommandManager.builder(registry)
                .store(SqlCommandStore.builder(opened).endHook(service).build())
                .listener(service)
                .build();
        commands.recover().join();
        service.start(commands);
        return new Server(opened, commands, lanes, service);
    }

    @AfterEach
    void stop() {
        new Server(database, manager, queues, conversations).close();
    }

    void restart(UnaryOperator<ConversationService.Builder> options) throws Exception {
        stop();
        start(options);
    }

    @Test
    void writesCommandEventOutboxEntryAndRoundTogether() throws Exception {
        ConversationSession session = value(conversations.createSession(ALICE, "genesis", "novel-7", null));
        EnqueuedCommand enqueued = value(conversations.enqueueCommand(
                ALICE, session.id(), "CHARACTER_REQUEST", bytes("{\"user_input\":\"一个勇敢的主角\"}"), "k-1", "trace-1"));

        assertThat(enqueued.outcome()).isEqualTo(Outcome.CREATED);
        assertThat(enqueued.command().status()).isEqualTo(ConversationCommand.Status.RECEIVED);
        assertThat(enqueued.command().correlationId()).isEqualTo("trace-1");
        String id = enqueued.command().id().toString();

        List<ConversationEvent> events = events(session.id());
        assertThat(events)
                .extracting(ConversationEvent::eventType)
                .containsExactly("Genesis.Session.Command.Received", "Genesis.Session.Round.Created");
        assertThat(events).extracting(ConversationEvent::sequence).containsExactly(1L, 2L);
        assertThat(events).allSatisfy(event -> {
            assertThat(event.aggregateType()).isEqualTo("GenesisFlow");
            assertThat(event.aggregateId()).isEqualTo(session.id().toString());
            assertThat(event.correlationId()).isEqualTo("trace-1");
            assertThat(event.causationId()).isEqualTo(id);
        });
        assertThat(rounds(session.id())).singleElement().satisfies(round -> {
            assertThat(round.path()).isEqualTo("1");
            assertThat(round.role()).isEqualTo(RoundRole.USER);
            assertThat(round.input()).isEqualTo("{\"user_input\":\"一个勇敢的主角\"}");
            assertThat(round.correlationId()).isEqualTo(id);
        });
        assertThat(query("select id, topic, aggregateid, type from cw_outbox order by seq"))
                .containsExactly(
                        List.of(
                                events.get(0).eventId().toString(),
                                "genesis.session.events",
                                session.id().toString(),
                                "Genesis.Session.Command.Received"),
                        List.of(
                                events.get(1).eventId().toString(),
                                "genesis.session.events",
                                session.id().toString(),
                                "Genesis.Session.Round.Created"));
        List<String> entry =
                query("select payload, headers from cw_outbox order by seq").get(0);
        assertThat(entry.get(0))
                .contains(id, "CHARACTER_REQUEST", "一个勇敢的主角", ALICE, "api-gateway", "\"session_id\"", "\"event_id\"");
        assertThat(entry.get(1)).contains("event_type", "version", "correlation_id", "trace-1");
        assertThat(value(conversations.getSession(ALICE, session.id())).roundSequence())
                .isEqualTo(1);
    }

    @Test
    void writesNothingIfAnyPartCannotBeWritten() throws Exception {
        UUID session = session(ALICE);
        // takes the place that the command's round would have
        database.write(connection -> {
                    try (var statement = connection.createStatement()) {
                        return statement.executeUpdate(
                                "insert into cw_round (session_id, round_path, position, role, created_at) values ('"
                                        + session + "', '1', '000000001', 'user', 0)");
                    }
                })
                .join();

        ConversationError error = error(conversations.enqueueCommand(ALICE, session, "ASK", null, "key"));

        assertThat(error.code()).isEqualTo(500);
        assertThat(error.message()).startsWith("持久化操作失败");
        assertThat(query("select id from cw_command")).isEmpty();
        assertThat(query("select event_id from cw_domain_event")).isEmpty();
        assertThat(query("select id from cw_outbox")).isEmpty();
        assertThat(value(conversations.getSession(ALICE, session)).roundSequence())
                .isZero();
        assertThat(value(conversations.getPendingCommand(ALICE, session))).isEmpty();
    }

    @Test
    void acceptsOneOfManyCommandsThatComeAtOnceInOneSession() throws Exception {
        UUID session = session(ALICE);
        int callers = 16;
        CountDownLatch go = new CountDownLatch(1);
        ExecutorService executor = Executors.newFixedThreadPool(callers);
        try {
            List<CompletableFuture<EnqueuedCommand>> answers = IntStream.range(0, callers)
                    .mapToObj(i -> CompletableFuture.supplyAsync(
                            () -> {
                                awaitQuietly(go);
                                return value(conversations.enqueueCommand(
                                        ALICE, session, "TYPE_" + i, bytes("" + i), "key-" + i));
                            },
                            executor))
                    .toList();
            go.countDown();
            List<EnqueuedCommand> all =
                    answers.stream().map(CompletableFuture::join).toList();

            assertThat(all.stream().map(answer -> answer.command().id()).distinct())
                    .hasSize(1);
            assertThat(all.stream().filter(answer -> answer.outcome() == Outcome.CREATED))
                    .hasSize(1);
            assertThat(all.stream().filter(answer -> answer.outcome() == Outcome.OTHER_PENDING))
                    .hasSize(callers - 1);
        } finally {
            executor.shutdownNow();
        }
        assertThat(query("select id from cw_command")).hasSize(1);
        assertThat(events(session)).hasSize(2);
    }

    @Test
    void standsForTheEarlierCommandOnlyWithTheSameKeyOfTheSameUserInTheSameSession() throws Exception {
        UUID session = session(ALICE);
        UUID second = session(ALICE);
        UUID bobs = session(BOB);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k"));

        EnqueuedCommand again = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k"));
        assertThat(again.outcome()).isEqualTo(Outcome.REPEATED);
        assertThat(again.command().id()).isEqualTo(first.command().id());

        assertThat(error(conversations.enqueueCommand(ALICE, session, "ASK", bytes("2"), "k"))
                        .kind())
                .isEqualTo(Kind.CONFLICT);
        assertThat(error(conversations.enqueueCommand(ALICE, session, "TELL", bytes("1"), "k"))
                        .kind())
                .isEqualTo(Kind.CONFLICT);
        for (EnqueuedCommand other : List.of(
                value(conversations.enqueueCommand(ALICE, second, "ASK", bytes("1"), "k")),
                value(conversations.enqueueCommand(BOB, bobs, "ASK", bytes("1"), "k")))) {
            assertThat(other.outcome()).isEqualTo(Outcome.CREATED);
            assertThat(other.command().id()).isNotEqualTo(first.command().id());
        }
        assertThat(events(session)).hasSize(2);

        queues.start(manager);
        complete(first, "1");
        EnqueuedCommand afterTheEnd = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k"));
        assertThat(afterTheEnd.outcome()).isEqualTo(Outcome.REPEATED);
        assertThat(afterTheEnd.command().id()).isEqualTo(first.command().id());
        assertThat(afterTheEnd.command().status()).isEqualTo(ConversationCommand.Status.COMPLETED);
    }

    @Test
    void takesTheSameCommandWithoutAKeyForARepetitionWhileItIsPending() throws Exception {
        UUID session = session(ALICE);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));
        EnqueuedCommand again = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));
        EnqueuedCommand other = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("2"), null));

        assertThat(again.outcome()).isEqualTo(Outcome.REPEATED);
        assertThat(other.outcome()).isEqualTo(Outcome.OTHER_PENDING);
        assertThat(List.of(again, other))
                .extracting(answer -> answer.command().id())
                .containsOnly(first.command().id());
    }

    @Test
    void letsNobodyIntoTheSessionOfAnother() throws Exception {
        UUID session = session(ALICE);
        EnqueuedCommand enqueued = value(conversations.enqueueCommand(ALICE, session, "ASK", null, null));
        UUID unknown = UUID.randomUUID();

        for (UUID id : List.of(session, unknown)) {
            for (CompletableFuture<? extends ConversationResult<?>> call : List.of(
                    conversations.enqueueCommand(BOB, id, "ASK", null, null),
                    conversations.getPendingCommand(BOB, id),
                    conversations.getCommand(BOB, id, enqueued.command().id()),
                    conversations.getSession(BOB, id),
                    conversations.updateSession(BOB, id, SessionStatus.PAUSED, null),
                    conversations.deleteSession(BOB, id),
                    conversations.createRound(BOB, id, null, RoundRole.USER, null, null, null),
                    conversations.listRounds(BOB, id, new RoundQuery(null, 10, false, null)),
                    conversations.events(BOB, id, 0, 10))) {
                ConversationError error = ((ConversationResult.Failure<?>) call.join()).error();
                assertThat(error.code()).isEqualTo(403);
                assertThat(error.message()).isEqualTo("用户无权访问指定会话: there is no such session of this user");
            }
        }
        assertThat(value(conversations.listSessions(BOB, 10, null))).isEmpty();
        UUID bobs = session(BOB);
        assertThat(error(conversations.getCommand(BOB, bobs, enqueued.command().id()))
                        .code())
                .isEqualTo(404);
        assertThat(value(conversations.getCommand(
                                ALICE, session, enqueued.command().id()))
                        .id())
                .isEqualTo(enqueued.command().id());
    }

    @Test
    void rejectsASecondCommandIfThePolicySaysSo() throws Exception {
        restart(builder -> builder.policy(PendingCommandPolicy.REJECT));
        UUID session = session(ALICE);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));

        assertThat(error(conversations.enqueueCommand(ALICE, session, "TELL", bytes("1"), null)))
                .satisfies(error -> {
                    assertThat(error.code()).isEqualTo(409);
                    assertThat(error.detail()).contains(first.command().id().toString());
                });
        assertThat(value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null))
                        .outcome())
                .isEqualTo(Outcome.REPEATED);
        assertThat(query("select id from cw_command")).hasSize(1);
    }

    @Test
    void queuesASecondCommandBehindTheFirstIfThePolicySaysSo() throws Exception {
        restart(builder -> builder.policy(PendingCommandPolicy.QUEUE_BEHIND));
        queues.start(manager);
        UUID session = session(ALICE);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));
        EnqueuedCommand second = value(conversations.enqueueCommand(ALICE, session, "TELL", bytes("2"), null));

        assertThat(second.outcome()).isEqualTo(Outcome.CREATED);
        assertThat(pending(session)).isEqualTo(first.command().id());
        complete(first, "1");
        await().untilAsserted(() ->
                assertThat(running).containsKey(second.command().id().toString()));
        assertThat(pending(session)).isEqualTo(second.command().id());
        complete(second, "2");
        assertThat(types(session))
                .containsExactly(
                        "Command.Received",
                        "Round.Created",
                        "Command.Received",
                        "Round.Created",
                        "Command.Completed",
                        "Command.Completed");
    }

    @Test
    void replacesWhatWaitsButNotWhatIsExecutedIfThePolicySaysSo() throws Exception {
        restart(builder -> builder.policy(PendingCommandPolicy.REPLACE));
        UUID session = session(ALICE);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));
        EnqueuedCommand second = value(conversations.enqueueCommand(ALICE, session, "TELL", bytes("2"), null));

        assertThat(second.outcome()).isEqualTo(Outcome.CREATED);
        ConversationCommand replaced =
                value(conversations.getCommand(ALICE, session, first.command().id()));
        assertThat(replaced.status()).isEqualTo(ConversationCommand.Status.FAILED);
        assertThat(replaced.record().reason().code()).isEqualTo("cancelled_before_start");
        assertThat(pending(session)).isEqualTo(second.command().id());

        queues.start(manager);
        awaitRunning(second);
        ConversationError error = error(conversations.enqueueCommand(ALICE, session, "SHOUT", bytes("3"), null));
        assertThat(error.code()).isEqualTo(409);
        complete(second, "2");
        assertThat(types(session))
                .containsExactly(
                        "Command.Received",
                        "Round.Created",
                        "Command.Failed",
                        "Command.Received",
                        "Round.Created",
                        "Command.Completed");
    }

    @Test
    void takesACommandThroughItsLifeAndThenTheNext() throws Exception {
        queues.start(manager);
        UUID session = session(ALICE);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));
        awaitRunning(first);
        assertThat(value(conversations.getPendingCommand(ALICE, session))
                        .orElseThrow()
                        .status())
                .isEqualTo(ConversationCommand.Status.PROCESSING);

        complete(first, "{\"answer\":42}");

        assertThat(value(conversations.getPendingCommand(ALICE, session))).isEmpty();
        assertThat(rounds(session))
                .singleElement()
                .extracting(ConversationRound::output)
                .isEqualTo("{\"answer\":42}");
        EnqueuedCommand second = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), null));
        assertThat(second.outcome()).isEqualTo(Outcome.CREATED);
        awaitRunning(second);
        Run run = running.get(second.command().id().toString());
        run.receiver.completeYield(run.tag, null, new IllegalStateException("no idea"));
        awaitEnd(session, second);

        ConversationCommand failed =
                value(conversations.getCommand(ALICE, session, second.command().id()));
        assertThat(failed.status()).isEqualTo(ConversationCommand.Status.FAILED);
        assertThat(failed.error()).contains("no idea");
        List<ConversationEvent> events = events(session);
        assertThat(types(session))
                .containsExactly(
                        "Command.Received",
                        "Round.Created",
                        "Command.Completed",
                        "Command.Received",
                        "Round.Created",
                        "Command.Failed");
        assertThat(events).extracting(ConversationEvent::sequence).containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
        assertThat(events.get(2).payload()).contains("{\"answer\":42}", "COMPLETED");
        assertThat(events.get(5).payload()).contains("no idea", "executor_error");
        assertThat(query("select id from cw_outbox order by seq"))
                .containsExactlyElementsOf(events.stream()
                        .map(event -> List.of(event.eventId().toString()))
                        .toList());
        assertThat(value(conversations.events(ALICE, session, 4, 1)))
                .extracting(ConversationEvent::sequence)
                .containsExactly(5L);
        await().untilAsserted(() -> assertThat(metrics.completed).hasValue(1));
        await().untilAsserted(() -> assertThat(metrics.failed).hasValue(1));
        assertThat(metrics.transactions).hasValue(2);
        assertThat(metrics.misses).hasValue(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain words", "\"a\\u0000b\"", "1e999999", "\"\\ud800\"", "a\u0000b", ""})
    void recordsTheEndWhateverTheHandlerReturns(String result) throws Exception {
        queues.start(manager);
        UUID session = session(ALICE);
        EnqueuedCommand enqueued = value(conversations.enqueueCommand(ALICE, session, "ASK", null, null));
        complete(enqueued, result);
        assertThat(types(session)).endsWith("Command.Completed");
        assertThat(value(conversations.getCommand(
                                ALICE, session, enqueued.command().id()))
                        .record()
                        .result())
                .isEqualTo(bytes(result));
        String output = rounds(session).get(0).output();
        if (output != null) {
            // what PostgreSQL's jsonb would refuse, and so whoever reads the outbox with it
            assertThat(JSON.readTree(output).asString()).doesNotContain("\0").doesNotMatch("(?s).*\\p{Cs}.*");
        }
    }

    @Test
    void findsEverythingAgainAfterARestart() throws Exception {
        UUID session = session(ALICE);
        EnqueuedCommand enqueued =
                value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k", "trace-9"));

        restart(builder -> builder);

        assertThat(pending(session)).isEqualTo(enqueued.command().id());
        EnqueuedCommand again = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k"));
        assertThat(again.outcome()).isEqualTo(Outcome.REPEATED);
        assertThat(again.command().correlationId()).isEqualTo("trace-9");
        assertThat(value(conversations.enqueueCommand(ALICE, session, "TELL", null, null))
                        .outcome())
                .isEqualTo(Outcome.OTHER_PENDING);
        queues.start(manager);
        complete(enqueued, "1");
        assertThat(types(session)).containsExactly("Command.Received", "Round.Created", "Command.Completed");
        assertThat(events(session)).extracting(ConversationEvent::correlationId).containsOnly("trace-9");
    }

    @Test
    void makesUpForAMissingEventOnceWhenItFindsTheCommandAgain() throws Exception {
        UUID session = session(ALICE);
        CommandRecord bare = manager.submit(CommandRequest.toQueue("conversation", "ASK")
                        .principal(ALICE)
                        .orderKey("session:" + session)
                        .exclusiveKey("session:" + session)
                        .build())
                .join()
                .record();
        assertThat(events(session)).isEmpty();

        for (int i = 0; i < 2; i++) {
            EnqueuedCommand found = value(conversations.enqueueCommand(ALICE, session, "TELL", null, null));
            assertThat(found.outcome()).isEqualTo(Outcome.OTHER_PENDING);
            assertThat(found.command().id()).isEqualTo(bare.id());
        }
        List<CompletableFuture<ConversationResult<EnqueuedCommand>>> atOnce = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            atOnce.add(conversations.enqueueCommand(ALICE, session, "TELL", null, null));
        }
        atOnce.forEach(ConversationServiceContract::value);

        assertThat(types(session)).containsExactly("Command.Received", "Round.Created");
        assertThat(rounds(session)).extracting(ConversationRound::path).containsExactly("1");
        assertThat(query("select id from cw_outbox")).hasSize(2);
    }

    @Test
    void makesUpForAnEventWhoseRoundIsThere() throws Exception {
        UUID session = session(ALICE);
        EnqueuedCommand enqueued = value(conversations.enqueueCommand(ALICE, session, "ASK", null, null));
        database.write(connection -> {
                    try (var statement = connection.createStatement()) {
                        return statement.executeUpdate("delete from cw_domain_event where aggregate_sequence = 1");
                    }
                })
                .join();
        database.write(connection -> {
                    try (var statement = connection.createStatement()) {
                        return statement.executeUpdate("delete from cw_outbox where type like '%Received'");
                    }
                })
                .join();

        value(conversations.enqueueCommand(ALICE, session, "ASK", null, null));

        assertThat(events(session))
                .extracting(event -> event.sequence() + " " + event.eventType())
                .containsExactly("2 Conversation.Session.Round.Created", "3 Conversation.Session.Command.Received");
        assertThat(rounds(session))
                .singleElement()
                .satisfies(round -> assertThat(round.correlationId())
                        .isEqualTo(enqueued.command().id().toString()));
    }

    @Test
    void changesASessionOnlyInTheVersionThatWasExpected() throws Exception {
        UUID session = session(ALICE);
        ConversationSession paused = value(conversations.updateSession(ALICE, session, SessionStatus.PAUSED, 1L));
        assertThat(paused.version()).isEqualTo(2);
        assertThat(error(conversations.updateSession(ALICE, session, SessionStatus.ACTIVE, 1L))
                        .code())
                .isEqualTo(412);
        assertThat(error(conversations.enqueueCommand(ALICE, session, "ASK", null, null)))
                .satisfies(error -> {
                    assertThat(error.code()).isEqualTo(409);
                    assertThat(error.detail()).contains("PAUSED");
                });
        assertThat(query("select id from cw_command")).isEmpty();
        assertThat(value(conversations.updateSession(ALICE, session, SessionStatus.ACTIVE, null))
                        .version())
                .isEqualTo(3);
        assertThat(value(conversations.enqueueCommand(ALICE, session, "ASK", null, null))
                        .outcome())
                .isEqualTo(Outcome.CREATED);
    }

    @Test
    void removesASessionWithAllThatBelongsToItUnlessACommandIsPending() throws Exception {
        queues.start(manager);
        UUID session = session(ALICE);
        EnqueuedCommand enqueued = value(conversations.enqueueCommand(ALICE, session, "ASK", null, null));
        assertThat(error(conversations.deleteSession(ALICE, session)).code()).isEqualTo(409);
        complete(enqueued, "1");

        value(conversations.deleteSession(ALICE, session));

        assertThat(error(conversations.getSession(ALICE, session)).code()).isEqualTo(403);
        assertThat(query("select session_id from cw_round")).isEmpty();
        assertThat(query("select event_id from cw_domain_event")).isEmpty();
    }

    @Test
    void listsSessionsPageByPageNewestFirst() {
        List<UUID> made = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            made.add(0, session(ALICE));
        }
        session(BOB);
        List<UUID> listed = new ArrayList<>();
        UUID after = null;
        List<ConversationSession> page;
        do {
            page = value(conversations.listSessions(ALICE, 2, after));
            page.forEach(session -> listed.add(session.id()));
            after = page.isEmpty() ? null : page.get(page.size() - 1).id();
        } while (page.size() == 2);
        assertThat(listed).containsExactlyElementsOf(made);
        assertThat(error(conversations.listSessions(ALICE, 201, null)).code()).isEqualTo(400);
    }

    @Test
    void opensOneSessionForOneKey() {
        ConversationSession first = value(conversations.createSession(ALICE, "genesis", "7", "k"));
        assertThat(value(conversations.createSession(ALICE, "genesis", "7", "k")))
                .isEqualTo(first);
        assertThat(error(conversations.createSession(ALICE, "genesis", "8", "k"))
                        .code())
                .isEqualTo(409);
        assertThat(value(conversations.createSession(BOB, "genesis", "7", "k")).id())
                .isNotEqualTo(first.id());
        assertThat(error(conversations.createSession(ALICE, "../x", null, null)).code())
                .isEqualTo(400);
    }

    @Test
    void numbersRoundsAndTheirBranchesAndListsThemInThatOrder() {
        UUID session = session(ALICE);
        for (int i = 1; i <= 11; i++) {
            assertThat(round(session, null, RoundRole.SYSTEM).path()).isEqualTo("" + i);
        }
        assertThat(round(session, "2", RoundRole.ASSISTANT).path()).isEqualTo("2.1");
        assertThat(round(session, "2.1", RoundRole.TOOL).path()).isEqualTo("2.1.1");
        assertThat(round(session, "2", RoundRole.ASSISTANT).path()).isEqualTo("2.2");
        assertThat(error(conversations.createRound(ALICE, session, "99", RoundRole.USER, null, null, null))
                        .code())
                .isEqualTo(400);

        List<String> all = List.of("1", "2", "2.1", "2.1.1", "2.2", "3", "4", "5", "6", "7", "8", "9", "10", "11");
        assertThat(rounds(session)).extracting(ConversationRound::path).containsExactlyElementsOf(all);
        assertThat(value(conversations.listRounds(ALICE, session, new RoundQuery("2.1", 3, false, null))))
                .extracting(ConversationRound::path)
                .containsExactly("2.1.1", "2.2", "3");
        assertThat(value(conversations.listRounds(ALICE, session, new RoundQuery("3", 2, true, null))))
                .extracting(ConversationRound::path)
                .containsExactly("2.2", "2.1.1");
        assertThat(value(
                        conversations.listRounds(ALICE, session, new RoundQuery(null, 10, false, RoundRole.ASSISTANT))))
                .extracting(ConversationRound::path)
                .containsExactly("2.1", "2.2");
        assertThat(error(conversations.listRounds(ALICE, session, new RoundQuery("x", 10, false, null)))
                        .code())
                .isEqualTo(400);
    }

    @Test
    void refusesAUsersRoundBehindOneThatNobodyHasAnswered() {
        UUID session = session(ALICE);
        assertThat(round(session, null, RoundRole.USER).path()).isEqualTo("1");
        ConversationError error =
                error(conversations.createRound(ALICE, session, null, RoundRole.USER, "\"y\"", null, null));
        assertThat(error.code()).isEqualTo(409);
        assertThat(error.message()).contains("round 1");
        assertThat(round(session, "1", RoundRole.USER).path()).isEqualTo("1.1");
        assertThat(error(conversations.createRound(ALICE, session, "1", RoundRole.USER, "\"y\"", null, null))
                        .code())
                .isEqualTo(409);
        assertThat(round(session, "1", RoundRole.ASSISTANT).path()).isEqualTo("1.2");
        assertThat(round(session, "1", RoundRole.USER).path()).isEqualTo("1.3");

        assertThat(round(session, null, RoundRole.ASSISTANT).path()).isEqualTo("2");
        assertThat(value(conversations.createRound(ALICE, session, null, RoundRole.USER, "\"y\"", "\"z\"", null))
                        .path())
                .isEqualTo("3");
        assertThat(round(session, null, RoundRole.USER).path()).isEqualTo("4");
    }

    @Test
    void givesRoundsThatAreAddedAtOnceAPlaceEach() {
        givesRoundsThatAreAddedAtOnceAPlaceEach(List.of(conversations));
    }

    void givesRoundsThatAreAddedAtOnceAPlaceEach(List<ConversationService> services) {
        UUID session = session(ALICE);
        round(session, null, RoundRole.ASSISTANT);
        List<CompletableFuture<ConversationResult<ConversationRound>>> calls = new ArrayList<>();
        List<CompletableFuture<ConversationResult<ConversationRound>>> users = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            ConversationService service = services.get(i % services.size());
            calls.add(service.createRound(ALICE, session, null, RoundRole.ASSISTANT, null, "1", null));
            calls.add(service.createRound(ALICE, session, "1", RoundRole.TOOL, null, "1", null));
            calls.add(service.createRound(ALICE, session, null, RoundRole.ASSISTANT, null, "1", "c-" + i / 4));
        }
        assertThat(calls).allSatisfy(call -> assertThat(value(call)).isNotNull());
        assertThat(rounds(session).stream().filter(round -> !round.path().contains(".")))
                .extracting(ConversationRound::path)
                .containsExactlyElementsOf(IntStream.rangeClosed(1, 1 + 20 + 5)
                        .mapToObj(Integer::toString)
                        .toList());
        assertThat(rounds(session).stream().filter(round -> round.path().contains(".")))
                .extracting(ConversationRound::path)
                .containsExactlyElementsOf(
                        IntStream.rangeClosed(1, 20).mapToObj(i -> "1." + i).toList());

        for (int i = 0; i < 8; i++) {
            users.add(services.get(i % services.size())
                    .createRound(ALICE, session, null, RoundRole.USER, "1", null, null));
        }
        assertThat(users.stream().map(CompletableFuture::join).filter(ConversationResult::isSuccess))
                .hasSize(1);
        assertThat(events(session)).hasSize(1 + 20 + 20 + 5 + 1);
    }

    @Test
    void removesRoundsAndEventsByTheirAgeAndNumbersOn() throws Exception {
        UUID session = session(ALICE);
        UUID other = session(ALICE);
        for (int i = 0; i < 5; i++) {
            round(session, null, RoundRole.ASSISTANT);
            round(other, null, RoundRole.ASSISTANT);
        }
        assertThat(conversations.purge(Instant.EPOCH, 100).join()).isZero();
        Instant third = events(session).get(2).createdAt();
        int older = (int) Stream.concat(events(session).stream(), events(other).stream())
                .filter(event -> event.createdAt().isBefore(third))
                .count();
        assertThat(conversations.purge(third, 100).join()).isEqualTo(older);
        assertThat(events(session)).extracting(ConversationEvent::sequence).endsWith(3L, 4L, 5L);
        assertThat(rounds(session)).allMatch(round -> !round.createdAt().isBefore(third));

        Instant later = events(other).get(events(other).size() - 1).createdAt().plusSeconds(1);
        assertThat(conversations.purge(later, 3).join()).isEqualTo(3);
        assertThat(conversations.purge(later, 100).join()).isEqualTo(10 - older - 3);
        assertThat(query("select seq from cw_domain_event")).isEmpty();
        assertThat(query("select position from cw_round")).isEmpty();
        assertThat(round(session, null, RoundRole.ASSISTANT).path()).isEqualTo("6");
        assertThat(events(session)).extracting(ConversationEvent::sequence).containsExactly(6L);
    }

    @Test
    void addsARoundOnceForOneCorrelation() {
        UUID session = session(ALICE);
        ConversationRound first =
                value(conversations.createRound(ALICE, session, null, RoundRole.ASSISTANT, null, "\"hello\"", "c-1"));
        ConversationRound again =
                value(conversations.createRound(ALICE, session, null, RoundRole.ASSISTANT, null, "\"hello\"", "c-1"));
        assertThat(again).isEqualTo(first);
        assertThat(round(session, null, RoundRole.USER).path()).isEqualTo("2");
        assertThat(events(session)).extracting(ConversationEvent::sequence).containsExactly(1L, 2L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "no json", "{} {}", "\"\\u0000\"", "1e99999", "[1,]"})
    void refusesAPayloadThatIsNotJson(String payload) throws Exception {
        UUID session = session(ALICE);
        ConversationError error = error(conversations.enqueueCommand(ALICE, session, "ASK", bytes(payload), null));
        assertThat(error.code()).isEqualTo(400);
        assertThat(error.message()).startsWith("命令格式或数据无效");
        assertThat(query("select id from cw_command")).isEmpty();
    }

    @Test
    void refusesTextsThatAreTooLongOrEmpty() {
        UUID session = session(ALICE);
        assertThat(List.of(
                        error(conversations.enqueueCommand(ALICE, session, "", null, null)),
                        error(conversations.enqueueCommand(ALICE, session, "ASK", null, "k".repeat(201))),
                        error(conversations.enqueueCommand(ALICE, session, "ASK", null, " ")),
                        error(conversations.enqueueCommand(ALICE, session, "ASK", null, null, "c".repeat(65)))))
                .extracting(ConversationError::code)
                .containsOnly(400);
        assertThat(value(conversations.enqueueCommand(ALICE, session, "ASK", null, "k".repeat(200), "c".repeat(64)))
                        .outcome())
                .isEqualTo(Outcome.CREATED);
        assertThat(metrics.errors.get(Kind.INVALID)).isEqualTo(4);
    }

    @Test
    void tellsThoseWhoWatchASessionUntilTheyStop() throws Exception {
        UUID session = session(ALICE);
        UUID other = session(ALICE);
        AtomicInteger news = new AtomicInteger();
        AtomicInteger otherNews = new AtomicInteger();
        var watch = conversations.watch(session, news::incrementAndGet);
        conversations.watch(other, otherNews::incrementAndGet);
        value(conversations.enqueueCommand(ALICE, session, "ASK", null, null));
        await().untilAsserted(() -> assertThat(news).hasPositiveValue());
        watch.close();
        watch.close();
        int before = news.get();
        round(session, null, RoundRole.SYSTEM);
        round(other, null, RoundRole.SYSTEM);
        await().untilAsserted(() -> assertThat(otherNews).hasPositiveValue());
        assertThat(news).hasValue(before);
    }

    @Test
    void answersWithTheSerializedCommandIfItCanBeSerialized() throws Exception {
        restart(builder -> builder.serializer(command -> {
            if (command.type().equals("ODD")) {
                throw new IllegalStateException("cannot");
            }
            return "{\"id\":\"" + command.id() + "\"}";
        }));
        EnqueuedCommand good = value(conversations.enqueueCommand(ALICE, session(ALICE), "ASK", null, null));
        assertThat(good.serialized()).isEqualTo("{\"id\":\"" + good.command().id() + "\"}");
        EnqueuedCommand odd = value(conversations.enqueueCommand(ALICE, session(ALICE), "ODD", null, null));
        assertThat(odd.outcome()).isEqualTo(Outcome.CREATED);
        assertThat(odd.serialized()).isNull();
    }

    @Test
    void standsToAKeyAlsoWhenTheServiceIsSetUpOtherwiseLater() throws Exception {
        UUID session = session(ALICE);
        EnqueuedCommand first = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k"));
        restart(builder ->
                builder.policy(PendingCommandPolicy.QUEUE_BEHIND).times(Duration.ofSeconds(7), Duration.ofHours(1)));
        EnqueuedCommand again = value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("1"), "k"));
        assertThat(again.outcome()).isEqualTo(Outcome.REPEATED);
        assertThat(again.command().id()).isEqualTo(first.command().id());
        assertThat(error(conversations.enqueueCommand(ALICE, session, "ASK", bytes("2"), "k"))
                        .code())
                .isEqualTo(409);
    }

    @Test
    void logsEachStepByItsNameAndNoPayload() {
        Logger logger = (Logger) LoggerFactory.getLogger(ConversationService.class);
        ListAppender<ILoggingEvent> appender = new ListAppender<>();
        appender.list = new CopyOnWriteArrayList<>();
        appender.start();
        logger.setLevel(Level.DEBUG);
        logger.addAppender(appender);
        try {
            UUID session = session(ALICE);
            value(conversations.enqueueCommand(ALICE, session, "ASK", bytes("\"a secret\""), null));
        } finally {
            logger.detachAppender(appender);
            logger.setLevel(null);
        }
        assertThat(appender.list)
                .extracting(ILoggingEvent::getMessage)
                .contains(
                        "command_received",
                        "access_verification",
                        "idempotency_check",
                        "command_created",
                        "event_generated",
                        "round_created");
        assertThat(appender.list)
                .allSatisfy(event -> assertThat(event.getFormattedMessage() + event.getKeyValuePairs())
                        .doesNotContain("secret"));
    }

    @Test
    void asksTheHostWhoMayEnterIfItWantsToBeAsked() throws Exception {
        restart(builder ->
                builder.accessControl((user, session) -> CompletableFuture.completedFuture(!user.equals("mallory"))));
        UUID session = session(ALICE);
        assertThat(value(conversations.enqueueCommand(BOB, session, "ASK", null, null))
                        .outcome())
                .isEqualTo(Outcome.CREATED);
        assertThat(error(conversations.getPendingCommand("mallory", session)).code())
                .isEqualTo(403);
        // one that is not there is nobody's, whatever the host says
        assertThat(error(conversations.enqueueCommand(BOB, UUID.randomUUID(), "ASK", null, null))
                        .code())
                .isEqualTo(403);
    }

    @ParameterizedTest
    @EnumSource(PendingCommandPolicy.class)
    void leavesOneStoryWhateverThePolicyIfManyCallersCommandOneSession(PendingCommandPolicy policy) throws Exception {
        restart(builder -> builder.policy(policy));
        UUID session = session(ALICE);
        List<CompletableFuture<ConversationResult<EnqueuedCommand>>> calls = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            calls.add(conversations.enqueueCommand(ALICE, session, "TYPE_" + i, bytes("" + i), null));
        }
        calls.forEach(CompletableFuture::join);
        long created = calls.stream()
                .map(CompletableFuture::join)
                .filter(ConversationResult::isSuccess)
                .filter(result -> result.value().outcome() == Outcome.CREATED)
                .count();

        assertThat(query("select id from cw_command")).hasSize((int) created);
        assertThat(query("select id from cw_command where ended_at is null"))
                .hasSize(policy == PendingCommandPolicy.QUEUE_BEHIND ? 20 : 1);
        assertThat(rounds(session)).hasSize((int) created);
        List<ConversationEvent> events = events(session);
        assertThat(events)
                .extracting(ConversationEvent::sequence)
                .containsExactlyElementsOf(IntStream.rangeClosed(1, events.size())
                        .mapToObj(Long::valueOf)
                        .toList());
        assertThat(types(session).stream().filter("Command.Received"::equals)).hasSize((int) created);
    }

    UUID session(String user) {
        return value(conversations.createSession(user, "conversation", null, null))
                .id();
    }

    ConversationRound round(UUID session, String parent, RoundRole role) {
        return value(conversations.createRound(ALICE, session, parent, role, "\"x\"", null, null));
    }

    RecordId pending(UUID session) {
        Optional<ConversationCommand> found = value(conversations.getPendingCommand(ALICE, session));
        return found.orElseThrow().id();
    }

    void awaitRunning(EnqueuedCommand enqueued) {
        await().untilAsserted(() ->
                assertThat(running).containsKey(enqueued.command().id().toString()));
    }

    void complete(EnqueuedCommand enqueued, String result) {
        awaitRunning(enqueued);
        Run run = running.get(enqueued.command().id().toString());
        run.receiver.completeYield(run.tag, bytes(result), null);
        awaitEnd(enqueued.command().sessionId(), enqueued);
    }

    void awaitEnd(UUID session, EnqueuedCommand enqueued) {
        await().untilAsserted(() -> assertThat(value(conversations.getCommand(
                                ALICE, session, enqueued.command().id()))
                        .record()
                        .endedAt())
                .isNotNull());
    }

    List<ConversationEvent> events(UUID session) {
        return value(conversations.events(ALICE, session, 0, 200));
    }

    /** The names of the events without what all have. */
    List<String> types(UUID session) {
        return events(session).stream()
                .map(event -> event.eventType().replace("Conversation.Session.", ""))
                .toList();
    }

    List<ConversationRound> rounds(UUID session) {
        return value(conversations.listRounds(ALICE, session, new RoundQuery(null, 200, false, null)));
    }

    List<List<String>> query(String sql) {
        return database.read(connection -> {
                    List<List<String>> rows = new ArrayList<>();
                    try (var statement = connection.createStatement();
                            ResultSet result = statement.executeQuery(sql)) {
                        while (result.next()) {
                            List<String> row = new ArrayList<>();
                            for (int i = 1; i <= result.getMetaData().getColumnCount(); i++) {
                                row.add(result.getString(i));
                            }
                            rows.add(row);
                        }
                    }
                    return rows;
                })
                .join();
    }

    static <T> T value(CompletableFuture<ConversationResult<T>> future) {
        return future.orTimeout(20, TimeUnit.SECONDS).join().value();
    }

    static <T> ConversationError error(CompletableFuture<ConversationResult<T>> future) {
        ConversationResult<T> result = future.orTimeout(20, TimeUnit.SECONDS).join();
        assertThat(result.isSuccess()).as("%s", result).isFalse();
        return ((ConversationResult.Failure<T>) result).error();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** All that one process has. */
    record Server(Database database, CommandManager manager, CommandQueues queues, ConversationService conversations)
            implements AutoCloseable {
        @Override
        public void close() {
            queues.close();
            conversations.close();
            manager.close();
            database.close();
        }
    }

    /** A command that waits for its result. */
    record Run(long tag, ResultReceiver receiver) {}

    /** Counts what it is told. */
    static final class CountingMetrics implements ConversationMetrics {
        final AtomicInteger completed = new AtomicInteger();
        final AtomicInteger failed = new AtomicInteger();
        final AtomicInteger transactions = new AtomicInteger();
        final AtomicInteger hits = new AtomicInteger();
        final AtomicInteger misses = new AtomicInteger();
        final Map<Kind, Integer> errors = new ConcurrentHashMap<>();

        @Override
        public void commandEnded(Duration latency, boolean isCompleted) {
            (isCompleted ? completed : failed).incrementAndGet();
        }

        @Override
        public void transactionEnded(Duration time) {
            transactions.incrementAndGet();
        }

        @Override
        public void idempotencyChecked(boolean hit) {
            (hit ? hits : misses).incrementAndGet();
        }

        @Override
        public void failed(Kind kind) {
            errors.merge(kind, 1, Integer::sum);
        }
    }
}
