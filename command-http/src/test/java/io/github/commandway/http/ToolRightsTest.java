package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.ScheduleInfo;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a caller may do with tools. Callers are named, and their tokens are their names. */
class ToolRightsTest {
    private static final ScheduleInfo.Fired LAST =
            new ScheduleInfo.Fired(Instant.parse("2026-01-01T02:00:00Z"), null, "it was missed");

    @TempDir
    Path folder;

    private ToolServer server;

    @BeforeEach
    void startsWithSomeTools() throws Exception {
        ToolServer.script(folder, "say", "echo secret \"$@\"; echo kept > file.txt", "keep: always");
        ToolServer.script(folder, "other", "echo other");
        ToolServer.write(folder, "toolchains/chain.yaml", "toolchain:\n  - one: {cmd: say}\n");
        server = new ToolServer(
                folder,
                options -> options.token("alice", "alice")
                        .token("robot", "robot", Rights.parse("run,view:own,output:own,cancel:own;tools=say"))
                        .token("runner", "runner", Rights.parse("run"))
                        .token("blind", "blind", Rights.parse("run,view,cancel"))
                        .token("watcher", "watcher", Rights.parse("view,output"))
                        .token("viewer", "viewer", Rights.parse("view;tools=other"))
                        .token("chains", "chains", Rights.parse("all;toolchains=ch*")),
                ToolHttpOptions.ofDefaults()
                        .withSchedules(() -> List.of(schedule("say", null), schedule("other", LAST))));
    }

    private static ScheduleInfo schedule(String tool, ScheduleInfo.@Nullable Fired last) {
        return new ScheduleInfo(
                "run-" + tool,
                "",
                "0 3 * * *",
                ZoneOffset.UTC,
                "tool:" + tool,
                new Target.Tool(tool),
                "schedule:run-" + tool,
                true,
                List.of(Instant.parse("2026-01-01T03:00:00Z")),
                last);
    }

    @AfterEach
    void stops() {
        server.close();
    }

    private Answer get(String caller, String path) {
        return server.get(path, "Authorization", "Bearer " + caller);
    }

    private Answer post(String caller, String path, String body) {
        return server.post(path, body, "Authorization", "Bearer " + caller);
    }

    private String run(String caller) {
        String id = get(caller, "/cmd/say/x?onlyid=true").body();
        server.awaitEnd(id);
        return id;
    }

