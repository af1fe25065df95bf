package io.github.commandway.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CommandIds;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommandRequestTest {
    @Test
    void hasTheDefaultsItSays() {
        CommandRequest request = CommandRequest.toAgent("client-001", "restart").build();
        assertThat(request.target()).isEqualTo(new Target.Agent("client-001"));
        assertThat(request.type()).isEqualTo("restart");
        assertThat(request.payload()).isEmpty();
        assertThat(request.timeout()).isEqualTo(Duration.ofSeconds(30));
        assertThat(request.ttl()).isEqualTo(Duration.ofSeconds(30));
        assertThat(request.idempotencyKey()).isNull();
        assertThat(request.principal()).isNull();
        assertThat(request.traceParent()).isNull();
    }

    @Test
    void waitsAsLongAsItMayRunUnlessToldOtherwise() {
        Duration minute = Duration.ofMinutes(1);
        assertThat(with(builder -> builder.timeout(minute)).ttl()).isEqualTo(minute);
        assertThat(with(builder -> builder.timeout(minute).ttl(Duration.ZERO)).ttl())
                .isZero();
    }

    @Test
    void refusesTimesOutsideTheirRange() {
        refuses("timeout", builder -> builder.timeout(Duration.ZERO));
        refuses("timeout", builder -> builder.timeout(Duration.ofNanos(999_999)));
        refuses("timeout", builder -> builder.timeout(Duration.ofSeconds(-1)));
        refuses("timeout", builder -> builder.timeout(CommandRequest.MAX_DURATION.plusNanos(1)));
        refuses("timeout", builder -> builder.timeout(Duration.ofSeconds(Long.MAX_VALUE)));
        refuses("ttl", builder -> builder.ttl(Duration.ofNanos(-1)));
        refuses("ttl", builder -> builder.ttl(CommandRequest.MAX_DURATION.plusNanos(1)));
        with(builder -> builder.timeout(Duration.ofMillis(1)).ttl(CommandRequest.MAX_DURATION));
        with(builder -> builder.timeout(CommandRequest.MAX_DURATION));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\t", "a\nb", "a\u0000", "\u007f"})
    void refusesTypesAndKeysThatNobodyCanRead(String text) {
        assertThatThrownBy(() -> CommandRequest.toAgent("a", text).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("type");
        refuses("idempotency key", builder -> builder.idempotencyKey(text));
        refuses("reference", builder -> builder.reference(text));
    }

    @Test
    void limitsTheLengthOfTypesAndKeys() {
        String longest = "x".repeat(256);
        assertThat(CommandRequest.toAgent("a", longest).build().type()).isEqualTo(longest);
        assertThatThrownBy(() -> CommandRequest.toAgent("a", longest + "x").build())
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(with(builder -> builder.idempotencyKey(longest)).idempotencyKey())
                .isEqualTo(longest);
        refuses("idempotency key", builder -> builder.idempotencyKey(longest + "x"));
    }

    @Test
    void isTheSameAsOneThatDiffersInItsTraceOnly() {
        CommandRequest request = full(builder -> {});
        assertThat(request.isSameAs(full(builder -> builder.traceParent("other"))))
                .isTrue();
        assertThat(request.isSameAs(full(builder -> builder.payload(new byte[] {2}))))
                .isFalse();
        assertThat(request.isSameAs(full(builder -> builder.timeout(Duration.ofSeconds(9)))))
                .isFalse();
        assertThat(request.isSameAs(full(builder -> builder.ttl(Duration.ofSeconds(9)))))
                .isFalse();
        assertThat(request.isSameAs(full(builder -> builder.idempotencyKey("other"))))
                .isFalse();
        assertThat(request.isSameAs(full(builder -> builder.principal("bob")))).isFalse();
        assertThat(request.isSameAs(full(builder -> builder.reference("other"))))
                .isFalse();
        assertThat(request.isSameAs(CommandRequest.toAgent("a", "other").build()))
                .isFalse();
        assertThat(request.isSameAs(CommandRequest.toAgent("b", "type").build()))
                .isFalse();
    }

    @Test
    void doesNotPrintItsPayload() {
        assertThat(with(builder -> builder.payload("secret".getBytes(java.nio.charset.StandardCharsets.UTF_8))))
                .hasToString("CommandRequest[type to agent:a, 6 bytes]");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"agent:client-001", "agent:a.b_c:d-1", "group:region=eu", "queue:q", "tool:jq", "local:300"})
    void aTargetIsReadBackFromItsText(String text) {
        assertThat(Target.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "agent",
                "agent:",
                "agent:-a",
                "agent:a b",
                "agent:ä",
                "agents:a",
                "group:",
                "queue: ",
                "tool:",
                "local:",
                "local:x",
                "local:-1",
                "local:65536",
                "local:99999999999"
            })
    void refusesTextThatIsNotATarget(String text) {
        assertThatThrownBy(() -> Target.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void limitsTheLengthOfTargets() {
        assertThat(Target.Agent.isValidId("a".repeat(128))).isTrue();
        assertThat(Target.Agent.isValidId("a".repeat(129))).isFalse();
        assertThatThrownBy(() -> new Target.Queue("q".repeat(257))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aTargetSelectsItsHandler() {
        assertThat(new Target.Agent("a").commandId()).isEqualTo(CommandIds.AGENT_EXECUTE);
        assertThat(new Target.Group("*").commandId()).isEqualTo(CommandIds.GROUP_EXECUTE);
        assertThat(new Target.Queue("a").commandId()).isEqualTo(CommandIds.QUEUE_EXECUTE);
        assertThat(new Target.Tool("a").commandId()).isEqualTo(CommandIds.TOOL_EXECUTE);
        assertThat(new Target.Local(300).commandId()).isEqualTo(300);
    }

    private static CommandRequest with(Consumer<CommandRequest.Builder> change) {
        CommandRequest.Builder builder = CommandRequest.toAgent("a", "type");
        change.accept(builder);
        return builder.build();
    }

    private static CommandRequest full(Consumer<CommandRequest.Builder> change) {
        return with(builder -> {
            builder.payload(new byte[] {1})
                    .timeout(Duration.ofSeconds(5))
                    .ttl(Duration.ofSeconds(5))
                    .idempotencyKey("key")
                    .principal("alice")
                    .traceParent("trace");
            change.accept(builder);
        });
    }

    private static void refuses(String what, Consumer<CommandRequest.Builder> change) {
        assertThatThrownBy(() -> with(change))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(what);
    }
}
