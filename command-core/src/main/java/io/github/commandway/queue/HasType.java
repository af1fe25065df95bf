package io.github.commandway.queue;

import io.github.commandway.directory.AgentInfo;
import org.jspecify.annotations.Nullable;

/** Whether an agent says that it has a type of command, or says nothing of its types. */
record HasType(String type) implements Eligibility.Check {
    @Override
    public @Nullable String whyNot(AgentInfo agent) {
        return agent.capabilities().isEmpty() || agent.capabilities().contains(type) ? null : "it has no " + type;
    }
}
