package io.github.commandway.manager;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CommandStatusTest {
    @ParameterizedTest
    @EnumSource
    void isFoundByItsCode(CommandStatus status) {
        assertThat(status.code()).matches("[a-z]+");
        assertThat(CommandStatus.ofCode(status.code())).contains(status);
        assertThat(CommandStatus.ofCode(status.name())).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void neverChangesAfterTheEnd(CommandStatus status) {
        for (CommandStatus next : CommandStatus.values()) {
            assertThat(status.isTerminal() && status.canMoveTo(next)).isFalse();
        }
    }

    @Test
    void onlyWhatHasBegunCanComplete() {
        assertThat(CommandStatus.PENDING.canMoveTo(CommandStatus.COMPLETED)).isFalse();
        assertThat(CommandStatus.EXECUTING.canMoveTo(CommandStatus.COMPLETED)).isTrue();
    }

    @Test
    void anAttemptThatFailedMayBeFollowedByAnother() {
        assertThat(CommandStatus.EXECUTING.canMoveTo(CommandStatus.PENDING)).isTrue();
        assertThat(CommandStatus.PENDING.canMoveTo(CommandStatus.PENDING)).isTrue();
    }
}
