package io.github.commandway.quic.identity;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The join tokens (as hashes) and the keys of the agents, in one text file that several processes may share.
 *
 * <p>A change is a line at the end of the file, and is on disk when {@link #change} returns. Every change first reads what
 * other processes have added, under a file lock. When most of the file is history it is replaced by a shorter one, which has
 * another number in its first line, so that the others read it anew. A last line without an end is a change that was
 * never confirmed, and is cut off.
 */
final class JoinJournal {

    private static final String FILE = "joins.journal";
    private static final String FORMAT = "commandway-joins-1";
    private static final int HEADER_BYTES = FORMAT.length() + 1 + 16 + 1;
    private static final int HISTORY_LINES = 1000;

    private final Path directory;
    private final Path file;
    private final Clock clock;
    private final SecureRandom random;

    // All of these are touched only under PrivateFiles.withLock for the directory.
    private final Map<String, Token> tokens = new LinkedHashMap<>();
    private final Map<String, Holder> holders = new LinkedHashMap<>();
    private final StringBuilder pending = new StringBuilder();
    private String header = "";
    private long position;
    private int lines;

    /** A token as it is kept; the count and the mark are those of the moment. */
    record Token(
            String id,
            String secretHash,
            Optional<String> agentId,
            Instant createdAt,
            Instant expiresAt,
            int maxUses,
            boolean allowReissue,
            int uses,
            boolean revoked) {

        boolean isExpired(Instant now) {
            return !now.isBefore(expiresAt);
        }

        boolean isSpent() {
            return revoked || uses >= maxUses;
        }

        private Token withUses(int newUses) {
            return new Token(id, secretHash, agentId, createdAt, expiresAt, maxUses, allowReissue, newUses, revoked);
        }

        private Token withRevoked() {
            return new Token(id, secretHash, agentId, createdAt, expiresAt, maxUses, allowReissue, uses, true);
        }

        private String line() {
            return String.join(
                    " ",
                    "token",
                    id,
                    secretHash,
                    agentId.orElse("-"), // no agent id starts so
                    Long.toString(createdAt.toEpochMilli()),
                    Long.toString(expiresAt.toEpochMilli()),
                    Integer.toString(maxUses),
                    Boolean.toString(allowReissue),
                    Integer.toString(uses),
                    Boolean.toString(revoked));
        }

        private static Token parse(String[] fields) {
            return new Token(
                    fields[1],
                    fields[2],
                    fields[3].equals("-") ? Optional.empty() : Optional.of(AgentIds.requireValid(fields[3])),
                    Instant.ofEpochMilli(Long.parseLong(fields[4])),
                    Instant.ofEpochMilli(Long.parseLong(fields[5])),
                    Integer.parseInt(fields[6]),
                    Boolean.parseBoolean(fields[7]),
                    Integer.parseInt(fields[8]),
                    Boolean.parseBoolean(fields[9]));
        }
    }

    /** The key that an agent id belongs to, by {@link Keys#fingerprint}, and since when. */
    record Holder(String key, Instant since) {}

    /** What is decided on the current state; it reads, and calls the methods that record. */
    interface Change<T, X extends Exception> {
        T apply() throws IOException, X;
    }

    JoinJournal(Path directory, Clock clock, SecureRandom random) {
        this.directory = directory;
        this.file = directory.resolve(FILE);
        this.clock = clock;
        this.random = random;
    }

    /** Runs {@code change} alone on the current state. If it throws, nothing is recorded. */
    <T, X extends Exception> T change(Change<T, X> change) throws IOException, X {
        // The disk is waited for outside the lock, so that concurrent joins share the wait.
        try (Recorded<T> recorded = PrivateFiles.<Recorded<T>, X>withLock(directory, () -> record(change))) {
            recorded.force();
            return recorded.result();
        }
    }

    private record Recorded<T>(T result, Optional<FileChannel> written) implements AutoCloseable {

        void force() throws IOException {
            if (written.isPresent()) {
                written.get().force(true);
            }
        }

        @Override
        public void close() throws IOException {
            if (written.isPresent()) {
                written.get().close();
            }
        }
    }

    private <T, X extends Exception> Recorded<T> record(Change<T, X> change) throws IOException, X {
        if (!Files.exists(file)) {
            compact();
        }
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        boolean written = false;
        try {
            refresh(channel);
            pending.setLength(0);
            T result = change.apply();
            if (pending.length() > 0) {
                byte[] content = pending.toString().getBytes(StandardCharsets.US_ASCII);
                channel.position(position);
                PrivateFiles.writeFully(channel, content);
                apply(content, content.length);
                if (lines > HISTORY_LINES + 2 * (tokens.size() + holders.size())) {
                    compact();
                } else {
                    written = true;
                    return new Recorded<>(result, Optional.of(channel));
                }
            }
            return new Recorded<>(result, Optional.empty());
        } finally {
            if (!written) {
                channel.close();
            }
        }
    }

    Map<String, Token> tokens() {
        return tokens;
    }

    Map<String, Holder> holders() {
        return holders;
    }

    void recordToken(Token token) {
        pending.append(token.line()).append('\n');
    }

    /** One more use of the token, by which the agent id now belongs to the key. */
    void recordUse(String tokenId, String agentId, String key) {
        pending.append("use ").append(tokenId).append('\n');
        pending.append(line(agentId, new Holder(key, clock.instant()))).append('\n');
    }

    void recordRevoked(String tokenId) {
        pending.append("revoke ").append(tokenId).append('\n');
    }

    void recordDropped(String tokenId) {
        pending.append("drop ").append(tokenId).append('\n');
    }

    void recordReleased(String agentId) {
        pending.append("release ").append(agentId).append('\n');
    }

    private static String line(String agentId, Holder holder) {
        return "agent " + agentId + " " + holder.key() + " " + holder.since().toEpochMilli();
    }

    /** Reads what is new in the file: usually nothing, or the lines of another process. */
    private void refresh(FileChannel channel) throws IOException {
        byte[] headerBytes = new byte[HEADER_BYTES];
        readFully(channel, headerBytes, 0);
        String currentHeader = new String(headerBytes, StandardCharsets.US_ASCII);
        if (!currentHeader.startsWith(FORMAT + " ") || !currentHeader.endsWith("\n")) {
            throw new IdentityException(
                    file + " is damaged or not ours: it does not start with '" + FORMAT + "'" + whatToDo());
        }
        if (!currentHeader.equals(header) || channel.size() < position) {
            tokens.clear();
            holders.clear();
            header = currentHeader;
            position = HEADER_BYTES;
            lines = 1;
        }
        long unread = channel.size() - position;
        if (unread > 0) {
            byte[] content = new byte[Math.toIntExact(unread)];
            readFully(channel, content, position);
            int complete = content.length;
            while (complete > 0 && content[complete - 1] != '\n') {
                complete--;
            }
            boolean read = false;
            try {
                apply(content, complete);
                read = true;
            } finally {
                if (!read) {
                    header = ""; // half read: start over next time
                }
            }
            if (complete < content.length) {
                channel.truncate(position);
            }
        }
    }

    private void readFully(FileChannel channel, byte[] content, long from) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(content);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, from + buffer.position()) < 0) {
                throw new IdentityException(file + " is damaged: it ends too early" + whatToDo());
            }
        }
    }

    private void apply(byte[] content, int length) throws IdentityException {
        String text = new String(content, 0, length, StandardCharsets.US_ASCII);
        for (String line : text.lines().toList()) {
            lines++;
            try {
                apply(line.split(" ", -1));
            } catch (IllegalArgumentException | IndexOutOfBoundsException | DateTimeException e) {
                throw new IdentityException(file + " is damaged in line " + lines + whatToDo(), e);
            }
        }
        position += length;
    }

    private void apply(String[] fields) {
        switch (fields[0]) {
            case "token" -> tokens.put(fields[1], Token.parse(fields));
            // A token that expired may be gone already when another process records its last use.
            case "use" -> tokens.computeIfPresent(fields[1], (id, token) -> token.withUses(token.uses() + 1));
            case "agent" ->
                holders.put(
                        AgentIds.requireValid(fields[1]),
                        new Holder(fields[2], Instant.ofEpochMilli(Long.parseLong(fields[3]))));
            case "revoke" -> tokens.computeIfPresent(fields[1], (id, token) -> token.withRevoked());
            case "drop" -> tokens.remove(fields[1]);
            case "release" -> holders.remove(fields[1]);
            default -> throw new IllegalArgumentException("unknown kind of line");
        }
    }

    private static String whatToDo() {
        return ". Restore it from a backup, or move it away: then no join token is valid any more, and every agent id"
                + " belongs to whoever joins with it next";
    }

    /** Replaces the file by one that holds only what counts now. */
    private void compact() throws IOException {
        Instant now = clock.instant();
        tokens.values().removeIf(token -> token.isExpired(now));
        byte[] number = new byte[8];
        random.nextBytes(number);
        header = FORMAT + " " + HexFormat.of().formatHex(number) + "\n";
        StringBuilder content = new StringBuilder(header);
        tokens.values().forEach(token -> content.append(token.line()).append('\n'));
        holders.forEach(
                (agentId, holder) -> content.append(line(agentId, holder)).append('\n'));
        byte[] bytes = content.toString().getBytes(StandardCharsets.US_ASCII);
        PrivateFiles.replace(file, bytes);
        position = bytes.length;
        lines = 1 + tokens.size() + holders.size();
    }
}
