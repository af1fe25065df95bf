package io.github.commandway.tty;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Mail;
import io.github.commandway.process.Message;
import io.github.commandway.process.Pid;
import io.github.commandway.process.ProcessContext;
import io.github.commandway.system.SystemService;
import io.github.commandway.system.Workers;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.MouseTracking;
import org.jline.utils.NonBlockingReader;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A terminal. One at a time reads it: a command, or the process that asked for its input. The terminal is set back to how it was when the process that changed it ends, and with the service.
 */
public final class TtyService implements SystemService {
    /** The id of {@link Read}. */
    public static final int READ = 70;
    /** The id of {@link ReadLine}. */
    public static final int READ_LINE = 71;
    /** The id of {@link RawEnable}. */
    public static final int RAW_ENABLE = 72;
    /** The id of {@link RawDisable}. */
    public static final int RAW_DISABLE = 73;
    /** The id of {@link StartInput}. */
    public static final int START_INPUT = 74;
    /** The id of {@link StopInput}. */
    public static final int STOP_INPUT = 75;
    /** The id of {@link ScreenSize}. */
    public static final int SCREEN_SIZE = 76;
    /** The id of {@link EnableMouse}. */
    public static final int ENABLE_MOUSE = 77;
    /** The id of {@link DisableMouse}. */
    public static final int DISABLE_MOUSE = 78;

    /** How many characters are read at once at most where nobody says. */
    public static final int DEFAULT_READ = 1024;
    /** How many characters are read at once, and are in a line, at most. */
    public static final int MOST_READ = 64 * 1024;

    private static final Logger log = LoggerFactory.getLogger(TtyService.class);
    /** How soon a reader notices that it is not wanted any more, where an interrupt does not reach it. */
    private static final long PATIENCE_MILLIS = 50;

    private final Terminal terminal;
    private final Workers reader = new Workers("tty", 1, 0);
    private @Nullable Attributes before;
    private @Nullable Pid rawFor;
    private @Nullable Pid mouseFor;
    private boolean mouse;
    private @Nullable Input input;

