package io.github.commandway.outbox;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.RecordId;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Tells people in a chat of the ends that {@link Notifications} writes: through a custom robot of DingTalk, or an incoming webhook of Slack or of what understands the same.
 *
 * <p>No more messages are sent in a minute than the chat takes. What comes while there is room gets a message each; of what comes while there is none, or more than there is room for, one
 * message tells, which counts it and lists the first. Until its message has arrived an entry stays in the outbox, so none is lost when this is closed. An answer that says
 * that the chat is busy, or that too much was sent, means that it is away ({@link PublisherUnavailableException}); any other answer but success is a failure of the entries. No error names
 * the address, since whoever knows it can send.
 *
 * <p>Defaults: 20 messages a minute for DingTalk and 60 for Slack, 10 s for connecting and answering, nothing before the text, no output. Safe for use by many threads.
 */
public final class ChatPublisher implements Publisher, AutoCloseable {
    private static final long MINUTE_NANOS = TimeUnit.MINUTES.toNanos(1);
    private static final int MAX_ERROR = 200;
    private static final int MAX_LINE = 300;
    private static final int MAX_OUTPUT = 4_000;
    private static final int MORE_EVENTS = 10;
    /** Busy, and the ways to say that too much was sent. */
    private static final Set<Integer> DINGTALK_UNAVAILABLE = Set.of(-1, 90_030, 130_101, 130_102);

    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final Kind kind;
    private final URI address;
    private final @Nullable SecretKeySpec secret;
    private final String prefix;
    private final int perMinute;
    private final int outputLines;
    private final @Nullable Events events;
    private final Clock clock;
    private final LongSupplier ticker;
    private final ScheduledExecutorService timer;
    private final HttpReceiver receiver;

    // guarded by this
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private final ArrayDeque<Long> sentAt = new ArrayDeque<>();
    private boolean sending;
    private boolean alarmSet;
    private boolean closed;

    private enum Kind {
        DINGTALK("DingTalk", ChatText.MARKDOWN),
        SLACK("Slack", ChatText.MRKDWN);

        final String label;
        final ChatText text;

        Kind(String label, ChatText text) {
            this.label = label;
            this.text = text;
        }
    }

