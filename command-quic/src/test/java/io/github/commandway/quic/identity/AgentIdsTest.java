package io.github.commandway.quic.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AgentIdsTest {

    @ParameterizedTest
    @ValueSource(strings = {"a", "9", "client-001", "rack:3.node_7", "A.B-C_d:e"})
    void acceptsLettersDigitsAndTheFourMarks(String id) {
        assertThat(AgentIds.requireValid(id)).isEqualTo(id);
        assertThat(AgentIds.fromUri(URI.create(AgentIds.toUri(id)).toString())).contains(id);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-a", ".a", "_a", ":a", "a b", "a/b", "a\n", "\u00e4", "a%41", "a\u0000"})
    void refusesEverythingElse(String id) {
        assertThat(AgentIds.isValid(id)).isFalse();
        assertThatThrownBy(() -> AgentIds.requireValid(id))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 128 letters");
    }

    @Test
    void has128CharactersAtMost() {
        assertThat(AgentIds.isValid("a".repeat(128))).isTrue();
        assertThat(AgentIds.isValid("a".repeat(129))).isFalse();
    }

    @Test
    void messageShowsNoLineBreakAndNoEndlessId() {
        assertThatThrownBy(() -> AgentIds.requireValid("x\r\nforged log line" + "y".repeat(10_000)))
                .hasMessageContaining("'x??forged")
                .message()
                .hasSizeLessThan(300);
    }

    @ParameterizedTest
    @ValueSource(strings = {"urn:commandway:agent:", "urn:commandway:agent:a b", "URN:commandway:agent:a", "a"})
    void otherUrisNameNoAgent(String uri) {
        assertThat(AgentIds.fromUri(uri)).isEmpty();
    }
}
