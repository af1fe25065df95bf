package io.github.commandway.quic;

import com.google.protobuf.CodedOutputStream;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Envelope;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The messages as they wait to be sent. */
final class Messages {
    private static final int MAX_MESSAGE_CHARS = 16 * 1024;

    private Messages() {}

    /** A message that is written by hand: an envelope with one field whose number is below 16. */
    private abstract static class Frequent extends Outgoing {
        private final int field;
        private int bodySize;

        Frequent(int field) {
            this.field = field;
        }

        abstract int bodySize();

        abstract void writeBody(CodedOutputStream out) throws IOException;

        @Override
        int size() {
            bodySize = bodySize();
            return bodySize == NOTHING ? NOTHING : 1 + CodedOutputStream.computeUInt32SizeNoTag(bodySize) + bodySize;
        }

        @Override
        final void writeTo(CodedOutputStream out) throws IOException {
            out.writeTag(field, 2);
            out.writeUInt32NoTag(bodySize);
            writeBody(out);
        }
    }

    /** Any message, by its generated class. */
    static final class Rare extends Outgoing {
        private final Envelope envelope;

        Rare(Envelope.Builder envelope) {
            this.envelope = envelope.build();
        }

        @Override
        int size() {
            return envelope.getSerializedSize();
        }

        @Override
        void writeTo(CodedOutputStream out) throws IOException {
            envelope.writeTo(out);
        }
    }

    /** A command for an agent. What is too long to be in it follows in a {@link Chunks}. */
    static final class Command extends Frequent {
        private final RemoteCommand command;
        private final long deadlineMillis;
        private final boolean inChunks;

        Command(RemoteCommand command, long deadlineMillis) {
            super(Wire.COMMAND);
            this.command = command;
            this.deadlineMillis = deadlineMillis;
            inChunks = command.bytes() > Wire.CHUNK_BYTES;
        }

        @Override
        int bodySize() {
            CommandRequest request = command.request();
            String principal = request.principal();
            String traceParent = request.traceParent();
            byte[] payload = request.payload();
            return Wire.fieldSizeOf(command.id())
                    + CodedOutputStream.computeUInt64Size(2, command.tag())
                    + CodedOutputStream.computeUInt32Size(3, request.target().commandId())
                    + CodedOutputStream.computeStringSize(4, request.type())
                    + (inChunks
                            ? CodedOutputStream.computeUInt64Size(10, payload.length)
                            : CodedOutputStream.computeByteArraySize(5, payload))
                    + CodedOutputStream.computeInt64Size(6, deadlineMillis)
                    + CodedOutputStream.computeUInt32Size(7, command.attempt())
                    + (principal == null ? 0 : CodedOutputStream.computeStringSize(8, principal))
                    + (traceParent == null ? 0 : CodedOutputStream.computeStringSize(9, traceParent));
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            CommandRequest request = command.request();
            String principal = request.principal();
            String traceParent = request.traceParent();
            Wire.writeField(out, 1, command.id());
            out.writeUInt64(2, command.tag());
            out.writeUInt32(3, request.target().commandId());
            out.writeString(4, request.type());
            if (!inChunks) {
                out.writeByteArray(5, request.payload());
            }
            out.writeInt64(6, deadlineMillis);
            out.writeUInt32(7, command.attempt());
            if (principal != null) {
                out.writeString(8, principal);
            }
            if (traceParent != null) {
                out.writeString(9, traceParent);
            }
            if (inChunks) {
                out.writeUInt64(10, request.payload().length);
            }
        }

        @Override
        RecordId order() {
            return command.id();
        }

        @Override
        boolean opensLane() {
            return inChunks;
        }
    }

    /** The bytes that a head has announced. */
    static final class Chunks extends Outgoing {
        private final RecordId id;
        private final byte[] data;
        private int offset;

        Chunks(RecordId id, byte[] data) {
            this.id = id;
            this.data = data;
        }

        private int chunk() {
            return Math.min(Wire.CHUNK_BYTES, data.length - offset);
        }

        private int bodySize() {
            int chunk = chunk();
            return Wire.fieldSizeOf(id) + 1 + CodedOutputStream.computeUInt32SizeNoTag(chunk) + chunk;
        }

