package io.github.commandway.dispatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReasonTest {
    @ParameterizedTest
    @EnumSource
    void isFoundByItsCode(Reason reason) {
        assertThat(reason.code()).matches("[a-z_]+");
        assertThat(Reason.ofCode(reason.code())).contains(reason);
    }

    @Test
    void knowsNoOtherCodes() {
        assertThat(Reason.ofCode("OK")).isEmpty();
        assertThat(Reason.ofCode("")).isEmpty();
    }

    @Test
    void okIsNotAReasonToFail() {
        assertThatThrownBy(() -> new CommandException(Reason.OK, "fine")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aFailureTellsItsReasonAndMessageWithoutAStackTrace() {
        CommandException failure = new CommandException(Reason.LOST, "the agent does not know it");
        assertThat(failure.reason()).isEqualTo(Reason.LOST);
        assertThat(failure).hasMessage("the agent does not know it");
        assertThat(failure.getStackTrace()).isEmpty();
    }
}
