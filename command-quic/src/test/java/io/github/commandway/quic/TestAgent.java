package io.github.commandway.quic;

import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** The smallest agent that keeps the rules: it runs nothing twice and keeps outcomes until they are acknowledged. */
final class TestAgent implements AgentLinkListener, AutoCloseable {
    /** What the agent does with a command; what it throws fails the command. */
    @FunctionalInterface
    interface Work {
        byte[] execute(TestAgent agent, Assignment assignment) throws Exception;
    }

    final List<Assignment> assigned = new CopyOnWriteArrayList<>();
    final List<RecordId> cancelled = new CopyOnWriteArrayList<>();
    final List<RecordId> acknowledged = new CopyOnWriteArrayList<>();
    final List<AgentMessage> messages = new CopyOnWriteArrayList<>();
    final List<Transport> connections = new CopyOnWriteArrayList<>();
    final List<String> disconnections = new CopyOnWriteArrayList<>();
    final Map<RecordId, Holding.State> held = new ConcurrentHashMap<>();
    final Map<RecordId, Outcome> outcomes = new ConcurrentHashMap<>();
    final Map<RecordId, Future<?>> running = new ConcurrentHashMap<>();
    private final ExecutorService workers = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "test-agent");
        thread.setDaemon(true);
        return thread;
    });
    /** Runs when the agent is about to introduce itself. */
    volatile Runnable beforeHello = () -> {};

    private final Work work;
    private @Nullable AgentLink link;

    TestAgent(Work work) {
        this.work = work;
    }

    /** Answers with the payload. */
    static TestAgent echoing() {
        return new TestAgent((agent, assignment) -> assignment.payload());
    }

    TestAgent start(AgentLink.Builder builder) {
        link = builder.build();
        link.start();
        return this;
    }

    AgentLink link() {
        if (link == null) {
            throw new IllegalStateException("not started");
        }
        return link;
    }

    @Override
    public void onAssigned(List<Assignment> assignments) {
        for (Assignment assignment : assignments) {
            assigned.add(assignment);
            if (held.putIfAbsent(assignment.id(), Holding.State.WAITING) == null) {
                running.put(assignment.id(), workers.submit(() -> run(assignment)));
            }
        }
    }

    private void run(Assignment assignment) {
        held.put(assignment.id(), Holding.State.RUNNING);
        link().started(assignment);
        Outcome outcome;
        try {
            outcome = Outcome.completed(assignment.id(), work.execute(this, assignment), Duration.ofMillis(1));
        } catch (InterruptedException e) {
            outcome = Outcome.failed(assignment.id(), Reason.CANCELLED_WHILE_RUNNING, "interrupted", Duration.ZERO);
        } catch (Exception e) {
            outcome = Outcome.failed(
                    assignment.id(), Reason.EXECUTOR_ERROR, String.valueOf(e.getMessage()), Duration.ZERO);
        }
        outcomes.put(assignment.id(), outcome);
        held.put(assignment.id(), Holding.State.FINISHED);
        link().finished(assignment, outcome);
    }

    @Override
    public void onCancel(RecordId id, CancelCause cause) {
        cancelled.add(id);
        Future<?> execution = running.get(id);
        if (execution != null) {
            execution.cancel(true);
        }
    }

    @Override
    public void onResultAcknowledged(List<RecordId> ids) {
        acknowledged.addAll(ids);
        ids.forEach(id -> {
            outcomes.remove(id);
            held.remove(id);
        });
    }

    @Override
    public void onMessage(AgentMessage message) {
        messages.add(message);
    }

    @Override
    public void onConnected(ServerAddress server, Transport transport) {
        connections.add(transport);
        outcomes.values().forEach(link()::report);
    }

    @Override
    public void onDisconnected(String reason) {
        disconnections.add(reason);
    }

    @Override
    public List<Holding> holdings() {
        beforeHello.run();
        List<Holding> holdings = new ArrayList<>();
        held.forEach((id, state) -> holdings.add(new Holding(id, state)));
        return holdings;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        if (link != null) {
            link.close();
        }
        workers.shutdownNow();
    }
}