    /** Reads events of a command, such as {@code CommandStore::events}. */
    @FunctionalInterface
    public interface Events {
        /** Events in order, those with a higher sequence number than {@code after}, {@code limit} at most. */
        CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit);
    }

    private record Waiting(OutboxEntry entry, CompletableFuture<Void> sent) {}

    private ChatPublisher(Builder builder) {
        kind = builder.kind;
        address = builder.address;
        secret = builder.secret;
        prefix = builder.prefix;
        perMinute = builder.perMinute;
        outputLines = builder.outputLines;
        events = builder.events;
        clock = builder.clock;
        ticker = builder.ticker;
        timer = builder.timer;
        receiver = new HttpReceiver(kind.label, builder.timeout);
    }

    /**
     * Starts one for a custom robot of DingTalk.
     *
     * @param address its webhook, with the access token
     * @param secret what its messages are signed with, such as {@code SEC...}, or null if it does not ask for that
     * @param timer waits until there is room for more; stays the caller's
     */
    public static Builder dingTalk(URI address, @Nullable String secret, ScheduledExecutorService timer) {
        SecretKeySpec key =
                secret == null ? null : new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256");
        return new Builder(Kind.DINGTALK, address, key, 20, timer);
    }

    /**
     * Starts one for an incoming webhook that takes {@code {"text": ...}}.
     *
     * @param timer waits until there is room for more; stays the caller's
     */
    public static Builder slack(URI address, ScheduledExecutorService timer) {
        return new Builder(Kind.SLACK, address, null, 60, timer);
    }

    @Override
    public CompletableFuture<Void> publish(OutboxEntry entry) {
        CompletableFuture<Void> sent = new CompletableFuture<>();
        synchronized (this) {
            if (!closed) {
                waiting.add(new Waiting(entry, sent));
            }
        }
        pump();
        synchronized (this) {
            return closed && !sent.isDone() ? CompletableFuture.failedFuture(stopped()) : sent;
        }
    }

    private static PublisherUnavailableException stopped() {
        return new PublisherUnavailableException("notification is being stopped");
    }

    /** Sends the next message if there is something to tell and room for it. */
    private void pump() {
        List<Waiting> batch;
        synchronized (this) {
            if (closed || sending || waiting.isEmpty()) {
                return;
            }
            long now = ticker.getAsLong();
            while (!sentAt.isEmpty() && now - sentAt.element() >= MINUTE_NANOS) {
                sentAt.remove();
            }
            int room = perMinute - sentAt.size();
            if (room == 0) {
                setAlarm(MINUTE_NANOS - (now - sentAt.element()));
                return;
            }
            batch = new ArrayList<>();
            int count = waiting.size() <= room ? 1 : waiting.size();
            while (batch.size() < count) {
                batch.add(waiting.remove());
            }
            sending = true;
            sentAt.add(now);
        }
        send(batch).whenComplete((nothing, error) -> {
            synchronized (this) {
                sending = false;
            }
            for (Waiting one : batch) {
                if (error == null) {
                    one.sent.complete(null);
                } else {
                    one.sent.completeExceptionally(CommandException.unwrap(error));
                }
            }
            pump();
        });
    }

    private void setAlarm(long nanos) {
        if (!alarmSet) {
            alarmSet = true;
            timer.schedule(
                    () -> {
                        synchronized (this) {
                            alarmSet = false;
                        }
                        pump();
                    },
                    nanos,
                    TimeUnit.NANOSECONDS);
        }
    }

    private CompletableFuture<Void> send(List<Waiting> batch) {
        try {
            List<JsonNode> ended = batch.stream()
                    .map(one -> MAPPER.readTree(one.entry.payload()))
                    .toList();
            return output(ended).thenCompose(lines -> post(ended, lines));
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** The last lines that a command wrote. That they are not there any more is no reason not to tell. */
    private CompletableFuture<List<String>> output(List<JsonNode> ended) {
        RecordId id = ended.size() == 1
                ? RecordId.parse(ended.get(0).path("id").asString("")).orElse(null)
                : null;
        if (events == null || id == null || outputLines == 0) {
            return CompletableFuture.completedFuture(List.of());
        }
        long last = ended.get(0).path("last_event").asLong(0);
        String encoding = ended.get(0).path("encoding").asString("UTF-8");
        int count = outputLines + MORE_EVENTS;
        return events.events(id, Math.max(0, last - count), count)
                .handle((found, error) -> error == null ? lastLines(found, encoding) : List.of());
    }

    private List<String> lastLines(List<CommandEvent> found, String encoding) {
        StringBuilder text = new StringBuilder();
        Charset charset = Charset.isSupported(encoding) ? Charset.forName(encoding) : StandardCharsets.UTF_8;
        for (CommandEvent event : found) {
            if (event.type() == CommandEvent.Type.OUTPUT && event.data() != null) {
                text.append(charset.decode(ByteBuffer.wrap(event.data())));
            }
        }
        List<String> lines = text.toString()
                .lines()
                .map(line -> line.replaceAll("\\p{Cntrl}+", " "))
                .map(line -> line.length() <= MAX_LINE ? line : line.substring(0, MAX_LINE - 1) + "…")
                .toList();
        int from = lines.size();
        int characters = 0;
        while (from > 0 && lines.size() - from < outputLines && characters < MAX_OUTPUT) {
            from--;
            characters += lines.get(from).length();
        }
        return lines.subList(from, lines.size());
    }

    private CompletableFuture<Void> post(List<JsonNode> ended, List<String> output) {
        String text = kind.text.message(ended, output);
        String before = prefix.isEmpty() ? "" : kind.text.escape(prefix) + " ";
        Map<String, Object> body = kind == Kind.SLACK
                ? Map.of("text", before + text)
                : Map.of(
                        "msgtype",
                        "markdown",
                        "markdown",
                        Map.of("title", (prefix + " " + ChatText.title(ended)).strip(), "text", before + text));
        HttpRequest.Builder request = HttpRequest.newBuilder(signedAddress())
                .header("content-type", "application/json; charset=utf-8")
                .POST(HttpRequest.BodyPublishers.ofByteArray(MAPPER.writeValueAsBytes(body)));
        return receiver.post(request, kind == Kind.DINGTALK ? this::checkCode : answer -> {});
    }

    private URI signedAddress() {
        if (secret == null) {
            return address;
        }
        String timestamp = Long.toString(clock.millis());
        byte[] signature;
        try {
            Mac mac = Mac.getInstance(secret.getAlgorithm());
            mac.init(secret);
            mac.update((timestamp + "\n").getBytes(StandardCharsets.UTF_8));
            signature = mac.doFinal(secret.getEncoded());
        } catch (NoSuchAlgorithmException | InvalidKeyException e) {
            throw new IllegalStateException("every Java runtime has " + secret.getAlgorithm(), e);
        }
        String sign = URLEncoder.encode(Base64.getEncoder().encodeToString(signature), StandardCharsets.UTF_8);
        return URI.create(
                address + (address.getQuery() == null ? "?" : "&") + "timestamp=" + timestamp + "&sign=" + sign);
    }

    /** DingTalk answers 200 in any case; a code says what came of it. */
    private void checkCode(HttpResponse<byte[]> answer) throws IOException {
        JsonNode json;
        try {
            json = MAPPER.readTree(answer.body());
        } catch (JacksonException notJson) {
            throw new IOException(kind.label + " answered something that is not JSON", notJson);
        }
        JsonNode code = json.path("errcode");
        if (code.isInt() && code.asInt() == 0) {
            return;
        }
        String said = json.path("errmsg").asString("").replaceAll("\\p{Cntrl}+", " ");
        String problem = kind.label + " answered errcode "
                + (code.isMissingNode() ? "none" : code.asString(code.toString())) + ": "
                + said.substring(0, Math.min(MAX_ERROR, said.length()));
        if (code.isInt() && DINGTALK_UNAVAILABLE.contains(code.asInt())) {
            throw new PublisherUnavailableException(problem);
        }
        throw new IOException(problem);
    }

    /** Begins no more messages. What has not been sent is left in the outbox. */
    @Override
    public void close() {
        List<Waiting> left;
        synchronized (this) {
            closed = true;
            left = List.copyOf(waiting);
            waiting.clear();
        }
        left.forEach(one -> one.sent.completeExceptionally(stopped()));
    }

    /** Builds a {@link ChatPublisher}. Not safe for use by many threads. */
    public static final class Builder {
        private final Kind kind;
        private final URI address;
        private final @Nullable SecretKeySpec secret;
        private final ScheduledExecutorService timer;
        private int perMinute;
        private String prefix = "";
        private int outputLines;
        private @Nullable Events events;
        private Duration timeout = Duration.ofSeconds(10);
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;

        private Builder(
                Kind kind, URI address, @Nullable SecretKeySpec secret, int perMinute, ScheduledExecutorService timer) {
            if (!HttpReceiver.isAddress(address)) {
                throw new IllegalArgumentException(
                        "the address of a " + kind.label + " webhook is like https://host/path");
            }
            this.kind = kind;
            this.address = address;
            this.secret = secret;
            this.perMinute = perMinute;
            this.timer = timer;
        }

        /** Sets how many messages may be sent in any minute, from 1 to 1,000. */
        public Builder perMinute(int perMinute) {
            if (perMinute < 1 || perMinute > 1_000) {
                throw new IllegalArgumentException(
                        "the messages in a minute must be from 1 to 1,000, but are " + perMinute);
            }
            this.perMinute = perMinute;
            return this;
        }

        /** Sets what stands before each message, such as a word that a robot insists on. */
        public Builder prefix(String prefix) {
            this.prefix = prefix;
            return this;
        }

        /**
         * Has the last lines of output told, too.
         *
         * @param lines from 0 to 50
         * @param events where output is read
         */
        public Builder output(int lines, Events events) {
            if (lines < 0 || lines > 50) {
                throw new IllegalArgumentException("the lines of output must be from 0 to 50, but are " + lines);
            }
            this.outputLines = lines;
            this.events = events;
            return this;
        }

        /** Sets how long one request may take in all: at least 1 ms. */
        public Builder timeout(Duration timeout) {
            this.timeout = HttpReceiver.requireTimeout(timeout);
            return this;
        }

        /** Sets the wall clock, for signatures, and the source of nanoseconds. */
        public Builder clock(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /** Makes the publisher. */
        public ChatPublisher build() {
            return new ChatPublisher(this);
        }
    }
}
