package io.github.commandway.quic;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Envelope;
import java.io.IOException;

/**
 * Reads and writes the parts that the frequent messages share. Frequent messages are read and written field by field, because an
 * object per message part would cost more than the rest of the transport; the rare ones use the generated classes. Both
 * follow envelope.proto, and a test holds them to it.
 */
final class Wire {
    static final String ALPN = "commandway/1";

    /** The most bytes that one envelope carries for a command; what is longer goes in chunks. */
    static final int CHUNK_BYTES = 64 * 1024;

    static final int COMMAND = Envelope.COMMAND_FIELD_NUMBER;
    static final int ACCEPTED = Envelope.ACCEPTED_FIELD_NUMBER;
    static final int PROGRESS = Envelope.PROGRESS_FIELD_NUMBER;
    static final int OUTPUT = Envelope.OUTPUT_FIELD_NUMBER;
    static final int RESULT = Envelope.RESULT_FIELD_NUMBER;
    static final int RESULT_ACK = Envelope.RESULT_ACK_FIELD_NUMBER;
    static final int CHUNK = Envelope.CHUNK_FIELD_NUMBER;
    static final int CANCEL = Envelope.CANCEL_FIELD_NUMBER;
    static final int PING = Envelope.PING_FIELD_NUMBER;
    static final int PONG = Envelope.PONG_FIELD_NUMBER;

    private static final int RECORD_ID_BYTES = 18;

    private Wire() {}

    static int sizeOf(RecordId id) {
        return id.form() == RecordId.Form.UUID ? RECORD_ID_BYTES : RECORD_ID_BYTES + 2;
    }

    /** The size of an id as a field of a number below 16. */
    static int fieldSizeOf(RecordId id) {
        return 2 + sizeOf(id);
    }

    static void writeField(CodedOutputStream out, int field, RecordId id) throws IOException {
        out.writeTag(field, WireFormat.WIRETYPE_LENGTH_DELIMITED);
        out.writeUInt32NoTag(sizeOf(id));
        out.writeFixed64(1, id.high());
        out.writeFixed64(2, id.low());
        if (id.form() != RecordId.Form.UUID) {
            out.writeUInt32(3, id.form().number());
        }
    }

    /** Reads the value of a field that is an id. */
    static RecordId readRecordId(CodedInputStream in) throws IOException {
        int outer = in.pushLimit(in.readRawVarint32());
        long high = 0;
        long low = 0;
        int form = 0;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case 1 << 3 | WireFormat.WIRETYPE_FIXED64 -> high = in.readFixed64();
                case 2 << 3 | WireFormat.WIRETYPE_FIXED64 -> low = in.readFixed64();
                case 3 << 3 -> form = in.readUInt32();
                default -> in.skipField(tag);
            }
        }
        in.popLimit(outer);
        return RecordId.of(RecordId.Form.ofNumber(form), high, low);
    }

    static RecordId toRecordId(io.github.commandway.quic.wire.RecordId id) {
        return RecordId.of(RecordId.Form.ofNumber(id.getForm()), id.getHigh(), id.getLow());
    }

    static io.github.commandway.quic.wire.RecordId fromRecordId(RecordId id) {
        return io.github.commandway.quic.wire.RecordId.newBuilder()
                .setHigh(id.high())
                .setLow(id.low())
                .setForm(id.form().number())
                .build();
    }

    static int numberOf(Reason reason) {
        return switch (reason) {
            case OK -> 1;
            case EXECUTOR_ERROR -> 2;
            case EXECUTION_TIMEOUT -> 3;
            case QUEUE_TIMEOUT -> 4;
            case AGENT_UNREACHABLE -> 5;
            case REJECTED_BY_AGENT -> 6;
            case UNKNOWN_COMMAND -> 7;
            case PAYLOAD_TOO_LARGE -> 8;
            case CANCELLED_BEFORE_START -> 9;
            case CANCELLED_WHILE_RUNNING -> 10;
            case LOST -> 11;
            case SHUTDOWN -> 12;
        };
    }

    /** The reason of that number; one that this version does not know is a failure, never a success. */
    static Reason reasonOf(int number) {
        return switch (number) {
            case 1 -> Reason.OK;
            case 3 -> Reason.EXECUTION_TIMEOUT;
            case 4 -> Reason.QUEUE_TIMEOUT;
            case 5 -> Reason.AGENT_UNREACHABLE;
            case 6 -> Reason.REJECTED_BY_AGENT;
            case 7 -> Reason.UNKNOWN_COMMAND;
            case 8 -> Reason.PAYLOAD_TOO_LARGE;
            case 9 -> Reason.CANCELLED_BEFORE_START;
            case 10 -> Reason.CANCELLED_WHILE_RUNNING;
            case 11 -> Reason.LOST;
            case 12 -> Reason.SHUTDOWN;
            default -> Reason.EXECUTOR_ERROR;
        };
    }

    static int numberOf(CancelCause cause) {
        return switch (cause) {
            case REQUESTED -> 1;
            case DEADLINE -> 2;
            case SHUTDOWN -> 3;
        };
    }

    static CancelCause cancelCauseOf(int number) {
        return switch (number) {
            case 2 -> CancelCause.DEADLINE;
            case 3 -> CancelCause.SHUTDOWN;
            default -> CancelCause.REQUESTED;
        };
    }
}
