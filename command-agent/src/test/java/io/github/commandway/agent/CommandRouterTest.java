package io.github.commandway.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CommandRouterTest {
    record Inner(List<Integer> numbers) {}

    enum Level {
        LOW,
        HIGH
    }

    record RestartParams(
            int delaySeconds,
            @Nullable String reason,
            @Nullable Boolean force,
            @Nullable Inner inner,
            @Nullable Level level,
            @Nullable Double factor) {
        RestartParams {
            if (delaySeconds < 0) {
                throw new IllegalArgumentException("'delay_seconds' must not be negative");
            }
        }
    }

    record RestartResult(boolean success, int newDelay) {}

    private final CommandRouter router = CommandRouter.of(routes -> routes.on(
                    "restart",
                    RestartParams.class,
                    (context, params) -> new RestartResult(true, params.delaySeconds() + 1))
            .on("reason", RestartParams.class, (context, params) -> params.reason())
            .on("raw", (context, payload) -> payload)
            .on("map", Map.class, (context, params) -> params));

    @Test
    void readsParametersAndWritesResultsInSnakeCase() throws Exception {
        assertThat(execute("restart", "{\"delay_seconds\": 5}")).isEqualTo("{\"success\":true,\"new_delay\":6}");
    }

    @Test
    void aFieldThatIsMissingIsNullAndANullResultIsEmpty() throws Exception {
        assertThat(execute("reason", "{\"delay_seconds\": 5}")).isEmpty();
    }

    @Test
    void anEmptyPayloadAndNullCountAsAnEmptyObject() throws Exception {
        assertThat(execute("map", "")).isEqualTo("{}");
        assertThat(execute("map", "null")).isEqualTo("{}");
    }

    @Test
    void rawHandlersGetTheBytesAsTheyCame() throws Exception {
        assertThat(execute("raw", "no json {")).isEqualTo("no json {");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"delay_seconds\": 1, \"delay\": 2} | unknown field 'delay'; known are delay_seconds, factor, force, inner, level, reason",
                "{\"delay_seconds\": \"1\"} | field 'delay_seconds' must be an integer",
                "{\"delay_seconds\": 1.5} | field 'delay_seconds' must be an integer",
                "{\"delay_seconds\": null} | field 'delay_seconds' must be an integer",
                "{\"delay_seconds\": 99999999999} | field 'delay_seconds': a number is out of range",
                "{\"delay_seconds\": 1, \"reason\": 7} | field 'reason' must be a string",
                "{\"delay_seconds\": 1, \"force\": \"yes\"} | field 'force' must be true or false",
                "{\"delay_seconds\": 1, \"factor\": \"1.0\"} | field 'factor' must be a number",
                "{\"delay_seconds\": 1, \"level\": \"MIDDLE\"} | field 'level' must be one of LOW, HIGH",
                "{\"delay_seconds\": 1, \"inner\": []} | field 'inner' must be an object",
                "{\"delay_seconds\": 1, \"inner\": {\"numbers\": 1}} | field 'inner.numbers' must be an array",
                "{\"delay_seconds\": 1, \"inner\": {\"numbers\": [1, {}]}} | field 'inner.numbers[1]' must be an integer",
                "{\"delay_seconds\": 1, \"inner\": {\"more\": 1}} | unknown field 'inner.more'; known are numbers",
                "{\"delay_seconds\": -1} | 'delay_seconds' must not be negative",
                "{\"delay_seconds\": 1, \"delay_seconds\": 2} | a field is there twice at line 1, column",
                "{\"delay_seconds\": 1} 2 | there is something after the JSON value",
                "{\"delay_seconds\": secret} | not well-formed JSON at line 1, column",
                "{\"delay_seconds\": 1 | not well-formed JSON",
                "[] | the payload must be an object",
                "7 | the payload must be an object",
                "\"secret\" | the payload must be an object",
            })
    void parametersThatCannotBeReadAreRefusedWithTheFieldAndWithoutTheValue(String payload, String message) {
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> execute("restart", payload))
                .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.REJECTED_BY_AGENT))
                .withMessageContaining("invalid parameters: " + message)
                .satisfies(
                        e -> assertThat(e.getMessage()).doesNotContain("secret").doesNotContain("io.github"));
    }

    @Test
    void changedBytesAreRefusedOrReadButNeverBreakTheReader() {
        Random random = new Random(42);
        byte[] valid = "{\"delay_seconds\": 1, \"reason\": \"x\", \"inner\": {\"numbers\": [1, 2]}}"
                .getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 5_000; i++) {
            byte[] payload = valid.clone();
            for (int change = random.nextInt(4); change >= 0; change--) {
                payload[random.nextInt(payload.length)] = (byte) random.nextInt(256);
            }
            try {
                router.execute("restart", payload);
            } catch (CommandException e) {
                assertThat(e.reason()).isEqualTo(Reason.REJECTED_BY_AGENT);
            } catch (Exception e) {
                throw new AssertionError("payload " + new String(payload, StandardCharsets.ISO_8859_1), e);
            }
        }
    }

    @Test
    void aPayloadThatIsNestedTooDeepIsRefused() {
        assertThatExceptionOfType(CommandException.class).isThrownBy(() -> execute("map", "{\"a\":".repeat(100_000)));
    }

    @Test
    void anUnknownTypeFailsWithTheKnownOnes() {
        assertThatExceptionOfType(UnknownCommandException.class)
                .isThrownBy(() -> execute("reboot", "{}"))
                .withMessageContaining("'reboot'")
                .withMessageContaining("map, raw, reason, restart");
    }

    @Test
    void tellsItsTypesInOrder() {
        assertThat(router.types()).containsExactly("map", "raw", "reason", "restart");
    }

    @Test
    void aTypeThatIsTakenIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CommandRouter.of(routes -> routes.on("file.read", (context, payload) -> payload)
                        .group("file.", files -> files.on("read", (context, payload) -> payload))))
                .withMessageContaining("'file.read'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CommandRouter.of(
                        routes -> routes.group("file.", files -> files.on("", (context, payload) -> payload))))
                .withMessageContaining("'file.'");
    }

    @Test
    void middlewareSurroundsItsGroupFromTheOutside() throws Exception {
        List<String> steps = new ArrayList<>();
        CommandRouter onion = CommandRouter.of(routes -> routes.on("plain", (context, payload) -> payload)
                .use(named("first", steps))
                .use(named("second", steps))
                .group(
                        "a.",
                        a -> a.use(named("group", steps))
                                .group(
                                        "b.",
                                        b -> b.on("c", (context, payload) -> payload)
                                                .use(named("inner", steps)))));

        onion.execute("a.b.c", new byte[0]);
        assertThat(steps)
                .containsExactly(
                        ">first a.b.c",
                        ">second a.b.c",
                        ">group a.b.c",
                        ">inner a.b.c",
                        "<inner",
                        "<group",
                        "<second",
                        "<first");
        steps.clear();
        onion.execute("plain", new byte[0]);
        assertThat(steps).containsExactly(">first plain", ">second plain", "<second", "<first");
    }

    @Test
    void middlewareCanChangeThePayloadAndRefuse() throws Exception {
        CommandRouter changing = CommandRouter.of(routes -> routes.use((context, type, payload, next) -> {
                    if (payload.length == 0) {
                        throw new CommandException(Reason.REJECTED_BY_AGENT, "empty");
                    }
                    return next.execute(context, "changed".getBytes(StandardCharsets.UTF_8));
                })
                .on("echo", (context, payload) -> payload));
        assertThat(changing.execute("echo", new byte[1])).asString().isEqualTo("changed");
        assertThatExceptionOfType(CommandException.class).isThrownBy(() -> changing.execute("echo", new byte[0]));
    }

    @Test
    void routesThatAreKeptChangeNothingAfterwards() {
        List<CommandRoutes> kept = new ArrayList<>();
        CommandRouter made = CommandRouter.of(kept::add);
        kept.get(0).on("late", (context, payload) -> payload);
        assertThat(made.types()).isEmpty();
    }

    @Test
    void theContextReachesTheHandler() throws Exception {
        RecordingContext context = new RecordingContext();
        CommandRouter reporting = CommandRouter.of(routes -> routes.on("report", (given, payload) -> {
            given.output("stdout", payload);
            return given.commandId().getBytes(StandardCharsets.UTF_8);
        }));
        assertThat(reporting.execute(context, "report", new byte[] {'x'}))
                .asString()
                .isEqualTo("0198-test");
        assertThat(context.stdout()).isEqualTo("x");
    }

    private static Middleware named(String name, List<String> steps) {
        return (context, type, payload, next) -> {
            steps.add(">" + name + " " + type);
            byte[] result = next.execute(context, payload);
            steps.add("<" + name);
            return result;
        };
    }

    private String execute(String type, String payload) throws Exception {
        return new String(router.execute(type, payload.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
    }
}
