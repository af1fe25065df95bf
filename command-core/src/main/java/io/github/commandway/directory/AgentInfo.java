package io.github.commandway.directory;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is known of one agent at one moment.
 *
 * @param id names the agent
 * @param connected whether it has a session now
 * @param epoch the number of its newest session; each session of an agent has a higher one than those before
 * @param transport {@code quic} or {@code tcp}
 * @param remoteAddress from where the newest session came
 * @param connectedAt when the newest session began
 * @param lastSeenAt when something last came from it
 * @param disconnectReason why the newest session ended; null while it is connected
 * @param version what the agent says of its own version; may be empty
 * @param labels what the agent says of itself
 * @param capabilities the command types that the agent says it has; may be empty if it does not say
 * @param concurrency how many commands it executes at a time
 * @param waiting how many commands wait for it to come back
 * @param inFlight how many commands it has been given and not ended
 * @param status its newest status report, JSON; null if it sent none. Must not be modified
 */
@SuppressWarnings("ArrayRecordComponent") // a report is passed on as it came
public record AgentInfo(
        String id,
        boolean connected,
        long epoch,
        String transport,
        String remoteAddress,
        Instant connectedAt,
        Instant lastSeenAt,
        @Nullable String disconnectReason,
        String version,
        Map<String, String> labels,
        List<String> capabilities,
        int concurrency,
        int waiting,
        int inFlight,
        byte @Nullable [] status) {}
