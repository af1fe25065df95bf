package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.http.ToolServer.Event;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a run of a tool has written and left, and how it is ended. */
class RunRoutesTest {
    private static final String UNKNOWN = "00000000-0000-7000-8000-000000000000";

    @TempDir
    Path folder;

    private ToolServer server;
    private Path gate;

    @BeforeEach
    void startsWithSomeTools() throws Exception {
        ToolServer.script(folder, "say", "echo \"$@\"");
        ToolServer.script(folder, "fail", "echo out; exit 3");
        ToolServer.script(folder, "slow", "echo begun; exec sleep 600", "timeout: 1h");
        ToolServer.script(folder, "stubborn", "trap '' TERM; echo begun; while :; do sleep 1; done", "stop_grace: 30s");
        ToolServer.script(folder, "much", "yes abcdefg | head -c $1", "limits: {output: 200MiB}");
        ToolServer.script(folder, "gated", "echo first; cat > /dev/null < $1; echo second; exit $2", "isolation: none");
        ToolServer.script(
                folder, "muchgated", "yes abcdefg | head -c 100000; cat > /dev/null < $1; exit $2", "isolation: none");
        // half a character, and the other half only when somebody says so
        ToolServer.script(
                folder,
                "cut",
                "printf '\\304'; cat > /dev/null < $1; printf '\\343\\272\\303\\n'",
                "isolation: none",
                "encoding: gbk");
        ToolServer.script(folder, "binary", "printf 'a\\377\\000b'");
        ToolServer.script(
                folder,
                "maker",
                "mkdir d; printf '<script>' > 'd/a b\".html'; : > empty; head -c 300000 /dev/zero > big; ln -s /etc/passwd link; mkfifo fifo",
                "keep: always");
        ToolServer.write(folder, "toolchains/chain.yaml", "toolchain:\n  - one: {cmd: maker}\n");
        server = new ToolServer(folder);
        gate = folder.resolve("gate");
        assertThat(new ProcessBuilder("mkfifo", gate.toString()).start().waitFor())
                .isZero();
    }

    @AfterEach
    void stops() {
        server.close();
    }

    private String gated(String tool, int exitCode) {
        return "/cmd/" + tool + "/" + gate.toString().replace("/", "%2F") + "/" + exitCode;
    }

    private void open() throws IOException {
        Files.writeString(gate, "go");
    }

    private Answer head(String path) {
        return server.server.send(server.server
                .request(path)
                .method("HEAD", BodyPublishers.noBody())
                .build());
    }

    @Test
    void theStatusOfAResultIsThatOfTheRun() throws Exception {
        String good = server.run("/cmd/say/hi");
        String bad = server.run("/cmd/fail");
        String late = server.start("/cmd/slow?timeout=1");
        String open = server.start("/cmd/slow");
        server.awaitEnd(late);

        assertThat(server.get("/result/" + good).status()).isEqualTo(200);
        assertThat(server.get("/result/" + good).body()).isEqualTo("hi\n");
        assertThat(server.get("/result/" + good).header("X-Exit-Code")).isEqualTo("0");
        assertThat(server.get("/result/" + bad).status()).isEqualTo(500);
        assertThat(server.get("/result/" + bad).body()).isEqualTo("out\n");
        assertThat(server.get("/result/" + bad).header("X-Exit-Code")).isEqualTo("3");
        assertThat(server.get("/result/" + late).status()).isEqualTo(504);
        Answer running = server.get("/result/" + open);
        assertThat(running.status()).isEqualTo(202);
        assertThat(running.header("Retry-After")).isEqualTo("1");
        assertThat(running.text("/id")).isEqualTo(open);
        assertThat(server.post("/cancel/" + open, "").status()).isEqualTo(200);
        assertThat(server.get("/result/" + open).status()).isEqualTo(410);
    }

    @Test
    void headTellsTheSameWithoutTheOutput() throws Exception {
        String bad = server.run("/cmd/fail");
        String large = server.run("/cmd/much/50000");
        String huge = server.run("/cmd/much/500000");

        assertThat(head("/result/" + bad).status()).isEqualTo(500);
        assertThat(head("/result/" + bad).header("X-Exit-Code")).isEqualTo("3");
        assertThat(head("/result/" + large).header("Content-Length")).isEqualTo("50000");
        assertThat(head("/result/" + huge).header("X-Exit-Code")).isEqualTo("0");
        assertThat(head("/result/" + huge + "?sse=true").status()).isEqualTo(405);
        assertThat(head("/cancel/" + huge).status()).isEqualTo(405);
    }

