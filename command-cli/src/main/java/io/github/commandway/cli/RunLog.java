package io.github.commandway.cli;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandListener;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.tool.api.ToolService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/** Tells the log of each run of a tool when it is handed over, when it begins and when it ends; what it was given and what it gave back is in its record only. */
final class RunLog implements CommandListener {
    private static final Logger LOG = LoggerFactory.getLogger(RunLog.class);

    @Override
    public void onEvent(RecordedCommand command, CommandEvent event) {
        String type = command.request().type();
        if (!type.startsWith(ToolService.TOOL_TYPE) && !type.startsWith(ToolService.TOOLCHAIN_TYPE)) {
            return;
        }
        MDC.put(Logs.RUN, command.id().toString());
        try {
            switch (event.type()) {
                case PENDING -> {
                    String user = command.request().principal();
                    LOG.info(
                            "{} for {} was handed over by {}",
                            type,
                            command.request().target(),
                            user == null ? "anybody" : user);
                }
                case EXECUTING -> LOG.info("{} began", type);
                case CANCEL_REQUESTED -> LOG.info("{} is to be cancelled", type);
                case COMPLETED, FAILED, TIMEOUT, CANCELLED -> {
                    CommandRecord record = command.record();
                    LOG.info(
                            "{} ended: {}, {}",
                            type,
                            record.status().code(),
                            record.reason().code());
                }
                default -> {
                    // its record has the rest
                }
            }
        } finally {
            MDC.remove(Logs.RUN);
        }
    }
}
