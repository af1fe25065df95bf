package io.github.commandway.agent;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.Outcome;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What this agent has begun and what came of it, until the server has confirmed the outcome. With it a command that arrives twice runs
 * once; with a directory also when the process ended in between, and then what had begun and not ended is entered as lost. Safe for use by many threads.
 */
final class AgentJournal implements AutoCloseable {
    private final Map<RecordId, Optional<Outcome>> entries = new LinkedHashMap<>();
    private final @Nullable JournalFile file;
    private boolean closed;

    private AgentJournal(@Nullable JournalFile file) {
        this.file = file;
    }

    /** A journal that lasts as long as the process. */
    static AgentJournal inMemory() {
        return new AgentJournal(null);
    }

    /**
     * Opens the journal in {@code directory}, which is made if it is not there.
     *
     * @param minFileBytes the least size of a file, from 1 KiB
     * @throws IOException if it cannot be read or written, or another process has it open
     */
    static AgentJournal open(Path directory, int minFileBytes) throws IOException {
        JournalFile file = new JournalFile(directory, minFileBytes);
        AgentJournal journal = new AgentJournal(file);
        file.recover(journal.entries);
        journal.entries.replaceAll((id, outcome) -> outcome.isPresent() ? outcome : Optional.of(lost(id)));
        file.startNext(journal.entries);
        return journal;
    }

    private static Outcome lost(RecordId id) {
        String message = "the agent was stopped while it was running; whether it had an effect is unknown";
        return Outcome.failed(id, Reason.LOST, message, Duration.ZERO);
    }

    /**
     * Enters that a command begins, before it does.
     *
     * @return false if it was entered before, or the journal is closed: then it must not run
     */
    synchronized boolean begin(RecordId id) {
        if (closed || entries.putIfAbsent(id, Optional.empty()) != null) {
            return false;
        }
        if (file != null) {
            file.begun(id, entries);
        }
        return true;
    }

    /** Enters what came of a command, before the server is told. After {@link #close} it does nothing: the next start reports the command as lost. */
    synchronized void end(Outcome outcome) {
        if (closed) {
            return;
        }
        entries.put(outcome.id(), Optional.of(outcome));
        if (file != null) {
            file.ended(outcome, entries);
        }
    }

    /** Forgets commands whose outcome the server has confirmed. */
    synchronized void confirm(List<RecordId> ids) {
        for (RecordId id : ids) {
            Optional<Outcome> outcome = entries.get(id);
            if (outcome != null && outcome.isPresent()) {
                entries.remove(id);
                if (file != null) {
                    file.confirmed(id, entries);
                }
            }
        }
    }

    /** The outcome that waits to be confirmed; empty if there is none for this command. */
    synchronized Optional<Outcome> outcome(RecordId id) {
        return entries.getOrDefault(id, Optional.empty());
    }

    /** All outcomes that wait to be confirmed, in the order of their beginning. */
    synchronized List<Outcome> unconfirmed() {
        List<Outcome> outcomes = new ArrayList<>();
        entries.values().forEach(entry -> entry.ifPresent(outcomes::add));
        return outcomes;
    }

    @Override
    public synchronized void close() throws IOException {
        closed = true;
        if (file != null) {
            file.close();
        }
    }
}
