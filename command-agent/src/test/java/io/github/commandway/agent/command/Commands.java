package io.github.commandway.agent.command;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.commandway.agent.CommandRouter;
import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.agent.RecordingContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.nio.charset.StandardCharsets;
import org.assertj.core.api.ThrowableAssertAlternative;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Built-in commands as they are used: through a router, as JSON. */
final class Commands {
    static final JsonMapper JSON = new JsonMapper();

    private final CommandRouter router;

    Commands(BuiltinCommands.Builder builder) {
        router = CommandRouter.of(builder.build()::addTo);
    }

    CommandRouter router() {
        return router;
    }

    /** Single quotes in the parameters stand for double ones. */
    JsonNode run(String type, String params) throws Exception {
        return run(new RecordingContext(), type, params);
    }

    JsonNode run(ExecutionContext context, String type, String params) throws Exception {
        return JSON.readTree(
                router.execute(context, type, params.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
    }

    ThrowableAssertAlternative<CommandException> assertFails(Reason reason, String type, String params) {
        return assertThatExceptionOfType(CommandException.class)
                .as(params)
                .isThrownBy(() -> run(type, params))
                .matches(e -> e.reason() == reason, "ended as " + reason);
    }

    ThrowableAssertAlternative<CommandException> assertRefused(String type, String params) {
        return assertFails(Reason.REJECTED_BY_AGENT, type, params);
    }
}