    private static void assertMissing(Answer answer, Right right) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(403);
        assertThat(answer.text("/type")).isEqualTo("urn:commandway:problem:right_missing");
        assertThat(answer.text("/right")).isEqualTo(right.code());
    }

    @Test
    void aToolIsRunOnlyForThoseWhoMay() {
        assertThat(get("robot", "/cmd/say/x").body()).isEqualTo("secret x\n");
        assertThat(post("robot", "/cmd", "cmd: say").body()).isEqualTo("secret\n");
        assertMissing(get("watcher", "/cmd/say/x"), Right.RUN);
        assertMissing(post("watcher", "/cmd", "cmd: say"), Right.RUN);
        assertThat(post("chains", "/cmd?toolchain=chain&onlyid=true", "").status())
                .isEqualTo(202);
        assertMissing(post("robot", "/cmd?toolchain=chain", ""), Right.RUN);
    }

    @Test
    void whoMayNotRunAToolIsNotToldWhetherItIsThereOrWhatItTakes() {
        assertSame("/cmd/other/x", "/cmd/nope/x");
        assertSame("/cmd/other?version=9", "/cmd/nope?version=9");
        for (String bad : List.of("", ", version: 9", ", params: {colour: red}")) {
            Answer there = post("robot", "/cmd", "{cmd: other" + bad + "}");
            assertMissing(there, Right.RUN);
            assertThat(post("robot", "/cmd", "{cmd: nope" + bad + "}").body()).isEqualTo(there.body());
        }
        Answer chain = post("robot", "/cmd?toolchain=chain", "params: {colour: red}");
        assertMissing(chain, Right.RUN);
        assertThat(post("robot", "/cmd?toolchain=nope", "params: {colour: red}").body())
                .isEqualTo(chain.body());
    }

    private void assertSame(String there, String notThere) {
        Answer answer = get("robot", there);
        assertMissing(answer, Right.RUN);
        assertThat(get("robot", notThere).body()).isEqualTo(answer.body());
    }

    @Test
    void theListsHaveOnlyWhatTheCallerMayRun() {
        assertThat(get("alice", "/tools").body()).contains("\"say\"", "\"other\"");
        assertThat(get("robot", "/tools").body()).contains("\"say\"").doesNotContain("other");
        assertThat(get("robot", "/toolchains").text("/total")).isEqualTo("0");
        assertThat(get("chains", "/toolchains").text("/total")).isEqualTo("1");
        assertThat(get("chains", "/tools").text("/total")).isEqualTo("0");
    }

    @Test
    void schedulesAreShownToThoseWhoMayViewTheirRuns() {
        Answer all = get("alice", "/schedules");
        assertThat(all.text("/total")).isEqualTo("2");
        assertThat(all.text("/schedules/0/tool")).isEqualTo("say");
        assertThat(all.text("/schedules/0/user")).isEqualTo("schedule:run-say");
        assertThat(all.text("/schedules/0/next/0")).isEqualTo("2026-01-01T03:00:00Z");
        assertThat(all.text("/schedules/1/last")).isEqualTo("2026-01-01T02:00:00Z");
        assertThat(all.text("/schedules/1/problem")).isEqualTo("it was missed");
        // whose own they are not, and who may see toolchains only
        assertThat(get("robot", "/schedules").text("/total")).isEqualTo("0");
        assertThat(get("chains", "/schedules").text("/total")).isEqualTo("0");
        assertThat(get("viewer", "/schedules").text("/schedules/0/name")).isEqualTo("run-other");
        assertThat(get("viewer", "/schedules").text("/total")).isEqualTo("1");
        assertMissing(get("runner", "/schedules"), Right.VIEW);
    }

    @Test
    void anAnswerThatIsTheOutputNeedsTheRightToSeeItBeforeAnythingIsRun() {
        for (String caller : List.of("blind", "runner")) {
            Right missing = caller.equals("blind") ? Right.OUTPUT : Right.VIEW;
            assertMissing(get(caller, "/cmd/say/x"), missing);
            assertMissing(get(caller, "/cmd/say/x?sse=true"), missing);
            assertMissing(post(caller, "/cmd", "cmd: say"), missing);
            assertMissing(
                    server.post("/cmd", "cmd: say", "Authorization", "Bearer " + caller, "Prefer", "wait=1"), missing);
        }
        assertThat(get("alice", "/history").text("/total")).isEqualTo("0");
        assertThat(get("runner", "/cmd/say/x?onlyid=true").status()).isEqualTo(202);
    }

    @Test
    void outputAndFilesAreShownOnlyToThoseWhoMaySeeThem() {
        String id = run("alice");
        String none = "00000000-0000-7000-8000-000000000000";
        for (String rest : List.of("", "?sse=true", "?format=json", "/files", "/files/file.txt")) {
            assertThat(get("alice", "/result/" + id + rest).status()).isEqualTo(200);
            assertThat(get("watcher", "/result/" + id + rest).status()).isEqualTo(200);
            assertMissing(get("blind", "/result/" + id + rest), Right.OUTPUT);
            Answer foreign = get("robot", "/result/" + id + rest);
            assertThat(foreign.status()).isEqualTo(404);
            assertThat(foreign.body().replace(id, none))
                    .isEqualTo(get("robot", "/result/" + none + rest).body());
        }
        assertThat(get("robot", "/result/" + run("robot")).body()).isEqualTo("secret x\n");
    }

    @Test
    void theHistoryHasOnlyWhatTheCallerMayView() {
        String own = run("robot");
        run("alice");

        Answer history = get("robot", "/history");
        assertThat(history.text("/total")).isEqualTo("1");
        assertThat(history.text("/runs/0/id")).isEqualTo(own);
        assertThat(get("robot", "/history?user=alice").text("/total")).isEqualTo("0");
        assertThat(get("alice", "/history?user=robot").text("/total")).isEqualTo("1");
        assertThat(get("watcher", "/history").text("/total")).isEqualTo("2");
        assertThat(get("blind", "/history").body()).contains("\"omitted\":[\"result\"]");
        assertMissing(get("runner", "/history"), Right.VIEW);
    }

    @Test
    void aRunIsCancelledOnlyByThoseWhoMay() {
        String id = run("alice");
        assertMissing(get("watcher", "/cancel/" + id), Right.CANCEL);
        assertMissing(post("watcher", "/cancel/" + id, ""), Right.CANCEL);
        assertThat(get("robot", "/cancel/" + id).status()).isEqualTo(404);
        assertThat(get("blind", "/cancel/" + id).text("/outcome")).isEqualTo("already_ended");
        assertThat(get("blind", "/cancel/" + id).body()).contains("\"omitted\":[\"result\"]");
        assertThat(get("alice", "/cancel/" + id).body()).doesNotContain("omitted");
    }

    @Test
    void aCommandToAnAgentIsHeldToTheSameNames() {
        String command = "{\"client_id\":\"client-001\",\"command_type\":\"tool:other\"}";
        assertMissing(
                server.postTyped("/api/command", "application/json", command, "Authorization", "Bearer robot"),
                Right.RUN);
    }

    @Test
    void eachRouteNeedsItsRights() {
        for (Route route : server.server.facade.routes()) {
            boolean isRunning = route.path().startsWith("/cmd");
            boolean isResult = route.path().startsWith("/result/{id}");
            if (isRunning || isResult || route.path().startsWith("/cancel")) {
                assertThat(route.needs())
                        .as(route.path())
                        .isEqualTo(
                                isRunning
                                        ? List.of(Right.RUN)
                                        : List.of(Right.VIEW, isResult ? Right.OUTPUT : Right.CANCEL));
            }
        }
    }

    @Test
    void withoutTokensAToolIsNotRunForPagesOfOtherSitesNorUnderAnotherName() throws Exception {
        server.close();
        server = new ToolServer(folder);

        assertThat(server.get("/cmd/say/x", "Origin", "http://evil.example").status())
                .isEqualTo(403);
        assertThat(server.get("/cmd/say/x", "Sec-Fetch-Site", "cross-site").status())
                .isEqualTo(403);
        assertThat(server.raw("GET /cmd/say/x HTTP/1.1\nHost: evil.example\nConnection: close\n\n"))
                .startsWith("HTTP/1.1 403");
        assertThat(server.get("/history").text("/total")).isEqualTo("0");
        assertThat(server.get("/cmd/say/x").body()).isEqualTo("secret x\n");
    }
}
