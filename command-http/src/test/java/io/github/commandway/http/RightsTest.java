package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.commandway.http.Route.Extent;
import io.github.commandway.manager.CommandRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RightsTest {
    private static CommandRequest request(String agent, String type, String principal) {
        return CommandRequest.toAgent(agent, type).principal(principal).build();
    }

    @Test
    void areThoseThatAreNamed() {
        Rights rights = Rights.parse("run,view:own output:own");
        CommandRequest own = request("client-001", "echo", "alice");
        CommandRequest foreign = request("client-001", "echo", "bob");

        assertThat(rights.covers(Right.RUN, "alice", own)).isTrue();
        assertThat(rights.covers(Right.VIEW, "alice", own)).isTrue();
        assertThat(rights.covers(Right.VIEW, "alice", foreign)).isFalse();
        assertThat(rights.covers(Right.CANCEL, "alice", own)).isFalse();
        assertThat(rights.covers(Right.MANAGE, "alice", own)).isFalse();
    }

    @Test
    void forOnesOwnCommandsAreNotForThoseOfNobody() {
        CommandRequest ofNobody = request("client-001", "echo", null);
        assertThat(Rights.parse("view:own").covers(Right.VIEW, "alice", ofNobody))
                .isFalse();
        assertThat(Rights.parse("view:own").covers(Right.VIEW, null, ofNobody)).isFalse();
        assertThat(Rights.all().covers(Right.VIEW, null, ofNobody)).isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "all;types=echo | client-001 | echo | true",
                "all;types=echo | client-001 | echoes | false",
                "all;types=echo* | client-001 | echoes | true",
                "all;types=echo* | client-001 | my-echo | false",
                "all;types=a, b* | client-001 | bc | true",
                "all;tools=thumb*,report | client-001 | tool:thumbnail | true",
                "all;tools=thumb*,report | client-001 | tool:report | true",
                "all;tools=thumb*,report | client-001 | thumbnail | false",
                "all;tools=thumb*,report | client-001 | toolchain:report | false",
                "all;tools=report;toolchains=* | client-001 | toolchain:report | true",
                "all;tools=report;types=echo | client-001 | echo | true",
                "all;targets=agent:client-00* | client-001 | echo | true",
                "all;targets=agent:client-002 | client-001 | echo | false",
                "all;targets=agent:client-001;types=echo | client-001 | fail | false"
            })
    void areLimitedToTypesAndTargets(String rights, String agent, String type, boolean expected) {
        for (Right right : Right.values()) {
            assertThat(Rights.parse(rights).covers(right, "alice", request(agent, type, "alice")))
                    .isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "all | true | true | true",
                "view | true | true | true",
                "view:own | true | true | false",
                "view;types=echo | true | false | false",
                "view;targets=agent:* | true | false | false",
                "run | false | false | false"
            })
    void areForSomeOrOnesOwnOrAllCommands(String rights, boolean some, boolean own, boolean all) {
        Rights parsed = Rights.parse(rights);
        assertThat(parsed.includes(Right.VIEW, Extent.SOME)).isEqualTo(some);
        assertThat(parsed.includes(Right.VIEW, Extent.OWN)).isEqualTo(own);
        assertThat(parsed.includes(Right.VIEW, Extent.ALL)).isEqualTo(all);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " , ",
                ";tools=a",
                "view:",
                "view:mine",
                "run:own",
                "manage:own",
                "all:own",
                "View",
                "read",
                "view,view",
                "view,all",
                "view;",
                "view;tools",
                "view;tools=",
                "view;users=a",
                "view;types=a*b",
                "view;types=*a"
            })
    void areRefusedIfTheyAreNotWrittenAsTheyMustBe(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Rights.parse(text))
                .withMessageStartingWith(text.isEmpty() ? "''" : "");
    }

    @Test
    void sayWhatWouldBeRight() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Rights.parse("run,read"))
                .withMessage(
                        "'read' is no right: write view, run, output, cancel, manage, or all; view:own for the caller's own commands only");
    }
}
