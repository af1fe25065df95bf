package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.testing.ManualTime;
import io.github.commandway.tool.api.ScheduleInfo.Fired;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Schedules whose clock stands still until the test moves it, and which run real tools. Time begins at 2026-01-01T00:00:00Z. */
class ToolSchedulesTest {
    private static final String KEY = "schedule:hourly:";

    @TempDir
    Path folder;

    private final ManualTime time = new ManualTime();
    private ToolFixture fixture;

    @BeforeEach
    void start() throws IOException {
        ToolFixture.script(folder, "hello", "echo \"hello $1\"", "arguments: {max: 1}");
        fixture = new ToolFixture(folder);
    }

    @AfterEach
    void stop() {
        fixture.close();
    }

    @Test
    void aRunIsSubmittedAtEachTimeAndNotBefore() throws Exception {
        schedule("cmd: hello", "args: [you]");
        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ofMinutes(59));
            assertThat(records()).isEmpty();
            time.advance(Duration.ofMinutes(1));
            time.advance(Duration.ofHours(1));

            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z", KEY + "2026-01-01T02:00:00Z");
            assertThat(records()).allSatisfy(record -> {
                assertThat(record.request().principal()).isEqualTo("schedule:hourly");
                assertThat(ended(record).status()).isEqualTo(CommandStatus.COMPLETED);
            });
            assertThat(schedules.list(2)).singleElement().satisfies(planned -> {
                assertThat(planned.next())
                        .containsExactly(Instant.parse("2026-01-01T03:00:00Z"), Instant.parse("2026-01-01T04:00:00Z"));
                assertThat(planned.last())
                        .isEqualTo(new Fired(
                                Instant.parse("2026-01-01T02:00:00Z"),
                                records().get(0).id(),
                                ""));
            });
        }
    }

    @Test
    void theZoneIsThatOfTheScheduleOrElseTheServers() throws Exception {
        ToolFixture.write(folder, "schedules/a.yaml", "cron: '0 9 * * *'\ncmd: hello\n");
        ToolFixture.write(folder, "schedules/b.yaml", "cron: '0 9 * * *'\nzone: Asia/Shanghai\ncmd: hello\n");
        fixture.catalog.refresh();
        try (ToolSchedules schedules = ToolSchedules.builder(fixture.catalog, fixture.handler, fixture.manager, marks())
                .clock(time.clock())
                .zone(ZoneId.of("America/New_York"))
                .start(time.scheduler())) {
            assertThat(schedules.list(1))
                    .extracting(planned -> planned.next().get(0).toString())
                    .containsExactly("2026-01-01T14:00:00Z", "2026-01-01T01:00:00Z");
        }
    }

    @Test
    void whatWasMissedIsSkippedUnlessTheScheduleSaysOtherwise() throws Exception {
        schedule("cmd: hello");
        schedules().close();
        away(Duration.ofHours(5).plusMinutes(30));

        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ofMinutes(1));
            assertThat(records()).isEmpty();
            assertThat(schedules.list(1).get(0).last())
                    .isEqualTo(new Fired(Instant.parse("2026-01-01T05:00:00Z"), null, "it was missed"));
            time.advance(Duration.ofMinutes(30));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T06:00:00Z");
        }
    }

    @Test
    void aRestartOfLessThanAMinuteMissesNothing() throws Exception {
        schedule("cmd: hello");
        away(Duration.ofMinutes(59).plusSeconds(30));
        schedules().close();
        away(Duration.ofSeconds(50));

        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ZERO);
            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z");
            assertThat(schedules.list(0)).hasSize(1);
        }
    }

    @Test
    void withOnceThereIsOneRunForAllThatWasMissed() throws Exception {
        schedule("cmd: hello", "missed: once");
        schedules().close();
        away(Duration.ofHours(5).plusMinutes(30));

        run(Duration.ofMinutes(1));
        assertThat(keys()).containsExactly(KEY + "2026-01-01T05:00:00Z");
        run(Duration.ofMinutes(1));
        assertThat(keys()).hasSize(1);
    }

    @Test
    void withAllThereIsARunForEachButNotForMoreThanAHundredNorADay() throws Exception {
        schedule("cmd: hello", "missed: all");
        ToolFixture.write(folder, "schedules/often.yaml", "cron: '* * * * *'\ncmd: hello\nmissed: all\n");
        fixture.catalog.refresh();
        schedules().close();
        away(Duration.ofHours(100).plusSeconds(30));

        run(Duration.ofSeconds(200));
        assertThat(keys())
                .filteredOn(key -> key.startsWith(KEY))
                .hasSize(24)
                .startsWith(KEY + "2026-01-04T05:00:00Z")
                .endsWith(KEY + "2026-01-05T04:00:00Z");
        assertThat(keys()).filteredOn(key -> key.startsWith("schedule:often:")).hasSizeBetween(100, 104);
    }

    @Test
    void whatIsMadeUpForDoesNotFallBehindWhatBecomesDue() throws Exception {
        ToolFixture.write(folder, "schedules/often.yaml", "cron: '* * * * * *'\ncmd: hello\nmissed: all\n");
        fixture.catalog.refresh();
        schedules().close();
        away(Duration.ofSeconds(50));

        run(Duration.ofSeconds(10));
        assertThat(keys()).hasSizeBetween(58, 62);
    }

    @Test
    void aSleepOfTheMachineIsLikeAStop() throws Exception {
        schedule("cmd: hello", "missed: all");
        try (ToolSchedules schedules = schedules()) {
            time.stepWallClock(Duration.ofHours(3).plusMinutes(30));
            time.advance(Duration.ofSeconds(10));
            assertThat(keys())
                    .containsExactly(
                            KEY + "2026-01-01T01:00:00Z", KEY + "2026-01-01T02:00:00Z", KEY + "2026-01-01T03:00:00Z");
            assertThat(schedules.list(0)).hasSize(1);
        }
    }

    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aClockThatGoesForwardByDecadesIsLikeALongStop() throws Exception {
        schedule("cmd: hello", "missed: all");
        ToolFixture.write(folder, "schedules/often.yaml", "cron: '* * * * * *'\ncmd: hello\n");
        ToolFixture.write(folder, "schedules/yearly.yaml", "cron: '0 0 1 6 *'\ncmd: hello\nmissed: once\n");
        fixture.catalog.refresh();
        try (ToolSchedules schedules = schedules()) {
            time.stepWallClock(Duration.ofDays(365 * 100));
            time.advance(Duration.ofSeconds(30));

            assertThat(keys()).filteredOn(key -> key.startsWith(KEY)).hasSize(24);
            assertThat(keys())
                    .filteredOn(key -> key.startsWith("schedule:often:"))
                    .hasSizeBetween(1, 31);
            assertThat(schedules.list(0))
                    .filteredOn(planned -> planned.name().equals("yearly"))
                    .singleElement()
                    .satisfies(planned -> assertThat(planned.last())
                            .isEqualTo(new Fired(Instant.parse("2026-06-01T00:00:00Z"), null, "it was missed")));
        }
    }

    @Test
    void aClockThatIsSetBackRepeatsNothing() throws Exception {
        schedule("cmd: hello");
        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ofMinutes(70));
            time.stepWallClock(Duration.ofMinutes(-30));
            time.advance(Duration.ofMinutes(40));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z");
            time.advance(Duration.ofMinutes(41));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z", KEY + "2026-01-01T02:00:00Z");
            assertThat(schedules.list(0)).hasSize(1);
        }
    }

    @Test
    void whatWasSubmittedBeforeACrashIsNotRunAgain() throws Exception {
        schedule("cmd: hello", "missed: all");
        schedules().close();
        byte[] before = Files.readAllBytes(marks());
        run(Duration.ofMinutes(125));
        assertThat(keys()).hasSize(2);
        var ids = records().stream().map(CommandRecord::id).toList();

        // as if it had been killed before it could write down any of that
        Files.write(marks(), before);
        away(Duration.ofHours(1));
        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ofSeconds(10));
            assertThat(keys())
                    .containsExactly(
                            KEY + "2026-01-01T01:00:00Z", KEY + "2026-01-01T02:00:00Z", KEY + "2026-01-01T03:00:00Z");
            assertThat(records()).extracting(CommandRecord::id).containsAll(ids);
            assertThat(schedules.list(0)).hasSize(1);
        }
    }

    @Test
    void twoServersSubmitARunOnce() throws Exception {
        schedule("cmd: hello");
        try (ToolSchedules one = schedules();
                ToolSchedules other = ToolSchedules.builder(
                                fixture.catalog, fixture.handler, fixture.manager, folder.resolve("other.json"))
                        .clock(time.clock())
                        .start(time.scheduler())) {
            time.advance(Duration.ofMinutes(61));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z");
            assertThat(one.list(0).get(0).last()).isEqualTo(other.list(0).get(0).last());
        }
    }

    @Test
    void withOverlapSkipThereIsNoSecondRunAtATime() throws Exception {
        Path gate = folder.resolve("gate");
        ToolFixture.script(folder, "slow", "until test -e '" + gate + "'; do sleep 0.01; done", "isolation: none");
        schedule("cmd: slow", "overlap: skip");
        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ofHours(1));
            time.advance(Duration.ofHours(1));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z");
            assertThat(schedules.list(1).get(0).last())
                    .isEqualTo(new Fired(Instant.parse("2026-01-01T02:00:00Z"), null, "the run before has not ended"));

            Files.createFile(gate);
            assertThat(ended(records().get(0)).status()).isEqualTo(CommandStatus.COMPLETED);
            time.advance(Duration.ofHours(1));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T01:00:00Z", KEY + "2026-01-01T03:00:00Z");
        }
    }

    @Test
    void changesOfTheCatalogueAreTakenOver() throws Exception {
        try (ToolSchedules schedules = schedules()) {
            time.advance(Duration.ofMinutes(90));
            schedule("cmd: hello");
            time.advance(Duration.ofMinutes(30));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T02:00:00Z");

            schedule("cmd: hello", "enabled: false", "missed: all");
            time.advance(Duration.ofHours(2));
            assertThat(schedules.list(3).get(0).next()).isEmpty();
            schedule("cmd: hello", "missed: all");
            time.advance(Duration.ofHours(1));
            assertThat(keys()).containsExactly(KEY + "2026-01-01T02:00:00Z", KEY + "2026-01-01T05:00:00Z");

            Files.delete(folder.resolve("schedules/hourly.yaml"));
            fixture.catalog.refresh();
            time.advance(Duration.ofHours(2));
            assertThat(keys()).hasSize(2);
        }
    }

    @Test
    void aRunThatIsRefusedForNowIsSubmittedAgainForAMinute() throws Exception {
        Path gate = folder.resolve("gate");
        ToolFixture.script(folder, "slow", "until test -e '" + gate + "'; do sleep 0.01; done", "isolation: none");
        schedule("cmd: hello");
        ToolSchedules.Builder builder;
        Registry registry = new Registry();
        registry.register("tools", CommandIds.TOOL_EXECUTE, fixture.handler);
        try (CommandManager narrow = CommandManager.builder(registry).maxOpen(1).build()) {
            builder = ToolSchedules.builder(fixture.catalog, fixture.handler, narrow, marks())
                    .clock(time.clock());
            var open = narrow.submit(
                            fixture.handler.commandFor(ToolRequest.tool("slow")).build())
                    .get(30, TimeUnit.SECONDS);
            try (ToolSchedules schedules = builder.start(time.scheduler())) {
                time.advance(Duration.ofMinutes(60).plusSeconds(30));
                assertThat(narrow.stats().accepted()).isEqualTo(1);
                time.advance(Duration.ofSeconds(40));
                assertThat(Objects.requireNonNull(schedules.list(0).get(0).last())
                                .problem())
                        .contains("as many commands are open as may be (1)");

                time.advance(Duration.ofMinutes(59));
                Files.createFile(gate);
                open.completion().get(30, TimeUnit.SECONDS);
                await().until(() -> narrow.stats().open() == 0);
                time.advance(Duration.ofSeconds(2));
                assertThat(narrow.stats().accepted()).isEqualTo(2);
            }
        }
    }

    @Test
    void aRunThatIsRefusedForGoodIsSaidAndTheScheduleGoesOn() throws Exception {
        // nothing here executes commands on agents, and nobody here knows what tools those have
        schedule("cmd: only-there", "on: 'agent:a'");
        try (ToolSchedules schedules = schedules()) {
            for (int hour = 1; hour <= 2; hour++) {
                time.advance(Duration.ofHours(1));
                assertThat(schedules.list(1).get(0).last())
                        .isEqualTo(new Fired(
                                Instant.parse("2026-01-01T0" + hour + ":00:00Z"),
                                null,
                                "nothing is registered here that handles commands to agent:a"));
            }
        }
    }

    @Test
    void whatIsWrongInAFileIsAProblemWithItsPlace() throws Exception {
        bad("a", "cmd: hello\n", "schedules/a.yaml, line 1, column 1: there should be a 'cron'");
        bad("b", "cron: '* * *'\ncmd: hello\n", "line 1, column 7: '* * *' should have 5 fields");
        bad("c", "cron: '0 0 31 2 *'\ncmd: hello\n", "line 1, column 7: '0 0 31 2 *' should be a time that there is");
        bad("d", "cron: '* * * * *'\nzone: Mars\ncmd: hello\n", "line 2, column 7: 'Mars' should be a time zone");
        bad("e", "cron: '* * * * *'\ncmd: nothing\n", "line 2, column 6: there is no tool 'nothing'");
        bad("f", "cron: '* * * * *'\ncmd: hello\nargs: [a, b]\n", "line 2, column 6: hello 1.0.0 takes at most 1");
        bad("g", "cron: '* * * * *'\ncmd: hello\nmissed: never\n", "line 3, column 9: 'never' should be one of skip");
        bad("h", "cron: '* * * * *'\ncmd: hello\nevery: 1\n", "line 3, column 1: 'every' is not known here");
        bad(
                "i",
                "cron: '* * * * *'\ncmd: hello\nmissed: all\noverlap: skip\n",
                "line 3, column 9: 'all' should not stand with 'overlap: skip'");
        bad("j", "cron: '* * * * *'\ncmd: hello\non: moon\n", "line 3, column 5: target 'moon' is none of");
        bad("k", "cron: '* * * * *'\ntoolchain: none\n", "line 2, column 12: there is no toolchain 'none'");
        bad("l", "cron: '* * * * *'\n", "line 1, column 1: there should be one of 'cmd' and 'toolchain'");

        ToolFixture.write(folder, "schedules/good.yaml", "cron: '0 * * * *'\ncmd: hello\n");
        fixture.catalog.refresh();
        assertThat(fixture.catalog.schedules()).extracting(ToolSchedule::name).containsExactly("good");
    }

    private void bad(String name, String content, String expected) throws IOException {
        ToolFixture.write(folder, "schedules/" + name + ".yaml", content);
        fixture.catalog.refresh();
        assertThat(fixture.catalog.problems()).hasSize(name.charAt(0) - 'a' + 1);
        assertThat(fixture.catalog
                        .problems()
                        .get(fixture.catalog.problems().size() - 1)
                        .toString())
                .contains(expected);
    }

    private void schedule(String... lines) throws IOException {
        ToolFixture.write(
                folder, "schedules/hourly.yaml", "cron: '0 * * * *'\nzone: UTC\n" + String.join("\n", lines) + "\n");
        fixture.catalog.refresh();
        assertThat(fixture.catalog.problems()).isEmpty();
    }

    private Path marks() {
        return folder.resolve("state/schedules.json");
    }

    private ToolSchedules schedules() throws IOException {
        return ToolSchedules.builder(fixture.catalog, fixture.handler, fixture.manager, marks())
                .clock(time.clock())
                .start(time.scheduler());
    }

    private void run(Duration length) throws IOException {
        try (ToolSchedules schedules = schedules()) {
            time.advance(length);
            assertThat(schedules.list(0)).isNotEmpty();
        }
    }

    private void away(Duration length) {
        time.advance(length);
    }

    private List<CommandRecord> records() {
        return fixture.manager
                .list(new CommandQuery(null, null, 1_000, null))
                .join()
                .records();
    }

    /** In the order of their times. */
    private List<String> keys() {
        return records().stream()
                .map(record -> String.valueOf(record.request().idempotencyKey()))
                .sorted()
                .toList();
    }

    private CommandRecord ended(CommandRecord record) {
        return await().until(
                        () -> fixture.manager.find(record.id()).join().orElseThrow(),
                        found -> found.status().isTerminal());
    }
}
