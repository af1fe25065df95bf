package io.github.commandway.system;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * What a workflow did, step by step, so that it can be run again from the beginning: steps that are in the history are not done again but give what they gave. The order of the steps must
 * be the same each time; where it is not, the workflow has diverged, and says so instead of going on with wrong values.
 *
 * <p>Values are null, Boolean, Integer, Long, Double, String, byte[], and lists and maps with String keys of those. Only appended to. Safe for use by many threads, as long as one of them decides on the order.
 */
public final class WorkflowHistory {
    /** How many steps a history has at most. */
    public static final int MOST_STEPS = 50_000;

    private static final int FORMAT = 1;

    private final List<Step> steps = new ArrayList<>();
    private final Map<String, Integer> versions = new HashMap<>();
    private final Map<String, @Nullable Object> attributes = new LinkedHashMap<>();
    private final Map<String, @Nullable Object> memo = new LinkedHashMap<>();
    private int next;
    private int recorded;

    /** An empty history, of a workflow that runs for the first time. */
    public WorkflowHistory() {}

    /**
     * A history to be gone through again.
     *
     * @param bytes what {@link #toBytes} gave
     * @throws IllegalArgumentException if that is something else
     */
    public static WorkflowHistory replay(byte[] bytes) {
        WorkflowHistory history = new WorkflowHistory();
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            if (in.readUnsignedByte() != FORMAT) {
                throw new IllegalArgumentException("this is no history, or one of a newer version");
            }
            for (int left = in.readInt(); left > 0; left--) {
                Step step = new Step(Kind.valueOf(in.readUTF()), in.readUTF());
                step.state = State.valueOf(in.readUTF());
                step.value = PlainValues.read(in);
                history.steps.add(step);
            }
        } catch (IOException e) {
            throw new IllegalArgumentException("the history is damaged", e);
        }
        history.recorded = history.steps.size();
        return history;
    }

    /** All steps so far, to be kept and given to {@link #replay} later. A step that was begun and has no outcome yet is done again then. */
    public synchronized byte[] toBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(FORMAT);
            out.writeInt(steps.size());
            for (Step step : steps) {
                out.writeUTF(step.kind.name());
                out.writeUTF(step.key);
                out.writeUTF(step.state.name());
                PlainValues.write(out, step.value);
            }
        } catch (IOException e) {
            throw new IllegalStateException("bytes in memory can be written", e);
        }
        return bytes.toByteArray();
    }

    /** How many steps there are. */
    public synchronized int size() {
        return steps.size();
    }

    /** Whether the next step is one that was recorded in an earlier run. */
    public synchronized boolean isReplaying() {
        return next < recorded;
    }

    /** What the workflow can be searched by. */
    public synchronized Map<String, @Nullable Object> searchAttributes() {
        return Collections.unmodifiableMap(new LinkedHashMap<>(attributes));
    }

    /** What else the workflow tells about itself. */
    public synchronized Map<String, @Nullable Object> memo() {
        return Collections.unmodifiableMap(new LinkedHashMap<>(memo));
    }

    /** Takes the next place in the order for a step. */
    synchronized Step begin(Kind kind, String key) throws DivergedException {
        if (next < steps.size()) {
            Step step = steps.get(next);
            if (step.kind != kind || !step.key.equals(key)) {
                throw new DivergedException("step " + next + " was " + step.kind + " '" + step.key + "' and is now "
                        + kind + " '" + key + "': the workflow has changed, or does not do the same each time");
            }
            next++;
            return step;
        }
        if (steps.size() >= MOST_STEPS) {
            throw new RejectedExecutionException("a workflow has at most " + MOST_STEPS + " steps");
        }
        Step step = new Step(kind, key);
        steps.add(step);
        next++;
        return step;
    }

    /** Records what a step gave; a value that cannot be recorded fails and leaves the step open. */
    synchronized void end(Step step, @Nullable Object value) {
        PlainValues.check(value);
        step.value = value;
        step.state = State.DONE;
    }

    /** Records that a step failed. */
    synchronized StepFailedException fail(Step step, Throwable error) {
        step.value = error.toString();
        step.state = State.FAILED;
        return new StepFailedException(error.toString());
    }

    /** Whether the outcome of a step is known. */
    synchronized boolean isOver(Step step) {
        return step.state != State.OPEN;
    }

    /** What a step that is over gave. */
    synchronized @Nullable Object outcome(Step step) throws StepFailedException {
        if (step.state == State.FAILED) {
            throw new StepFailedException(String.valueOf(step.value));
        }
        return step.value;
    }

    /** The version of a change: the one that was chosen when the workflow came here first. */
    synchronized int version(String change, int oldest, int newest) throws DivergedException {
        Integer known = versions.get(change);
        if (known == null) {
            known = chooseVersion(change, oldest, newest);
            versions.put(change, known);
        }
        if (known < oldest || known > newest) {
            throw new DivergedException("the workflow runs with version " + known + " of '" + change
                    + "', and versions " + oldest + " to " + newest + " are there");
        }
        return known;
    }

    private int chooseVersion(String change, int oldest, int newest) throws DivergedException {
        if (next < recorded) {
            Step step = steps.get(next);
            if (step.kind != Kind.VERSION || !step.key.equals(change)) {
                // it came by here before there was this change
                return oldest;
            }
            next++;
            return step.value instanceof Integer version ? version : oldest;
        }
        end(begin(Kind.VERSION, change), newest);
        return newest;
    }

    /** Sets attributes; those that are not named stay. */
    synchronized void upsert(Map<String, @Nullable Object> wanted, Map<String, @Nullable Object> wantedMemo)
            throws DivergedException {
        Map<String, Object> both = Map.of("search", wanted, "memo", wantedMemo);
        PlainValues.check(both);
        Step step = begin(Kind.UPSERT, "");
        if (step.state == State.OPEN) {
            end(step, both);
        } else if (!PlainValues.same(both, step.value)) {
            throw new DivergedException("step " + (next - 1) + " sets other attributes than it did before");
        }
        attributes.putAll(wanted);
        memo.putAll(wantedMemo);
    }

    /** What a step is. */
    enum Kind {
        SIDE_EFFECT,
        EXEC,
        VERSION,
        UPSERT
    }

    private enum State {
        OPEN,
        DONE,
        FAILED
    }

    /** One step; the history's lock guards what is not final. */
    static final class Step {
        private final Kind kind;
        private final String key;
        private State state = State.OPEN;
        private @Nullable Object value;

        private Step(Kind kind, String key) {
            this.kind = kind;
            this.key = Objects.requireNonNull(key);
        }
    }

    /** The workflow does not do what its history says it did. */
    public static final class DivergedException extends Exception {
        private static final long serialVersionUID = 1L;

        DivergedException(String message) {
            super(message, null, false, false);
        }
    }

    /** A step failed, now or when it was done first; the message says how. */
    public static final class StepFailedException extends Exception {
        private static final long serialVersionUID = 1L;

        StepFailedException(String message) {
            super(message, null, false, false);
        }
    }
}
