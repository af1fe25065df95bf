package io.github.commandway.quic;

/**
 * Counts of one server since it was built; all but the first two only grow.
 *
 * @param connected agents that have a session
 * @param known agents that are known, connected or not
 * @param sessions sessions that have begun
 * @param takeovers sessions that ended because another one came with the same agent id
 * @param staleReports reports that were refused: of a session that was taken over, or for a command that is not open
 * @param unknownResults outcomes that were acknowledged although their command was not open
 * @param protocolErrors connections that ended because the other end broke the protocol
 * @param joins agents that joined
 * @param joinsRefused join requests that were refused
 */
public record AgentServerStats(
        int connected,
        int known,
        long sessions,
        long takeovers,
        long staleReports,
        long unknownResults,
        long protocolErrors,
        long joins,
        long joinsRefused) {}
