package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class FrameDecoderTest {

    private static void writeFrame(ByteArrayOutputStream out, byte[] body) {
        int length = body.length;
        while (length > 0x7F) {
            out.write((length & 0x7F) | 0x80);
            length >>>= 7;
        }
        out.write(length);
        out.writeBytes(body);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void framesComeOutWholeHoweverTheBytesAreCut(long seed) throws Exception {
        Random random = new Random(seed);
        List<byte[]> sent = new ArrayList<>();
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        for (int i = 0; i < 200; i++) {
            int size = random.nextInt(10) == 0 ? random.nextInt(FrameDecoder.MAX_FRAME + 1) : random.nextInt(300);
            byte[] body = new byte[size];
            random.nextBytes(body);
            sent.add(body);
            writeFrame(stream, body);
        }
        byte[] bytes = stream.toByteArray();
        FrameDecoder decoder = new FrameDecoder();
        List<byte[]> received = new ArrayList<>();

        for (int from = 0; from < bytes.length; ) {
            int to = Math.min(bytes.length, from + 1 + random.nextInt(random.nextBoolean() ? 4 : 100_000));
            decoder.decode(
                    Unpooled.wrappedBuffer(bytes, from, to - from),
                    in -> received.add(in.readRawBytes(in.getBytesUntilLimit())));
            from = to;
        }

        assertThat(received).hasSameSizeAs(sent);
        for (int i = 0; i < sent.size(); i++) {
            assertThat(received.get(i)).isEqualTo(sent.get(i));
        }
        assertThat(decoder.isAtFrameEnd()).isTrue();
    }

    @Test
    void frameAboveTheLimitIsRefusedByItsLengthAlone() {
        ByteBuf length = Unpooled.wrappedBuffer(new byte[] {(byte) 0x81, (byte) 0x80, 0x10});

        assertThatThrownBy(() -> new FrameDecoder().decode(length, in -> {})).isInstanceOf(ProtocolException.class);
    }

    @Test
    void lengthThatDoesNotEndIsRefused() {
        ByteBuf length = Unpooled.wrappedBuffer(new byte[] {(byte) 0x80, (byte) 0x80, (byte) 0x80});

        assertThatThrownBy(() -> new FrameDecoder().decode(length, in -> {})).isInstanceOf(ProtocolException.class);
    }

    @Test
    void longestFrameIsTaken() throws Exception {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        writeFrame(stream, new byte[FrameDecoder.MAX_FRAME]);
        int[] sizes = new int[1];

        new FrameDecoder()
                .decode(Unpooled.wrappedBuffer(stream.toByteArray()), in -> sizes[0] = in.getBytesUntilLimit());

        assertThat(sizes[0]).isEqualTo(FrameDecoder.MAX_FRAME);
    }

    @Test
    void consumerMayLeaveBytesUnread() throws Exception {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        writeFrame(stream, new byte[] {1, 2, 3});
        writeFrame(stream, new byte[] {4});
        List<Byte> first = new ArrayList<>();

        new FrameDecoder().decode(Unpooled.wrappedBuffer(stream.toByteArray()), in -> first.add(in.readRawByte()));

        assertThat(first).containsExactly((byte) 1, (byte) 4);
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13, 14})
    void randomBytesGiveNothingButFramesOrAProtocolError(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 2_000; round++) {
            byte[] bytes = new byte[random.nextInt(2_000)];
            random.nextBytes(bytes);
            FrameDecoder decoder = new FrameDecoder();
            try {
                for (int from = 0; from < bytes.length; ) {
                    int to = Math.min(bytes.length, from + 1 + random.nextInt(500));
                    decoder.decode(
                            Unpooled.wrappedBuffer(Arrays.copyOfRange(bytes, from, to)),
                            in -> assertThat(in.getBytesUntilLimit()).isLessThanOrEqualTo(FrameDecoder.MAX_FRAME));
                    from = to;
                }
            } catch (IOException e) {
                assertThat(e).isInstanceOf(ProtocolException.class);
            }
        }
    }
}
