package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CronTimesTest {
    private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "*/20 * * * *        | 2026-03-01T00:20:00Z 2026-03-01T00:40:00Z 2026-03-01T01:00:00Z",
                "*/20 * * * * *      | 2026-03-01T00:00:20Z 2026-03-01T00:00:40Z 2026-03-01T00:01:00Z",
                "30 2 * * mon-fri    | 2026-03-02T02:30:00Z 2026-03-03T02:30:00Z 2026-03-04T02:30:00Z",
                "0 0 29 feb *        | 2028-02-29T00:00:00Z 2032-02-29T00:00:00Z 2036-02-29T00:00:00Z",
                "0 12 * * 7          | 2026-03-01T12:00:00Z 2026-03-08T12:00:00Z 2026-03-15T12:00:00Z",
                "0 12 * * 0          | 2026-03-01T12:00:00Z 2026-03-08T12:00:00Z 2026-03-15T12:00:00Z",
                "15 10,14 1-3/2 * *  | 2026-03-01T10:15:00Z 2026-03-01T14:15:00Z 2026-03-03T10:15:00Z",
            })
    void theFieldsMeanWhatTheyMeanToCron(String cron, String expected) {
        assertThat(times(cron, "2026-03-01T00:00:00Z", ZoneOffset.UTC, 3)).containsExactly(expected.split(" "));
    }

    @Test
    void ifBothTheDayOfTheMonthAndOfTheWeekAreGivenEitherCounts() {
        assertThat(times("0 0 13 * 5", "2026-03-01T00:00:00Z", ZoneOffset.UTC, 4))
                .containsExactly(
                        "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z", "2026-03-27T00:00:00Z");
        assertThat(times("0 0 0 14 * 5", "2026-03-10T00:00:00Z", ZoneOffset.UTC, 2))
                .containsExactly("2026-03-13T00:00:00Z", "2026-03-14T00:00:00Z");
    }

    @Test
    void aTimeThatIsLeftOutWhenClocksGoForwardIsTheMomentOfTheChange() {
        // 2026-03-29 02:00 becomes 03:00
        assertThat(times("30 2 * * *", "2026-03-28T00:00:00Z", BERLIN, 3))
                .containsExactly("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
        assertThat(times("0 2,3 * * *", "2026-03-28T12:00:00Z", BERLIN, 2))
                .containsExactly("2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z");
        assertThat(times("*/20 * * * *", "2026-03-29T00:30:00Z", BERLIN, 4))
                .containsExactly(
                        "2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z");
    }

    @Test
    void ofATimeThatComesTwiceWhenClocksGoBackTheFirstCounts() {
        // 2026-10-25 03:00 becomes 02:00
        assertThat(times("30 2 * * *", "2026-10-24T12:00:00Z", BERLIN, 2))
                .containsExactly("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        assertThat(times("0,30 2-3 * * *", "2026-10-24T12:00:00Z", BERLIN, 5))
                .containsExactly(
                        "2026-10-25T00:00:00Z",
                        "2026-10-25T00:30:00Z",
                        "2026-10-25T02:00:00Z",
                        "2026-10-25T02:30:00Z",
                        "2026-10-26T01:00:00Z");
        assertThat(times("30 2 * * *", "2026-10-25T01:10:00Z", BERLIN, 1)).containsExactly("2026-10-26T01:30:00Z");
    }

    @Test
    void whatIsMeantForEveryHourHasNoHoleWhenClocksGoBack() {
        assertThat(times("*/30 * * * *", "2026-10-24T23:45:00Z", BERLIN, 6))
                .containsExactly(
                        "2026-10-25T00:00:00Z",
                        "2026-10-25T00:30:00Z",
                        "2026-10-25T01:00:00Z",
                        "2026-10-25T01:30:00Z",
                        "2026-10-25T02:00:00Z",
                        "2026-10-25T02:30:00Z");
    }

    @Test
    void aRareTimeIsFoundBeyondManyChangesOfTheClock() {
        assertThat(times("30 2 29 2 *", "2026-03-01T00:00:00Z", BERLIN, 2))
                .containsExactly("2028-02-29T01:30:00Z", "2032-02-29T01:30:00Z");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "* * * *", "* * * * * * *", "61 * * * *", "a b c d e", "5-1 * * * *", "*/0 * * * *"})
    void whatIsNoCronExpressionIsRefused(String text) {
        assertThatThrownBy(() -> CronTimes.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("'" + text + "' should ");
    }

    @Test
    void whatNeverComesHasNoTimes() {
        assertThat(CronTimes.parse("0 0 30 2 *").next(Instant.EPOCH, BERLIN)).isEmpty();
    }

    private static List<String> times(String cron, String after, ZoneId zone, int count) {
        CronTimes times = CronTimes.parse(cron);
        List<String> found = new ArrayList<>();
        Instant last = Instant.parse(after);
        while (found.size() < count) {
            last = times.next(last, zone).orElseThrow();
            found.add(last.toString());
        }
        return found;
    }
}
