package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import io.github.commandway.system.ByteStream.Whence;
import java.nio.channels.ClosedChannelException;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Streams of bytes, under numbers. Other services open them; here they are read, written and closed. A stream takes one read and one write at a time. If one is cancelled while it
 * is under way, the stream is closed, since nobody knows how far it came.
 */
public final class StreamService implements SystemService {
    /** The id of {@link Read}. */
    public static final int READ = 50;
    /** The id of {@link Close}. */
    public static final int CLOSE = 51;
    /** The id of {@link Write}. */
    public static final int WRITE = 52;
    /** The id of {@link Seek}. */
    public static final int SEEK = 53;
    /** The id of {@link Flush}. */
    public static final int FLUSH = 54;
    /** The id of {@link StatOf}. */
    public static final int STAT = 55;
    /** The id of {@link ScannerCreate}. */
    public static final int SCANNER_CREATE = 56;
    /** The id of {@link ScannerScan}. */
    public static final int SCANNER_SCAN = 57;

    /** How much is read at once by default, in bytes. */
    public static final int DEFAULT_READ = 32 * 1024;
    /** How much is read at once at most, in bytes. */
    public static final int LARGEST_READ = 16 * 1024 * 1024;

    private static final Logger log = LoggerFactory.getLogger(StreamService.class);
    private static final int CLOSERS = 4;

    private final Handles<Open> streams;
    private final Handles<Scanning> scanners;
    private final Workers closers;

    /** @param limit how many streams, and how many scanners, are open at most */
    public StreamService(int limit) {
        streams = new Handles<>("stream", limit, this::closeUnasked);
        scanners = new Handles<>("scanner", limit, scanner -> {});
        closers = new Workers("stream", CLOSERS, 2 * limit);
    }

    @Override
    public String name() {
        return "stream";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(READ, (context, command, tag, receiver) -> {
            Read read = (Read) command;
            if (read.size < 1 || read.size > LARGEST_READ) {
                throw new IllegalArgumentException("a read is of 1 to " + LARGEST_READ + " bytes, not " + read.size);
            }
            Open open = streams.get(read.stream);
            answer(read.stream, open.reading, context, tag, receiver, () -> open.stream.read(read.size));
        });
        registrar.register(WRITE, (context, command, tag, receiver) -> {
            Write write = (Write) command;
            Open open = streams.get(write.stream);
            answer(write.stream, open.writing, context, tag, receiver, () -> open.stream.write(write.data));
        });
        registrar.register(SEEK, (context, command, tag, receiver) -> {
            Seek seek = (Seek) command;
            Open open = streams.get(seek.stream);
            answer(seek.stream, open.reading, context, tag, receiver, () -> open.stream.seek(seek.offset, seek.whence));
        });
        registrar.register(FLUSH, (context, command, tag, receiver) -> {
            Flush flush = (Flush) command;
            Open open = streams.get(flush.stream);
            answer(flush.stream, open.writing, context, tag, receiver, open.stream::flush);
        });
        registrar.register(STAT, (context, command, tag, receiver) -> {
            StatOf stat = (StatOf) command;
            Open open = streams.get(stat.stream);
            answer(stat.stream, open.reading, context, tag, receiver, open.stream::stat);
        });
        registrar.register(CLOSE, (context, command, tag, receiver) -> close(((Close) command).stream, tag, receiver));
        registrar.register(SCANNER_CREATE, (context, command, tag, receiver) -> {
            ScannerCreate create = (ScannerCreate) command;
            Scanning scanning = new Scanning(create.stream, streams.get(create.stream), new Tokens(create.split));
            scanners.open(context, tag, receiver, scanning, id -> id);
        });
        registrar.register(SCANNER_SCAN, (context, command, tag, receiver) -> {
            Scanning scanning = scanners.get(((ScannerScan) command).scanner);
            answer(scanning.id, scanning.open.reading, context, tag, receiver, scanning::scan);
        });
    }

    /**
     * Keeps a stream for whoever the command is executed for, see {@link Handles#open}.
     *
     * @param result makes the command's result of the stream's number
     */
    public void open(
            CommandContext context,
            long tag,
            ResultReceiver receiver,
            ByteStream stream,
            LongFunction<@Nullable Object> result) {
        streams.open(context, tag, receiver, new Open(stream), result);
    }

    /** The same for a command that others may complete meanwhile, in which case the stream is closed. */
    public void open(
            CommandContext context, Completion completion, ByteStream stream, LongFunction<@Nullable Object> result) {
        streams.open(context, completion, new Open(stream), result);
    }

    /**
     * Keeps a stream for {@code owner}, or until it is closed if that is null.
     *
     * @return its number
     * @throws RejectedExecutionException if there is no room; the stream is not closed then
     */
    public long add(@Nullable Pid owner, ByteStream stream) {
        return streams.add(owner, new Open(stream));
    }

    /** Closes a stream, in another thread; false if it is not open. */
    public boolean close(long stream) {
        return streams.close(stream);
    }

    /** How many streams are open. */
    public int active() {
        return streams.size();
    }

    @Override
    public void ended(Pid process) {
        scanners.closeAll(process);
        streams.closeAll(process);
    }

    @Override
    public void close() {
        scanners.close();
        streams.close();
    }

    private void close(long id, long tag, ResultReceiver receiver) {
        Open open = streams.remove(id);
        if (open == null) {
            throw new NoSuchElementException("there is no open stream " + id);
        }
        open.giveUp();
        closers.start(
                job -> {
                    open.stream.close();
                    return null;
                },
                (nothing, error) -> receiver.completeYield(tag, null, error));
    }

