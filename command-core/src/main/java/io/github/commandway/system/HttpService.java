package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.ResultReceiver;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Requests to HTTP servers. Cancelling one aborts it. How many are under way is limited, and so is the size of a response.
 */
public final class HttpService implements SystemService {
    /** The id of {@link Request}. */
    public static final int REQUEST = 60;
    /** The id of {@link RequestBatch}. */
    public static final int REQUEST_BATCH = 61;

    /** How long a request may take where it does not say. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);
    /** How large a response may be where the request does not say, in bytes. */
    public static final int DEFAULT_LARGEST_BODY = 120 * 1024 * 1024;
    /** How many requests a batch has at most. */
    public static final int LARGEST_BATCH = 100;
    /** The name of the client that is used where a request does not name one. */
    public static final String DEFAULT_CLIENT = "default";

    private static final int BATCH_CONCURRENCY = 10;
    private static final String LINE = "\r\n";

    private final Map<String, HttpClient> clients;
    private final StreamService streams;
    private final ScheduledExecutorService timer;
    private final Random random;
    private final int limit;
    private final Set<Exchange> underWay = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /**
     * @param clients by name, each with its TLS, redirect, proxy and connection settings; stay the caller's
     * @param streams keeps the bodies that are streamed; stays the caller's
     * @param timer ends what takes too long; stays the caller's
     * @param random makes the boundaries of multipart bodies
     * @param limit how many requests are under way at most
     */
    public HttpService(
            Map<String, HttpClient> clients,
            StreamService streams,
            ScheduledExecutorService timer,
            Random random,
            int limit) {
        this.clients = Map.copyOf(clients);
        this.streams = streams;
        this.timer = timer;
        this.random = random;
        this.limit = limit;
    }

    @Override
    public String name() {
        return "http";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(
                REQUEST, (context, command, tag, receiver) -> request(context, (Request) command, tag, receiver));
        registrar.register(REQUEST_BATCH, (context, command, tag, receiver) -> {
            Batch batch = new Batch(((RequestBatch) command).requests, new Completion(tag, receiver));
            context.onCancel(cause -> batch.end(Completion.cancelled(cause)));
            batch.start();
        });
    }

    /** How many requests are under way. */
    public int active() {
        return underWay.size();
    }

    @Override
    public void close() {
        closed = true;
        underWay.forEach(exchange -> exchange.end(null, Completion.stopped(name())));
    }

    private void request(CommandContext context, Request request, long tag, ResultReceiver receiver) {
        Completion completion = new Completion(tag, receiver);
        Exchange exchange = new Exchange(request, (answer, error) -> {
            if (answer == null) {
                completion.fail(error == null ? new IllegalStateException("no answer") : error);
            } else if (answer.body() instanceof ResponseStream stream) {
                streams.open(context, completion, stream, id -> response(answer, null, id));
            } else {
                completion.complete(response(answer, (byte[]) answer.body(), null));
            }
        });
        context.onCancel(cause -> exchange.end(null, Completion.cancelled(cause)));
        exchange.start();
    }

    private static Response response(HttpResponse<?> answer, byte @Nullable [] body, @Nullable Long stream) {
        Map<String, String> cookies = new LinkedHashMap<>();
        for (String header : answer.headers().allValues("set-cookie")) {
            String pair = header.split(";", 2)[0];
            int equals = pair.indexOf('=');
            if (equals > 0) {
                cookies.put(
                        pair.substring(0, equals).strip(),
                        pair.substring(equals + 1).strip());
            }
        }
        return new Response(answer.statusCode(), answer.headers().map(), cookies, answer.uri(), body, stream);
    }

    private HttpRequest build(Request request) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(withQuery(request));
        request.headers.forEach((name, values) -> values.forEach(value -> builder.header(name, value)));
        if (!request.cookies.isEmpty()) {
            builder.header(
                    "Cookie",
                    request.cookies.entrySet().stream()
                            .map(cookie -> cookie.getKey() + "=" + cookie.getValue())
                            .collect(Collectors.joining("; ")));
        }
        if (request.basicAuth != null) {
            String pair = request.basicAuth.user + ":" + request.basicAuth.password;
            builder.header(
                    "Authorization",
                    "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8)));
        }
        return builder.method(request.method, body(request, builder)).build();
    }

