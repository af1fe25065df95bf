package io.github.commandway.outbox;

/**
 * What entries are published to cannot be reached, or takes nothing at the moment. As long as nothing else of the topic gets through either, this does
 * not count as a try of the entry: the whole topic waits, and nothing is parked.
 */
public class PublisherUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Says what is not there. */
    public PublisherUnavailableException(String message) {
        super(message);
    }

    /** Says what is not there, and how that was noticed. */
    public PublisherUnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
