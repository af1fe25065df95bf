package io.github.commandway.conversation.api;

import java.time.Duration;

/** Is told what a conversation service measures. The calls come in any thread, and must not block. */
public interface ConversationMetrics {
    /** Measures nothing. */
    ConversationMetrics NONE = new ConversationMetrics() {
        @Override
        public void commandEnded(Duration latency, boolean completed) {}

        @Override
        public void transactionEnded(Duration time) {}

        @Override
        public void idempotencyChecked(boolean hit) {}

        @Override
        public void failed(ConversationError.Kind kind) {}
    };

    /**
     * A command ended on this server.
     *
     * @param latency from its acceptance to its end
     * @param completed whether its handler returned a result
     */
    void commandEnded(Duration latency, boolean completed);

    /** A command with its event, outbox entry and round was written: how long that took, until it was safe. */
    void transactionEnded(Duration time);

    /** A call was compared with earlier commands: whether there was one that stands for it. */
    void idempotencyChecked(boolean hit);

    /** A call was not done. */
    void failed(ConversationError.Kind kind);
}
