package io.github.commandway.timing;

import org.jspecify.annotations.Nullable;

/**
 * What can have a deadline in a {@link DeadlineWheel}, one at a time. Guarded by the wheel while it is in there.
 *
 * @param <E> the class itself
 */
public abstract class Timed<E extends Timed<E>> {
    /** The deadline that it had last, at the wheel's resolution. */
    public long wheelNanos;

    boolean inWheel;

    @Nullable E previous;

    /** What is behind it in the wheel. While it is not in the wheel, the subclass may use it for links of its own. */
    public @Nullable E next;

    /** Something without a deadline. */
    protected Timed() {}
}
