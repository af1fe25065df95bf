package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CommandLineTest {
    @TempDir
    Path folder;

    private Run commandway() {
        return new Run(folder);
    }

    @Test
    void anUnknownSubCommandIsRefusedWithASuggestion() {
        Run run = commandway().run("snd", "client-001", "restart");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("snd").contains("send");
    }

    @Test
    void withoutASubCommandItSaysWhatThereIs() {
        Run run = commandway().run();

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("commandway --help");
    }

    @Test
    void helpAndVersionAreAnswered() {
        assertThat(commandway().run("help").out()).contains("serve", "agent", "demo", "send", "get", "Exit codes");
        assertThat(commandway().run("help", "serve").out()).contains("--http-token", "--quic-port", "Default: 8474");
        assertThat(commandway().run("--version").out()).contains("commandway ", "Java ");
        assertThat(commandway().run("-v").out()).contains("commandway ", "Java ");
        assertThat(commandway().run("-h").out()).contains("cmd", "result", "history", "tools", "upgrade", "-p <port>");
    }

    @Test
    void completionIsAScriptThatKnowsTheFlags() {
        Run run = commandway().run("completion");

        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).startsWith("#!/usr/bin/env bash").contains("--http-port", "complete -F");
    }

    @Test
    void aServerThatIsNotThereIsToldInOneLine() throws IOException {
        int port;
        try (ServerSocket socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
        }

        Run run = commandway().run("list", "--server", "http://127.0.0.1:" + port);

        assertThat(run.exitCode()).isEqualTo(ExitCode.UNREACHABLE.code());
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err())
                .contains("no server answers at http://127.0.0.1:" + port)
                .contains("commandway serve");
    }

    @Test
    void verboseShowsWhereAnErrorCameFrom() {
        Run run = commandway().run("list", "--server", "nonsense", "--verbose");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("'nonsense' is not an address").contains("at io.github.commandway");
    }

    @Test
    void aPayloadThatIsNotJsonIsRefusedBeforeItIsSent() {
        Run run = commandway().run("send", "client-001", "restart", "{delay: 5");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("the payload is not JSON").contains("{\"delay_seconds\": 5}");
        assertThat(run.err().lines()).hasSize(1);
    }

    @Test
    void aServerThatOthersCanReachNeedsAToken() {
        Run run = commandway().run("serve", "--http-host", "0.0.0.0", "--http-port", "0", "--quic-port", "0");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("--http-token name=secret");
        assertThat(folder.resolve("commandway-data")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "robt=view | http.rights: 'robt' has no token in http.tokens, where there are robot",
                "robot=read | http.rights, robot: 'read' is no right: write view, run, output, cancel, manage, or all",
                "robot=view;tools=a*b | http.rights, robot: 'a*b': a * can only stand at the end"
            })
    void rightsThatAreNobodysOrNotWrittenAsTheyMustBeAreRefused(String rights, String message) {
        Run run = commandway().run("serve", "--http-token", "robot=secret", "--http-rights", rights);

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains(message).doesNotContain("secret");
        assertThat(folder.resolve("commandway-data")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({
        "--tools-folder=nowhere, nowhere is no folder",
        "--log-file=., cannot be written",
        "--tools-update-every=1h, tools.repository is not set",
        "--tools-ids=long, 'long' is none of uuid"
    })
    void whatAServerCannotUseIsRefused(String flag, String message) {
        Run run = commandway().run("serve", "--http-port", "0", "--quic-port", "0", flag);

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains(message);
    }

    @Test
    void aTokenThatHttpCannotCarryIsRefusedWithoutShowingIt() {
        Run run = commandway().run("serve", "--http-token", "ops=two words", "--http-port", "0", "--quic-port", "0");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("'ops'").doesNotContain("two words");
    }

    @ParameterizedTest
    @CsvSource({
        "--queue-target, tool:jq, nothing here executes commands for that",
        "--queue-target, queue:other, one cannot lead to another",
        "--queue-target, client-001, agent:<id>",
        "--queues, default=agent:a, there is a queue 'default' already",
        "--queues, labels=agent:a;color=red, color: is none of concurrency",
        "--queues, labels=agent:a;concurrency=0, concurrency: '0' is not",
        "--queue-retries, 1000, from 0 to 999",
        "--mode, fast, 'fast' is none of queue, sync"
    })
    void aQueueThatCannotWorkIsRefused(String flag, String value, String message) {
        Run run = commandway().run("serve", flag, value, "--http-port", "0", "--quic-port", "0");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains(message);
    }

    @ParameterizedTest
    @CsvSource({
        "--store=postgres, store.url must be that of a PostgreSQL database",
        "--store=postgres --store-url=jdbc:mysql://localhost/x, store.url must be that of a PostgreSQL database",
        "--store=paper, 'paper' is none of sqlite",
        "--store=memory --callback-url=http://127.0.0.1:1/, callback.url needs a database",
        "--callback-url=ftp://127.0.0.1/, is not an address such as https://host/path",
        "--callback-url=http://127.0.0.1:1/ --callback-secret=short, callback.secret",
        "--store=memory --outbox-publisher=kafka, outbox.publisher needs a database",
        "--conversation-retention=6d, conversations.retention must not be shorter",
        "--outbox-publisher=kafka, which needs kafka.servers",
        "--outbox-publisher=nats, which needs nats.servers",
        "--outbox-publisher=webhook, which needs events.url",
        "--outbox-publisher=smoke, 'smoke' is none of log",
        "--outbox-publisher=kafka --kafka-servers=nowhere, kafka.servers"
    })
    void aStoreThatCannotWorkIsRefused(String flags, String message) {
        List<String> arguments = new ArrayList<>(List.of("serve", "--http-port", "0", "--quic-port", "0"));
        arguments.addAll(List.of(flags.split(" ")));
        Run run = commandway().run(arguments.toArray(String[]::new));

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains(message);
    }

    @Test
    void aFileThatIsNoDatabaseIsRefusedAndLeftAsItIs() throws IOException {
        Path file = Files.createDirectories(folder.resolve("commandway-data")).resolve("commandway.db");
        Files.writeString(file, "dear diary, ".repeat(1_000));

        Run run = commandway().run("serve", "--http-port", "0", "--quic-port", "0");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("commandway.db");
        assertThat(file).hasContent("dear diary, ".repeat(1_000));
    }

    @Test
    void aServerThatListensOnAllInterfacesSaysWhereItIsReached() throws InterruptedException {
        Run run = commandway();
        Thread server = run.start(
                "serve",
                "--mode",
                "sync",
                "--store",
                "memory",
                "--http-host",
                "0.0.0.0",
                "--http-token",
                "ops=secret",
                "--http-port",
                "0",
                "--quic-port",
                "0");
        await().until(() -> run.out().contains("an agent elsewhere"));

        run.stop();
        server.join();
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.out())
                .contains(
                        "records     in memory",
                        "listening on 0.0.0.0:",
                        "(all network interfaces)",
                        "mode        sync");
    }

    @Test
    void theDemoSendsACommandToAnAgentInAProcessOfItsOwnAndShowsItsTravel() {
        Run run = commandway().run("demo", "--exit", "--http-port", "0", "--quic-port", "0");

        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.out())
                .containsSubsequence(
                        "client-001, process ",
                        "POST /api/command",
                        "\"success\":true",
                        "pending",
                        "sent to the agent",
                        "executing",
                        "completed",
                        "GET /api/command/",
                        "Restarted successfully");
        assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive))
                .isEmpty();
    }

    @Test
    void theConfigurationFileOfTheFolderIsRead() throws IOException {
        Files.writeString(folder.resolve("commandway.yaml"), "client: {sever: http://127.0.0.1:1}\n");

        Run run = commandway().run("list");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("line 1").contains("did you mean 'client.server'?");
    }

    @Test
    void joinTokensAreMadeListedAndRevokedInTheDataFolder() {
        String token = commandway()
                .run("token", "create", "--agent", "client-007")
                .out()
                .strip();
        String listed = commandway().run("token", "list").out();

        assertThat(token).isNotBlank();
        assertThat(listed).contains("client-007", "0 of 1", "usable");
        String id = listed.lines().skip(1).findFirst().orElseThrow().split(" ")[0];
        assertThat(commandway().run("token", "revoke", id).exitCode()).isZero();
        assertThat(commandway().run("token", "list").out()).contains("revoked");
        assertThat(commandway().run("token", "revoke", id).exitCode()).isEqualTo(ExitCode.REFUSED.code());
    }

    @Test
    void aTokenThatIsNotOneIsRefused() {
        Run run = commandway().run("agent", "--token", "nonsense");

        assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("agent.token");
    }
}
