package io.github.commandway.tools;

import io.github.commandway.directory.AgentInfo;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.queue.Eligibility;
import io.github.commandway.tool.api.ToolService;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Tells which agents have a tool in a version that fits, by what they say of themselves; of commands that are no tools, which have their type. */
public final class ToolEligibility implements Eligibility {
    /** There is nothing to set. */
    public ToolEligibility() {}

    @Override
    public Check of(CommandRequest request) {
        String type = request.type();
        if (!type.startsWith(ToolService.TOOL_TYPE)) {
            return type.startsWith(ToolService.TOOLCHAIN_TYPE) ? new HasToolchain(type) : BY_TYPE.of(request);
        }
        String wanted;
        try {
            wanted = request.payload().length == 0
                    ? ""
                    : ToolRequest.ofJson(new String(request.payload(), StandardCharsets.UTF_8))
                            .version();
        } catch (IllegalArgumentException e) {
            String problem = "the payload is no request for a tool: " + e.getMessage();
            return agent -> problem;
        }
        return new HasVersion(type, wanted);
    }

    private record HasToolchain(String type) implements Check {
        @Override
        public @Nullable String whyNot(AgentInfo agent) {
            return agent.capabilities().contains(type) ? null : "it has no " + type;
        }
    }

    private record HasVersion(String type, String wanted) implements Check {
        @Override
        public @Nullable String whyNot(AgentInfo agent) {
            List<Versions.Named> versions = new ArrayList<>();
            for (String capability : agent.capabilities()) {
                if (capability.startsWith(type) && capability.startsWith("@", type.length())) {
                    versions.add(new Versions.Named(capability.substring(type.length() + 1)));
                }
            }
            if (versions.isEmpty()) {
                return "it has no " + type;
            }
            try {
                Versions.find(versions, type, wanted);
                return null;
            } catch (IllegalArgumentException e) {
                return e.getMessage();
            }
        }
    }
}
