package io.github.commandway.process;

import io.github.commandway.dispatch.Command;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a step results in: commands that are yielded, in the order of the calls, and what the process does next. Whatever it does next, the commands are handed
 * to their handlers first. Where a step says more than once what is next, the last one counts; where it says nothing, the process is {@link #idle}.
 */
@SuppressWarnings("NamedLikeContextualKeyword")
public final class StepOutput {
    private static final int INLINE = 2;
    private static final int KEPT = 64;

    private @Nullable Command[] commands = new Command[INLINE];
    private long[] tags = new long[INLINE];
    private long[] timeoutNanos = new long[INLINE];
    private int count;
    private Next next = Next.IDLE;
    private @Nullable Object value;
    private @Nullable Process successor;

    StepOutput() {}

    /**
     * Yields a command: it is handed to its handler after this step, and its end comes back as an event. The command belongs to the scheduler from now on, which
     * releases it after the step that saw its end.
     *
     * @param tag the process's own number for it, which comes back in the event; not looked at otherwise
     */
    public void yield(Command command, long tag) {
        add(command, tag, 0);
    }

    /**
     * Yields a command that ends at the latest after some time, then with {@link io.github.commandway.dispatch.Reason#EXECUTION_TIMEOUT}. The handler is told to stop.
     *
     * @param timeout above zero
     */
    public void yield(Command command, long tag, Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("a yield needs a timeout above zero, not " + timeout);
        }
        add(command, tag, nanos(timeout));
    }

    private static long nanos(Duration timeout) {
        // beyond this nobody can tell it from never
        return timeout.compareTo(Duration.ofDays(36_500)) > 0 ? 0 : timeout.toNanos();
    }

    private void add(Command command, long tag, long timeout) {
        Objects.requireNonNull(command);
        if (count == commands.length) {
            commands = Arrays.copyOf(commands, count * 2);
            tags = Arrays.copyOf(tags, count * 2);
            timeoutNanos = Arrays.copyOf(timeoutNanos, count * 2);
        }
        commands[count] = command;
        tags[count] = tag;
        timeoutNanos[count++] = timeout;
    }

    /** The process is stepped again as soon as the others have had their turn, whether anything has happened or not. */
    public void again() {
        next(Next.AGAIN, null, null);
    }

    /** The process is stepped again when anything has happened: a yield or a message, an exit, a cancellation. */
    public void idle() {
        next(Next.IDLE, null, null);
    }

    /**
     * The process is stepped again when anything but a message has happened. Messages wait in the mailbox until a later step has said {@link #idle} or {@link #again}. A process
     * that waits without an open yield would do so for ever, and fails.
     */
    public void waitForYields() {
        next(Next.WAIT, null, null);
    }

    /**
     * The process has ended well. If this step yields commands, that is as soon as these have ended, and it has failed if one of them does; what comes in until then is not looked at.
     * Older yields are cancelled.
     */
    public void done(@Nullable Object result) {
        next(Next.DONE, result, null);
    }

    /**
     * Another process goes on under this one's pid: mailbox, open yields, names, groups, links and monitors stay. It is initialised, this one is closed, and then it is stepped. If it cannot be
     * initialised the process fails.
     *
     * @param input what its {@link Process#init} gets, such as the state to go on from
     */
    public void upgrade(Process process, @Nullable Object input) {
        next(Next.UPGRADE, input, Objects.requireNonNull(process));
    }

    /** Like waiting, but woken from outside, so that no yield need be open. */
    void park() {
        next(Next.PARK, null, null);
    }

    private void next(Next what, @Nullable Object with, @Nullable Process process) {
        next = what;
        value = with;
        successor = process;
    }

    Next next() {
        return next;
    }

    @Nullable Object value() {
        return value;
    }

    Process successor() {
        return Objects.requireNonNull(successor);
    }

    int count() {
        return count;
    }

    Command command(int index) {
        return Objects.requireNonNull(commands[index]);
    }

    long tag(int index) {
        return tags[index];
    }

    /** 0 for never. */
    long timeoutNanos(int index) {
        return timeoutNanos[index];
    }

    void reset() {
        if (commands.length > KEPT) {
            commands = new Command[INLINE];
            tags = new long[INLINE];
            timeoutNanos = new long[INLINE];
        } else {
            Arrays.fill(commands, 0, count, null);
        }
        count = 0;
        next(Next.IDLE, null, null);
    }

    /** What the process does after the step. */
    enum Next {
        AGAIN,
        IDLE,
        WAIT,
        PARK,
        DONE,
        UPGRADE
    }
}
