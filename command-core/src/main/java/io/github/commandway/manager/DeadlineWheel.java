package io.github.commandway.manager;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A hashed timing wheel (Varghese and Lauck, 1987, scheme 6) of open commands, linked through the commands themselves, so that a deadline
 * costs no allocation. (Agrona's wheel makes every spoke as long as the fullest one: a burst within one tick would cost hundreds of
 * megabytes.)
 */
final class DeadlineWheel {
    /** The resolution: a deadline fires up to this much, and the time to the next call of {@link #expire}, late; never early. */
    static final long TICK_NANOS = 16_000_000;

    private static final int SPOKES = 2_048;

    private final @Nullable LiveCommand[] spokes = new LiveCommand[SPOKES];
    private final long start;
    private long currentTick;

    DeadlineWheel(long nowNanos) {
        start = nowNanos;
    }

    /** Sets the command's deadline; it has none in the wheel yet. */
    synchronized void schedule(LiveCommand command, long deadlineNanos) {
        long behindCurrentTick = Math.max(0, start + currentTick * TICK_NANOS - deadlineNanos);
        command.wheelNanos = deadlineNanos + behindCurrentTick;
        command.inWheel = true;
        int spoke = spokeOf(command);
        LiveCommand head = spokes[spoke];
        command.wheelPrevious = null;
        command.nextInWheelOrEnded = head;
        if (head != null) {
            head.wheelPrevious = command;
        }
        spokes[spoke] = command;
    }

    private int spokeOf(LiveCommand command) {
        return (int) ((command.wheelNanos - start + TICK_NANOS - 1) / TICK_NANOS) & (SPOKES - 1);
    }

    /** Removes the command; does nothing if it is not in the wheel. */
    synchronized void cancel(LiveCommand command) {
        if (command.inWheel) {
            unlink(command);
        }
    }

    /** Takes out all commands whose deadline has passed and adds them to {@code due}. */
    synchronized void expire(long nowNanos, List<LiveCommand> due) {
        long nowTick = (nowNanos - start) / TICK_NANOS;
        long first = Math.max(currentTick, nowTick - SPOKES + 1);
        for (long tick = first; tick <= nowTick; tick++) {
            LiveCommand command = spokes[(int) tick & (SPOKES - 1)];
            while (command != null) {
                LiveCommand next = command.nextInWheelOrEnded;
                if (command.wheelNanos - nowNanos <= 0) {
                    unlink(command);
                    due.add(command);
                }
                command = next;
            }
        }
        currentTick = Math.max(currentTick, nowTick);
    }

    private void unlink(LiveCommand command) {
        LiveCommand previous = command.wheelPrevious;
        LiveCommand next = command.nextInWheelOrEnded;
        if (previous == null) {
            spokes[spokeOf(command)] = next;
        } else {
            previous.nextInWheelOrEnded = next;
        }
        if (next != null) {
            next.wheelPrevious = previous;
        }
        command.inWheel = false;
        command.wheelPrevious = null;
        command.nextInWheelOrEnded = null;
    }
}
