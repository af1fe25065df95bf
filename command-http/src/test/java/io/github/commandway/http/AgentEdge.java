package io.github.commandway.http;

import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentDirectory;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Agents within the process: what the type of a command says is what they do. {@code echo} returns the payload, {@code fail} fails, {@code hang} runs
 * until the test ends it, {@code stubborn} does so and ignores cancellation, {@code wait} is never handed over, {@code bytes} returns what
 * is not text, {@code refuse-CODE} is refused.
 */
final class AgentEdge implements QueueingHandler, AgentDirectory {
    final Map<RecordId, Running> running = new ConcurrentHashMap<>();
    final List<AgentMessage> messages = new CopyOnWriteArrayList<>();
    final TreeMap<String, Boolean> agents = new TreeMap<>();
    final List<AgentListener> listeners = new CopyOnWriteArrayList<>();
    volatile boolean failFind;
    private final Clock clock;

    AgentEdge(Clock clock) {
        this.clock = clock;
    }

    /** A command that an agent has begun. */
    record Running(long tag, ResultReceiver receiver) {
        void complete(String result) {
            receiver.completeYield(tag, result.getBytes(StandardCharsets.UTF_8), null);
        }

        void fail(String reason) {
            receiver.completeYield(tag, null, new CommandException(Reason.valueOf(reason), "failed for the test"));
        }

        void output(String text) {
            receiver.output(tag, "stdout", text.getBytes(StandardCharsets.UTF_8));
        }
    }

    @Override
    public CommandRequest admit(CommandRequest request) throws CommandRejectedException {
        String id = ((Target.Agent) request.target()).id();
        if (!agents.containsKey(id)) {
            throw new CommandRejectedException(Code.TARGET_UNKNOWN, "no agent '" + id + "' was ever seen");
        }
        if (!agents.getOrDefault(id, false) && request.ttl().isZero()) {
            throw new CommandRejectedException(Code.TARGET_AWAY, "agent '" + id + "' is away");
        }
        if (request.type().startsWith("refuse-")) {
            throw new CommandRejectedException(
                    Code.valueOf(request.type().substring("refuse-".length())), "refused for the test");
        }
        return request;
    }

    @Override
    public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
        RecordedCommand recorded = (RecordedCommand) command;
        String agent = ((Target.Agent) recorded.request().target()).id();
        String type = recorded.request().type();
        if (type.equals("wait") || !agents.getOrDefault(agent, false)) {
            return;
        }
        if (!receiver.handOver(tag)) {
            return;
        }
        receiver.started(tag);
        switch (type) {
            case "echo" -> receiver.completeYield(tag, recorded.request().payload(), null);
            case "fail" -> receiver.completeYield(tag, null, new IllegalStateException("disk full"));
            case "bytes" -> receiver.completeYield(tag, new byte[] {(byte) 0xFF, 0}, null);
            case "text" -> receiver.completeYield(tag, "not { json", null);
            default -> {
                if (!type.equals("stubborn")) {
                    context.onCancel(cause -> stop(cause, tag, receiver));
                }
                running.put(recorded.id(), new Running(tag, receiver));
            }
        }
    }

    private static void stop(CancelCause cause, long tag, ResultReceiver receiver) {
        if (cause == CancelCause.REQUESTED) {
            receiver.completeYield(tag, null, new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped"));
        }
    }

    @Override
    public Optional<AgentInfo> find(String agentId) {
        if (failFind) {
            throw new IllegalStateException("a secret of the server, for the test");
        }
        Boolean connected = agents.get(agentId);
        return connected == null ? Optional.empty() : Optional.of(info(agentId, connected));
    }

    private AgentInfo info(String id, boolean connected) {
        Instant since = clock.instant().minusSeconds(3_725);
        return new AgentInfo(
                id,
                connected,
                3,
                "quic",
                "127.0.0.1:50000",
                since,
                clock.instant(),
                connected ? null : "connection lost",
                "1.0",
                Map.of("zone", "a"),
                List.of("echo"),
                10,
                0,
                running.size(),
                "{\"load\":0.5}".getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public List<AgentInfo> list(Boolean connected, String afterId, int limit) {
        List<AgentInfo> found = new ArrayList<>();
        for (Map.Entry<String, Boolean> agent :
                agents.tailMap(afterId == null ? "" : afterId, afterId == null).entrySet()) {
            if (found.size() < limit && (connected == null || connected.equals(agent.getValue()))) {
                found.add(info(agent.getKey(), agent.getValue()));
            }
        }
        return found;
    }

    @Override
    public int connectedCount() {
        return (int) agents.values().stream().filter(connected -> connected).count();
    }

    @Override
    public int knownCount() {
        return agents.size();
    }

    @Override
    public CompletableFuture<Void> send(String agentId, AgentMessage message, boolean awaitReceipt) {
        if (!agents.getOrDefault(agentId, false) || agentId.startsWith("broken")) {
            return CompletableFuture.failedFuture(new AgentAwayException("agent '" + agentId + "' is away"));
        }
        messages.add(message);
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public void addListener(AgentListener listener) {
        listeners.add(listener);
    }
}