        @Override
        int size() {
            int body = bodySize();
            return 1 + CodedOutputStream.computeUInt32SizeNoTag(body) + body;
        }

        @Override
        void writeTo(CodedOutputStream out) throws IOException {
            out.writeTag(Wire.CHUNK, 2);
            out.writeUInt32NoTag(bodySize());
            Wire.writeField(out, 1, id);
            int chunk = chunk();
            out.writeTag(2, 2);
            out.writeUInt32NoTag(chunk);
            out.write(data, offset, chunk);
            offset += chunk;
        }

        @Override
        boolean hasMore() {
            return offset < data.length;
        }

        @Override
        RecordId order() {
            return id;
        }

        @Override
        boolean endsLane() {
            return true;
        }
    }

    /** The report that an executor has begun, unless its outcome is reported meanwhile. */
    static final class Accepted extends Frequent {
        private final Assignment assignment;

        Accepted(Assignment assignment) {
            super(Wire.ACCEPTED);
            this.assignment = assignment;
        }

        @Override
        int bodySize() {
            return assignment.isFinished() ? NOTHING : CodedOutputStream.computeUInt64Size(1, assignment.tag());
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            out.writeUInt64(1, assignment.tag());
        }
    }

    /** The newest progress of an execution at the moment of sending. */
    static final class Progress extends Frequent {
        private final Assignment assignment;
        private double fraction;
        private String message = "";

        Progress(Assignment assignment) {
            super(Wire.PROGRESS);
            this.assignment = assignment;
        }

        @Override
        int bodySize() {
            Assignment.ProgressReport newest = assignment.takeProgress();
            if (newest == null) {
                return NOTHING;
            }
            fraction = newest.fraction();
            message = limited(newest.message());
            return CodedOutputStream.computeUInt64Size(1, assignment.tag())
                    + CodedOutputStream.computeDoubleSize(2, fraction)
                    + CodedOutputStream.computeStringSize(3, message);
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            out.writeUInt64(1, assignment.tag());
            out.writeDouble(2, fraction);
            out.writeString(3, message);
        }

        @Override
        RecordId order() {
            return assignment.id();
        }
    }

    /** A piece of output of at most {@link Wire#CHUNK_BYTES}. */
    static final class Output extends Frequent {
        private final Assignment assignment;
        private final String channel;
        private final byte[] data;
        private final int from;
        private final int length;
        private final long sequence;
        private final boolean byId;

        /** @param byId whether the server does not know the tag */
        Output(Assignment assignment, String channel, byte[] data, int from, int length, long sequence, boolean byId) {
            super(Wire.OUTPUT);
            this.assignment = assignment;
            this.channel = channel;
            this.data = data;
            this.from = from;
            this.length = length;
            this.sequence = sequence;
            this.byId = byId;
        }

        @Override
        int bodySize() {
            return (byId ? Wire.fieldSizeOf(assignment.id()) : CodedOutputStream.computeUInt64Size(1, assignment.tag()))
                    + CodedOutputStream.computeStringSize(2, channel)
                    + 1
                    + CodedOutputStream.computeUInt32SizeNoTag(length)
                    + length
                    + CodedOutputStream.computeUInt64Size(4, sequence);
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            if (byId) {
                Wire.writeField(out, 5, assignment.id());
            } else {
                out.writeUInt64(1, assignment.tag());
            }
            out.writeString(2, channel);
            out.writeTag(3, 2);
            out.writeUInt32NoTag(length);
            out.write(data, from, length);
            out.writeUInt64(4, sequence);
        }

        @Override
        RecordId order() {
            return assignment.id();
        }

        @Override
        boolean opensLane() {
            return true;
        }

        @Override
        void done(boolean sent) {
            assignment.outputSent(length);
        }
    }

    /** How an execution ended. What is too long to be in it follows in a {@link Chunks}. */
    static final class Result extends Frequent {
        private final Outcome outcome;
        private final long tag;
        private final String message;
        private final boolean inChunks;