    @ParameterizedTest
    @ValueSource(strings = {UNKNOWN, "20250201111203-41", "x", "..%2F..%2Fetc", "%00", "a%0d%0aX-Evil:%201", "help2"})
    void aRunThatIsNotThereIsNotFound(String id) throws Exception {
        for (String path :
                List.of("/result/" + id, "/result/" + id + "/files", "/result/" + id + "/files/x", "/cancel/" + id)) {
            Answer answer = server.get(path);
            assertThat(answer.status()).as(path).isEqualTo(404);
            assertThat(answer.header("X-Evil")).isNull();
        }
        assertThat(server.post("/cancel/" + id, "").status()).isEqualTo(404);
        assertThat(server.get("/result/" + id + "?sse=true").status()).isEqualTo(404);
    }

    @Test
    void aCommandThatIsNoRunOfAToolIsNoResult() {
        String command = server.server.submit("client-001", "hang");

        assertThat(server.get("/result/" + command).status()).isEqualTo(404);
        assertThat(server.get("/cancel/" + command).status()).isEqualTo(404);
    }

    @Test
    void resultsInJsonComeInPagesAndLoseNothing() throws Exception {
        String id = server.run("/cmd/much/3000000");
        StringBuilder all = new StringBuilder();
        int pages = 0;
        String next = null;
        do {
            Answer page = server.get("/result/" + id + "?format=json" + (next == null ? "" : "&after=" + next));
            assertThat(page.status()).isEqualTo(200);
            page.json()
                    .get("pieces")
                    .forEach(piece -> all.append(piece.get("text").asString()));
            next = page.text("/next");
            pages++;
        } while (next != null);

        assertThat(all.toString()).isEqualTo("abcdefg\n".repeat(375_000));
        assertThat(pages).isGreaterThan(2);
        String binary = server.run("/cmd/binary");
        assertThat(server.get("/result/" + binary, "Accept", "application/json").text("/pieces/0/base64"))
                .isEqualTo("Yf8AYg==");
        for (String after : List.of("x", "f-1", "f99999999999", "e", "f3")) {
            Answer refused = server.get("/result/" + binary + "?format=json&after=" + after);
            assertThat(refused.status()).as(after).isEqualTo(400);
        }
        assertThat(server.get("/result/" + id + "?after=f0").status()).isEqualTo(400);
        assertThat(server.get("/result/" + id + "?format=xml").status()).isEqualTo(400);
    }

