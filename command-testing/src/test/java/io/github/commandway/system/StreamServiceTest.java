package io.github.commandway.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.ByteStream.Stat;
import io.github.commandway.system.ByteStream.Whence;
import io.github.commandway.system.StreamService.Close;
import io.github.commandway.system.StreamService.Flush;
import io.github.commandway.system.StreamService.Read;
import io.github.commandway.system.StreamService.Scan;
import io.github.commandway.system.StreamService.ScannerCreate;
import io.github.commandway.system.StreamService.ScannerScan;
import io.github.commandway.system.StreamService.Seek;
import io.github.commandway.system.StreamService.Split;
import io.github.commandway.system.StreamService.StatOf;
import io.github.commandway.system.StreamService.Write;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamServiceTest {
    private final Workers workers = new Workers("streams", 4, 4);
    private final StreamService streams = new StreamService(4);
    private final HandlerDriver driver = new HandlerDriver(streams);

    @TempDir
    private Path folder;

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        streams.close();
        workers.close();
        driver.verify();
        assertThat(streams.active()).isZero();
    }

    @Test
    void aFileIsWrittenReadAndMovedAboutIn() throws Exception {
        Path file = folder.resolve("file");
        long stream = streams.add(
                null,
                ByteStream.of(
                        workers,
                        Files.newByteChannel(
                                file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                        true,
                        true));
        assertThat(get(new Write(stream, "hello world".getBytes(UTF_8)))).isEqualTo(11);
        assertThat(get(new Flush(stream))).isNull();
        assertThat(get(new Seek(stream, 6, Whence.START))).isEqualTo(6L);
        assertThat(text(get(new Read(stream, 3)))).isEqualTo("wor");
        assertThat(get(new Seek(stream, -2, Whence.CURRENT))).isEqualTo(7L);
        assertThat(get(new Seek(stream, -1, Whence.END))).isEqualTo(10L);
        assertThat(get(new StatOf(stream))).isEqualTo(new Stat(11, 10, true, true, true));
        assertThat(text(get(new Read(stream)))).isEqualTo("d");
        assertThat(get(new Read(stream))).isNull();
        assertThat(error(new Seek(stream, -1, Whence.START))).isInstanceOf(IllegalArgumentException.class);
        assertThat(get(new Close(stream))).isNull();
        assertThat(error(new Read(stream))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new Close(stream))).isInstanceOf(NoSuchElementException.class);
        assertThat(file).hasContent("hello world");
    }

    @Test
    void whatAStreamCannotDoFails() {
        long in = streams.add(null, ByteStream.of(workers, new ByteArrayInputStream(new byte[0])));
        long out = streams.add(null, ByteStream.of(workers, new ByteArrayOutputStream()));
        assertThat(error(new Write(in, new byte[1]))).isInstanceOf(UnsupportedOperationException.class);
        assertThat(error(new Read(out))).isInstanceOf(UnsupportedOperationException.class);
        assertThat(error(new Seek(in, 0, Whence.START))).isInstanceOf(UnsupportedOperationException.class);
        assertThat(get(new StatOf(out))).isEqualTo(new Stat(-1, -1, false, true, false));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, Integer.MIN_VALUE, StreamService.LARGEST_READ + 1})
    void aReadOfAnUnreasonableSizeIsRefused(int size) {
        long stream = streams.add(null, ByteStream.of(workers, new ByteArrayInputStream(new byte[1])));
        assertThat(error(new Read(stream, size))).isInstanceOf(IllegalArgumentException.class);
        assertThat(get(new Read(stream, 1))).isEqualTo(new byte[1]);
    }

    @Test
    void aCloseTellsWhetherWhatWasWrittenArrived() {
        long stream = streams.add(null, ByteStream.of(workers, new OutputStream() {
            @Override
            public void write(int value) {}

            @Override
            public void close() throws IOException {
                throw new IOException("disk full");
            }
        }));
        assertThat(error(new Close(stream))).isInstanceOf(IOException.class).hasMessage("disk full");
    }

    @Test
    void oneReadAtATime() throws Exception {
        PipedOutputStream sink = new PipedOutputStream();
        long stream = streams.add(null, ByteStream.of(workers, new PipedInputStream(sink)));
        Call first = driver.call(new Read(stream));
        assertThat(error(new Read(stream))).isInstanceOf(IllegalStateException.class);
        sink.write('x');
        sink.flush();
        assertThat(text(first.outcome().get())).isEqualTo("x");
        sink.write('y');
        sink.close();
        assertThat(text(get(new Read(stream)))).isEqualTo("y");
    }

    @Test
    void aReadThatIsCancelledClosesItsStream() throws Exception {
        long stream = streams.add(null, ByteStream.of(workers, new PipedInputStream(new PipedOutputStream())));
        Call read = driver.call(new Read(stream));
        read.cancel(CancelCause.DEADLINE);
        assertThat(read.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        assertThat(error(new Read(stream))).isInstanceOf(NoSuchElementException.class);
        await().until(() -> workers.active() == 0);
    }

    @Test
    void closingEndsAReadThatWaits() throws Exception {
        long stream = streams.add(null, ByteStream.of(workers, new PipedInputStream(new PipedOutputStream())));
        Call read = driver.call(new Read(stream));
        assertThat(get(new Close(stream))).isNull();
        assertThat(read.error()).isInstanceOf(ClosedChannelException.class);

        long other = streams.add(null, ByteStream.of(workers, new PipedInputStream(new PipedOutputStream())));
        Call waiting = driver.call(new Read(other));
        streams.close();
        assertThat(waiting.error()).isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void streamsEndWithTheirProcess() {
        CloseCounter source = new CloseCounter();
        HandlerDriver.Caller owner = driver.process(2);
        long stream = streams.add(owner.pid(), ByteStream.of(workers, source));
        owner.end();
        streams.ended(owner.pid());
        await().until(() -> source.closed == 1);
        assertThat(error(new Read(stream))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void thereAreNoMoreStreamsThanMay() {
        List<Long> open = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            open.add(streams.add(null, ByteStream.of(workers, new CloseCounter())));
        }
        ByteStream fifth = ByteStream.of(workers, new CloseCounter());
        assertThat(catchThrowable(() -> streams.add(null, fifth))).isInstanceOf(RejectedExecutionException.class);
        get(new Close(open.get(0)));
        streams.add(null, fifth);
    }

    @Test
    void aScannerFindsLines() {
        assertThat(scan(Split.LINES, "one\r\n\ntwo\nthree")).containsExactly("one", "", "two", "three");
        assertThat(scan(Split.LINES, "one\n")).containsExactly("one");
        assertThat(scan(Split.LINES, "")).isEmpty();
    }

    @Test
    void aScannerFindsWordsBytesAndCharacters() {
        assertThat(scan(Split.WORDS, "  one two\t\nthree ")).containsExactly("one", "two", "three");
        assertThat(scan(Split.BYTES, "aé")).containsExactly("a", "\u00C3", "\u00A9");
        assertThat(scan(Split.RUNES, "aé€😀")).containsExactly("a", "é", "€", "😀");
    }

    @Test
    void bytesThatAreNoTextDoNotStopAScanner() {
        assertThat(scan(Split.RUNES, new byte[] {'a', (byte) 0xC3, 'b', (byte) 0xFF, (byte) 0xE2, (byte) 0x82}))
                .containsExactly("a", "\uFFFD", "b", "\uFFFD", "\uFFFD");
    }

    @Test
    void aPieceThatIsTooLongFails() {
        long scanner = scanner(Split.LINES, new byte[Tokens.LONGEST + 1]);
        assertThat(error(new ScannerScan(scanner))).isInstanceOf(IllegalStateException.class);
        assertThat(error(new ScannerScan(99))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new ScannerCreate(99, Split.LINES))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void aPieceOfTheGreatestLengthIsFound() {
        long scanner = scanner(Split.LINES, "x".repeat(Tokens.LONGEST).getBytes(UTF_8));
        assertThat(((Scan) Objects.requireNonNull(get(new ScannerScan(scanner)))).text())
                .hasSize(Tokens.LONGEST);
    }

    private List<String> scan(Split split, String text) {
        return scan(split, text.getBytes(UTF_8));
    }

    private List<String> scan(Split split, byte[] bytes) {
        long scanner = scanner(split, bytes);
        List<String> found = new ArrayList<>();
        while (get(new ScannerScan(scanner)) instanceof Scan scan && scan.found()) {
            found.add(scan.text());
        }
        streams.ended(driver.process(1).pid());
        return found;
    }

    /** From a stream that gives one byte at a time, so that nothing is seen whole. */
    private long scanner(Split split, byte[] bytes) {
        InputStream slow = new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] buffer, int offset, int length) {
                return super.read(buffer, offset, Math.min(length, bytes.length > 1000 ? 1000 : 1));
            }
        };
        long stream = streams.add(driver.process(1).pid(), ByteStream.of(workers, slow));
        return (Long) Objects.requireNonNull(get(new ScannerCreate(stream, split)));
    }

    private @Nullable Object get(Command command) {
        Call call = driver.call(command);
        await().until(call::isDone);
        return call.result();
    }

    private Throwable error(Command command) {
        Call call = driver.call(command);
        await().until(call::isDone);
        return call.error();
    }

    private static String text(@Nullable Object bytes) {
        return new String((byte[]) Objects.requireNonNull(bytes), UTF_8);
    }

    private static final class CloseCounter extends InputStream {
        volatile int closed;

        @Override
        public int read() {
            return -1;
        }

        @Override
        public void close() {
            closed = 1;
        }
    }
}