    private void closeUnasked(Open open) {
        open.giveUp();
        closers.start(
                job -> {
                    open.stream.close();
                    return null;
                },
                (nothing, error) -> {
                    if (error != null) {
                        log.warn("A stream that nobody closed could not be closed either", error);
                    }
                });
    }

    private <T extends @Nullable Object> void answer(
            long id,
            AtomicReference<@Nullable Pending> slot,
            CommandContext context,
            long tag,
            ResultReceiver receiver,
            Supplier<CompletableFuture<T>> work) {
        Completion completion = new Completion(tag, receiver);
        Pending pending = new Pending(completion);
        if (!slot.compareAndSet(null, pending)) {
            throw new IllegalStateException("stream " + id + " is still busy with an earlier command of this kind");
        }
        CompletableFuture<T> outcome;
        try {
            outcome = work.get();
        } catch (RuntimeException e) {
            slot.set(null);
            throw e;
        }
        pending.outcome = outcome;
        completion.endOnCancel(context, () -> streams.close(id));
        outcome.whenComplete((result, error) -> {
            slot.set(null);
            if (error == null) {
                completion.complete(result);
            } else {
                completion.fail(CommandException.unwrap(error));
            }
        });
        try {
            // what was closed before the slot was taken has not seen this command
            streams.get(id);
        } catch (NoSuchElementException e) {
            pending.giveUp();
        }
    }

    /** Completes with up to {@code size} bytes, a byte array, or with null at the end. */
    public record Read(long stream, int size) implements Command {
        /** Reads up to {@link #DEFAULT_READ} bytes. */
        public Read(long stream) {
            this(stream, DEFAULT_READ);
        }

        @Override
        public int commandId() {
            return READ;
        }
    }

    /** Closes a stream, and fails what reads or writes it. Completes with null once that is done. */
    public record Close(long stream) implements Command {
        @Override
        public int commandId() {
            return CLOSE;
        }
    }

    /** Writes all the bytes. Completes with how many, an Integer. The array belongs to the command until then. */
    @SuppressWarnings("ArrayRecordComponent")
    public record Write(long stream, byte[] data) implements Command {
        @Override
        public int commandId() {
            return WRITE;
        }
    }

    /** Moves to another position. Completes with it, a Long, counted from the start. */
    public record Seek(long stream, long offset, Whence whence) implements Command {
        @Override
        public int commandId() {
            return SEEK;
        }
    }

    /** Passes on what was written but kept back. Completes with null. */
    public record Flush(long stream) implements Command {
        @Override
        public int commandId() {
            return FLUSH;
        }
    }

    /** Completes with what is known of the stream, a {@link ByteStream.Stat}. */
    public record StatOf(long stream) implements Command {
        @Override
        public int commandId() {
            return STAT;
        }
    }

    /** Takes a stream apart into pieces of text. Completes with the number of a scanner, a Long. While it is used nobody else should read the stream. */
    public record ScannerCreate(long stream, Split split) implements Command {
        @Override
        public int commandId() {
            return SCANNER_CREATE;
        }
    }

    /** Completes with the next piece, a {@link Scan}. Fails if a piece is longer than {@value Tokens#LONGEST} bytes. */
    public record ScannerScan(long scanner) implements Command {
        @Override
        public int commandId() {
            return SCANNER_SCAN;
        }
    }

    /** What a scanner takes for a piece. The text is UTF-8; what is not comes as U+FFFD. */
    public enum Split {
        /** A line, without its end, which is a line feed with or without a carriage return. */
        LINES,
        /** What stands between white space. */
        WORDS,
        /** One byte, as the character of the same number. */
        BYTES,
        /** One Unicode character. */
        RUNES
    }

    /**
     * What a scanner found.
     *
     * @param text the piece; empty at the end
     * @param found whether there was one; false at the end of the stream
     */
    public record Scan(String text, boolean found) {}

    /** A stream, and the two commands that may be under way on it. */
    private static final class Open {
        final ByteStream stream;
        final AtomicReference<@Nullable Pending> reading = new AtomicReference<>();
        final AtomicReference<@Nullable Pending> writing = new AtomicReference<>();

        Open(ByteStream stream) {
            this.stream = stream;
        }

        void giveUp() {
            Pending read = reading.get();
            if (read != null) {
                read.giveUp();
            }
            Pending write = writing.get();
            if (write != null) {
                write.giveUp();
            }
        }
    }

    private static final class Pending {
        final Completion completion;
        volatile @Nullable CompletableFuture<?> outcome;

        Pending(Completion completion) {
            this.completion = completion;
        }

        void giveUp() {
            completion.fail(new ClosedChannelException());
            CompletableFuture<?> present = outcome;
            if (present != null) {
                present.cancel(true);
            }
        }
    }

    private record Scanning(long id, Open open, Tokens tokens) {
        CompletableFuture<Scan> scan() {
            while (true) {
                String token = tokens.next();
                if (token != null) {
                    return CompletableFuture.completedFuture(new Scan(token, true));
                }
                if (tokens.ended()) {
                    return CompletableFuture.completedFuture(new Scan("", false));
                }
                CompletableFuture<byte @Nullable []> more = open.stream.read(DEFAULT_READ);
                if (!more.isDone()) {
                    return more.thenCompose(bytes -> {
                        tokens.add(bytes);
                        return scan();
                    });
                }
                tokens.add(more.join());
            }
        }
    }
}