    /** @param terminal stays the caller's, but nobody else should read it meanwhile */
    public TtyService(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public String name() {
        return "tty";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(READ, (context, command, tag, receiver) -> {
            int size = ((Read) command).size;
            if (size < 1 || size > MOST_READ) {
                throw new IllegalArgumentException("a read is of 1 to " + MOST_READ + " characters, not " + size);
            }
            reader.run(context, tag, receiver, job -> read(stopFlag(job), size));
        });
        registrar.register(
                READ_LINE,
                (context, command, tag, receiver) ->
                        reader.run(context, tag, receiver, job -> readLine(stopFlag(job))));
        registrar.register(RAW_ENABLE, (context, command, tag, receiver) -> {
            enableRaw(ownerOf(context));
            receiver.completeYield(tag, null, null);
        });
        registrar.register(RAW_DISABLE, (context, command, tag, receiver) -> {
            disableRaw();
            receiver.completeYield(tag, null, null);
        });
        registrar.register(
                START_INPUT,
                (context, command, tag, receiver) -> startInput(context, (StartInput) command, tag, receiver));
        registrar.register(
                STOP_INPUT, (context, command, tag, receiver) -> receiver.completeYield(tag, stopInput(null), null));
        registrar.register(SCREEN_SIZE, (context, command, tag, receiver) -> {
            Size size = terminal.getSize();
            receiver.completeYield(tag, new Screen(size.getColumns(), size.getRows()), null);
        });
        registrar.register(ENABLE_MOUSE, (context, command, tag, receiver) -> {
            receiver.completeYield(tag, setMouse(true, ownerOf(context)), null);
        });
        registrar.register(DISABLE_MOUSE, (context, command, tag, receiver) -> {
            receiver.completeYield(tag, setMouse(false, null), null);
        });
    }

    @Override
    public void ended(Pid process) {
        stopInput(process);
        boolean raw;
        boolean tracked;
        synchronized (this) {
            raw = process.equals(rawFor);
            tracked = process.equals(mouseFor);
        }
        if (raw) {
            disableRaw();
        }
        if (tracked) {
            setMouse(false, null);
        }
    }

    @Override
    public void close() {
        reader.close();
        disableRaw();
        setMouse(false, null);
    }

    private static @Nullable Pid ownerOf(CommandContext context) {
        return context instanceof ProcessContext process ? process.pid() : null;
    }

    private static AtomicBoolean stopFlag(Workers.Job job) {
        AtomicBoolean stopped = new AtomicBoolean();
        job.onCancel(() -> stopped.set(true));
        return stopped;
    }

    /** Waits for something, and takes what is there then; null at the end. */
    private @Nullable String read(AtomicBoolean stopped, int size) throws Exception {
        int first = next(stopped);
        if (first < 0) {
            return null;
        }
        StringBuilder text = new StringBuilder();
        text.append((char) first);
        while (text.length() < size && terminal.reader().ready()) {
            int more = terminal.reader().read();
            if (more < 0) {
                break;
            }
            text.append((char) more);
        }
        return text.toString();
    }

    private @Nullable String readLine(AtomicBoolean stopped) throws Exception {
        StringBuilder line = new StringBuilder();
        while (true) {
            int next = next(stopped);
            if (next < 0) {
                return line.isEmpty() ? null : line.toString();
            }
            if (next == '\n' || next == '\r') {
                return line.toString();
            }
            if (line.length() == MOST_READ) {
                throw new IOException("the line is longer than " + MOST_READ + " characters");
            }
            line.append((char) next);
        }
    }

    /** The next character, or -1 at the end. */
    private int next(AtomicBoolean stopped) throws Exception {
        while (!stopped.get() && !Thread.currentThread().isInterrupted()) {
            int next = terminal.reader().read(PATIENCE_MILLIS);
            if (next != NonBlockingReader.READ_EXPIRED) {
                return next;
            }
        }
        throw new CommandException(Reason.CANCELLED_WHILE_RUNNING, "nobody waits for the terminal any more");
    }

    private synchronized void enableRaw(@Nullable Pid process) {
        if (before == null) {
            before = terminal.enterRawMode();
        }
        rawFor = process;
    }

    private synchronized void disableRaw() {
        if (before != null) {
            terminal.setAttributes(before);
            before = null;
        }
        rawFor = null;
    }

    private synchronized boolean setMouse(boolean on, @Nullable Pid process) {
        mouseFor = process;
        if (mouse == on) {
            return on;
        }
        mouse = on && terminal.trackMouse(MouseTracking.Normal);
        if (!on) {
            terminal.trackMouse(MouseTracking.Off);
        }
        return mouse;
    }

    private void startInput(CommandContext context, StartInput command, long tag, ResultReceiver receiver) {
        if (!(context instanceof ProcessContext process)) {
            throw new IllegalArgumentException("only a process can do this: there is nobody else to send messages to");
        }
        Input wanted = new Input(process.pid(), process.mail(), command.topic);
        synchronized (this) {
            if (input != null) {
                throw new IllegalStateException("the input goes to " + input.process + " already");
            }
            input = wanted;
        }
        wanted.start(context, tag, receiver);
    }

    private boolean stopInput(@Nullable Pid of) {
        Input present;
        synchronized (this) {
            present = input;
            if (present == null || (of != null && !of.equals(present.process))) {
                return false;
            }
        }
        present.stop();
        return true;
    }

    /** Completes with what was typed, a String of up to {@code size} characters, or with null at the end of the input. */
    public record Read(int size) implements Command {
        /** Reads up to {@link #DEFAULT_READ} characters. */
        public Read() {
            this(DEFAULT_READ);
        }

        @Override
        public int commandId() {
            return READ;
        }
    }

    /** Completes with the next line, a String without its end, or with null at the end of the input. */
    public record ReadLine() implements Command {
        @Override
        public int commandId() {
            return READ_LINE;
        }
    }

    /** Lets every key through at once and unseen. Completes with null. Undone when the calling process ends. */
    public record RawEnable() implements Command {
        @Override
        public int commandId() {
            return RAW_ENABLE;
        }
    }

    /** Sets the terminal back to how it was. Completes with null. */
    public record RawDisable() implements Command {
        @Override
        public int commandId() {
            return RAW_DISABLE;
        }
    }

    /** Sends the calling process what is typed on {@code topic}, each time an {@link Typed}, until it is stopped. Completes with null at once. */
    public record StartInput(String topic) implements Command {
        @Override
        public int commandId() {
            return START_INPUT;
        }
    }

    /** Ends what {@link StartInput} began. Completes with whether there was something to end. */
    public record StopInput() implements Command {
        @Override
        public int commandId() {
            return STOP_INPUT;
        }
    }

    /** Completes with the size of the terminal, a {@link Screen}. */
    public record ScreenSize() implements Command {
        @Override
        public int commandId() {
            return SCREEN_SIZE;
        }
    }

    /** Lets the terminal report the mouse, among what is typed. Completes with whether it can. Undone when the calling process ends. */
    public record EnableMouse() implements Command {
        @Override
        public int commandId() {
            return ENABLE_MOUSE;
        }
    }

    /** Ends the reports of the mouse. Completes with false. */
    public record DisableMouse() implements Command {
        @Override
        public int commandId() {
            return DISABLE_MOUSE;
        }
    }

    /** The size of a terminal, in characters. */
    public record Screen(int columns, int rows) {}

    /**
     * What was typed.
     *
     * @param text the characters
     * @param end whether nothing more will come
     */
    public record Typed(String text, boolean end) {}

    /** What is typed, on its way to a process. The lock guards the fields that are not final. */
    private final class Input {
        private final Pid process;
        private final Mail mail;
        private final String topic;
        private final AtomicBoolean stopped = new AtomicBoolean();
        private boolean begun;
        private boolean answered;
        private @Nullable Throwable refusal;

        Input(Pid process, Mail mail, String topic) {
            this.process = process;
            this.mail = mail;
            this.topic = topic;
        }

        void start(CommandContext context, long tag, ResultReceiver receiver) {
            Workers.Job job = reader.start(this::forward, this::done);
            Throwable refused;
            synchronized (this) {
                answered = true;
                refused = refusal;
            }
            if (refused == null) {
                context.onCancel(cause -> {
                    stop();
                    job.cancel(cause);
                });
            }
            receiver.completeYield(tag, null, refused);
        }

        private @Nullable Object forward(Workers.Job job) throws Exception {
            synchronized (this) {
                begun = true;
            }
            job.onCancel(this::stop);
            for (String text = read(stopped, DEFAULT_READ); text != null; text = read(stopped, DEFAULT_READ)) {
                send(new Typed(text, false));
            }
            send(new Typed("", true));
            return null;
        }

        /** Waits while the mailbox is full, so that nothing typed is lost. */
        private void send(Typed typed) throws InterruptedException {
            while (!mail.send(process, new Message(null, topic, typed)) && !stopped.get()) {
                synchronized (this) {
                    if (!stopped.get()) {
                        wait(PATIENCE_MILLIS);
                    }
                }
            }
        }

        private void done(@Nullable Object nothing, @Nullable Throwable error) {
            synchronized (TtyService.this) {
                input = null;
            }
            synchronized (this) {
                if (!answered && !begun) {
                    refusal = error;
                    return;
                }
            }
            if (error != null && !(error instanceof CommandException)) {
                log.warn("The terminal cannot be read any more", error);
            }
        }

        void stop() {
            synchronized (this) {
                stopped.set(true);
                notifyAll();
            }
        }
    }
}
