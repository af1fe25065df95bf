package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.IdGenerator;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Running tools over HTTP. */
class ToolRoutesTest {
    @TempDir
    Path folder;

    private ToolServer server;

    @BeforeEach
    void startsWithSomeTools() throws Exception {
        ToolServer.script(folder, "say", "for word in \"$@\"; do echo \"[$word]\"; done");
        ToolServer.script(folder, "env", "echo \"foo is $foo\"", "env_from_caller: [foo]");
        ToolServer.script(folder, "fail", "echo out; echo err >&2; exit 3", "exit_codes: {3: no such picture}");
        ToolServer.script(folder, "silent", "exit 4");
        ToolServer.script(folder, "slow", "echo begun; exec sleep 600", "timeout: 1h");
        ToolServer.script(folder, "hidden", "echo hidden", "description: by POST only");
        Files.writeString(folder.resolve("tools/hidden/1.0.0/tool.yaml"), "command: [main.sh]\n");
        ToolServer.script(folder, "gated", "cat > /dev/null < $1; echo open; exit $2", "isolation: none");
        ToolServer.write(folder, "toolchains/export-job.yaml", """
                        parameters: [{name: what, default: world}]
                        toolchain:
                          - greet: {cmd: say, args: ['hello ${params.what}']}
                        """);
        server = new ToolServer(folder);
    }

    @AfterEach
    void stops() {
        server.close();
    }

