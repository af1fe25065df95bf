package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import java.time.Duration;
import java.util.Locale;
import reactor.core.publisher.Mono;

/** Cancels commands, and waits a while for the work to stop. */
final class Cancellations {
    /** How long the answer to a cancellation waits for the work to stop. */
    static final Duration WAIT = Duration.ofSeconds(5);

    private final CommandManager manager;
    private final Ends ends;
    private final Slots waiting;

    Cancellations(CommandManager manager, Ends ends, Slots waiting) {
        this.manager = manager;
        this.ends = ends;
        this.waiting = waiting;
    }

    /** Cancels it; the record is as it is when the work has stopped, or the time to wait for that is over. Fails with a 409 if it had ended. */
    Mono<CommandRecord> cancel(CommandRecord record) {
        return record.status().isTerminal() ? Mono.error(alreadyEnded(record)) : waiting.hold(() -> cancelOpen(record));
    }

    private Mono<CommandRecord> cancelOpen(CommandRecord record) {
        Mono<Void> until = ends.after(WAIT);
        if (record.cancelRequested()) {
            return ends.await(record.id(), until).defaultIfEmpty(record);
        }
        return monoOf(manager.cancel(record.id()))
                .flatMap(Mono::justOrEmpty)
                .takeUntilOther(until)
                .flatMap(result -> result.outcome() == CancelResult.Outcome.ALREADY_ENDED
                        ? Mono.<CommandRecord>error(alreadyEnded(result.record()))
                        : Mono.just(result.record()))
                .switchIfEmpty(
                        Mono.defer(() -> monoOf(manager.find(record.id())).map(found -> found.orElse(record))));
    }

    /** What became of the request to cancel, such as {@code cancelled_before_start}. */
    static String outcome(CommandRecord record) {
        if (!record.status().isTerminal()) {
            return "cancel_requested";
        }
        CancelResult.Outcome outcome = CancelResult.Outcome.ENDED_OTHERWISE;
        if (record.reason() == Reason.CANCELLED_BEFORE_START) {
            outcome = CancelResult.Outcome.CANCELLED_BEFORE_START;
        } else if (record.reason() == Reason.CANCELLED_WHILE_RUNNING) {
            outcome = CancelResult.Outcome.CANCELLED_WHILE_RUNNING;
        }
        return outcome.name().toLowerCase(Locale.ROOT);
    }

    private static Problem alreadyEnded(CommandRecord record) {
        return new Problem(
                ProblemType.ALREADY_ENDED,
                "the command had already ended as " + record.status().code());
    }
}