        Result(Outcome outcome, long tag) {
            super(Wire.RESULT);
            this.outcome = outcome;
            this.tag = tag;
            message = limited(outcome.message());
            inChunks = outcome.result().length > Wire.CHUNK_BYTES;
        }

        private long nanos() {
            return Math.max(0, outcome.executionTime().toNanos());
        }

        @Override
        int bodySize() {
            byte[] result = outcome.result();
            return Wire.fieldSizeOf(outcome.id())
                    + (tag == 0 ? 0 : CodedOutputStream.computeUInt64Size(2, tag))
                    + CodedOutputStream.computeEnumSize(3, Wire.numberOf(outcome.reason()))
                    + (message.isEmpty() ? 0 : CodedOutputStream.computeStringSize(4, message))
                    + (inChunks
                            ? CodedOutputStream.computeUInt64Size(7, result.length)
                            : CodedOutputStream.computeByteArraySize(5, result))
                    + CodedOutputStream.computeUInt64Size(6, nanos());
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            Wire.writeField(out, 1, outcome.id());
            if (tag != 0) {
                out.writeUInt64(2, tag);
            }
            out.writeEnum(3, Wire.numberOf(outcome.reason()));
            if (!message.isEmpty()) {
                out.writeString(4, message);
            }
            if (!inChunks) {
                out.writeByteArray(5, outcome.result());
            }
            out.writeUInt64(6, nanos());
            if (inChunks) {
                out.writeUInt64(7, outcome.result().length);
            }
        }

        @Override
        RecordId order() {
            return outcome.id();
        }

        @Override
        boolean opensLane() {
            return inChunks;
        }

        @Override
        boolean endsLane() {
            return !inChunks;
        }

        @Override
        int bulkBytes() {
            return inChunks ? outcome.result().length : 0;
        }
    }

    /** Outcomes that the agent may forget. */
    static final class ResultAck extends Frequent {
        private final List<RecordId> ids;

        ResultAck(List<RecordId> ids) {
            super(Wire.RESULT_ACK);
            this.ids = ids;
        }

        @Override
        int bodySize() {
            int size = 0;
            for (int i = 0; i < ids.size(); i++) {
                size += Wire.fieldSizeOf(ids.get(i));
            }
            return size;
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            for (int i = 0; i < ids.size(); i++) {
                Wire.writeField(out, 1, ids.get(i));
            }
        }
    }

    /** A command that is not wanted any more. */
    static final class Cancel extends Frequent {
        private final RecordId id;
        private final CancelCause cause;

        Cancel(RecordId id, CancelCause cause) {
            super(Wire.CANCEL);
            this.id = id;
            this.cause = cause;
        }

        @Override
        int bodySize() {
            return Wire.fieldSizeOf(id) + CodedOutputStream.computeEnumSize(2, Wire.numberOf(cause));
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            Wire.writeField(out, 1, id);
            out.writeEnum(2, Wire.numberOf(cause));
        }

        @Override
        RecordId order() {
            return id;
        }
    }

    /** A sign of life that asks for one. */
    static final class Ping extends Frequent {
        private final long nonce;

        Ping(long nonce) {
            super(Wire.PING);
            this.nonce = nonce;
        }

        @Override
        int bodySize() {
            return CodedOutputStream.computeFixed64Size(1, nonce);
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            out.writeFixed64(1, nonce);
        }
    }

    /** The answer to a ping. */
    static final class Pong extends Frequent {
        private final long nonce;
        private final long timeMillis;

        Pong(long nonce, long timeMillis) {
            super(Wire.PONG);
            this.nonce = nonce;
            this.timeMillis = timeMillis;
        }

        @Override
        int bodySize() {
            return CodedOutputStream.computeFixed64Size(1, nonce) + CodedOutputStream.computeInt64Size(2, timeMillis);
        }

        @Override
        void writeBody(CodedOutputStream out) throws IOException {
            out.writeFixed64(1, nonce);
            out.writeInt64(2, timeMillis);
        }
    }

    private static String limited(@Nullable String text) {
        if (text == null) {
            return "";
        }
        return text.length() <= MAX_MESSAGE_CHARS ? text : text.substring(0, MAX_MESSAGE_CHARS);
    }
}