    @Test
    void getRunsAToolWithTheRestOfThePathAsItsArguments() {
        Answer answer = server.get("/cmd/say/google.com/a%2Fb/%20%2B+/__slash__etc/x%3By//last/");

        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.body()).isEqualTo("[google.com]\n[a/b]\n[ ++]\n[/etc]\n[x;y]\n[]\n[last]\n");
        assertThat(answer.header("Content-Type")).isEqualTo("text/plain;charset=utf-8");
        assertThat(answer.header("X-Exit-Code")).isEqualTo("0");
        assertThat(answer.header("X-Run-Status")).isEqualTo("completed");
        assertThat(answer.header("Location")).isEqualTo("/result/" + answer.header("X-Run-Id"));
        assertThat(server.get("/cmd/say").body()).isEmpty();
        assertThat(server.get("/cmd/say/x?version=%5E1").body()).isEqualTo("[x]\n");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            /cmd           | application/x-www-form-urlencoded | {cmd: say, args: [a, 2]}
            /cmd           | application/yaml                  | {cmd: say, version: 1.0.0, args: [a, 2]}
            /cmd           | application/json                  | {"cmd": "say", "version": "latest", "args": ["a", 2]}
            /cmd?body=json | application/x-www-form-urlencoded | {"cmd": "say", "args": ["a", "2"]}
            /cmd?body=yaml | application/x-www-form-urlencoded | {cmd: say, args: [a, '2']}
            """)
    void postRunsWhatItsBodyAsksFor(String path, String type, String body) {
        Answer answer = server.postTyped(path, type, body);

        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.body()).isEqualTo("[a]\n[2]\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"cmd\": \"env\", \"env\": {\"foo\": \"bar\"}}",
                "{\"cmd\": \"env\", \"env\": [{\"foo\": \"bar\"}]}"
            })
    void theEnvironmentOfAJsonBodyReachesTheTool(String body) {
        assertThat(server.postTyped("/cmd", "application/json", body).body()).isEqualTo("foo is bar\n");
        assertThat(server.post("/cmd", "cmd: env\nenv:\n  -foo:bar\n").body()).isEqualTo("foo is bar\n");
    }

    @Test
    void aFailedRunIsNoSuccessOfHttp() {
        Answer answer = server.get("/cmd/fail");

        assertThat(answer.status()).isEqualTo(500);
        assertThat(answer.body().lines()).containsExactlyInAnyOrder("out", "err");
        assertThat(answer.header("X-Exit-Code")).isEqualTo("3");
        assertThat(answer.header("X-Run-Status")).isEqualTo("failed");
        assertThat(answer.header("X-Run-Reason")).isEqualTo("executor_error");
        Answer silent = server.post("/cmd", "cmd: silent");
        assertThat(silent.status()).isEqualTo(500);
        assertThat(silent.body()).isEqualTo("exit code 4\n");
    }

    @Test
    void onlyidAnswersWithTheIdAtOnce() {
        Answer text = server.get("/cmd/say/x?onlyid=true");
        Answer json = server.postTyped(
                "/cmd?onlyid=true", "application/json", "{\"cmd\":\"say\"}", "Accept", "application/json");

        assertThat(text.status()).isEqualTo(202);
        assertThat(text.body()).matches("[0-9a-f-]{36}");
        assertThat(text.header("Location")).isEqualTo("/result/" + text.body());
        assertThat(json.status()).isEqualTo(202);
        assertThat(json.text("/id")).isEqualTo(json.header("X-Run-Id"));
    }

    @Test
    void preferRespondAsyncAnswersWithTheState() {
        Answer answer = server.post("/cmd", "cmd: slow", "Prefer", "respond-async");

        assertThat(answer.status()).isEqualTo(202);
        assertThat(answer.text("/tool")).isEqualTo("slow");
        assertThat(answer.header("Retry-After")).isEqualTo("1");
        assertThat(answer.header("Location")).isEqualTo("/result/" + answer.text("/id"));
    }

    @Test
    void preferWaitAnswersWithTheStateWhenTheTimeIsOver() throws Exception {
        CompletableFuture<Answer> get = server.server.sendAsync(
                server.server.request("/cmd/slow").header("Prefer", "wait=1").build());
        CompletableFuture<Answer> post = server.server.sendAsync(server.server
                .request("/cmd")
                .header("Prefer", "wait=1")
                .POST(BodyPublishers.ofString("cmd: slow"))
                .build());
        await().until(() -> server.server.time.waiting(Duration.ofSeconds(1)) == 2);
        server.server.time.advance(Duration.ofSeconds(1));

        assertThat(get)
                .succeedsWithin(Duration.ofSeconds(20))
                .extracting(Answer::status)
                .isEqualTo(202);
        assertThat(post)
                .succeedsWithin(Duration.ofSeconds(20))
                .extracting(Answer::status)
                .isEqualTo(202);
    }

    @Test
    void anAnswerInJsonComesAtTheEndWithAllThereIs() {
        Answer answer = server.post("/cmd", "cmd: fail", "Accept", "application/json");

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.text("/status")).isEqualTo("failed");
        assertThat(answer.text("/exit_code")).isEqualTo("3");
        assertThat(answer.text("/error")).isEqualTo("exit code 3: no such picture");
        assertThat(answer.json().get("pieces")).hasSize(2);
        assertThat(answer.text("/result/version")).isEqualTo("1.0.0");
    }

    @Test
    void theSameIdempotencyKeyIsTheSameRun() {
        Answer first = server.post("/cmd", "{cmd: say, args: [x]}", "Idempotency-Key", "k1");
        Answer second = server.post("/cmd", "{cmd: say, args: [x]}", "Idempotency-Key", "k1");
        Answer other = server.post("/cmd", "{cmd: say, args: [y]}", "Idempotency-Key", "k1");

        assertThat(second.header("X-Run-Id")).isEqualTo(first.header("X-Run-Id"));
        assertThat(second.body()).isEqualTo("[x]\n");
        assertThat(other.status()).isEqualTo(422);
        assertThat(server.get("/cmd/say/x", "Idempotency-Key", "k1").header("X-Run-Id"))
                .isEqualTo(first.header("X-Run-Id"));
        assertThat(server.get("/cmd/say/y", "Idempotency-Key", "k1").status()).isEqualTo(422);
        assertThat(server.post("/cmd", "cmd: say", "Idempotency-Key", "k".repeat(300))
                        .status())
                .isEqualTo(400);
    }

    @Test
    void aToolIsRunByGetOnlyIfItSaysSo() throws Exception {
        Answer refused = server.get("/cmd/hidden");

        assertThat(refused.status()).isEqualTo(405);
        assertThat(refused.text("/detail")).contains("POST /cmd");
        assertThat(server.post("/cmd", "cmd: hidden").status()).isEqualTo(200);
        assertThat(server.server
                        .send(server.server
                                .request("/cmd/say/x")
                                .method("HEAD", BodyPublishers.noBody())
                                .build())
                        .status())
                .isEqualTo(405);
        assertThat(server.get("/history?tool=say").json().get("total").asInt()).isZero();
    }

    @Test
    void noPageOfAnotherOriginRunsAnything() {
        assertThat(server.get("/cmd/say/x", "Sec-Fetch-Site", "cross-site").status())
                .isEqualTo(403);
        assertThat(server.get("/cancel/00000000-0000-7000-8000-000000000000", "Sec-Fetch-Site", "cross-site")
                        .status())
                .isEqualTo(403);
        assertThat(server.get("/history").json().get("total").asInt()).isZero();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            cmd: nope                    | 404 | there is no tool nope
            cmd: ../../etc/passwd        | 404 | there is no tool
            {cmd: say, version: ../1.0}  | 400 | a version has at most
            {cmd: say, version: 9.9.9}   | 400 | 9.9.9
            {cmd: say, colour: red}      | 400 | 'colour' is not known; there are args, cmd
            {cmd: say, env: {PATH: /x}}  | 400 | PATH
            {cmd: env, env: {LD_PRELOAD: /x}} | 400 | LD_PRELOAD
            {cmd: say, params: {run_id: x}}   | 400 | run_id
            {cmd: say, inputs: {../x: YQ==}}  | 400 | ..
            {toolchain: nope}            | 404 | there is no toolchain nope
            [1, 2]                       | 400 | must be a map
            'cmd: say\nargs: [a'         | 400 | line
            """)
    void aBodyThatIsWrongIsRefusedWithWhatWouldBeRight(String body, int status, String detail) {
        Answer answer = server.post("/cmd", body.replace("\\n", "\n"));

        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(answer.text("/detail")).contains(detail);
        assertThat(answer.body()).doesNotContain("Exception");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"/cmd/nope", "/cmd/..%2F..%2Fetc%2Fpasswd", "/cmd/%00", "/cmd/con", "/cmd/say%0d%0aX-Evil:%201"})
    void aToolThatIsNotThereIsNotFound(String path) {
        Answer answer = server.get(path);

        assertThat(answer.status()).as(answer.body()).isEqualTo(404);
        assertThat(answer.text("/code")).isEqualTo("target_unknown");
        assertThat(answer.header("X-Evil")).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/cmd/say/a%00b",
                "/cmd/say/%zz",
                "/cmd/say/1/2/3/4/5/6/7/8/9/10/11",
                "/cmd/say?version=..%2F1.0.0"
            })
    void anArgumentThatCannotBeOneIsRefused(String path) throws Exception {
        String answer = server.raw("GET " + path + " HTTP/1.1\nHost: localhost\nConnection: close\n\n");

        assertThat(answer).startsWith("HTTP/1.1 400 ");
    }

    @Test
    void nothingOfAnArgumentIsSeenByAShell() {
        Answer answer = server.get("/cmd/say/$(id)/%60id%60/;id/%22;id/*/$foo/%24%7Bparams.x%7D/-e");

        assertThat(answer.body()).isEqualTo("[$(id)]\n[`id`]\n[;id]\n[\";id]\n[*]\n[$foo]\n[${params.x}]\n[-e]\n");
    }

    @Test
    void theBodyIsNeverPartOfTheAnswer() {
        Answer answer = server.postTyped("/cmd", "application/json", "{\"cmd\":\"say\",\"args\":[\"x\"]}");

        assertThat(answer.body()).isEqualTo("[x]\n");
    }

    @Test
    void aToolchainIsRunByItsName() {
        Answer named = server.post("/cmd?toolchain=export-job", "");
        Answer withParameters = server.post("/cmd?toolchain=export-job", "params: {what: you}");
        Answer both = server.post("/cmd?toolchain=export-job", "cmd: say");

        assertThat(named.status()).as(named.body()).isEqualTo(200);
        assertThat(named.body()).isEqualTo("[hello world]\n");
        assertThat(named.header("X-Exit-Code")).isEqualTo("0");
        assertThat(withParameters.body()).isEqualTo("[hello you]\n");
        assertThat(both.status()).isEqualTo(400);
    }

    @Test
    void onSaysWhereItRuns() throws Exception {
        String agent = server.post("/cmd?on=agent:client-001&onlyid=true", "{cmd: other, args: [x]}")
                .body();
        String queue = server.post("/cmd?on=queue:default&onlyid=true&timeout=2", "toolchain: more")
                .body();
        String brief = server.post("/cmd?on=agent:client-001&onlyid=true&timeout=2", "cmd: other")
                .body();

        assertThat(server.record(agent).orElseThrow().request().target()).hasToString("agent:client-001");
        assertThat(server.record(agent).orElseThrow().request().type()).isEqualTo("tool:other");
        assertThat(server.record(queue).orElseThrow().request().type()).isEqualTo("toolchain:more");
        assertThat(server.record(queue).orElseThrow().request().ttl()).isEqualTo(Duration.ofHours(24));
        assertThat(server.record(brief).orElseThrow().request().ttl()).isEqualTo(Duration.ofSeconds(2));
        assertThat(server.get("/result/" + agent).text("/on")).isEqualTo("agent:client-001");
        assertThat(server.post("/cmd?on=agent:nobody", "cmd: other").status()).isEqualTo(404);
        assertThat(server.post("/cmd?on=group:os=linux", "cmd: other").status()).isEqualTo(501);
        for (String on : new String[] {"tool:say", "local:1", "agent:", "moon:x", "agent:../x"}) {
            Answer refused = server.post("/cmd?on=" + on, "cmd: say");
            assertThat(refused.status()).as(on).isEqualTo(400);
            assertThat(refused.text("/field")).isEqualTo("on");
        }
    }

    @Test
    void aCallerMayShortenTheTimeoutButNotLengthenIt() throws Exception {
        String shorter = server.start("/cmd/slow?timeout=0.5");
        String longer = server.start("/cmd/slow?timeout=2000000");

        assertThat(server.record(shorter).orElseThrow().request().timeout()).isEqualTo(Duration.ofMillis(500));
        assertThat(server.record(longer).orElseThrow().request().timeout()).isEqualTo(Duration.ofHours(1));
        assertThat(server.get("/cmd/slow?timeout=-1").status()).isEqualTo(400);
        assertThat(server.get("/cmd/slow?timeout=1e9").status()).isEqualTo(400);
    }

    @Test
    void whatIsStoppedIsShownAsWhatItIs() throws Exception {
        CompletableFuture<Answer> timedOut = server.server.sendAsync(
                server.server.request("/cmd/slow?timeout=1").build());
        CompletableFuture<Answer> cancelled = server.server.sendAsync(server.server
                .request("/cmd")
                .POST(BodyPublishers.ofString("cmd: slow"))
                .build());
        CompletableFuture<Answer> timedOutPost = server.server.sendAsync(server.server
                .request("/cmd?timeout=1")
                .POST(BodyPublishers.ofString("cmd: slow"))
                .build());
        CompletableFuture<Answer> cancelledGet =
                server.server.sendAsync(server.server.request("/cmd/slow").build());
        await().until(() ->
                server.get("/history?result=executing").json().get("total").asInt() == 4);
        for (var run : server.get("/history?tool=slow").json().get("runs")) {
            if (server.record(run.get("id").asString())
                            .orElseThrow()
                            .request()
                            .timeout()
                            .toHours()
                    == 1) {
                server.post("/cancel/" + run.get("id").asString(), "");
            }
        }

        assertThat(cancelled)
                .succeedsWithin(Duration.ofSeconds(20))
                .extracting(Answer::status)
                .isEqualTo(410);
        assertThat(cancelledGet)
                .succeedsWithin(Duration.ofSeconds(20))
                .extracting(Answer::status)
                .isEqualTo(410);
        assertThat(timedOut).succeedsWithin(Duration.ofSeconds(20)).satisfies(answer -> {
            assertThat(answer.status()).isEqualTo(504);
            assertThat(answer.header("X-Run-Status")).isEqualTo("timeout");
            assertThat(answer.header("X-Exit-Code")).isNull();
            assertThat(answer.body()).isEqualTo("begun\n");
        });
        assertThat(timedOutPost)
                .succeedsWithin(Duration.ofSeconds(20))
                .extracting(Answer::status)
                .isEqualTo(504);
    }

    @Test
    void aRunGoesOnWhenItsCallerGoesAway() throws Exception {
        Path gate = pipe();
        CompletableFuture<Answer> waiting = server.server.sendAsync(server.server
                .request("/cmd/gated/" + gate.toString().replace("/", "%2F") + "/0")
                .build());
        await().until(() ->
                server.get("/history?result=executing").json().get("total").asInt() == 1);
        String id = server.get("/history").text("/runs/0/id");

        waiting.cancel(true);
        Files.writeString(gate, "go");

        server.awaitEnd(id);
        assertThat(server.get("/result/" + id).body()).isEqualTo("open\n");
    }

    private Path pipe() throws Exception {
        Path gate = folder.resolve("gate");
        assertThat(new ProcessBuilder("mkfifo", gate.toString()).start().waitFor())
                .isZero();
        return gate;
    }

    @Test
    void listsToolsAndToolchains() {
        Answer tools = server.get("/tools");
        Answer chains = server.get("/toolchains");

        assertThat(tools.json().get("tools")).hasSize(8 - 1);
        assertThat(tools.text("/tools/0/name")).isEqualTo("env");
        assertThat(tools.text("/tools/0/newest")).isEqualTo("true");
        assertThat(chains.text("/toolchains/0/name")).isEqualTo("export-job");
        assertThat(chains.text("/toolchains/0/steps/0/cmd")).isEqualTo("say");
    }

    @Test
    void theHistoryIsFilteredByCallerToolTimeAndResult() {
        server.run("/cmd/say/1");
        server.run("/cmd/say/2");
        server.run("/cmd/fail");
        server.post("/cmd?toolchain=export-job", "");
        server.server.submit("client-001", "echo");

        assertThat(server.get("/history").json().get("total").asInt()).isEqualTo(4);
        assertThat(server.get("/history").text("/runs/0/toolchain")).isEqualTo("export-job");
        assertThat(server.get("/history?tool=say").json().get("total").asInt()).isEqualTo(2);
        assertThat(server.get("/history?tool=say").text("/runs/0/request/args/0"))
                .isEqualTo("2");
        assertThat(server.get("/history?toolchain=export-job")
                        .json()
                        .get("total")
                        .asInt())
                .isEqualTo(1);
        assertThat(server.get("/history?result=failed").text("/runs/0/exit_code"))
                .isEqualTo("3");
        assertThat(server.get("/history?user=nobody").json().get("total").asInt())
                .isZero();
        assertThat(server.get("/history?until=2000-01-01T00:00:00Z")
                        .json()
                        .get("total")
                        .asInt())
                .isZero();
        assertThat(server.get("/history?from=2000-01-01T00:00:00Z")
                        .json()
                        .get("total")
                        .asInt())
                .isEqualTo(4);
        Answer page = server.get("/history?limit=3");
        assertThat(page.json().get("total").asInt()).isEqualTo(3);
        assertThat(server.get("/history?limit=3&cursor=" + page.text("/next_cursor"))
                        .json()
                        .get("total")
                        .asInt())
                .isEqualTo(1);
        assertThat(server.get("/history?cursor=x").status()).isEqualTo(400);
        assertThat(server.get("/history?tool=a&toolchain=b").status()).isEqualTo(400);
    }

    @Test
    void healthSaysHowToolsAreRun() {
        Answer health = server.get("/health");

        assertThat(health.text("/tools/processes_ended_by")).isIn("pid_namespace", "process_group");
        assertThat(health.text("/tools/running")).isEqualTo("0");
        assertThat(health.text("/tools/waiting")).isEqualTo("0");
        assertThat(health.text("/tools/problems")).isEqualTo("0");
    }

    @Test
    void theHelpPageNeedsNothingFromElsewhereAndListsEveryRoute() {
        Answer help = server.get("/result/help", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

        assertThat(help.status()).isEqualTo(200);
        assertThat(help.header("Content-Type")).isEqualTo("text/html;charset=utf-8");
        assertThat(help.header("Content-Security-Policy")).startsWith("default-src 'none'");
        assertThat(help.body()).doesNotContain("<script", "src=", "href=");
        server.server.facade.routes().forEach(route -> assertThat(help.body()).contains(route.path()));
    }

    @Test
    void everyMetricSaysWhatItIs() {
        server.run("/cmd/say/hi");
        server.get("/result/nope");

        assertThat(server.get("/metrics").body().lines().filter(line -> line.startsWith("# HELP ")))
                .hasSizeGreaterThan(20)
                .allSatisfy(line -> assertThat(line.strip().split(" ")).hasSizeGreaterThan(3));
    }

    @Test
    void theHelpIsTextToWhoIsNoBrowser() {
        Answer help = server.get("/result/help", "Accept", "*/*");

        assertThat(help.status()).isEqualTo(200);
        assertThat(help.header("Content-Type")).isEqualTo("text/plain;charset=utf-8");
        assertThat(help.body()).doesNotContain("<td>", "&lt;").contains("/result/<id>");
        server.server.facade.routes().forEach(route -> assertThat(help.body()).contains(route.path()));
    }

    @Test
    void theHelpSaysWhatEveryFieldOfARequestIs() {
        Map<?, ?> request = (Map<?, ?>) Schemas.all().get("ToolRequest");
        Map<?, ?> fields = (Map<?, ?>) request.get("properties");

        assertThat(server.get("/result/help").body().lines().map(String::strip))
                .containsAll(fields.keySet().stream().map(String::valueOf).toList());
    }

    @Test
    void tellsOfTheCommandLineAndMakesIdsAsTheHostSays(@TempDir Path other) throws Exception {
        ToolServer.script(other, "say", "echo hi");
        try (ToolServer numbered = new ToolServer(
                other,
                builder -> builder,
                ToolHttpOptions.ofDefaults()
                        .withIds(IdGenerator.timestampSequence(Clock.systemUTC()))
                        .withCommandLineHelp(() -> "exporter <cmd> & more"))) {
            assertThat(numbered.start("/cmd/say")).matches("\\d{14}-1");
            assertThat(numbered.run("/cmd/say")).matches("\\d{14}-2");
            assertThat(numbered.get("/result/help").body()).contains("exporter <cmd> & more");
            assertThat(numbered.get("/result/help", "Accept", "text/html").body())
                    .contains("exporter &lt;cmd&gt; &amp; more");
        }
    }

    @Test
    void whatHoldsForEveryRouteHoldsForThese() {
        for (Route route : server.server.facade.routes()) {
            String path = route.path().replaceAll("\\{\\w+(\\.\\.\\.)?}", "00000000-0000-7000-8000-000000000000");
            var request = server.server
                    .request(path + "?colour=red")
                    .method(
                            route.method(),
                            route.takesBody() ? BodyPublishers.ofString("{}") : BodyPublishers.noBody());
            assertThat(server.server
                            .send(request.header("Content-Type", "application/json")
                                    .build())
                            .text("/code"))
                    .as(route.path())
                    .isIn("unknown_parameter", "1003");
        }
        assertThat(server.postTyped("/cmd", "text/plain", "cmd: say").status()).isEqualTo(415);
        assertThat(server.postTyped("/cmd", "application/json", " ".repeat(2 << 20))
                        .status())
                .isEqualTo(413);
    }

    @Test
    void refusesMoreThanMayWaitOrStream(@TempDir Path other) throws Exception {
        ToolServer.script(other, "say", "echo hi");
        try (ToolServer none =
                new ToolServer(other, builder -> builder.maxStreams(0).maxWaiting(0), ToolHttpOptions.ofDefaults())) {
            assertThat(none.get("/cmd/say").status()).isEqualTo(503);
            assertThat(none.post("/cmd", "cmd: say").status()).isEqualTo(503);
            assertThat(none.get("/cmd/say?sse=true").status()).isEqualTo(503);
            assertThat(none.get("/history").json().get("total").asInt()).isZero();
            String id = none.run("/cmd/say");
            assertThat(none.get("/result/" + id + "?sse=true").status()).isEqualTo(503);
        }
    }
}
