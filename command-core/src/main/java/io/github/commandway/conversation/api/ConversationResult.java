package io.github.commandway.conversation.api;

/**
 * What came of a call: what was asked for, or why not.
 *
 * @param <T> what was asked for
 */
public sealed interface ConversationResult<T> {
    /** It was done. */
    record Success<T>(T value) implements ConversationResult<T> {}

    /** It was not done, and nothing of it was recorded. */
    record Failure<T>(ConversationError error) implements ConversationResult<T> {}

    /** Whether it was done. */
    default boolean isSuccess() {
        return this instanceof Success;
    }

    /**
     * What was asked for.
     *
     * @throws IllegalStateException if it was not done; the message says why
     */
    default T value() {
        if (this instanceof Failure<T> failure) {
            throw new IllegalStateException(failure.error().toString());
        }
        return ((Success<T>) this).value();
    }
}