    @Test
    void aLongOutputIsPassedOnAsItComesAndItsEndSaysTheExitCode() throws Exception {
        CompletableFuture<String> all = CompletableFuture.supplyAsync(() -> {
            try {
                return server.raw("GET " + gated("muchgated", 0) + " HTTP/1.1\nHost: localhost\nConnection: close\n\n");
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        HttpResponse<java.io.InputStream> other = server.server.client.send(
                server.server.request(gated("muchgated", 0)).build(), BodyHandlers.ofInputStream());

        assertThat(other.statusCode()).isEqualTo(200);
        assertThat(other.headers().firstValue("X-Run-Id")).isPresent();
        assertThat(other.headers().firstValue("X-Exit-Code")).isEmpty();
        assertThat(other.body().readNBytes(100_000)).hasSize(100_000);
        await().until(() ->
                server.get("/history?result=executing").json().get("total").asInt() == 2);
        open();
        open();

        assertThat(other.body().readAllBytes()).isEmpty();
        assertThat(all)
                .succeedsWithin(Duration.ofSeconds(20))
                .satisfies(text -> assertThat(text)
                        .contains("Trailer: X-Exit-Code, X-Run-Status")
                        .endsWith("\r\n0\r\nX-Exit-Code: 0\r\nX-Run-Status: completed\r\n\r\n"));
    }

    @Test
    void anOutputThatHasBegunIsBrokenOffIfTheRunFails() throws Exception {
        HttpResponse<java.io.InputStream> response = server.server.client.send(
                server.server.request(gated("muchgated", 5)).build(), BodyHandlers.ofInputStream());
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body().readNBytes(100_000)).hasSize(100_000);
        open();

        assertThat(CompletableFuture.supplyAsync(() -> {
                    try {
                        return response.body().readAllBytes();
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                }))
                .failsWithin(Duration.ofSeconds(20));
        String id = response.headers().firstValue("X-Run-Id").orElseThrow();
        assertThat(server.get("/result/" + id).status()).isEqualTo(500);
        assertThat(server.get("/result/" + id).header("X-Exit-Code")).isEqualTo("5");
        assertThat(server.get("/result/" + id).body()).hasSize(100_000);
    }

    @Test
    void aShortOutputIsPassedOnWhenItHasBeenGatheredForAWhile() throws Exception {
        CompletableFuture<HttpResponse<java.io.InputStream>> response = server.server.client.sendAsync(
                server.server.request(gated("gated", 0)).build(), BodyHandlers.ofInputStream());
        await().until(() ->
                server.get("/history?result=executing").json().get("total").asInt() == 1);
        String id = server.get("/history").text("/runs/0/id");
        await().until(() -> !server.get("/result/" + id + "?format=json")
                .json()
                .get("pieces")
                .isEmpty());
        assertThat(response).isNotDone();

        server.server.time.advance(RunAnswers.GATHERING);

        assertThat(response).succeedsWithin(Duration.ofSeconds(20));
        assertThat(response.get().body().readNBytes(6)).asString().isEqualTo("first\n");
        open();
        assertThat(response.get().body().readAllBytes()).asString().isEqualTo("second\n");
    }

    @Test
    void eventsAreTheOutputAndAtLastTheResult() throws Exception {
        try (var events = server.events(gated("gated", 3) + "?sse=true")) {
            assertThat(events.status).isEqualTo(200);
            assertThat(events.next().type()).isEqualTo("state");
            Event first = events.next("stdout");
            assertThat(first.text("text")).isEqualTo("first\n");
            open();
            assertThat(events.next("stdout").text("text")).isEqualTo("second\n");
            Event result = events.next();
            assertThat(result.type()).isEqualTo("result");
            assertThat(result.text("status")).isEqualTo("failed");
            assertThat(result.text("exit_code")).isEqualTo("3");
            assertThat(events.next()).isNull();
            try (var resumed =
                    server.events("/result/" + result.text("id") + "?sse=true", "Last-Event-ID", first.id())) {
                assertThat(resumed.next("stdout").text("text")).isEqualTo("second\n");
                assertThat(resumed.next().type()).isEqualTo("result");
            }
            assertThat(server.get("/result/" + result.text("id") + "?sse=true", "Last-Event-ID", result.id())
                            .status())
                    .isEqualTo(204);
        }
    }

    @Test
    void postAnswersWithEventsToo() throws Exception {
        Answer answer = server.post("/cmd?sse=true", "{cmd: say, args: [hi]}");

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("Content-Type")).startsWith("text/event-stream");
        assertThat(answer.header("Location")).isEqualTo("/result/" + answer.header("X-Run-Id"));
        assertThat(answer.body()).contains("event: stdout\ndata: {\"text\":\"hi\\n\"}\n\n", "event: result");
    }

    @Test
    void aReaderWhoComesBackWithinACharacterGetsItWhole() throws Exception {
        String id = server.start("/cmd/cut/" + gate.toString().replace("/", "%2F"));
        // nothing can be shown yet, so the place is named by hand as an event would
        await().until(() -> !server.get("/result/" + id + "?format=json")
                .json()
                .get("pieces")
                .isEmpty());
        String next = server.get("/result/" + id + "?format=json").text("/next");
        open();
        server.awaitEnd(id);

        assertThat(server.get("/result/" + id).body()).isEqualTo("\u4F60\u597D\n");
        try (var events = server.events("/result/" + id + "?sse=true", "Last-Event-ID", next + "-c4")) {
            assertThat(events.next("stdout").text("text")).isEqualTo("\u4F60\u597D\n");
        }
    }

    @Test
    void anIdThatIsNoneBeginsAgainAndSaysSo() throws Exception {
        String id = server.run("/cmd/say/hi");
        for (String last : List.of("x", "f99999", "e99", "f1-zz", "end2")) {
            try (var events = server.events("/result/" + id + "?sse=true", "Last-Event-ID", last)) {
                Event reset = events.next("reset");
                assertThat(reset).as(last).isNotNull();
                assertThat(events.next("stdout").text("text")).isEqualTo("hi\n");
                assertThat(events.next("result")).isNotNull();
            }
        }
    }

    @Test
    void whereTheOutputIsNotKeptTheRecordsEventsAreRead() throws Exception {
        String id = server.run("/cmd/say/hi");
        String last;
        try (var events = server.events("/result/" + id + "?sse=true")) {
            last = events.next("stdout").id();
        }
        delete(folder.resolve("runs").resolve(id));

        assertThat(server.get("/result/" + id).body()).isEqualTo("hi\n");
        assertThat(server.get("/result/" + id, "Accept", "application/json").text("/pieces/0/text"))
                .isEqualTo("hi\n");
        try (var events = server.events("/result/" + id + "?sse=true", "Last-Event-ID", last)) {
            assertThat(last).startsWith("f");
            assertThat(events.next("reset")).isNotNull();
            Event output = events.next("stdout");
            assertThat(output.id()).startsWith("e");
            assertThat(output.text("text")).isEqualTo("hi\n");
        }
    }

    @Test
    void outputOfWhichTheRecordHasNotAllIsSaidToBeIncomplete() throws Exception {
        String id = server.run("/cmd/much/3000000");
        delete(folder.resolve("runs").resolve(id));

        Answer text = server.get("/result/" + id);
        assertThat(text.header("X-Output-Complete")).isEqualTo("false");
        assertThat(text.body().length()).isLessThan(3_000_000);
        assertThat(server.get("/result/" + id + "?format=json").text("/output_complete"))
                .isEqualTo("false");
    }

    @Test
    void outputThatNeverCameHereIsSaidToBeMissing() throws Exception {
        String id = server.run("/cmd/say/hi");
        assertThat(server.get("/result/" + id + "?format=json").text("/output_complete"))
                .isEqualTo("true");

        // as after a connection to an agent that was lost while it wrote
        Files.write(folder.resolve("runs").resolve(id).resolve("output"), new byte[0]);

        assertThat(server.get("/result/" + id).header("X-Output-Complete")).isEqualTo("false");
        assertThat(server.get("/result/" + id + "?format=json").text("/output_complete"))
                .isEqualTo("false");
        try (var events = server.events("/result/" + id + "?sse=true")) {
            assertThat(events.next("result").text("output_complete")).isEqualTo("false");
        }
    }

    private static void delete(Path start) throws IOException {
        try (var files = Files.walk(start)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void aStreamSaysThatItIsAlive() throws Exception {
        String id = server.start("/cmd/slow");
        try (var events = server.events("/result/" + id + "?sse=true")) {
            assertThat(events.next("stdout").text("text")).isEqualTo("begun\n");
            await().until(() -> server.server.time.waiting(Ends.KEEP_ALIVE) == 1);
            server.server.time.advance(Ends.KEEP_ALIVE);
            assertThat(events.next()).isEqualTo(new Event(null, null, "keep-alive"));
        }
    }

    @Test
    void manyReadersOfARunAllGetAllOfItAndNoneIsLeftBehind() throws Exception {
        String id = server.start(gated("gated", 0));
        List<ToolServer.Events> readers = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            readers.add(server.events("/result/" + id + "?sse=true"));
        }
        for (ToolServer.Events reader : readers) {
            assertThat(reader.next("stdout").text("text")).isEqualTo("first\n");
        }
        readers.remove(0).close();
        open();
        for (ToolServer.Events reader : readers) {
            assertThat(reader.next("stdout").text("text")).isEqualTo("second\n");
            assertThat(reader.next("result")).isNotNull();
            assertThat(reader.next()).isNull();
        }
    }

    @Test
    void cancelSaysWhatHappenedAndMayBeRepeated() throws Exception {
        String one = server.start("/cmd/slow");
        String other = server.start("/cmd/slow");
        await().until(() ->
                server.get("/history?result=executing").json().get("total").asInt() == 2);

        Answer get = server.get("/cancel/" + one);
        Answer post = server.post("/cancel/" + other, "");
        Answer again = server.get("/cancel/" + one);

        assertThat(get.status()).isEqualTo(200);
        assertThat(get.text("/outcome")).isEqualTo("cancelled_while_running");
        assertThat(post.text("/run/status")).isEqualTo("cancelled");
        assertThat(again.status()).isEqualTo(200);
        assertThat(again.text("/outcome")).isEqualTo("already_ended");
        String good = server.run("/cmd/say/x");
        assertThat(server.post("/cancel/" + good, "").text("/success")).isEqualTo("false");
    }

    @Test
    void cancelAnswersBeforeTheEndIfThatTakesLong() throws Exception {
        String one = server.start("/cmd/stubborn");
        String other = server.start("/cmd/stubborn");
        for (String id : List.of(one, other)) {
            await().until(() -> !server.get("/result/" + id + "?format=json")
                    .json()
                    .get("pieces")
                    .isEmpty());
        }
        CompletableFuture<Answer> get =
                server.server.sendAsync(server.server.request("/cancel/" + one).build());
        CompletableFuture<Answer> post = server.server.sendAsync(server.server
                .request("/cancel/" + other)
                .POST(BodyPublishers.noBody())
                .build());
        await().until(() -> server.server.time.waiting(Cancellations.WAIT) == 2);
        server.server.time.advance(Cancellations.WAIT);

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
    void filesOfARunAreListedAndSentAsTheyAre() throws Exception {
        String id = server.run("/cmd/maker");
        String chain = server.post("/cmd?toolchain=chain&onlyid=true", "").body();
        server.awaitEnd(chain);

        Answer list = server.get("/result/" + id + "/files");
        assertThat(list.json().get("files")).hasSize(3);
        Answer page = server.get("/result/" + id + "/files/d/a%20b%22.html");
        assertThat(page.status()).isEqualTo(200);
        assertThat(page.body()).isEqualTo("<script>");
        assertThat(page.header("Content-Type")).isEqualTo("application/octet-stream");
        assertThat(page.header("X-Content-Type-Options")).isEqualTo("nosniff");
        assertThat(page.header("Content-Disposition")).isEqualTo("attachment; filename*=UTF-8''a%20b%22.html");
        assertThat(server.get("/result/" + id + "/files/big").body()).hasSize(300_000);
        assertThat(server.get("/result/" + id + "/files/empty").body()).isEmpty();
        assertThat(head("/result/" + id + "/files/big").header("Content-Length"))
                .isEqualTo("300000");
        assertThat(server.get("/result/" + chain + "/files/one/d/a%20b%22.html").body())
                .isEqualTo("<script>");
    }

    @Test
    void noFileOutsideOfTheRunIsSent() throws Exception {
        String id = server.run("/cmd/maker");

        for (String path : List.of(
                "link",
                "../output",
                "..%2Foutput",
                "%2Fetc%2Fpasswd",
                "d/..%2F..%2F..%2Foutput",
                "..%5Coutput",
                "%00",
                "d",
                "fifo",
                "x",
                "d//../../../output",
                "con")) {
            String answer = server.raw(
                    "GET /result/" + id + "/files/" + path + " HTTP/1.1\nHost: localhost\nConnection: close\n\n");
            assertThat(answer).as(path).containsPattern("^HTTP/1.1 40[04] ");
        }
    }

    @Test
    void filesAreNotSentWhileTheRunMayChangeThem() {
        String id = server.start("/cmd/slow");

        assertThat(server.get("/result/" + id + "/files").status()).isEqualTo(202);
        assertThat(server.get("/result/" + id + "/files/x").status()).isEqualTo(202);
    }

    @Test
    void aReaderThatDoesNotReadKeepsNoOneElseFromReading() throws Exception {
        String id = server.start("/cmd/much/30000000");
        var idle = server.server.client.send(
                server.server.request("/result/" + id + "?sse=true").build(), BodyHandlers.ofInputStream());

        server.awaitEnd(id);
        assertThat(server.get("/result/" + id).body()).hasSize(30_000_000);
        assertThat(idle.statusCode()).isEqualTo(200);
        assertThat(new String(idle.body().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
                .contains("event: result");
    }

    @Test
    void noMoreWaitForAResultThanMay(@TempDir Path other) throws Exception {
        ToolServer.script(other, "slow", "exec sleep 600");
        try (ToolServer none = new ToolServer(other, builder -> builder.maxWaiting(0), ToolHttpOptions.ofDefaults())) {
            String id = none.start("/cmd/slow");
            assertThat(none.get("/result/" + id, "Prefer", "wait=1").status()).isEqualTo(503);
            assertThat(none.get("/cancel/" + id).status()).isEqualTo(503);
            assertThat(none.post("/cancel/" + id, "").status()).isEqualTo(503);
        }
    }

    @Test
    void preferWaitWaitsForTheEndOfARun() throws Exception {
        String id = server.start(gated("gated", 0));
        CompletableFuture<Answer> answer = server.server.sendAsync(server.server
                .request("/result/" + id)
                .header("Prefer", "wait=30")
                .build());
        await().until(() -> server.server.time.waiting(Duration.ofSeconds(30)) == 1);
        open();

        assertThat(answer)
                .succeedsWithin(Duration.ofSeconds(20))
                .extracting(Answer::body)
                .isEqualTo("first\nsecond\n");
    }
}
