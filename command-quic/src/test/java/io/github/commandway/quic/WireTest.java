package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Envelope;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is written by hand is what envelope.proto says. */
final class WireTest {
    private static final RecordId UUID_ID = RecordId.ofUuid(0x0123456789abcdefL, -1);
    private static final RecordId TIME_ID = RecordId.ofTimestamp(20250208123359L, 1);

    private static Envelope parsed(Outgoing message) throws IOException {
        byte[] bytes = new byte[message.size()];
        CodedOutputStream out = CodedOutputStream.newInstance(bytes);
        message.writeTo(out);
        out.checkNoSpaceLeft();
        return Envelope.parseFrom(bytes);
    }

    private static Assignment assignment() {
        return new Assignment(UUID_ID, 300, 220, "echo", new byte[0], Instant.EPOCH, 1, null, null, 5);
    }

    @ParameterizedTest
    @EnumSource
    void reasonsKeepTheirNames(Reason reason) {
        assertThat(io.github.commandway.quic.wire.Reason.forNumber(Wire.numberOf(reason))
                        .name())
                .isEqualTo(reason.name());
        assertThat(Wire.reasonOf(Wire.numberOf(reason))).isEqualTo(reason);
    }

    @Test
    void reasonThatIsNotKnownIsAFailure() {
        assertThat(Wire.reasonOf(0)).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(Wire.reasonOf(99)).isEqualTo(Reason.EXECUTOR_ERROR);
    }

    @ParameterizedTest
    @EnumSource
    void cancelCausesComeBack(CancelCause cause) {
        assertThat(Wire.cancelCauseOf(Wire.numberOf(cause))).isEqualTo(cause);
    }

    @Test
    void idsOfBothKindsComeBack() throws Exception {
        for (RecordId id : List.of(UUID_ID, TIME_ID)) {
            var cancel = parsed(new Messages.Cancel(id, CancelCause.DEADLINE)).getCancel();
            assertThat(Wire.toRecordId(cancel.getId())).isEqualTo(id);
            assertThat(cancel.getCause()).isEqualTo(io.github.commandway.quic.wire.CancelCause.DEADLINE);
            byte[] generated = Wire.fromRecordId(id).toByteArray();
            byte[] field = new byte[generated.length + 1];
            field[0] = (byte) generated.length;
            System.arraycopy(generated, 0, field, 1, generated.length);
            assertThat(Wire.readRecordId(CodedInputStream.newInstance(field))).isEqualTo(id);
        }
    }

    @Test
    void resultIsWhatTheProtoSays() throws Exception {
        Outcome outcome =
                new Outcome(TIME_ID, Reason.EXECUTOR_ERROR, "caf\u00e9", new byte[] {1, 2}, Duration.ofNanos(12));

        var result = parsed(new Messages.Result(outcome, 300)).getResult();

        assertThat(result.getTag()).isEqualTo(300);
        assertThat(result.getReason()).isEqualTo(io.github.commandway.quic.wire.Reason.EXECUTOR_ERROR);
        assertThat(result.getMessage()).isEqualTo("caf\u00e9");
        assertThat(result.getData().toByteArray()).containsExactly(1, 2);
        assertThat(result.getExecutionNanos()).isEqualTo(12);
        assertThat(result.getDataSize()).isZero();
        assertThat(Wire.toRecordId(result.getId())).isEqualTo(TIME_ID);
    }

    @Test
    void longResultIsAHeadAndChunks() throws Exception {
        byte[] data = new byte[3 * Wire.CHUNK_BYTES + 1];
        new Random(1).nextBytes(data);
        Outcome outcome = Outcome.completed(UUID_ID, data, Duration.ZERO);

        assertThat(parsed(new Messages.Result(outcome, 0)).getResult().getDataSize())
                .isEqualTo(data.length);
        Messages.Chunks chunks = new Messages.Chunks(UUID_ID, data);
        java.io.ByteArrayOutputStream received = new java.io.ByteArrayOutputStream();
        while (chunks.hasMore()) {
            received.writeBytes(parsed(chunks).getChunk().getData().toByteArray());
        }
        assertThat(received.toByteArray()).isEqualTo(data);
    }

    @Test
    void reportsAreWhatTheProtoSays() throws Exception {
        Assignment assignment = assignment();
        assertThat(parsed(new Messages.Accepted(assignment)).getAccepted().getTag())
                .isEqualTo(300);
        assignment.putProgress(new Assignment.ProgressReport(0.25, "a quarter"));
        var progress = parsed(new Messages.Progress(assignment)).getProgress();
        assertThat(progress.getTag()).isEqualTo(300);
        assertThat(progress.getFraction()).isEqualTo(0.25);
        assertThat(progress.getMessage()).isEqualTo("a quarter");
        var output = parsed(new Messages.Output(assignment, "stdout", new byte[] {1, 2, 3, 4}, 1, 2, 7, false))
                .getOutput();
        assertThat(output.getTag()).isEqualTo(300);
        assertThat(output.getChannel()).isEqualTo("stdout");
        assertThat(output.getData().toByteArray()).containsExactly(2, 3);
        assertThat(output.getSequence()).isEqualTo(7);
        var byId = parsed(new Messages.Output(assignment, "stdout", new byte[] {1}, 0, 1, 8, true))
                .getOutput();
        assertThat(byId.getTag()).isZero();
        assertThat(byId.getId()).isEqualTo(Wire.fromRecordId(assignment.id()));
        assertThat(parsed(new Messages.Ping(-5)).getPing().getNonce()).isEqualTo(-5);
        var pong = parsed(new Messages.Pong(6, 1_700_000_000_000L)).getPong();
        assertThat(pong.getNonce()).isEqualTo(6);
        assertThat(pong.getTimeMillis()).isEqualTo(1_700_000_000_000L);
        assertThat(parsed(new Messages.ResultAck(List.of(UUID_ID, TIME_ID)))
                        .getResultAck()
                        .getIdsList())
                .containsExactly(Wire.fromRecordId(UUID_ID), Wire.fromRecordId(TIME_ID));
    }

    @Test
    void startIsNotReportedOnceTheOutcomeIs() {
        Assignment assignment = assignment();
        Messages.Accepted report = new Messages.Accepted(assignment);
        assignment.finish();

        assertThat(report.size()).isEqualTo(Outgoing.NOTHING);
    }
}
