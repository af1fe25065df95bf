package io.github.commandway.queue;

import io.github.commandway.directory.AgentInfo;
import io.github.commandway.manager.CommandRequest;
import org.jspecify.annotations.Nullable;

/** Tells which agents can execute a command. Called for every choice, so it must be quick, and never block. */
@FunctionalInterface
public interface Eligibility {
    /** Those who say that they have the command's type, and those who say nothing of their types. */
    Eligibility BY_TYPE = request -> new HasType(request.type());

    /** What an agent needs for this command. Of checks that are equal only one is asked when many commands wait. */
    Check of(CommandRequest request);

    /** Looks at one agent. */
    @FunctionalInterface
    interface Check {
        /** What the agent is missing, such as {@code it has no tool:report}; null if it can execute the command. */
        @Nullable String whyNot(AgentInfo agent);
    }
}
