package io.github.commandway.system;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Work that processes started and get a message about, each under the topic of that message. */
final class AsyncCalls {
    private static final Logger log = LoggerFactory.getLogger(AsyncCalls.class);

    private final Workers workers;
    private final Map<Key, Running> running = new ConcurrentHashMap<>();

    AsyncCalls(Workers workers) {
        this.workers = workers;
    }

    /** Begins the work and completes the tag with null; its result follows as a message with an {@link AsyncResult}. */
    void start(CommandContext context, long tag, ResultReceiver receiver, String topic, Workers.Work work)
            throws Exception {
        Running started = new Running(Caller.required(context), topic);
        if (running.putIfAbsent(started.key(), started) != null) {
            throw new IllegalStateException("something runs already whose result goes to topic '" + topic + "'");
        }
        Workers.Job job = workers.start(started.noting(work), started::done);
        Throwable refusal = started.accepted(job);
        if (refusal != null) {
            receiver.completeYield(tag, null, refusal);
            return;
        }
        context.onCancel(job::cancel);
        receiver.completeYield(tag, null, null);
    }

    /** Stops the work whose result would go to this topic; false if there is none. */
    boolean cancel(CommandContext context, String topic) {
        Running found = running.get(new Key(Caller.required(context).pid(), topic));
        return found != null && found.cancel();
    }

    void ended(Pid process) {
        running.forEach((key, call) -> {
            if (key.caller.equals(process)) {
                call.cancel();
            }
        });
    }

    int active() {
        return running.size();
    }

    private record Key(Pid caller, String topic) {}

    /** The lock guards the fields that are not final. */
    private final class Running {
        private final Caller caller;
        private final String topic;
        private boolean begun;
        private boolean accepted;
        private @Nullable Throwable refusal;
        private Workers.@Nullable Job job;

        Running(Caller caller, String topic) {
            this.caller = caller;
            this.topic = topic;
        }

        Key key() {
            return new Key(caller.pid(), topic);
        }

        Workers.Work noting(Workers.Work work) {
            return own -> {
                synchronized (this) {
                    begun = true;
                }
                return work.run(own);
            };
        }

        synchronized @Nullable Throwable accepted(Workers.Job started) {
            accepted = true;
            job = started;
            return refusal;
        }

        void done(@Nullable Object value, @Nullable Throwable error) {
            running.remove(key(), this);
            synchronized (this) {
                if (!accepted && !begun) {
                    refusal = error;
                    return;
                }
            }
            if (!caller.send(topic, new AsyncResult(value, error))) {
                log.warn(
                        "The result for topic '{}' of {} is lost: it has ended, or its mailbox is full",
                        topic,
                        caller.pid());
            }
        }

        boolean cancel() {
            Workers.Job present;
            synchronized (this) {
                present = job;
            }
            if (present == null) {
                return false;
            }
            present.cancel(CancelCause.REQUESTED);
            return true;
        }
    }
}