    private HttpRequest.BodyPublisher body(Request request, HttpRequest.Builder builder) {
        if (!request.files.isEmpty()) {
            String boundary = "commandway-" + Long.toHexString(random.nextLong()) + Long.toHexString(random.nextLong());
            builder.header("Content-Type", "multipart/form-data; boundary=" + boundary);
            return BodyPublishers.ofByteArray(multipart(request, boundary));
        }
        if (!request.form.isEmpty()) {
            builder.header("Content-Type", "application/x-www-form-urlencoded");
            return BodyPublishers.ofString(encoded(request.form));
        }
        return request.body.length == 0 ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(request.body);
    }

    private static byte[] multipart(Request request, String boundary) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        request.form.forEach((name, value) -> {
            part(bytes, boundary, "name=\"" + quoted(name) + "\"", null);
            bytes.writeBytes(value.getBytes(StandardCharsets.UTF_8));
            bytes.writeBytes(LINE.getBytes(StandardCharsets.US_ASCII));
        });
        for (FilePart file : request.files) {
            part(
                    bytes,
                    boundary,
                    "name=\"" + quoted(file.name) + "\"; filename=\"" + quoted(file.fileName) + "\"",
                    file.contentType);
            bytes.writeBytes(file.content);
            bytes.writeBytes(LINE.getBytes(StandardCharsets.US_ASCII));
        }
        bytes.writeBytes(("--" + boundary + "--" + LINE).getBytes(StandardCharsets.US_ASCII));
        return bytes.toByteArray();
    }

    private static void part(
            ByteArrayOutputStream bytes, String boundary, String disposition, @Nullable String contentType) {
        String head = "--" + boundary + LINE + "Content-Disposition: form-data; " + disposition + LINE
                + (contentType == null ? "" : "Content-Type: " + quoted(contentType) + LINE)
                + LINE;
        bytes.writeBytes(head.getBytes(StandardCharsets.UTF_8));
    }

    /** So that a name ends neither its quotes nor its line. */
    private static String quoted(String text) {
        return text.replace("\r", "%0D").replace("\n", "%0A").replace("\"", "%22");
    }

    private static URI withQuery(Request request) {
        if (request.query.isEmpty()) {
            return request.url;
        }
        String text = request.url.toString();
        int hash = text.indexOf('#');
        String base = hash < 0 ? text : text.substring(0, hash);
        return URI.create(base + (request.url.getRawQuery() == null ? "?" : "&") + encoded(request.query));
    }

    private static String encoded(Map<String, String> fields) {
        return fields.entrySet().stream()
                .map(field -> URLEncoder.encode(field.getKey(), StandardCharsets.UTF_8) + "="
                        + URLEncoder.encode(field.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
    }

    /** Sends a request. Completes with a {@link Response}, whatever its status, or fails if there was none. */
    public static final class Request implements Command {
        private final String method;
        private final URI url;
        private final Map<String, List<String>> headers;
        private final Map<String, String> query;
        private final Map<String, String> cookies;
        private final Map<String, String> form;
        private final List<FilePart> files;
        private final byte[] body;
        private final @Nullable BasicAuth basicAuth;
        private final Duration timeout;
        private final int largestBody;
        private final boolean stream;
        private final String client;

        private Request(Builder builder) {
            method = builder.method;
            url = builder.url;
            headers = new LinkedHashMap<>(builder.headers);
            query = new LinkedHashMap<>(builder.query);
            cookies = new LinkedHashMap<>(builder.cookies);
            form = new LinkedHashMap<>(builder.form);
            files = List.copyOf(builder.files);
            body = builder.body;
            basicAuth = builder.basicAuth;
            timeout = builder.timeout;
            largestBody = builder.largestBody;
            stream = builder.stream;
            client = builder.client;
        }

        /** Starts to build a request with this method, such as {@code GET}. */
        public static Builder builder(String method, URI url) {
            return new Builder(method, url);
        }

        @Override
        public int commandId() {
            return REQUEST;
        }

        @Override
        public String toString() {
            return method + " " + url;
        }
    }

    /**
     * Builds a {@link Request}. Defaults: nothing but method and address, {@link #DEFAULT_TIMEOUT}, {@link #DEFAULT_LARGEST_BODY}, the body in the response, {@link #DEFAULT_CLIENT}.
     * Not safe for use by many threads.
     */
    public static final class Builder {
        private final String method;
        private final URI url;
        private final Map<String, List<String>> headers = new LinkedHashMap<>();
        private final Map<String, String> query = new LinkedHashMap<>();
        private final Map<String, String> cookies = new LinkedHashMap<>();
        private final Map<String, String> form = new LinkedHashMap<>();
        private final List<FilePart> files = new ArrayList<>();
        private byte[] body = new byte[0];
        private @Nullable BasicAuth basicAuth;
        private Duration timeout = DEFAULT_TIMEOUT;
        private int largestBody = DEFAULT_LARGEST_BODY;
        private boolean stream;
        private String client = DEFAULT_CLIENT;

        private Builder(String method, URI url) {
            this.method = method;
            this.url = url;
        }

        /** Adds a header, beside others of that name. */
        public Builder header(String name, String value) {
            headers.computeIfAbsent(name, any -> new ArrayList<>()).add(value);
            return this;
        }

        /** Adds a parameter to the address. */
        public Builder query(String name, String value) {
            query.put(name, value);
            return this;
        }

        /** Adds a cookie. */
        public Builder cookie(String name, String value) {
            cookies.put(name, value);
            return this;
        }

        /** Adds a field of a form, which then is the body. */
        public Builder form(String name, String value) {
            form.put(name, value);
            return this;
        }

        /** Adds a file to the form. */
        public Builder file(FilePart file) {
            files.add(file);
            return this;
        }

        /** Sets the body, which is the request's from now on. */
        public Builder body(byte[] bytes) {
            body = bytes;
            return this;
        }

        /** Says who asks. */
        public Builder basicAuth(String user, String password) {
            basicAuth = new BasicAuth(user, password);
            return this;
        }

        /** Sets how long it may take until the response is complete, or, if it is streamed, until it begins. More than zero. */
        public Builder timeout(Duration limit) {
            timeout = limit;
            return this;
        }

        /** Sets how large the response may be, in bytes; 0 or more. */
        public Builder largestBody(int bytes) {
            largestBody = bytes;
            return this;
        }

        /** Gives the response's body as a stream, whose number is in the response. */
        public Builder streamed() {
            stream = true;
            return this;
        }

        /** Names the client to use. */
        public Builder client(String name) {
            client = name;
            return this;
        }

        /**
         * The request.
         *
         * @throws IllegalArgumentException if fields contradict each other or are out of range
         */
        public Request build() {
            if (timeout.isNegative() || timeout.isZero()) {
                throw new IllegalArgumentException("a timeout is more than zero, not " + timeout);
            }
            if (largestBody < 0) {
                throw new IllegalArgumentException("the largest body is no negative number: " + largestBody);
            }
            if (body.length > 0 && (!form.isEmpty() || !files.isEmpty())) {
                throw new IllegalArgumentException("a request has either a body or a form");
            }
            return new Request(this);
        }
    }

    /** A file of a form. */
    @SuppressWarnings("ArrayRecordComponent")
    public record FilePart(String name, String fileName, String contentType, byte[] content) {}

    private record BasicAuth(String user, String password) {}

    /**
     * Sends several requests side by side, some at a time. Completes with a list of {@link BatchResult}, in the order of the requests.
     *
     * @param requests up to {@link #LARGEST_BATCH}, none of them streamed
     */
    public record RequestBatch(List<Request> requests) implements Command {
        /** Copies and checks the list. */
        public RequestBatch {
            requests = List.copyOf(requests);
            if (requests.size() > LARGEST_BATCH) {
                throw new IllegalArgumentException(
                        "a batch has at most " + LARGEST_BATCH + " requests, not " + requests.size());
            }
            if (requests.stream().anyMatch(request -> request.stream)) {
                throw new IllegalArgumentException("what is in a batch cannot be streamed");
            }
        }

        @Override
        public int commandId() {
            return REQUEST_BATCH;
        }
    }

    /**
     * What a server answered.
     *
     * @param headers all values by name
     * @param cookies those that it set
     * @param url where the response came from, after redirects
     * @param body the body, or null if it is streamed
     * @param stream the number of the stream that the body is read from, or null
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Response(
            int status,
            Map<String, List<String>> headers,
            Map<String, String> cookies,
            URI url,
            byte @Nullable [] body,
            @Nullable Long stream) {}

    /** The outcome of one request of a batch: one of the two. */
    public record BatchResult(
            @Nullable Response response, @Nullable Throwable error) {}

    /** One request under way, which ends once. */
    private final class Exchange {
        private final Request request;
        private final BiConsumer<@Nullable HttpResponse<?>, @Nullable Throwable> done;
        private final AtomicBoolean ended = new AtomicBoolean();
        private volatile @Nullable CompletableFuture<? extends HttpResponse<?>> answer;
        private volatile @Nullable ScheduledFuture<?> timeout;

        Exchange(Request request, BiConsumer<@Nullable HttpResponse<?>, @Nullable Throwable> done) {
            this.request = request;
            this.done = done;
        }

        @SuppressWarnings("IllegalCatch")
        void start() {
            try {
                send();
            } catch (RuntimeException e) {
                end(null, e);
            }
        }

        private void send() {
            HttpClient client = clients.get(request.client);
            if (client == null) {
                throw new NoSuchElementException(
                        "there is no HTTP client '" + request.client + "'; there are " + clients.keySet());
            }
            HttpRequest wanted = build(request);
            if (underWay.size() >= limit) {
                throw new RejectedExecutionException("as many requests are under way as may be (" + limit + ")");
            }
            underWay.add(this);
            if (closed) {
                end(null, Completion.stopped(name()));
            }
            if (ended.get()) {
                underWay.remove(this);
                return;
            }
            CompletableFuture<? extends HttpResponse<?>> sent = request.stream
                    ? client.sendAsync(wanted, info -> new ResponseStream(request.largestBody))
                    : client.sendAsync(wanted, info -> new WholeBody(request.largestBody));
            answer = sent;
            timeout = timer.schedule(
                    () -> end(null, new HttpTimeoutException("no answer within " + request.timeout)),
                    request.timeout.toNanos(),
                    TimeUnit.NANOSECONDS);
            sent.whenComplete(
                    (response, error) -> end(response, error == null ? null : CommandException.unwrap(error)));
            if (ended.get()) {
                release();
            }
        }

        void end(@Nullable HttpResponse<?> response, @Nullable Throwable error) {
            if (ended.compareAndSet(false, true)) {
                release();
                done.accept(response, error);
            } else if (response != null && response.body() instanceof ResponseStream stream) {
                stream.close();
            }
        }

        private void release() {
            underWay.remove(this);
            CompletableFuture<?> sent = answer;
            if (sent != null && !sent.isDone()) {
                sent.cancel(true);
            }
            ScheduledFuture<?> pending = timeout;
            if (pending != null) {
                pending.cancel(false);
            }
        }
    }

    private final class Batch {
        private final List<Request> requests;
        private final Completion completion;
        private final AtomicReferenceArray<@Nullable BatchResult> results;
        private final Set<Exchange> exchanges = ConcurrentHashMap.newKeySet();
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger open;

        Batch(List<Request> requests, Completion completion) {
            this.requests = requests;
            this.completion = completion;
            results = new AtomicReferenceArray<>(requests.size());
            open = new AtomicInteger(requests.size());
        }

        void start() {
            if (requests.isEmpty()) {
                completion.complete(List.of());
            }
            for (int i = 0; i < BATCH_CONCURRENCY; i++) {
                sendNext();
            }
        }

        private void sendNext() {
            int index = next.getAndIncrement();
            if (index >= requests.size() || completion.isDone()) {
                return;
            }
            Exchange exchange = new Exchange(requests.get(index), (answer, error) -> {
                Response response = answer == null ? null : response(answer, (byte[]) answer.body(), null);
                results.set(index, new BatchResult(response, error));
                if (open.decrementAndGet() == 0) {
                    completion.complete(inOrder());
                } else {
                    sendNext();
                }
            });
            exchanges.add(exchange);
            exchange.start();
            if (completion.isDone()) {
                exchange.end(null, new IllegalStateException("the batch has ended"));
            }
        }

        private List<@Nullable BatchResult> inOrder() {
            List<@Nullable BatchResult> list = new ArrayList<>();
            for (int i = 0; i < results.length(); i++) {
                list.add(results.get(i));
            }
            return list;
        }

        void end(Throwable error) {
            completion.fail(error);
            exchanges.forEach(exchange -> exchange.end(null, error));
        }
    }
}
